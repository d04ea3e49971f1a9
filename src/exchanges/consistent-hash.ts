/**
 * Exchanges of type x-consistent-hash (RabbitMQ's plugin rabbitmq_consistent_hash_exchange): each message goes to one
 * destination, always the same for the same value. The value is the routing key, or what the exchange's arguments
 * name: a header (`hash-header`) or a property (`hash-property`); messages without it go to one destination together.
 * A binding key is a weight: of two destinations, the one with twice the weight gets twice the share of the values.
 *
 * RabbitMQ keeps a ring of as many buckets as there are weights. Here each destination bids for a value, with the
 * logarithm of a number between 0 and 1 that its name and the value give, divided by its weight; the highest bid wins
 * (weighted rendezvous hashing). Shares are exact, and a destination that comes or goes moves only the values it wins
 * or had won; nothing depends on the order of bindings, so a restart moves nothing at all. Which destination a value
 * goes to is not what RabbitMQ's ring would say.
 */

import { erlangString } from '../amqp/erlang-term.js';
import { preconditionFailed } from '../amqp/errors.js';
import { canonicalKey, FieldTable } from '../amqp/field-table.js';
import { type FieldValue, isErlangInteger, textOf } from '../amqp/field-value.js';
import { HASH_WEIGHT_MAX } from '../lib/limits.js';
import { hashText, mixed } from '../lib/text-hash.js';
import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const consistentHashExchange: ExchangeTypeDefinition = {
  name: 'x-consistent-hash',
  validateArguments: (args) => void valueChosenBy(args),
  createMatcher: <D extends Destination>(args: FieldTable) =>
    new ConsistentHashMatcher<D>(valueChosenBy(args)),
};

/** The text that decides where a message goes. */
type ValueOfMessage = (message: RoutedMessage) => string;

/** The properties that `hash-property` may name. */
const PROPERTIES: ReadonlyMap<string, ValueOfMessage> = new Map([
  ['correlation_id', (message) => present(message.properties().correlationId)],
  ['message_id', (message) => present(message.properties().messageId)],
  ['timestamp', (message) => present(message.properties().timestamp)],
]);

class ConsistentHashMatcher<D extends Destination> implements BindingMatcher<D> {
  readonly isCacheable: boolean;
  readonly looksAtEveryKey = false;
  readonly #valueOf: ValueOfMessage | undefined;
  readonly #bidders = new Map<D, Bidder<D>>();
  readonly #seeds = new Set<number>();

  /** @param value undefined for the routing key */
  constructor(value: ValueOfMessage | undefined) {
    this.#valueOf = value;
    this.isCacheable = value === undefined;
  }

  /** @throws AmqpError 406 for a key that is no weight */
  validateBinding(bindingKey: string): void {
    weightOf(bindingKey);
  }

  add(binding: Binding<D>): void {
    const bidder = this.#bidders.get(binding.destination);
    // A second binding adds nothing (RabbitMQ 4): it counts when the first has gone.
    if (bidder !== undefined) bidder.bindings.add(binding);
    else this.#bidders.set(binding.destination, this.#newBidder(binding));
  }

  remove(binding: Binding<D>): void {
    const bidder = this.#bidders.get(binding.destination);
    if (bidder === undefined) return;
    bidder.bindings.delete(binding);
    for (const first of bidder.bindings) {
      bidder.weight = weightOf(first.bindingKey);
      return;
    }
    this.#bidders.delete(binding.destination);
    this.#seeds.delete(bidder.seed);
  }

  match(message: RoutedMessage, into: Set<D>): void {
    if (this.#bidders.size === 0) return;
    const hash = hashText(this.#valueOf === undefined ? message.routingKey : this.#valueOf(message));
    let winner: D | undefined;
    let highest = Number.NEGATIVE_INFINITY;
    for (const { destination, seed, weight } of this.#bidders.values()) {
      const bid = Math.log((mixed(hash ^ seed) + 0.5) / 4_294_967_296) / weight;
      if (bid <= highest) continue;
      highest = bid;
      winner = destination;
    }
    into.add(winner!);
  }

  #newBidder(binding: Binding<D>): Bidder<D> {
    const { destination } = binding;
    let seed = hashText(destination.name);
    // Two with one seed would always bid alike, and the lighter one never win.
    while (this.#seeds.has(seed)) seed = mixed(seed + 1);
    this.#seeds.add(seed);
    return { destination, seed, bindings: new Set([binding]), weight: weightOf(binding.bindingKey) };
  }
}

interface Bidder<D extends Destination> {
  readonly destination: D;
  readonly seed: number;
  /** In the order they came; the first gives the weight. */
  readonly bindings: Set<Binding<D>>;
  weight: number;
}

/** What an exchange with these arguments hashes; undefined for the routing key. @throws AmqpError 406 */
function valueChosenBy(args: FieldTable): ValueOfMessage | undefined {
  const header = nameIn(args, 'hash-header');
  const property = nameIn(args, 'hash-property');
  if (header !== undefined && property !== undefined) {
    throw preconditionFailed('hash-header and hash-property are mutually exclusive');
  }
  if (header !== undefined) return (message) => headerText(message.headers().get(header));
  if (property === undefined) return undefined;
  const value = PROPERTIES.get(property);
  if (value === undefined) throw preconditionFailed(`Unsupported property: ${property}`);
  return value;
}

/** RabbitMQ fails here with 541 and closes the connection. @throws AmqpError 406 for anything but a string */
function nameIn(args: FieldTable, key: string): string | undefined {
  const value = args.get(key);
  if (value === undefined) return undefined;
  const name = textOf(value);
  if (name === undefined) throw preconditionFailed(`${key} must be a string, not of type ${value.type}`);
  return name;
}

/** The number a binding key is to Erlang's list_to_integer. @throws AmqpError 406 */
function weightOf(bindingKey: string): number {
  if (!/^[+-]?[0-9]+$/.test(bindingKey)) {
    throw preconditionFailed(`The binding key must be an integer: ${erlangString(Buffer.from(bindingKey))}`);
  }
  const weight = Number(bindingKey);
  if (weight < 1) throw preconditionFailed('The binding key must be greater than 0');
  if (weight > HASH_WEIGHT_MAX)
    throw preconditionFailed(`The binding key must not exceed ${HASH_WEIGHT_MAX}`);
  return weight;
}

/** What is absent is unlike every value that is there, the empty one included. */
function present(value: string | number | bigint | undefined): string {
  return value === undefined ? '' : `=${value}`;
}

/** The same for values that are one Erlang term: integers of every width, strings and byte arrays. */
function headerText(value: FieldValue | undefined): string {
  if (value === undefined) return '';
  if (isErlangInteger(value)) return `#${value.value}`;
  if (value.type === 'longstr' || value.type === 'binary') return present(value.value.toString('latin1'));
  return canonicalKey(FieldTable.of([['', value]]));
}
