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
 * Deliveries are made by the turn. Where RabbitMQ's outcome depends on a message being handed out before the next
 * is looked at (length limits, a time to live of zero), the queue runs on the spot first: what is written then
 * waits in the transports like everything else.
 */
import { accessRefused } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import {
  IMAGE_BODY_SIZE,
  IMAGE_DEADLINE_MS,
  IMAGE_PRIORITY,
  IMAGE_PUBLISHED_MS,
} from '../amqp/message-image.js';
import type { Timer } from '../lib/clock.js';
import { QUEUE_RUN_MESSAGES_MAX } from '../lib/limits.js';
import type { MessageLog } from '../store/message-log.js';
import { ConsumerList } from './consumer-list.js';
import { PriorityIndex } from './priority-index.js';
import type { Consumer, DeadLetterReason, Queue, QueueCounts, QueueHost, QueueProperties } from './queue.js';
import type { QueueSettings } from './queue-arguments.js';
import { QueueIndex } from './queue-index.js';
import { QueueLease } from './queue-lease.js';
import type { ReadyIndex } from './ready-index.js';

export class ClassicQueue implements Queue {
  readonly typeName = 'classic';
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly exclusiveOwner: object | undefined;
  readonly arguments: FieldTable;
  readonly settings: QueueSettings;
  isDeleted = false;
  isScheduled = false;

  private readonly log: MessageLog;
  private readonly host: QueueHost;
  private readonly virtualHostName: string;
  private readonly index: ReadyIndex;
  private readonly consumers = new ConsumerList();
  private readonly lease: QueueLease | undefined;
  /** x-single-active-consumer: the one that is served; the others wait for it to go. */
  private readonly isSingleActive: boolean;
  private active: Consumer | undefined;
  private unackedCount = 0;

