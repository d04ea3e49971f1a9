/**
 * A virtual host: the exchanges, queues and bindings of one namespace, and the rules by which they come, change
 * and go. Permissions are the channel's affair; what is asked for here has been allowed.
 */
import { type AmqpError, notFound, resourceLocked } from '../amqp/errors.js';
import { FieldTable } from '../amqp/field-table.js';
import { NO_LIMITS, type ResourceLimits } from '../auth/resource-limits.js';
import { exchangeTypes } from '../exchanges/registry.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import type { DeadLetterReason, Queue, QueueHost, QueueProperties } from '../queues/queue.js';
import { type QueueSettings, readQueueArguments } from '../queues/queue-arguments.js';
import {
  argumentsEquivalent,
  inequivalentArgument,
  inequivalentProperty,
} from '../queues/queue-equivalence.js';
import type { DefinitionRecord, DefinitionsLog } from '../store/definitions-log.js';
import type { MessageLog } from '../store/message-log.js';
import { checkQueueDeclaration, checkSameQueue } from './declaration-checks.js';
import {
  bindingRecord,
  exchangeGoneRecord,
  exchangeRecord,
  isPredeclared,
  queueGoneRecord,
  queueRecord,
} from './definitions.js';
import { DyingMessages } from './dying-messages.js';
import { ExchangeHistory, replayHistory } from './exchange-history.js';
import type { Generation } from './generations/generation.js';
import { Policies } from './policies.js';
import { PREDECLARED_EXCHANGES } from './predeclared-exchanges.js';
import { checkQueueLimit } from './queue-limit.js';
import { makeQueue } from './queue-types.js';
import { BrokerExchange, Router, type RouteTarget } from './router.js';
import type { Scheduler } from './scheduler.js';

export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

export interface QueueDeclaration {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly exclusiveOwner: object | undefined;
  readonly arguments: FieldTable;
}

/** What the virtual hosts of one broker share. */
export interface VirtualHostEnvironment {
  readonly log: MessageLog;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly generation: Generation;
  readonly random: Random;
  readonly logger: Logger;
  /** Keeps durable definitions; undefined for a broker in memory, and during recovery. */
  readonly definitions: DefinitionsLog | undefined;
  nextQueueId(): number;
  continueQueueIds(lastQueueId: number): void;
  nowMs(): number;
}

export class VirtualHost implements QueueHost {
  readonly name: string;
  readonly router: Router;
  readonly log: MessageLog;
  readonly environment: VirtualHostEnvironment;
  readonly generation: Generation;
  readonly policies: Policies;
  readonly dying = new DyingMessages(this);
  limits: ResourceLimits = NO_LIMITS;
  private readonly exchangesByName = new Map<string, BrokerExchange>();
  private readonly queuesByName = new Map<string, Queue>();
  /** Queues that no client declared and none can name, by the routing key that reaches them: direct reply-to. */
  private readonly replyQueues = new Map<string, Queue>();
  private readonly exclusiveQueues = new Map<object, Set<Queue>>();
  /** Which exchanges have bindings to a target: its deletion touches no others. */
  private readonly sources = new Map<RouteTarget, Set<BrokerExchange>>();
  private isDeleted = false;

  constructor(name: string, environment: VirtualHostEnvironment) {
    this.name = name;
    this.environment = environment;
    this.generation = environment.generation;
    this.log = environment.log;
    this.policies = new Policies(this, (record) => this.record(record));
    this.router = new Router({
      exchanges: this.exchangesByName,
      queueNamed: (queueName) => this.queuesByName.get(queueName) ?? this.replyQueues.get(queueName),
    });
    for (const [exchangeName, type, internal] of PREDECLARED_EXCHANGES) {
      this.addExchange({
        name: exchangeName,
        type,
        durable: true,
        autoDelete: false,
        internal,
        arguments: FieldTable.EMPTY,
      });
    }
  }

  get clock(): Clock {
    return this.environment.clock;
  }

  get exchanges(): ReadonlyMap<string, BrokerExchange> {
    return this.exchangesByName;
  }

  get queues(): ReadonlyMap<string, Queue> {
    return this.queuesByName;
  }

  /** @throws AmqpError 404 */
  exchangeNamed(name: string): BrokerExchange {
    const exchange = this.exchangesByName.get(name);
    if (exchange === undefined) throw notFound(`no exchange '${name}' in vhost '${this.name}'`);
    return exchange;
  }

  /** @throws AmqpError 404, or 405 when the queue belongs to another connection than `user` */
  queueFor(name: string, user: object): Queue {
    const queue = this.queuesByName.get(name);
    if (queue === undefined) throw notFound(`no queue '${name}' in vhost '${this.name}'`);
    if (queue.exclusiveOwner !== undefined && queue.exclusiveOwner !== user) throw this.locked(name);
    return queue;
  }

