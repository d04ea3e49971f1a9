/** Operations on queues, exchanges and bindings. Remembers what was tried. */
import type { Fields } from '../wire/raw-methods.js';
import { call, withArguments } from './acts.js';
import { bindingArguments, exchangeArguments, queueArguments, quorumArguments } from './arguments.js';
import type { Dice } from './dice.js';
import type { Act } from './operation.js';
import type { Topology } from './topology.js';

export const QUEUES = ['~q1', '~q2', '~q3'] as const;
/** Where most dead letters go. */
export const GRAVES = ['~d1', '~d2'] as const;
export const EXCHANGES = ['~x1', '~x2', '~x3', '~x4'] as const;
export const KEYS = ['k1', 'a.b', 'a.b.c', 'a', ''] as const;
const BINDING_KEYS = [...KEYS, '#', '*', 'a.*', 'a.#', '*.b.#'] as const;
const TYPES = ['direct', 'fanout', 'topic', 'headers'] as const;

export class Declarations {
  /** Names to the operation that declared them first. */
  readonly declared = new Map<string, Act>();
  private readonly deleted = new Set<string>();
  private readonly dice: Dice;
  private readonly topology: Topology;
  /** Most queues get arguments that let messages die. */
  private readonly isDeadly: boolean;
  readonly hasQuorum: boolean;
  /** There are times to live of zero; if not, there are priorities (differences.md). */
  readonly expiresAtOnce: boolean;
  private madeUpCount = 0;

  constructor(dice: Dice, topology: Topology, isDeadly: boolean, hasQuorum: boolean) {
    this.dice = dice;
    this.topology = topology;
    this.isDeadly = isDeadly;
    this.hasQuorum = hasQuorum;
    this.expiresAtOnce = dice.oneIn(2);
  }

  queue(): string {
    if (this.madeUpCount > 0 && this.dice.oneIn(12)) return `%gen${1 + this.dice.below(this.madeUpCount)}`;
    return this.oneOf(this.dice.oneIn(6) ? GRAVES : QUEUES);
  }

  /** Mostly one that was declared. */
  oneOf(names: readonly string[]): string {
    const declared = names.filter((name) => this.declared.has(name));
    return this.dice.pick(declared.length === 0 || this.dice.oneIn(20) ? names : declared);
  }

  flag(many: number, name: keyof Fields): Fields {
    return this.dice.oneIn(many) ? { [name]: true } : {};
  }

  declareExchange(exchange: (typeof EXCHANGES)[number]): Act[] {
    const { dice } = this;
    const before = this.declared.get(exchange);
    if (before !== undefined && !dice.oneIn(3)) return [before];
    // The same name mostly gets the same type.
    const type = dice.oneIn(12) ? dice.pick(TYPES) : TYPES[EXCHANGES.indexOf(exchange)]!;
    const args = exchangeArguments(dice, EXCHANGES);
    const alternate = args.find(([key, tag]) => key === 'alternate-exchange' && tag === 'S');
    if (alternate !== undefined) this.topology.bindExchange(exchange, String(alternate[2]));
    return this.declare(exchange, 'exchange.declare', {
      exchange,
      type,
      ...this.flag(3, 'durable'),
      ...this.flag(8, 'autoDelete'),
      ...this.flag(20, 'internal'),
      ...this.flag(15, 'noWait'),
      ...withArguments(args),
    });
  }

  /** What is declared again is mostly declared alike. */
  private declare(name: string, method: string, fields: Fields): Act[] {
    const act = call(method, fields);
    if (!this.declared.has(name)) this.declared.set(name, act);
    return [act];
  }

  queueToDeclare(): string {
    if (this.dice.oneIn(8)) return '';
    return this.dice.oneIn(4) ? this.dice.pick(GRAVES) : this.dice.pick(QUEUES);
  }

