/**
 * The plug point for exchange types. A type is one definition in a file of its own and one line in `registry.ts`;
 * `test/exchanges/exchange-contract.ts` is the suite every type has to pass.
 */

import type { FieldTable } from '../amqp/field-table.js';

/** What an exchange routes to; the router knows whether it is a queue or an exchange. Compared by identity. */
export interface Destination {
  readonly name: string;
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
}

/** The matching half of an exchange: knows bindings, answers which destinations a message goes to. */
export interface BindingMatcher<D extends Destination> {
  /**
   * False when messages of the same exchange and routing key may go to different destinations, so that the
   * router must not remember the result.
   */
  readonly isCacheable: boolean;

  /** @throws AmqpError 406 when the type does not accept such a binding */
  validateBinding(bindingKey: string, args: FieldTable): void;

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

  createMatcher<D extends Destination>(args: FieldTable): BindingMatcher<D>;
}
