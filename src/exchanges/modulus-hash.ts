/**
 * Exchanges of type x-modulus-hash (RabbitMQ's sharding plugin, part of the broker from 4.3 on): the routing key's
 * hash modulo the number of bindings chooses one of them. They count in the order of their destinations' names, so a
 * restart changes nothing; a binding more or less moves most keys, which x-consistent-hash avoids. Binding keys mean
 * nothing, and a destination bound several times has as many shares.
 */

import { hashText } from '../lib/text-hash.js';
import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const modulusHashExchange: ExchangeTypeDefinition = {
  name: 'x-modulus-hash',
  validateArguments() {},
  createMatcher: <D extends Destination>() => new ModulusHashMatcher<D>(),
};

class ModulusHashMatcher<D extends Destination> implements BindingMatcher<D> {
  readonly isCacheable = true;
  readonly looksAtEveryKey = false;
  readonly #bindings = new Set<Binding<D>>();
  /** Those of the bindings, in order; undefined when it is out of date. */
  #destinations: D[] | undefined;

  validateBinding(): void {}

  add(binding: Binding<D>): void {
    this.#bindings.add(binding);
    this.#destinations = undefined;
  }

  remove(binding: Binding<D>): void {
    this.#bindings.delete(binding);
    this.#destinations = undefined;
  }

  match(message: RoutedMessage, into: Set<D>): void {
    this.#destinations ??= [...this.#bindings].map(({ destination }) => destination).sort(byName);
    const { length } = this.#destinations;
    if (length > 0) into.add(this.#destinations[hashText(message.routingKey) % length]!);
  }
}

/** By name; a queue and an exchange of one name by type. */
function byName(a: Destination, b: Destination): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.typeName === b.typeName) return 0;
  return a.typeName < b.typeName ? -1 : 1;
}