  /** Checks a declaration of an exchange that exists. @throws AmqpError 406 naming the first difference */
  checkExchangeEquivalent(exchange: BrokerExchange, declared: ExchangeDeclaration): void {
    const compare = (key: string, received: string, current: string): void => {
      if (received !== current)
        throw inequivalentProperty('exchange', declared.name, this.name, key, current, received);
    };
    compare('type', declared.type, exchange.typeName);
    compare('durable', String(declared.durable), String(exchange.durable));
    compare('auto_delete', String(declared.autoDelete), String(exchange.autoDelete));
    compare('internal', String(declared.internal), String(exchange.internal));
    const key = 'alternate-exchange';
    const current = exchange.arguments.get(key);
    const received = declared.arguments.get(key);
    if (argumentsEquivalent(current, received)) return;
    throw inequivalentArgument('exchange', declared.name, this.name, key, current, received);
  }

  /** @throws AmqpError 406 when the type refuses the arguments. The name is free and the type exists. */
  addExchange(declared: ExchangeDeclaration): BrokerExchange {
    const type = exchangeTypes.get(declared.type)!;
    const exchange = new BrokerExchange({ ...declared, type }, this.environment.random);
    const { history } = exchange.matcher;
    if (history !== undefined) exchange.history = new ExchangeHistory(this.log, history);
    this.policies.applyToExchange(exchange);
    this.exchangesByName.set(declared.name, exchange);
    this.router.invalidate();
    if (this.isStored(exchange) && !isPredeclared(exchange.name))
      this.record(exchangeRecord(this.name, exchange));
    return exchange;
  }

  /** Whether a restart brings it back, if there is something that keeps it. */
  isStored(target: RouteTarget): boolean {
    if (target.durable) return true;
    return this.generation.keepsTransientExchanges && target instanceof BrokerExchange;
  }

  /** Deletes an exchange with the bindings it is source or destination of. */
  deleteExchange(exchange: BrokerExchange): void {
    this.deleteExchanges([exchange]);
  }

  /** @throws AmqpError 406 when the exchange's type refuses the binding */
  bind(source: BrokerExchange, target: RouteTarget, bindingKey: string, args: FieldTable): void {
    if (!source.bind(target, bindingKey, args)) return;
    let sources = this.sources.get(target);
    if (sources === undefined) {
      sources = new Set();
      this.sources.set(target, sources);
    }
    sources.add(source);
    this.router.invalidate();
    if (this.isStored(source) && this.isStored(target)) {
      this.record(bindingRecord('bind', this.name, source, target, bindingKey, args));
    }
    if (source.history !== undefined) replayHistory(this, source.history, target);
  }

  unbind(source: BrokerExchange, target: RouteTarget, bindingKey: string, args: FieldTable): void {
    if (!source.unbind(target, bindingKey, args)) return;
    this.router.invalidate();
    if (this.isStored(source) && this.isStored(target)) {
      this.record(bindingRecord('unbind', this.name, source, target, bindingKey, args));
    }
    if (!source.isBoundTo(target)) this.forgetSource(target, source);
    if (isUnused(source)) this.deleteExchange(source);
  }

  /** Checks a declaration of a queue that exists. @throws AmqpError 405 or 406 naming the first difference */
  checkQueueEquivalent(queue: Queue, declared: QueueDeclaration): void {
    if (queue.exclusiveOwner !== declared.exclusiveOwner) throw this.locked(declared.name);
    checkSameQueue(queue, declared, this.name, this.generation);
  }

  /** @throws AmqpError 406, 541 for what the generation gave up, 540 for what is not there yet */
  addQueue(declared: QueueDeclaration): Queue {
    const settings = checkQueueDeclaration(declared, this.name, this.generation);
    checkQueueLimit(this, declared);
    const queue = this.addQueueWithId(this.environment.nextQueueId(), declared, settings);
    if (queue.durable) this.record(queueRecord(this.name, queue));
    return queue;
  }

  /** Makes a queue again that a restart ended, under the id it had. */
  restoreQueue(id: number, declared: QueueDeclaration): void {
    this.environment.continueQueueIds(id);
    const settings = readQueueArguments(declared.arguments);
    this.addQueueWithId(id, declared, settings);
  }

  private addQueueWithId(id: number, declared: QueueDeclaration, settings: QueueSettings): Queue {
    const queue = this.newQueue(id, declared, settings);
    this.queuesByName.set(declared.name, queue);
    const owner = declared.exclusiveOwner;
    if (owner !== undefined) {
      let owned = this.exclusiveQueues.get(owner);
      if (owned === undefined) {
        owned = new Set();
        this.exclusiveQueues.set(owner, owned);
      }
      owned.add(queue);
    }
    this.router.invalidate();
    return queue;
  }

  /** Deletes a queue with its bindings and messages. @returns how many messages were ready */
  deleteQueue(queue: Queue): number {
    if (this.queuesByName.get(queue.name) !== queue) return 0;
    this.queuesByName.delete(queue.name);
    if (queue.exclusiveOwner !== undefined) this.exclusiveQueues.get(queue.exclusiveOwner)?.delete(queue);
    this.deleteExchanges(this.unbindEverywhere(queue));
    this.router.invalidate();
    if (queue.durable) this.record(queueGoneRecord(this.name, queue));
    const count = queue.delete();
    this.dying.queueDeleted(queue);
    return count;
  }

