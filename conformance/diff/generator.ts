/** Makes the sequences: random operations, most of them legal, from a seed alone. */
import type { Publish } from '../wire/raw-client.js';
import { call, carbonCopies, withArguments } from './acts.js';
import { consumerArguments, messageProperties } from './arguments.js';
import { type ChannelPlan, newPlans } from './channel-plan.js';
import { Declarations, EXCHANGES, GRAVES, KEYS, QUEUES } from './declarations.js';
import { Dice } from './dice.js';
import { illegalActs } from './illegal.js';
import type { Act, Operation } from './operation.js';
import { type Route, Topology } from './topology.js';

const REPLY_TO = 'amq.rabbitmq.reply-to';

/** What a sequence has more of. */
const PROFILES = ['all', 'deaths', 'consumers', 'modes'] as const;
type Profile = (typeof PROFILES)[number];

/** A maker returns nothing when its operation would be a matter of luck now. */
type Maker = (plan: ChannelPlan) => readonly Act[] | undefined;

/** @param hasQuorum some of its queues are quorum queues */
export function generateSequence(seed: number, stepCount: number, hasQuorum = false): readonly Operation[] {
  return new Generator(seed, stepCount, hasQuorum).sequence();
}

class Generator {
  private readonly dice: Dice;
  private readonly topology = new Topology();
  private readonly profile: Profile;
  private readonly plans: readonly ChannelPlan[];
  private readonly working: readonly (readonly [number, Maker])[];
  private readonly declarations: Declarations;
  private tagCount = 0;
  private messageCount = 0;
  private readonly stepCount: number;

  constructor(seed: number, stepCount: number, hasQuorum: boolean) {
    this.dice = new Dice(seed);
    this.stepCount = stepCount;
    this.plans = newPlans();
    this.profile = this.dice.pick(PROFILES);
    this.declarations = new Declarations(
      this.dice,
      this.topology,
      this.profile === 'deaths' || this.profile === 'modes',
      hasQuorum,
    );
    const declarations = this.declarations;
    const weights: readonly (readonly [number, Maker, Profile?])[] = [
      [2, () => declarations.declareExchange(this.dice.pick(EXCHANGES))],
      [4, () => declarations.declareQueue(declarations.queueToDeclare())],
      [4, () => declarations.bindQueue(declarations.oneOf(EXCHANGES))],
      [1, () => declarations.bindExchange()],
      [34, (plan) => this.publish(plan), 'deaths'],
      [12, (plan) => this.consume(plan), 'consumers'],
      [26, (plan) => this.settle(plan), 'consumers'],
      [10, (plan) => this.get(plan)],
      [4, (plan) => this.cancel(plan)],
      [4, (plan) => this.qos(plan), 'consumers'],
      [4, (plan) => this.recover(plan)],
      [3, (plan) => this.select(plan), 'modes'],
      [6, (plan) => this.endTx(plan), 'modes'],
      [2, (plan) => this.reply(plan)],
      [2, () => declarations.unbind()],
      [3, () => declarations.purgeOrDelete()],
      [2, () => declarations.look()],
      [2, (plan) => this.closeChannel(plan)],
      [1, (plan) => this.closeConnection(plan)],
      [4, (plan) => this.illegal(plan)],
    ];
    this.working = weights.map(([weight, make, profile]) => [
      profile !== undefined && profile === this.profile ? 3 * weight : weight,
      make,
    ]);
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
    for (const queue of [...GRAVES, ...QUEUES])
      if (!dice.oneIn(4)) groups.push(this.declarations.declareQueue(queue));
    for (const exchange of EXCHANGES) {
      if (dice.oneIn(3)) continue;
      groups.push(this.declarations.declareExchange(exchange));
      for (let i = dice.below(3); i > 0; i--) groups.push(this.declarations.bindQueue(exchange));
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
    const exchanges = EXCHANGES.filter((name) => this.declarations.declared.has(name)).map(
      (exchange): Act => call('exchange.declare', { exchange, passive: true }),
    );
    return [...drains, ...exchanges].map((act) => ({ connection, channel, act }));
  }

  private publish(plan: ChannelPlan): Act[] | undefined {
    const { dice } = this;
    const exchange = dice.oneIn(2) ? '' : this.declarations.oneOf(EXCHANGES);
    const routingKey =
      exchange === '' ? (dice.oneIn(15) ? '~nowhere' : this.declarations.queue()) : dice.pick(KEYS);
    const properties = messageProperties(dice, [...QUEUES, ...KEYS], this.declarations.expiresAtOnce);
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
    const queue = this.declarations.queue();
    // Two queues would race for the prefetch that the channel has for all.
    if (plan.isGlobal && !plan.taken.has(queue)) return undefined;
    plan.taken.add(queue);
    const consumerTag = dice.oneIn(10) ? '' : `c${++this.tagCount}`;
    if (consumerTag !== '') plan.tags.push(consumerTag);
    return [
      call('basic.consume', {
        queue,
        consumerTag,
        ...this.declarations.flag(4, 'noAck'),
        ...this.declarations.flag(12, 'exclusive'),
        ...this.declarations.flag(15, 'noLocal'),
        ...(consumerTag === '' ? {} : this.declarations.flag(15, 'noWait')),
        ...withArguments(consumerArguments(dice)),
      }),
    ];
  }

  private get(plan: ChannelPlan): Act[] | undefined {
    const { dice } = this;
    const queue = this.declarations.queue();
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

  /** Direct reply-to: a request, its consumer, or an answer to the first request there was. */
  private reply(plan: ChannelPlan): Act[] | undefined {
    const route = { exchange: '', routingKey: this.declarations.oneOf(QUEUES) };
    switch (this.dice.below(3)) {
      case 0:
        return [call('basic.consume', { queue: REPLY_TO, consumerTag: 'reply', noAck: !this.dice.oneIn(8) })];
      case 1:
        if (plan.isTx || !this.topology.isCertainPublish([{ exchange: '', keys: [route.routingKey] }]))
          return undefined;
        return [
          { kind: 'publish', message: { ...route, properties: { replyTo: REPLY_TO }, body: 'request' } },
        ];
      default:
        return [{ kind: 'publish', message: { exchange: '', routingKey: '%reply1', body: 'answer' } }];
    }
  }

  private cancel(plan: ChannelPlan): Act[] | undefined {
    const tag = plan.tags.length === 0 || this.dice.oneIn(8) ? 'unknown' : this.dice.pick(plan.tags);
    return [call('basic.cancel', { consumerTag: tag, ...this.declarations.flag(15, 'noWait') })];
  }

  private qos(plan: ChannelPlan): Act[] | undefined {
    // Quorum queues refuse it, and end the connection.
    const mayBeGlobal = plan.taken.size < 2 && !plan.hasGot && !this.declarations.hasQuorum;
    const isGlobal = mayBeGlobal && this.dice.oneIn(3);
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
      return [call('confirm.select', this.declarations.flag(8, 'noWait'))];
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
    if (act.kind === 'publish') {
      const { exchange = '', routingKey = '', properties = {} } = act.message;
      const keys = [routingKey, ...carbonCopies(properties)];
      if (plan.isTx || !this.topology.isCertainPublish([{ exchange, keys }])) return undefined;
    }
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
