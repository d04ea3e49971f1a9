/**
 * What the queues share whose consumers compete: each message goes to one of them.
 *
 *   publish -> ready --run/get--> unacked --acknowledge--> gone
 *                ^ |                 |  \---reject-------> gone, or dead-lettered
 *                | +-- expired, over the limit: gone, or dead-lettered
 *                +------requeue------+
 *
 * A delivery to a consumer with automatic acknowledgement goes from ready to gone directly. How messages join, and
 * what becomes of those that come back, is for the types to say.
 *
 * Deliveries are made by the turn. RabbitMQ hands each message out before it looks at what comes next, and that
 * shows wherever the ready messages are counted, dropped or ordered. There the queue runs on the spot first: what it
 * writes waits in the transports like everything else.
 */
import type { FieldTable } from '../amqp/field-table.js';
import { PURGE_MARK_MESSAGES_MIN, QUEUE_RUN_MESSAGES_MAX } from '../lib/limits.js';
import type { MessageLog } from '../store/message-log.js';
import type { ColdRun } from './cold-run.js';
import { ConsumerList } from './consumer-list.js';
import type { TtlEra } from './message-expiry.js';
import type {
  Consumer,
  DeadLetterReason,
  PeekedMessage,
  PurgeMark,
  Queue,
  QueueCounts,
  QueueHost,
  QueueProperties,
  Return,
} from './queue.js';
import type { QueueSettings, QueueType } from './queue-arguments.js';
import { QueueLease } from './queue-lease.js';
import { QueueRules } from './queue-rules.js';
import { ReadyHead } from './ready-head.js';
import type { HandOut, ReadyIndex } from './ready-index.js';
import { SingleActive } from './single-active.js';

export interface CompetingQueueParts {
  readonly virtualHostName: string;
  readonly log: MessageLog;
  readonly host: QueueHost;
  readonly index: ReadyIndex;
  /** Of consumers of which one is served: whether it makes room for one of a higher priority. */
  readonly yieldsToHigher: boolean;
}

export abstract class CompetingQueue implements Queue {
  abstract readonly typeName: QueueType;
  /** What is limited or ordered by what messages hold cannot take them as runs. */
  abstract get recoversByMessage(): boolean;
  abstract readonly persistsAll: boolean;
  abstract readonly supportsGlobalPrefetch: boolean;
  abstract readonly unlimitedPrefetch: number;
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly exclusiveOwner: object | undefined;
  readonly arguments: FieldTable;
  settings: QueueSettings;
  isDeleted = false;
  isScheduled = false;
  purgeMark: PurgeMark | undefined;
  lastSequence = 0;
  lastRedelivered = false;
  lastCounts = 0;

  private readonly virtualHostName: string;
  protected readonly log: MessageLog;
  protected readonly host: QueueHost;
  protected readonly index: ReadyIndex;
  protected readonly head: ReadyHead;
  protected readonly consumers = new ConsumerList();
  protected readonly single: SingleActive | undefined;
  protected lease: QueueLease | undefined;
  protected unackedCount = 0;
  /** Messages are coming back together. */
  protected areReturnsOpen = false;

  /** Whether a message may join without a look at it. */
  protected isPlain: boolean;
  protected readonly rules: QueueRules;

  constructor(properties: QueueProperties, parts: CompetingQueueParts) {
    const { settings } = properties;
    const { log, host, index } = parts;
    this.id = properties.id;
    this.name = properties.name;
    this.durable = properties.durable;
    this.autoDelete = properties.autoDelete;
    this.exclusiveOwner = properties.exclusiveOwner;
    this.arguments = properties.arguments;
    this.settings = settings;
    this.virtualHostName = parts.virtualHostName;
    this.log = log;
    this.host = host;
    this.index = index;
    this.head = new ReadyHead(this, index, log);
    const { singleActiveConsumer } = settings;
    this.single = singleActiveConsumer ? new SingleActive(this.consumers, parts.yieldsToHigher) : undefined;
    this.rules = new QueueRules(this, settings, { index, head: this.head, log, clock: host.clock });
    this.isPlain = this.isPlainNow();
    this.lease = this.newLease();
  }

  abstract requeue(position: number, sequence: number, cause?: Return): void;
  abstract reject(position: number, sequence: number): void;
  abstract recover(position: number, handOut: HandOut, returnCount: number, failureCount: number): void;
  abstract checkGet(): void;
  abstract checkDelete(ifUnused: boolean, ifEmpty: boolean): void;
  /** Of a message that joins; only of one that is looked at. */
  protected abstract priorityOf(position: number): number;
  /** Whether the queue is too full for a message; if so, the message has been dealt with. */
  protected abstract refuses(position: number): boolean;

