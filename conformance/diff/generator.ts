/** Makes the sequences: random operations, most of them legal, from a seed alone. */
import type { Publish } from '../wire/raw-client.js';
import type { Properties, Table } from '../wire/raw-codec.js';
import type { Fields } from '../wire/raw-methods.js';
import {
  bindingArguments,
  consumerArguments,
  exchangeArguments,
  messageProperties,
  queueArguments,
} from './arguments.js';
import { type ChannelPlan, newPlans } from './channel-plan.js';
import { Dice } from './dice.js';
import { illegalActs } from './illegal.js';
import type { Act, Operation } from './operation.js';
import { type Route, Topology } from './topology.js';

export const QUEUES = ['~q1', '~q2', '~q3'] as const;
/** Where most dead letters go. */
export const GRAVES = ['~d1', '~d2'] as const;
export const EXCHANGES = ['~x1', '~x2', '~x3', '~x4'] as const;
export const KEYS = ['k1', 'a.b', 'a.b.c', 'a', ''] as const;
const BINDING_KEYS = [...KEYS, '#', '*', 'a.*', 'a.#', '*.b.#'] as const;
const TYPES = ['direct', 'fanout', 'topic', 'headers'] as const;

/** A maker returns nothing when its operation would be a matter of luck now. */
type Maker = (plan: ChannelPlan) => readonly Act[] | undefined;

export function generateSequence(seed: number, stepCount: number): readonly Operation[] {
  return new Generator(seed, stepCount).sequence();
}

class Generator {
  private readonly dice: Dice;
  private readonly topology = new Topology();
  private readonly plans: readonly ChannelPlan[];
  private readonly working: readonly (readonly [number, Maker])[];
  private readonly declared = new Map<string, Act>();
  private tagCount = 0;
  private messageCount = 0;
  private madeUpCount = 0;
  private readonly stepCount: number;

  constructor(seed: number, stepCount: number) {
    this.dice = new Dice(seed);
    this.stepCount = stepCount;
    this.plans = newPlans();
    this.working = [
      [2, () => this.declareExchange(this.dice.pick(EXCHANGES))],
      [4, () => this.declareQueue(this.queueToDeclare())],
      [4, () => this.bindQueue(this.oneOf(EXCHANGES))],
      [1, () => this.bindExchange()],
      [34, (plan) => this.publish(plan)],
      [12, (plan) => this.consume(plan)],
      [26, (plan) => this.settle(plan)],
      [10, (plan) => this.get(plan)],
      [4, (plan) => this.cancel(plan)],
      [4, (plan) => this.qos(plan)],
      [4, (plan) => this.recover(plan)],
      [3, (plan) => this.select(plan)],
      [6, (plan) => this.endTx(plan)],
      [2, () => this.unbind()],
      [3, () => this.purgeOrDelete()],
      [2, () => this.look()],
      [2, (plan) => this.closeChannel(plan)],
      [1, (plan) => this.closeConnection(plan)],
      [4, (plan) => this.illegal(plan)],
    ];
  }

  sequence(): readonly Operation[] {
    const operations: Operation[] = [];
    const add = ({ connection, channel }: ChannelPlan, acts: readonly Act[] = []): void => {
      acts.forEach((act, i) => {
        operations.push({ connection, channel, act, ...(i < acts.length - 1 ? { isJoined: true } : {}) });
      });
    };
    for (const acts of this.settingUp()) add(this.plan(), acts);
    while (operations.length < this.stepCount) {
      const plan = this.plan();
      add(plan, this.dice.weighted(this.working)(plan));
    }
    const cut = operations.slice(0, this.stepCount);
    const { isJoined: _isJoined, ...last } = cut.pop()!;
    return [...cut, last, ...this.lastLook()];
  }