  /** @param queue empty: the broker makes up a name */
  declareQueue(queue: string): Act[] {
    const { dice } = this;
    // What an earlier queue delivered would be settled in the later one (differences.md).
    if (this.deleted.has(queue)) return [];
    const before = this.declared.get(queue);
    if (before !== undefined && !dice.oneIn(4)) return [before];
    const isMadeUp = queue === '';
    // A queue made up by the broker has none: no operation could say whose dead letters they are.
    const isQuorum = this.hasQuorum && !isMadeUp && dice.oneIn(2);
    const surroundings = {
      exchanges: EXCHANGES,
      graves: GRAVES,
      isDeadly: this.isDeadly,
      expiresAtOnce: this.expiresAtOnce,
    };
    const args = isMadeUp
      ? []
      : isQuorum
        ? quorumArguments(dice, queue, surroundings)
        : queueArguments(dice, queue, surroundings);
    if (isMadeUp) this.madeUpCount++;
    const textOf = (name: string): string | undefined => {
      const entry = args.find(([key, tag]) => key === name && tag === 'S');
      return entry === undefined ? undefined : String(entry[2]);
    };
    const deadLetterExchange = textOf('x-dead-letter-exchange');
    if (deadLetterExchange !== undefined) {
      this.topology.deadLetter(queue, deadLetterExchange, textOf('x-dead-letter-routing-key'));
    }
    const fields = {
      queue,
      ...(isQuorum && !dice.oneIn(15) ? { durable: true } : this.flag(3, 'durable')),
      ...this.flag(isQuorum ? 60 : 12, 'exclusive'),
      ...this.flag(isQuorum ? 60 : 10, 'autoDelete'),
      ...(isMadeUp ? {} : this.flag(15, 'noWait')),
      ...withArguments(args),
    };
    return isMadeUp ? [call('queue.declare', fields)] : this.declare(queue, 'queue.declare', fields);
  }

  bindQueue(exchange: string): Act[] {
    const queue = this.queue();
    this.topology.bindQueue(exchange, queue);
    return [call('queue.bind', { queue, exchange, ...this.binding(), ...this.flag(15, 'noWait') })];
  }

  bindExchange(): Act[] {
    const source = this.oneOf(EXCHANGES);
    const destination = this.oneOf(EXCHANGES);
    this.topology.bindExchange(source, destination);
    return [call('exchange.bind', { destination, source, ...this.binding() })];
  }

  unbind(): Act[] {
    const exchange = this.oneOf(EXCHANGES);
    if (this.dice.oneIn(4)) {
      return [
        call('exchange.unbind', {
          destination: this.oneOf(EXCHANGES),
          source: exchange,
          ...this.binding(),
        }),
      ];
    }
    return [call('queue.unbind', { queue: this.queue(), exchange, ...this.binding() })];
  }

  private binding(): Fields {
    return { routingKey: this.dice.pick(BINDING_KEYS), ...withArguments(bindingArguments(this.dice)) };
  }

  purgeOrDelete(): Act[] {
    const { dice } = this;
    if (dice.oneIn(3)) return [call('queue.purge', { queue: this.queue(), ...this.flag(15, 'noWait') })];
    if (dice.oneIn(3)) {
      return [call('exchange.delete', { exchange: dice.pick(EXCHANGES), ...this.flag(2, 'ifUnused') })];
    }
    const queue = this.queue();
    this.deleted.add(queue);
    return [
      call('queue.delete', {
        queue,
        // Quorum queues refuse both, and end the connection.
        ...(this.hasQuorum ? {} : { ...this.flag(3, 'ifUnused'), ...this.flag(3, 'ifEmpty') }),
        ...this.flag(15, 'noWait'),
      }),
    ];
  }

  look(): Act[] {
    const { dice } = this;
    if (dice.oneIn(4)) return [call('channel.flow', { active: true })];
    if (dice.oneIn(2)) return [call('exchange.declare', { exchange: this.oneOf(EXCHANGES), passive: true })];
    return [call('queue.declare', { queue: this.queue(), passive: true, ...this.flag(3, 'durable') })];
  }
}