  /** A connection has ended: its exclusive queues go with it. */
  deleteExclusiveQueues(owner: object): void {
    for (const queue of [...(this.exclusiveQueues.get(owner) ?? [])]) this.deleteQueue(queue);
    this.exclusiveQueues.delete(owner);
  }

  /** Adds a queue that only the routing key `name` reaches, through the default exchange. No policy does. */
  addReplyQueue(name: string): Queue {
    const settings = readQueueArguments(FieldTable.EMPTY);
    const queue = this.makeQueue({
      id: this.environment.nextQueueId(),
      name,
      durable: false,
      autoDelete: false,
      exclusiveOwner: undefined,
      arguments: FieldTable.EMPTY,
      settings,
    });
    this.replyQueues.set(name, queue);
    this.router.invalidate();
    return queue;
  }

  hasReplyQueue(name: string): boolean {
    return this.replyQueues.has(name);
  }

  deleteReplyQueue(queue: Queue): void {
    this.replyQueues.delete(queue.name);
    this.router.invalidate();
    queue.delete();
  }

  /**
   * Everything in it goes. The record of its own end covers that: records by the name alone, written behind it, could
   * hit another virtual host that took the name.
   */
  delete(): void {
    this.isDeleted = true;
    for (const queue of [...this.queuesByName.values()]) this.deleteQueue(queue);
    this.deleteExchanges([...this.exchangesByName.values()]);
  }

  /** The broker is closing: timers end, messages in memory go, and what the data directory has stays as it is. */
  close(): void {
    for (const { history } of this.exchangesByName.values()) history?.release();
    for (const queue of [...this.queuesByName.values()]) {
      if (this.log.journal === undefined) this.deleteQueue(queue);
      else queue.stop();
    }
    this.dying.stop();
  }

  scheduleRun(queue: Queue): void {
    this.environment.scheduler.scheduleRun(queue);
  }

  deadLetter(queue: Queue, position: number, reason: DeadLetterReason): void {
    if (queue.settings.deadLetterExchange === undefined) queue.forget(position);
    else this.dying.add(queue, position, reason);
  }

  lastConsumerGone(queue: Queue): void {
    if (queue.autoDelete) this.deleteQueue(queue);
  }

  markPurged(queue: Queue): boolean {
    const { journal } = this.log;
    if (!queue.durable || journal === undefined) return false;
    queue.purgeMark = journal.position;
    this.record(queueRecord(this.name, queue));
    return true;
  }

  leaseExpired(queue: Queue): void {
    this.deleteQueue(queue);
  }

  locked(queueName: string): AmqpError {
    return resourceLocked(
      `cannot obtain exclusive access to locked queue '${queueName}' in vhost '${this.name}'. It could be ` +
        'originally declared on another connection or the exclusive property value does not match that of the ' +
        'original declaration.',
    );
  }

  private newQueue(id: number, declared: QueueDeclaration, declaredSettings: QueueSettings): Queue {
    const settings = this.policies.settingsFor(declared.name, declaredSettings);
    return this.makeQueue({ ...declared, settings, id });
  }

  private makeQueue(properties: QueueProperties): Queue {
    return makeQueue(properties, this.name, this.log, this, this.environment);
  }

  /**
   * Deletes exchanges, and the auto-delete exchanges that lose their last binding so. A list and no recursion: a
   * client may chain as many of them as it likes, and the end of one queue takes them all.
   */
  private deleteExchanges(doomed: BrokerExchange[]): void {
    for (let exchange = doomed.pop(); exchange !== undefined; exchange = doomed.pop()) {
      if (this.exchangesByName.get(exchange.name) !== exchange) continue;
      this.exchangesByName.delete(exchange.name);
      exchange.history?.release();
      for (const { destination } of exchange.bindings()) this.forgetSource(destination, exchange);
      for (const unused of this.unbindEverywhere(exchange)) doomed.push(unused);
      this.router.invalidate();
      if (this.isStored(exchange)) this.record(exchangeGoneRecord(this.name, exchange));
    }
  }

  private record(record: DefinitionRecord): void {
    if (!this.isDeleted) this.environment.definitions?.append(record);
  }

  /** Removes the bindings to a target. @returns the exchanges that are to go for want of another */
  private unbindEverywhere(target: RouteTarget): BrokerExchange[] {
    const sources = this.sources.get(target);
    if (sources === undefined) return [];
    this.sources.delete(target);
    for (const source of sources) source.unbindAll(target);
    return [...sources].filter(isUnused);
  }

  private forgetSource(target: RouteTarget, source: BrokerExchange): void {
    const sources = this.sources.get(target);
    sources?.delete(source);
    if (sources?.size === 0) this.sources.delete(target);
  }
}

/** An auto-delete exchange goes with its last binding as source (AMQP 0-9-1 exchange.declare auto-delete). */
function isUnused(source: BrokerExchange): boolean {
  return source.autoDelete && source.bindingCount === 0;
}