  /** Most queues and exchanges, with some bindings. */
  private settingUp(): Act[][] {
    const { dice } = this;
    const groups: Act[][] = [];
    for (const queue of [...GRAVES, ...QUEUES]) if (!dice.oneIn(4)) groups.push(this.declareQueue(queue));
    for (const exchange of EXCHANGES) {
      if (dice.oneIn(3)) continue;
      groups.push(this.declareExchange(exchange));
      for (let i = dice.below(3); i > 0; i--) groups.push(this.bindQueue(exchange));
    }
    return groups;
  }

  private plan(): ChannelPlan {
    return this.dice.oneIn(2) ? this.plans[0]! : this.dice.pick(this.plans);
  }

  /** What is left in the queues, and which exchanges are. */
  private lastLook(): Operation[] {
    const { connection, channel } = this.plans[0]!;
    const drains = [...QUEUES, ...GRAVES].map((queue): Act => ({ kind: 'drain', queue }));
    const exchanges = EXCHANGES.filter((name) => this.declared.has(name)).map(
      (exchange): Act => call('exchange.declare', { exchange, passive: true }),
    );
    return [...drains, ...exchanges].map((act) => ({ connection, channel, act }));
  }

  private queue(): string {
    if (this.madeUpCount > 0 && this.dice.oneIn(12)) return `%gen${1 + this.dice.below(this.madeUpCount)}`;
    return this.oneOf(this.dice.oneIn(6) ? GRAVES : QUEUES);
  }

  /** Mostly one that was declared. */
  private oneOf(names: readonly string[]): string {
    const declared = names.filter((name) => this.declared.has(name));
    return this.dice.pick(declared.length === 0 || this.dice.oneIn(20) ? names : declared);
  }

  private flag(many: number, name: keyof Fields): Fields {
    return this.dice.oneIn(many) ? { [name]: true } : {};
  }

  private declareExchange(exchange: (typeof EXCHANGES)[number]): Act[] {
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

  private queueToDeclare(): string {
    if (this.dice.oneIn(8)) return '';
    return this.dice.oneIn(4) ? this.dice.pick(GRAVES) : this.dice.pick(QUEUES);
  }

  /** @param queue empty: the broker makes up a name */
  private declareQueue(queue: string): Act[] {
    const { dice } = this;
    const before = this.declared.get(queue);
    if (before !== undefined && !dice.oneIn(4)) return [before];
    const isMadeUp = queue === '';
    // A queue made up by the broker has none: no operation could say whose dead letters they are.
    const args = isMadeUp ? [] : queueArguments(dice, queue, EXCHANGES, GRAVES);
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
      ...this.flag(3, 'durable'),
      ...this.flag(12, 'exclusive'),
      ...this.flag(10, 'autoDelete'),
      ...(isMadeUp ? {} : this.flag(15, 'noWait')),
      ...withArguments(args),
    };
    return isMadeUp ? [call('queue.declare', fields)] : this.declare(queue, 'queue.declare', fields);
  }

  private bindQueue(exchange: string): Act[] {
    const queue = this.queue();
    this.topology.bindQueue(exchange, queue);
    return [call('queue.bind', { queue, exchange, ...this.binding(), ...this.flag(15, 'noWait') })];
  }

  private bindExchange(): Act[] {
    const source = this.oneOf(EXCHANGES);
    const destination = this.oneOf(EXCHANGES);
    this.topology.bindExchange(source, destination);
    return [call('exchange.bind', { destination, source, ...this.binding() })];
  }

