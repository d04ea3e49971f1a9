/** Direct exchanges: the binding key equals the routing key (AMQP 0-9-1 section 3.1.3.1). */

import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const directExchange: ExchangeTypeDefinition = {
  name: 'direct',
  validateArguments() {},
  createMatcher: <D extends Destination>() => new DirectMatcher<D>(),
};

class DirectMatcher<D extends Destination> implements BindingMatcher<D> {
  readonly isCacheable = true;
  readonly looksAtEveryKey = true;
  readonly #byKey = new Map<string, Set<Binding<D>>>();

  validateBinding(): void {}

  add(binding: Binding<D>): void {
    const bindings = this.#byKey.get(binding.bindingKey);
    if (bindings === undefined) this.#byKey.set(binding.bindingKey, new Set([binding]));
    else bindings.add(binding);
  }

  remove(binding: Binding<D>): void {
    const bindings = this.#byKey.get(binding.bindingKey);
    if (bindings === undefined) return;
    bindings.delete(binding);
    if (bindings.size === 0) this.#byKey.delete(binding.bindingKey);
  }

  match(message: RoutedMessage, into: Set<D>): void {
    const bindings = this.#byKey.get(message.routingKey);
    if (bindings === undefined) return;
    for (const binding of bindings) into.add(binding.destination);
  }
}
