/**
 * The plug point for exchange types. A type is one definition in a file of its own and one line in `registry.ts`;
 * `test/exchanges/exchange-contract.ts` is the suite every type has to pass.
 */

import type { FieldTable } from '../amqp/field-table.js';
import type { BasicProperties } from '../amqp/properties.js';
import type { Random } from '../lib/random.js';

/** What an exchange routes to; the router knows whether it is a queue or an exchange. Compared by identity. */
export interface Destination {
  readonly name: string;
  /** Of a queue its x-queue-type, of an exchange its type. */
  readonly typeName: string;
}

export interface Binding<D extends Destination> {
  readonly destination: D;
  readonly bindingKey: string;
  readonly arguments: FieldTable;
}

/** As much of a published message as routing needs. */
export interface RoutedMessage {
  readonly routingKey: string;
  /** The headers property, decoded on demand; empty when the message has none. */
  headers(): FieldTable;
  /** All properties, decoded on demand. */
  properties(): BasicProperties;
}

/** What an exchange keeps of the messages that pass, for destinations that are bound later. */
export interface HistoryRule {
  /** How many messages at most: the last ones. */
  readonly lengthMax: number;
  keeps(message: RoutedMessage): boolean;
}

/** The matching half of an exchange: knows bindings, answers which destinations a message goes to. */
export interface BindingMatcher<D extends Destination> {
  /**
   * False when messages of the same exchange and routing key may go to different destinations, so that the
   * router must not remember the result.
   */
  readonly isCacheable: boolean;

  /**
   * Whether every key of a message with CC or BCC headers is matched. A type that does not look at the key, or that
   * chooses one destination per message, gets the first key only.
   */
  readonly looksAtEveryKey: boolean;

  /** Present when the exchange keeps messages; it is not cacheable then, so that each of them is seen. */
  readonly history?: HistoryRule;

  /** @throws AmqpError 406 when the type does not accept such a binding */
  validateBinding(bindingKey: string, args: FieldTable, destination: Destination): void;

  /** The binding is valid, and was not added before. */
  add(binding: Binding<D>): void;

  /** @param binding the same object that was added */
  remove(binding: Binding<D>): void;

  /** Adds the destinations of a message to `into`. A destination bound several times is one member of the set. */
  match(message: RoutedMessage, into: Set<D>): void;
}

export interface ExchangeTypeDefinition {
  /** The word in exchange.declare. */
  readonly name: string;

  /** @throws AmqpError 406 when the type does not accept these arguments of exchange.declare */
  validateArguments(args: FieldTable): void;

  /** @param random for the types that leave it to chance */
  createMatcher<D extends Destination>(args: FieldTable, random: Random): BindingMatcher<D>;
}