  private unbind(): Act[] {
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

  private publish(plan: ChannelPlan): Act[] | undefined {
    const { dice } = this;
    const exchange = dice.oneIn(2) ? '' : this.oneOf(EXCHANGES);
    const routingKey = exchange === '' ? (dice.oneIn(15) ? '~nowhere' : this.queue()) : dice.pick(KEYS);
    const properties = messageProperties(dice, [...QUEUES, ...KEYS]);
    const count = dice.oneIn(5) ? 2 + dice.below(4) : 1;
    const route: Route = { exchange, keys: [routingKey, ...carbonCopies(properties)] };
    const routes = Array.from({ length: count }, () => route);
    if (plan.isTx) {
      if (!this.topology.isCertainPublish([...plan.txRoutes, ...routes])) return undefined;
      plan.txRoutes.push(...routes);
    } else if (!this.topology.isCertainPublish(routes)) return undefined;
    const acts: Act[] = [];
    for (let i = 0; i < count; i++) {
      const message: Publish = {
        exchange,
        routingKey,
        ...(dice.oneIn(4) ? { mandatory: true } : {}),
        ...(Object.keys(properties).length === 0 ? {} : { properties }),
        body: dice.oneIn(12) ? '' : `m${++this.messageCount}${dice.oneIn(12) ? '.'.repeat(300) : ''}`,
      };
      acts.push({ kind: 'publish', message });
    }
    return acts;
  }

  private consume(plan: ChannelPlan): Act[] | undefined {
    const { dice } = this;
    const queue = this.queue();
    // Two queues would race for the prefetch that the channel has for all.
    if (plan.isGlobal && !plan.taken.has(queue)) return undefined;
    plan.taken.add(queue);
    const consumerTag = dice.oneIn(10) ? '' : `c${++this.tagCount}`;
    if (consumerTag !== '') plan.tags.push(consumerTag);
    return [
      call('basic.consume', {
        queue,
        consumerTag,
        ...this.flag(4, 'noAck'),
        ...this.flag(12, 'exclusive'),
        ...this.flag(15, 'noLocal'),
        ...(consumerTag === '' ? {} : this.flag(15, 'noWait')),
        ...withArguments(consumerArguments(dice)),
      }),
    ];
  }

  private get(plan: ChannelPlan): Act[] | undefined {
    const { dice } = this;
    const queue = this.queue();
    if (plan.isGlobal && !plan.taken.has(queue)) return undefined;
    plan.taken.add(queue);
    const isNoAck = plan.isGlobal || dice.oneIn(4);
    plan.hasGot ||= !isNoAck;
    const get = call('basic.get', { queue, ...(isNoAck ? { noAck: true } : {}) });
    return dice.oneIn(4) ? [get, get] : [get];
  }

  private settle(plan: ChannelPlan): Act[] | undefined {
    const { dice } = this;
    const multiple = dice.oneIn(4);
    if (!this.isCertainLoss(plan, multiple)) return undefined;
    plan.txSettles ||= plan.isTx;
    const method = dice.weighted([
      [5, 'basic.ack' as const],
      [4, 'basic.nack' as const],
      [4, 'basic.reject' as const],
    ]);
    const requeue = method !== 'basic.ack' && dice.oneIn(2);
    return [
      {
        kind: 'settle',
        method,
        pick: dice.below(8),
        multiple: method !== 'basic.reject' && multiple,
        requeue,
      },
    ];
  }

  /** Whether what the channel has outstanding may go back, or die, now. */
  private isCertainLoss(plan: ChannelPlan, isMultiple: boolean): boolean {
    return this.topology.isCertainSettle(plan.taken, isMultiple);
  }

  private cancel(plan: ChannelPlan): Act[] | undefined {
    const tag = plan.tags.length === 0 || this.dice.oneIn(8) ? 'unknown' : this.dice.pick(plan.tags);
    return [call('basic.cancel', { consumerTag: tag, ...this.flag(15, 'noWait') })];
  }

  private qos(plan: ChannelPlan): Act[] | undefined {
    const isGlobal = plan.taken.size < 2 && !plan.hasGot && this.dice.oneIn(3);
    plan.isGlobal ||= isGlobal;
    return [call('basic.qos', { prefetchCount: this.dice.below(4), ...(isGlobal ? { global: true } : {}) })];
  }

  private recover(plan: ChannelPlan): Act[] | undefined {
    if (!this.isCertainLoss(plan, true)) return undefined;
    return [call(this.dice.oneIn(4) ? 'basic.recover-async' : 'basic.recover', { requeue: true })];
  }

  private select(plan: ChannelPlan): Act[] | undefined {
    // A transaction would hold what was published before in confirm mode, so a channel mostly stays what it became.
    if (plan.isTx || plan.isConfirm) return undefined;
    if (this.dice.oneIn(2)) {
      plan.isConfirm = true;
      return [call('confirm.select', this.flag(8, 'noWait'))];
    }
    plan.isTx = true;
    return [call('tx.select', {})];
  }

  private endTx(plan: ChannelPlan): Act[] | undefined {
    if (!plan.isTx) return undefined;
    const isCertain =
      this.topology.isCertainPublish(plan.txRoutes) &&
      (!plan.txSettles || (plan.txRoutes.length === 0 && this.isCertainLoss(plan, true)));
    plan.txRoutes = [];
    plan.txSettles = false;
    return [call(isCertain && !this.dice.oneIn(3) ? 'tx.commit' : 'tx.rollback', {})];
  }

  private purgeOrDelete(): Act[] {
    const { dice } = this;
    if (dice.oneIn(3)) return [call('queue.purge', { queue: this.queue(), ...this.flag(15, 'noWait') })];
    if (dice.oneIn(3)) {
      return [call('exchange.delete', { exchange: dice.pick(EXCHANGES), ...this.flag(2, 'ifUnused') })];
    }
    return [
      call('queue.delete', {
        queue: this.queue(),
        ...this.flag(3, 'ifUnused'),
        ...this.flag(3, 'ifEmpty'),
        ...this.flag(15, 'noWait'),
      }),
    ];
  }

  private look(): Act[] {
    const { dice } = this;
    if (dice.oneIn(4)) return [call('channel.flow', { active: true })];
    if (dice.oneIn(2)) return [call('exchange.declare', { exchange: this.oneOf(EXCHANGES), passive: true })];
    return [call('queue.declare', { queue: this.queue(), passive: true, ...this.flag(3, 'durable') })];
  }

  private closeChannel(plan: ChannelPlan): Act[] | undefined {
    if (!this.isCertainLoss(plan, true)) return undefined;
    plan.isTx = plan.isConfirm = false;
    return [call('channel.close', {})];
  }

  private closeConnection(plan: ChannelPlan): Act[] | undefined {
    if (!this.isCertainEnd(plan)) return undefined;
    return [call('connection.close', {})];
  }

  /** Channels of one connection end side by side: two that have deliveries outstanding would race. */
  private isCertainEnd({ connection }: ChannelPlan): boolean {
    const holding = this.plans.filter((other) => other.connection === connection && other.taken.size > 0);
    return holding.length < 2 && holding.every((plan) => this.isCertainLoss(plan, true));
  }

  private illegal(plan: ChannelPlan): Act[] | undefined {
    if (!this.isCertainLoss(plan, true)) return undefined;
    const { act, endsConnection } = this.dice.pick(illegalActs(this.dice, plan.tags));
    if (endsConnection && !this.isCertainEnd(plan)) return undefined;
    // Some are legal where they have not been done before.
    if (act.kind === 'call') {
      if (act.method === 'tx.commit' && plan.isTx) return undefined;
      if (act.method === 'tx.select') plan.isTx = true;
      if (act.method === 'basic.consume') {
        if (plan.isGlobal) return undefined;
        plan.taken.add('~q1');
      }
    }
    return [act];
  }
}

function call(method: string, fields: Fields): Act {
  return { kind: 'call', method, fields };
}

function withArguments(args: Table): Fields {
  return args.length === 0 ? {} : { arguments: args };
}

function carbonCopies({ headers = [] }: Properties): string[] {
  return headers
    .filter(([key, tag]) => (key === 'CC' || key === 'BCC') && tag === 'A')
    .flatMap(([, , members]) => (members as readonly (readonly [string, string])[]).map(([, key]) => key));
}