  get ttlEras(): readonly TtlEra[] {
    return this.rules.expiry.eras;
  }

  set ttlEras(eras: readonly TtlEra[]) {
    this.rules.expiry.eras = eras;
  }

  applySettings(settings: QueueSettings): void {
    this.catchUp();
    const { expiresMs } = this.settings;
    this.settings = settings;
    this.rules.change(settings, this.index.length + this.heldCount > 0);
    this.isPlain = this.isPlainNow();
    if (settings.expiresMs === expiresMs) return;
    this.lease?.stop();
    this.lease = this.newLease();
  }

  publish(position: number, ownDeadlineMs: number = Number.POSITIVE_INFINITY): boolean {
    if (!this.isPlain || ownDeadlineMs !== Number.POSITIVE_INFINITY) {
      return this.admit(position, ownDeadlineMs, this.priorityOf(position));
    }
    this.index.push(position, 0);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    return true;
  }

  run(): boolean {
    const { index, rules } = this;
    this.applyRules();
    for (let budget = QUEUE_RUN_MESSAGES_MAX; index.length > 0; budget--) {
      const consumer = this.nextConsumer();
      if (consumer === undefined || !this.head.isReadable() || index.length === 0) break;
      if (budget === 0) {
        this.head.readAhead();
        return true;
      }
      this.handOut(consumer);
      if (rules.expires) rules.dropExpired();
    }
    this.head.readAhead();
    return false;
  }

  get(): number {
    this.lease?.renew();
    this.catchUp();
    if (this.index.length === 0) return -1;
    this.unackedCount++;
    const position = this.take();
    this.lastSequence = this.index.lastSequence;
    this.lastRedelivered = this.index.lastRedelivered;
    this.lastCounts = this.index.lastCounts;
    if (this.rules.expires) this.rules.dropExpired();
    return position;
  }

  peek(count: number): readonly PeekedMessage[] {
    this.catchUp();
    const peeked: PeekedMessage[] = [];
    this.index.visitHead(count, (position, redelivered, counts) => {
      peeked.push({ position, redelivered, counts });
    });
    return peeked;
  }

  acknowledge(position: number, _sequence: number): void {
    this.unackedCount--;
    this.letGo(position);
  }

  openReturns(): void {
    this.areReturnsOpen = true;
  }

  closeReturns(): void {
    this.areReturnsOpen = false;
    this.applyRules();
  }