  private readonly maxLength: number;
  private readonly maxLengthBytes: number;
  private readonly isLimited: boolean;
  /** Bytes of the bodies of ready messages; counted only for x-max-length-bytes. */
  private readyBytes = 0;
  private readonly messageTtlMs: number;
  /** Whether a message that can expire ever came: until then nothing looks at deadlines. */
  private mayExpire = false;
  private expiryTimer: Timer | undefined;
  private expiryDueMs = Number.POSITIVE_INFINITY;

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
    this.index =
      settings.maxPriority === undefined ? new QueueIndex() : new PriorityIndex(settings.maxPriority);
    this.isSingleActive = settings.singleActiveConsumer;
    this.maxLength = settings.maxLength ?? Number.POSITIVE_INFINITY;
    this.maxLengthBytes = settings.maxLengthBytes ?? Number.POSITIVE_INFINITY;
    this.isLimited = settings.maxLength !== undefined || settings.maxLengthBytes !== undefined;
    this.messageTtlMs = settings.messageTtlMs ?? Number.POSITIVE_INFINITY;
    this.lease =
      settings.expiresMs === undefined
        ? undefined
        : new QueueLease(
            host.clock,
            settings.expiresMs,
            () => this.consumers.size === 0,
            () => host.leaseExpired(this),
          );
  }

  get lastSequence(): number {
    return this.index.lastSequence;
  }

  get lastRedelivered(): boolean {
    return this.index.lastRedelivered;
  }

  publish(position: number, ownDeadlineMs: number = Number.POSITIVE_INFINITY): boolean {
    if (this.isLimited && this.isRejecting(position)) return false;
    const priority = this.settings.maxPriority === undefined ? 0 : this.priorityOf(position);
    this.index.push(position, priority);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    if (this.isLimited) this.countBytes(position, 1);
    if (this.messageTtlMs !== Number.POSITIVE_INFINITY || ownDeadlineMs !== Number.POSITIVE_INFINITY) {
      this.onExpiringPublish(position);
    }
    if (this.isLimited && this.dropsHead && !this.isWithinLimits) {
      this.run();
      this.dropOverLimit();
    }
    return true;
  }

  run(): boolean {
    const { index } = this;
    if (this.mayExpire) this.dropExpired();
    for (let budget = QUEUE_RUN_MESSAGES_MAX; index.length > 0; budget--) {
      const consumer = this.nextConsumer();
      if (consumer === undefined) break;
      if (budget === 0) return true;
      this.handOut(consumer);
      if (this.mayExpire) this.dropExpired();
    }
    return false;
  }

  get(): number {
    this.lease?.renew();
    if (this.mayExpire) this.dropExpired();
    if (this.index.length === 0) return -1;
    this.unackedCount++;
    const position = this.take();
    if (this.mayExpire) this.dropExpired();
    return position;
  }

  acknowledge(position: number, _sequence: number): void {
    this.unackedCount--;
    this.log.release(position);
  }

  requeue(position: number, sequence: number): void {
    // What is returned to a deleted queue is dropped (RabbitMQ).
    if (this.isDeleted) return this.acknowledge(position, sequence);
    this.unackedCount--;
    this.index.restore(position, sequence);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    if (this.isLimited) this.countBytes(position, 1);
    // Unacked messages do not expire, but one that comes back late does so at once (rabbitmq.com/docs/ttl).
    if (this.mayExpire) this.dropExpired();
    if (this.isLimited && this.dropsHead) this.dropOverLimit();
  }

  reject(position: number, sequence: number): void {
    if (!this.isDeleted) this.host.deadLetter(this, position, 'rejected');
    this.acknowledge(position, sequence);
  }

  subscribe(consumer: Consumer): void {
    // RabbitMQ: an exclusive consumer tolerates no other, and cannot join a queue that has one or elects one.
    const isTaken = consumer.isExclusive && (this.consumers.size > 0 || this.isSingleActive);
    if (isTaken || this.consumers.hasExclusive) {
      throw accessRefused(`queue '${this.name}' in vhost '${this.virtualHostName}' in exclusive use`);
    }
    this.consumers.add(consumer);
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  unsubscribe(consumer: Consumer): void {
    if (!this.consumers.remove(consumer)) return;
    if (consumer === this.active) {
      this.active = undefined;
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
    const count = this.index.length;
    for (let i = 0; i < count; i++) this.log.release(this.take());
    return count;
  }

  counts(): QueueCounts {
    if (this.mayExpire) this.dropExpired();
    return { ready: this.index.length, unacked: this.unackedCount, consumers: this.consumers.size };
  }

  delete(): number {
    const count = this.purge();
    this.isDeleted = true;
    this.lease?.stop();
    this.expiryTimer?.cancel();
    const consumers = [...this.consumers];
    for (const consumer of consumers) this.consumers.remove(consumer);
    for (const consumer of consumers) consumer.cancelledByQueue();
    return count;
  }

  private handOut(consumer: Consumer): void {
    const position = this.take();
    // Counted before it is written: if writing fails, its channel's close requeues it.
    if (!consumer.noAck) this.unackedCount++;
    consumer.deliver(position, this.index.lastSequence, this.index.lastRedelivered);
    if (consumer.noAck) this.log.release(position);
    if (!this.isSingleActive) this.consumers.rotate();
  }

  private take(): number {
    const position = this.index.shift();
    if (this.isLimited) this.countBytes(position, -1);
    return position;
  }

  private nextConsumer(): Consumer | undefined {
    return this.isSingleActive ? this.nextActive() : this.consumers.next();
  }

  /** RabbitMQ, "Single Active Consumer": the highest priority, then the earliest, and no pre-emption. */
  private nextActive(): Consumer | undefined {
    if (this.active === undefined) {
      for (const consumer of this.consumers) {
        if (this.active === undefined || consumer.priority > this.active.priority) this.active = consumer;
      }
    }
    const active = this.active;
    if (active === undefined || active.canTake()) return active;
    active.isWaiting = true;
    return undefined;
  }

  private get dropsHead(): boolean {
    const { overflow } = this.settings;
    return overflow === undefined || overflow === 'drop-head';
  }

  /** x-overflow reject-publish: whether a new message would exceed the limit. It is released if so. */
  private isRejecting(position: number): boolean {
    if (this.dropsHead) return false;
    if (this.mayExpire) this.dropExpired();
    // What consumers can take now does not count.
    if (!this.hasRoomFor(position)) this.run();
    if (this.hasRoomFor(position)) return false;
    if (this.settings.overflow === 'reject-publish-dlx') this.host.deadLetter(this, position, 'maxlen');
    this.log.release(position);
    return true;
  }

  private hasRoomFor(position: number): boolean {
    return (
      this.index.length < this.maxLength && this.readyBytes + this.bodySizeOf(position) <= this.maxLengthBytes
    );
  }

  /** rabbitmq.com/docs/maxlength: the oldest ready messages make room. */
  private dropOverLimit(): void {
    while (!this.isWithinLimits) this.drop('maxlen');
  }

  private get isWithinLimits(): boolean {
    return (
      this.index.length === 0 ||
      (this.index.length <= this.maxLength && this.readyBytes <= this.maxLengthBytes)
    );
  }

  /** The head dies. */
  private drop(reason: DeadLetterReason): void {
    const position = this.take();
    this.host.deadLetter(this, position, reason);
    this.log.release(position);
  }

  private countBytes(position: number, sign: number): void {
    if (this.maxLengthBytes !== Number.POSITIVE_INFINITY) this.readyBytes += sign * this.bodySizeOf(position);
  }

  private bodySizeOf(position: number): number {
    return this.log
      .segmentOf(position)
      .view.getUint32(this.log.payloadOffset(position) + IMAGE_BODY_SIZE, true);
  }

  private priorityOf(position: number): number {
    return this.log.segmentOf(position).bytes[this.log.payloadOffset(position) + IMAGE_PRIORITY]!;
  }

  /** When a message expires in this queue: by its own expiration or the queue's, whichever is first. */
  private deadlineOf(position: number): number {
    const { view } = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const ownMs = view.getFloat64(image + IMAGE_DEADLINE_MS, true);
    if (this.messageTtlMs === Number.POSITIVE_INFINITY) return ownMs;
    return Math.min(ownMs, view.getFloat64(image + IMAGE_PUBLISHED_MS, true) + this.messageTtlMs);
  }

  /** A message that can expire came. One that is due on arrival goes to a consumer at once, or not at all. */
  private onExpiringPublish(position: number): void {
    this.mayExpire = true;
    if (this.index.length === 1 && this.deadlineOf(position) <= this.host.clock.nowMs()) {
      const consumer = this.nextConsumer();
      if (consumer !== undefined) this.handOut(consumer);
    }
    this.dropExpired();
  }

  /** rabbitmq.com/docs/ttl: messages expire at the head; what waits behind a live head waits on. */
  private dropExpired(): void {
    const nowMs = this.host.clock.nowMs();
    while (this.index.length > 0 && this.deadlineOf(this.index.peek()) <= nowMs) this.drop('expired');
    this.armExpiry();
  }

  /** One timer for the queue, for the deadline of its head. */
  private armExpiry(): void {
    const head = this.index.peek();
    const dueMs = head < 0 ? Number.POSITIVE_INFINITY : this.deadlineOf(head);
    if (dueMs === this.expiryDueMs) return;
    this.expiryTimer?.cancel();
    this.expiryTimer = undefined;
    this.expiryDueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.expiryTimer = this.host.clock.after(dueMs - this.host.clock.nowMs(), () => {
      this.expiryDueMs = Number.POSITIVE_INFINITY;
      this.dropExpired();
    });
  }
}
