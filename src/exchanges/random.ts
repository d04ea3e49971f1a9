/**
 * Exchanges of type x-random: each message goes to one binding, all equally likely, whatever its key. A destination
 * bound several times has as many chances (RabbitMQ's plugin rabbitmq_random_exchange).
 */

import type { FieldTable } from '../amqp/field-table.js';
import { below, type Random } from '../lib/random.js';
import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const randomExchange: ExchangeTypeDefinition = {
  name: 'x-random',
  validateArguments() {},
  createMatcher: <D extends Destination>(_args: FieldTable, random: Random) => new RandomMatcher<D>(random),
};

export class RandomMatcher<D extends Destination> implements BindingMatcher<D> {
  readonly isCacheable = false;
  readonly looksAtEveryKey = false;
  readonly #random: Random;
  readonly #bindings: Binding<D>[] = [];
  /** Where in the list a binding is. */
  readonly #places = new Map<Binding<D>, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  validateBinding(_bindingKey: string, _args: FieldTable, _destination: Destination): void {}

  add(binding: Binding<D>): void {
    this.#places.set(binding, this.#bindings.length);
    this.#bindings.push(binding);
  }

  remove(binding: Binding<D>): void {
    const place = this.#places.get(binding);
    if (place === undefined) return;
    this.#places.delete(binding);
    // The last one takes its place: order means nothing here.
    const last = this.#bindings.pop()!;
    if (last === binding) return;
    this.#bindings[place] = last;
    this.#places.set(last, place);
  }

  match(_message: RoutedMessage, into: Set<D>): void {
    const count = this.#bindings.length;
    if (count === 0) return;
    into.add(this.#bindings[count === 1 ? 0 : below(this.#random, count)]!.destination);
  }
}