  subscribe(consumer: Consumer): void {
    this.catchUp();
    this.consumers.add(consumer);
    this.single?.add(consumer);
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  unsubscribe(consumer: Consumer): void {
    if (!this.consumers.remove(consumer)) return;
    if (this.single?.remove(consumer) === true && this.index.length > 0) this.host.scheduleRun(this);
    if (this.consumers.size > 0) return;
    this.lease?.renew();
    this.host.lastConsumerGone(this);
  }

  consumerReady(consumer: Consumer): void {
    if (this.single === undefined) this.consumers.rejoin(consumer);
    else consumer.isWaiting = false;
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  touch(): void {
    this.lease?.renew();
  }

  purge(): number {
    this.catchUp();
    const count = this.index.length;
    // One record says that everything before it is gone, unless somebody still holds some of it.
    const isMarked = count >= PURGE_MARK_MESSAGES_MIN && this.heldCount === 0 && this.host.markPurged(this);
    const isNoted = this.durable && !this.isDeleted && !isMarked;
    this.index.clear(
      (position) => (isMarked ? this.log.release(position) : this.letGo(position)),
      (run) => this.log.releaseRun(run, isNoted ? this.id : undefined),
    );
    this.rules.clear();
    return count;
  }

  counts(): QueueCounts {
    this.catchUp();
    return { ready: this.index.length, unacked: this.unackedCount, consumers: this.consumers.size };
  }

  forget(position: number): void {
    this.letGo(position);
  }

  dropHead(reason: DeadLetterReason): void {
    this.die(this.take(), reason);
  }

  /** Gives the reference of a message back, for good. */
  letGo(position: number): void {
    // The records of a deleted queue mean nothing after a restart: its id is gone.
    if (this.durable && !this.isDeleted) this.log.settle(position, this.id);
    else this.log.release(position);
  }

  get isHandOutNoted(): boolean {
    return this.unackedCount === 0 && !this.index.hasPresumedHandOuts;
  }

  recoverRun(run: ColdRun, handOut: HandOut): void {
    this.index.recoverRun(run, handOut);
    this.rules.expires ||= this.rules.expiry.isForAll;
  }

  stop(): void {
    this.lease?.stop();
    this.rules.expiry.stop();
  }

  isHeadReadable(): boolean {
    this.catchUp();
    return this.head.isReadable();
  }

  fetchHead(onReadable: () => void): void {
    this.head.fetch(onReadable);
  }

  onHeadReadable(): void {
    this.host.scheduleRun(this);
  }

  delete(): number {
    this.catchUp();
    this.isDeleted = true;
    const count = this.purge();
    this.isPlain = false;
    this.lease?.stop();
    const consumers = [...this.consumers];
    for (const consumer of consumers) this.consumers.remove(consumer);
    for (const consumer of consumers) consumer.cancelledByQueue();
    return count;
  }

  /** The queue, as errors name it. */
  protected get place(): string {
    return `queue '${this.name}' in vhost '${this.virtualHostName}'`;
  }

  /** Messages that the queue has beside the ready ones. */
  protected get heldCount(): number {
    return this.unackedCount;
  }

  /** `publish` where it matters what else is ready, and whether somebody takes the message at once. */
  protected admit(position: number, ownDeadlineMs: number, priority: number): boolean {
    if (this.isDeleted) {
      // A route may be older than the end of the queue; a confirm does not tell the difference (RabbitMQ).
      this.log.release(position);
      return true;
    }
    this.catchUp();
    if (this.refuses(position)) return false;
    this.index.push(position, priority);
    const { rules } = this;
    rules.limit?.add(position);
    if (rules.expiry.isForAll || ownDeadlineMs !== Number.POSITIVE_INFINITY) rules.expires = true;
    // What a consumer takes at once is neither one too many nor too late, be its time to live zero.
    for (let taker = this.nextConsumer(); taker !== undefined; taker = this.nextConsumer()) {
      if (!this.head.isReadable() || this.index.length === 0) break;
      this.handOut(taker);
      if (this.index.length === 0) return true;
    }
    this.applyRules();
    return true;
  }

  /** A message has come back: it may be one too many, or too late. */
  protected settleReturn(position: number): void {
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    this.rules.limit?.add(position);
    // Unacked messages do not expire, but one that comes back late does so at once (rabbitmq.com/docs/ttl).
    if (!this.areReturnsOpen) this.closeReturns();
  }

  /** A message is there again after a restart: it counts toward the limit, and may expire. */
  protected settleRecovery(position: number): void {
    this.rules.limit?.add(position);
    // What cannot be read now has no deadline of its own: its hint says so.
    const { expiry } = this.rules;
    this.rules.expires ||= this.log.isReadable(position) ? expiry.mayExpire(position) : expiry.isForAll;
  }

  /** Makes the deliveries that are due, and drops what has expired. */
  protected catchUp(): void {
    for (let hasMore = this.isScheduled; hasMore; ) hasMore = this.run();
    this.applyRules();
  }

  private applyRules(): void {
    if (this.rules.limit !== undefined) this.enforceLimit();
    if (this.rules.expires) this.rules.dropExpired();
  }

  protected handOut(consumer: Consumer): void {
    const position = this.take();
    // Counted before it is written: if writing fails, its channel's close requeues it.
    if (!consumer.noAck) this.unackedCount++;
    const { lastSequence, lastRedelivered, lastCounts } = this.index;
    consumer.deliver(position, lastSequence, lastRedelivered, lastCounts);
    if (consumer.noAck) this.letGo(position);
    if (this.single === undefined) this.consumers.rotate();
  }

  protected take(): number {
    const position = this.index.shift();
    this.rules.limit?.remove(position);
    return position;
  }

  /** The limit may be exceeded. */
  protected enforceLimit(): void {
    this.rules.dropOverLimit();
  }

  private nextConsumer(): Consumer | undefined {
    return this.single === undefined ? this.consumers.next() : this.single.next();
  }

  /** A message that is neither ready nor unacked any more dies. */
  protected die(position: number, reason: DeadLetterReason): void {
    this.host.deadLetter(this, position, reason);
  }

  private isPlainNow(): boolean {
    const { messageTtlMs, maxPriority } = this.settings;
    const isUnlimited = this.rules.limit === undefined && messageTtlMs === undefined;
    return isUnlimited && maxPriority === undefined && !this.isDeleted;
  }

  private newLease(): QueueLease | undefined {
    const { expiresMs } = this.settings;
    if (expiresMs === undefined) return undefined;
    const isUnused = (): boolean => this.consumers.size === 0;
    return new QueueLease(this.host.clock, expiresMs, isUnused, () => this.host.leaseExpired(this));
  }
}
