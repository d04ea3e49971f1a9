/** An exchange: its properties, its bindings and the matcher of its type. */

import { canonicalKey, type FieldTable } from '../amqp/field-table.js';
import { textOf } from '../amqp/field-value.js';
import type { Random } from '../lib/random.js';
import type { Binding, BindingMatcher, Destination, ExchangeTypeDefinition } from './exchange-type.js';

export interface ExchangeProperties {
  readonly name: string;
  readonly type: ExchangeTypeDefinition;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

export class Exchange<D extends Destination> {
  readonly name: string;
  readonly typeName: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
  /**
   * Name of the exchange that gets what this one cannot route, from the argument `alternate-exchange` or, without one,
   * from a policy. It need not exist (rabbitmq.com/docs/ae).
   */
  alternateExchange: string | undefined;
  /** Answers where a message goes; only this class adds bindings to it and removes them. */
  readonly matcher: BindingMatcher<D>;
  /** By destination, then by binding key and arguments: a destination goes without a look at other bindings. */
  readonly #bindings = new Map<D, Map<string, Binding<D>>>();
  #bindingCount = 0;

  /** @throws AmqpError 406 when the type does not accept the arguments */
  constructor(properties: ExchangeProperties, random: Random) {
    const { type } = properties;
    type.validateArguments(properties.arguments);
    this.name = properties.name;
    this.typeName = type.name;
    this.durable = properties.durable;
    this.autoDelete = properties.autoDelete;
    this.internal = properties.internal;
    this.arguments = properties.arguments;
    this.alternateExchange = textOf(properties.arguments.get('alternate-exchange'));
    this.matcher = type.createMatcher(properties.arguments, random);
  }

  get bindingCount(): number {
    return this.#bindingCount;
  }

  isBoundTo(destination: D): boolean {
    return this.#bindings.has(destination);
  }

  *bindings(): IterableIterator<Binding<D>> {
    for (const byIdentity of this.#bindings.values()) yield* byIdentity.values();
  }

  /** @throws AmqpError 406 when the exchange's type does not accept the binding */
  checkBinding(destination: D, bindingKey: string, args: FieldTable): void {
    this.matcher.validateBinding(bindingKey, args, destination);
  }

  /**
   * Binds a destination. Arguments in another order are the same binding; other arguments are another binding.
   *
   * @returns false when the binding existed already
   * @throws AmqpError 406 when the exchange's type does not accept the binding
   */
  bind(destination: D, bindingKey: string, args: FieldTable): boolean {
    this.matcher.validateBinding(bindingKey, args, destination);
    const byIdentity = this.#bindings.get(destination);
    const identity = identityOf(bindingKey, args);
    if (byIdentity?.has(identity) === true) return false;
    const binding: Binding<D> = { destination, bindingKey, arguments: args };
    if (byIdentity === undefined) this.#bindings.set(destination, new Map([[identity, binding]]));
    else byIdentity.set(identity, binding);
    this.matcher.add(binding);
    this.#bindingCount++;
    return true;
  }

  hasBinding(destination: D, bindingKey: string, args: FieldTable): boolean {
    return this.#bindings.get(destination)?.has(identityOf(bindingKey, args)) === true;
  }

  /** @returns false when there was no such binding, which is no error (AMQP 0-9-1 as RabbitMQ implements it) */
  unbind(destination: D, bindingKey: string, args: FieldTable): boolean {
    const byIdentity = this.#bindings.get(destination);
    const identity = identityOf(bindingKey, args);
    const binding = byIdentity?.get(identity);
    if (byIdentity === undefined || binding === undefined) return false;
    byIdentity.delete(identity);
    if (byIdentity.size === 0) this.#bindings.delete(destination);
    this.matcher.remove(binding);
    this.#bindingCount--;
    return true;
  }

  /** Removes every binding to a destination that is being deleted. @returns how many there were */
  unbindAll(destination: D): number {
    const byIdentity = this.#bindings.get(destination);
    if (byIdentity === undefined) return 0;
    this.#bindings.delete(destination);
    for (const binding of byIdentity.values()) this.matcher.remove(binding);
    this.#bindingCount -= byIdentity.size;
    return byIdentity.size;
  }
}

/** The length in front keeps a key that ends like arguments apart from a shorter key with such arguments. */
function identityOf(bindingKey: string, args: FieldTable): string {
  return `${bindingKey.length}:${bindingKey}${canonicalKey(args)}`;
}
