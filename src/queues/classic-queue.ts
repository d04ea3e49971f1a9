/**
 * The classic queue: messages in order of arrival (or priority), each to one consumer.
 *
 *   publish -> ready --run/get--> unacked --acknowledge--> gone
 *                ^ |                 |  \---reject-------> gone, or dead-lettered
 *                | +-- expired, over the limit: gone, or dead-lettered
 *                +------requeue------+
 *
 * A delivery to a consumer with automatic acknowledgement goes from ready to gone directly.
 *
 * Deliveries are made by the turn. RabbitMQ hands each message out before it looks at what comes next, and that
 * shows wherever the ready messages are counted, dropped or ordered. There the queue runs on the spot first: what it
 * writes waits in the transports like everything else.
 */
import { accessRefused } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import { IMAGE_PRIORITY } from '../amqp/message-image.js';
import { QUEUE_RUN_MESSAGES_MAX } from '../lib/limits.js';
import type { MessageLog } from '../store/message-log.js';
import type { ColdRun } from './cold-run.js';
import { ConsumerList } from './consumer-list.js';
import type { TtlEra } from './message-expiry.js';
import { PriorityIndex } from './priority-index.js';
import type { Consumer, PurgeMark, Queue, QueueCounts, QueueHost, QueueProperties } from './queue.js';
import type { QueueSettings } from './queue-arguments.js';
import { QueueIndex } from './queue-index.js';
import { QueueLease } from './queue-lease.js';
import { QueueRules } from './queue-rules.js';
import { ReadyHead } from './ready-head.js';
import type { HandOut, ReadyIndex } from './ready-index.js';

/** A purge of fewer messages acknowledges each; a mark costs a record of the definitions log. */
const PURGE_MARK_MESSAGES_MIN = 1000;

export class ClassicQueue implements Queue {
  readonly typeName = 'classic';
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

  private readonly log: MessageLog;
  private readonly host: QueueHost;
  private readonly virtualHostName: string;
  private readonly index: ReadyIndex;
  private readonly head: ReadyHead;
  private readonly consumers = new ConsumerList();
  private lease: QueueLease | undefined;
  private readonly isSingleActive: boolean;
  /** x-single-active-consumer: the one that is served; the others wait for it to go. */
  private active: Consumer | undefined;
  private unackedCount = 0;

  /** Whether a message may join without a look at it: no limit, no time to live, no priorities. */
  private isPlain: boolean;
  private readonly rules: QueueRules;

  constructor(properties: QueueProperties, virtualHostName: string, log: MessageLog, host: QueueHost) {
    const { settings } = properties;
    this.id = properties.id;
    this.name = properties.name;
    this.durable = properties.durable;
    this.autoDelete = properties.autoDelete;
    this.exclusiveOwner = properties.exclusiveOwner;
    this.arguments = properties.arguments;
    this.settings = settings;
    this.virtualHostName = virtualHostName;
    this.log = log;
    this.host = host;
    const isLimited = settings.maxLength !== undefined || settings.maxLengthBytes !== undefined;
    const cooler = this.durable && !isLimited ? log : undefined;
    this.index =
      settings.maxPriority === undefined ? new QueueIndex(cooler) : new PriorityIndex(settings.maxPriority);
    this.head = new ReadyHead(this, this.index, log);
    this.isSingleActive = settings.singleActiveConsumer;
    this.rules = new QueueRules({
      queueId: this.id,
      settings,
      index: this.index,
      head: this.head,
      log,
      clock: host.clock,
      drop: (reason) => host.deadLetter(this, this.take(), reason),
    });
    this.isPlain = this.isPlainNow();
    this.lease = this.newLease();
  }

