/** Fanout exchanges: every binding matches, whatever its key (AMQP 0-9-1 section 3.1.3.2). */

import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const fanoutExchange: ExchangeTypeDefinition = {
  name: 'fanout',
  validateArguments() {},
  createMatcher: <D extends Destination>() => new FanoutMatcher<D>(),
};

export class FanoutMatcher<D extends Destination> implements BindingMatcher<D> {
  readonly isCacheable: boolean = true;
  readonly looksAtEveryKey = false;
  readonly #bindings = new Set<Binding<D>>();

  validateBinding(): void {}

  add(binding: Binding<D>): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding<D>): void {
    this.#bindings.delete(binding);
  }

  match(_message: RoutedMessage, into: Set<D>): void {
    for (const binding of this.#bindings) into.add(binding.destination);
  }
}