  /** What is limited or ordered by what messages hold cannot take them as runs. */
  get recoversByMessage(): boolean {
    return this.rules.limit !== undefined || this.settings.maxPriority !== undefined;
  }

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
    this.rules.change(settings, this.index.length + this.unackedCount > 0);
    this.isPlain = this.isPlainNow();
    if (settings.expiresMs !== expiresMs) {
      this.lease?.stop();
      this.lease = this.newLease();
    }
  }

  publish(position: number, ownDeadlineMs: number = Number.POSITIVE_INFINITY): boolean {
    if (!this.isPlain || ownDeadlineMs !== Number.POSITIVE_INFINITY)
      return this.admit(position, ownDeadlineMs);
    this.index.push(position, 0);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    return true;
  }

  run(): boolean {
    const { index } = this;
    if (this.rules.limit !== undefined) this.rules.dropOverLimit();
    if (this.rules.expires) this.rules.dropExpired();
    for (let budget = QUEUE_RUN_MESSAGES_MAX; index.length > 0; budget--) {
      const consumer = this.nextConsumer();
      if (consumer === undefined || !this.head.isReadable() || index.length === 0) break;
      if (budget === 0) {
        this.head.readAhead();
        return true;
      }
      this.handOut(consumer);
      if (this.rules.expires) this.rules.dropExpired();
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
    if (this.rules.expires) this.rules.dropExpired();
    return position;
  }

  acknowledge(position: number, _sequence: number): void {
    this.unackedCount--;
    this.forget(position);
  }

  requeue(position: number, sequence: number): void {
    // What is returned to a deleted queue is dropped (RabbitMQ).
    if (this.isDeleted) return this.acknowledge(position, sequence);
    if (this.rules.limit?.countsBytes === true && !this.log.isReadable(position)) {
      return this.log.fetch(position, () => this.requeue(position, sequence));
    }
    this.unackedCount--;
    this.index.restore(position, sequence);
    if (this.durable) this.log.noteReturn(position, this.id);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    if (this.rules.limit !== undefined) {
      this.rules.limit.add(position);
      this.rules.dropOverLimit();
    }
    // Unacked messages do not expire, but one that comes back late does so at once (rabbitmq.com/docs/ttl).
    if (this.rules.expires) this.rules.dropExpired();
  }

  reject(position: number, sequence: number): void {
    if (this.isDeleted) return this.acknowledge(position, sequence);
    this.unackedCount--;
    this.host.deadLetter(this, position, 'rejected');
  }

  subscribe(consumer: Consumer): void {
    // RabbitMQ: an exclusive consumer tolerates no other, and cannot join a queue that has one or elects one.
    const isTaken = consumer.isExclusive && (this.consumers.size > 0 || this.isSingleActive);
    if (isTaken || this.consumers.hasExclusive) {
      throw accessRefused(`queue '${this.name}' in vhost '${this.virtualHostName}' in exclusive use`);
    }
    this.catchUp();
    this.consumers.add(consumer);
    if (this.isSingleActive) this.active ??= consumer;
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  unsubscribe(consumer: Consumer): void {
    if (!this.consumers.remove(consumer)) return;
    if (consumer === this.active) {
      this.active = this.successor();
      if (this.index.length > 0) this.host.scheduleRun(this);
    }
    if (this.consumers.size > 0) return;
    this.lease?.renew();
    this.host.lastConsumerGone(this);
  }

  consumerReady(consumer: Consumer): void {
    if (this.isSingleActive) consumer.isWaiting = false;
    else this.consumers.rejoin(consumer);
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  touch(): void {
    this.lease?.renew();
  }

  purge(): number {
    this.catchUp();
    const count = this.index.length;
    // One record says that everything before it is gone, unless somebody still holds some of it.
    const isMarked =
      count >= PURGE_MARK_MESSAGES_MIN && this.unackedCount === 0 && this.host.markPurged(this);
    const isNoted = this.durable && !this.isDeleted && !isMarked;
    this.index.clear(
      (position) => (isMarked ? this.log.release(position) : this.forget(position)),
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
    // The records of a deleted queue mean nothing after a restart: its id is gone.
    if (this.durable && !this.isDeleted) this.log.settle(position, this.id);
    else this.log.release(position);
  }

  recover(position: number, handOut: HandOut): void {
    const priority = this.settings.maxPriority === undefined ? 0 : this.priorityOf(position);
    this.index.recover(position, handOut, priority);
    this.rules.limit?.add(position);
    // What cannot be read now has no deadline of its own: its hint says so.
    const { expiry } = this.rules;
    this.rules.expires ||= this.log.isReadable(position) ? expiry.mayExpire(position) : expiry.isForAll;
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

  /** Makes the deliveries that are due, and drops what has expired. */
  private catchUp(): void {
    for (let hasMore = this.isScheduled; hasMore; ) hasMore = this.run();
    if (this.rules.limit !== undefined) this.rules.dropOverLimit();
    if (this.rules.expires) this.rules.dropExpired();
  }

  /** `publish` where it matters what else is ready, and whether somebody takes the message at once. */
  private admit(position: number, ownDeadlineMs: number): boolean {
    const { limit, expiry } = this.rules;
    if (this.isDeleted) {
      // A route may be older than the end of the queue; a confirm does not tell the difference (RabbitMQ).
      this.log.release(position);
      return true;
    }
    this.catchUp();
    if (limit !== undefined && !limit.dropsHead && !limit.hasRoomFor(position, this.index.length)) {
      if (limit.deadLettersRejected) this.host.deadLetter(this, position, 'maxlen');
      else this.forget(position);
      return false;
    }
    this.index.push(position, this.settings.maxPriority === undefined ? 0 : this.priorityOf(position));
    limit?.add(position);
    if (expiry.isForAll || ownDeadlineMs !== Number.POSITIVE_INFINITY) this.rules.expires = true;
    // What a consumer takes at once is neither one too many nor too late, be its time to live zero.
    for (let taker = this.nextConsumer(); taker !== undefined; taker = this.nextConsumer()) {
      if (!this.head.isReadable() || this.index.length === 0) break;
      this.handOut(taker);
      if (this.index.length === 0) return true;
    }
    if (limit !== undefined) this.rules.dropOverLimit();
    if (this.rules.expires) this.rules.dropExpired();
    return true;
  }

  private handOut(consumer: Consumer): void {
    const position = this.take();
    // Counted before it is written: if writing fails, its channel's close requeues it.
    if (!consumer.noAck) this.unackedCount++;
    consumer.deliver(position, this.index.lastSequence, this.index.lastRedelivered);
    if (consumer.noAck) this.forget(position);
    if (!this.isSingleActive) this.consumers.rotate();
  }

  private take(): number {
    const position = this.index.shift();
    if (this.rules.limit !== undefined) this.rules.limit.remove(position);
    return position;
  }

  private nextConsumer(): Consumer | undefined {
    return this.isSingleActive ? this.nextActive() : this.consumers.next();
  }

  private nextActive(): Consumer | undefined {
    const { active } = this;
    if (active === undefined || active.canTake()) return active;
    active.isWaiting = true;
    return undefined;
  }

  /** RabbitMQ, "Single Active Consumer": the highest priority, then the earliest. */
  private successor(): Consumer | undefined {
    let successor: Consumer | undefined;
    for (const consumer of this.consumers) {
      if (successor === undefined || consumer.priority > successor.priority) successor = consumer;
    }
    return successor;
  }

  private isPlainNow(): boolean {
    return !this.recoversByMessage && this.settings.messageTtlMs === undefined && !this.isDeleted;
  }

  private newLease(): QueueLease | undefined {
    const { expiresMs } = this.settings;
    if (expiresMs === undefined) return undefined;
    const isUnused = (): boolean => this.consumers.size === 0;
    return new QueueLease(this.host.clock, expiresMs, isUnused, () => this.host.leaseExpired(this));
  }

  private priorityOf(position: number): number {
    return this.log.segmentOf(position).bytes[this.log.payloadOffset(position) + IMAGE_PRIORITY]!;
  }
}
