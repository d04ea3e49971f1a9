/**
 * The classic queue: messages in order of arrival, each to one consumer.
 *
 *   publish -> ready --run/get--> unacked --acknowledge--> gone
 *                ^                   |  \---reject-------> gone, or dead-lettered
 *                +------requeue------+
 *
 * A delivery to a consumer with automatic acknowledgement goes from ready to gone directly.
 */
import { accessRefused } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import { QUEUE_RUN_MESSAGES_MAX } from '../lib/limits.js';
import type { MessageLog } from '../store/message-log.js';
import { ConsumerList } from './consumer-list.js';
import type { Consumer, Queue, QueueCounts, QueueHost, QueueProperties } from './queue.js';
import type { QueueSettings } from './queue-arguments.js';
import { QueueIndex } from './queue-index.js';

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
  private readonly index = new QueueIndex();
  private readonly consumers = new ConsumerList();
  /** x-single-active-consumer: the one that is served; the others wait for it to go. */
  private readonly isSingleActive: boolean;
  private active: Consumer | undefined;
  private unackedCount = 0;

  constructor(properties: QueueProperties, virtualHostName: string, log: MessageLog, host: QueueHost) {
    this.id = properties.id;
    this.name = properties.name;
    this.durable = properties.durable;
    this.autoDelete = properties.autoDelete;
    this.exclusiveOwner = properties.exclusiveOwner;
    this.arguments = properties.arguments;
    this.virtualHostName = virtualHostName;
    this.log = log;
    this.host = host;
    this.settings = properties.settings;
    this.isSingleActive = properties.settings.singleActiveConsumer;
  }

  get lastSequence(): number {
    return this.index.lastSequence;
  }

  get lastRedelivered(): boolean {
    return this.index.lastRedelivered;
  }

  publish(position: number): boolean {
    this.index.push(position);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    return true;
  }

  run(): boolean {
    const { index, consumers } = this;
    for (let budget = QUEUE_RUN_MESSAGES_MAX; index.length > 0; budget--) {
      const consumer = this.isSingleActive ? this.nextActive() : consumers.next();
      if (consumer === undefined) return false;
      if (budget === 0) return true;
      const position = index.shift();
      // Counted before it is written: if writing fails, its channel's close requeues it.
      if (!consumer.noAck) this.unackedCount++;
      consumer.deliver(position, index.lastSequence, index.lastRedelivered);
      if (consumer.noAck) this.log.release(position);
      if (!this.isSingleActive) consumers.rotate();
    }
    return false;
  }

  get(): number {
    if (this.index.length === 0) return -1;
    this.unackedCount++;
    return this.index.shift();
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
    this.consumers.add(consumer);
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  unsubscribe(consumer: Consumer): void {
    if (!this.consumers.remove(consumer)) return;
    if (consumer === this.active) {
      this.active = undefined;
      if (this.index.length > 0) this.host.scheduleRun(this);
    }
    if (this.consumers.size === 0) this.host.lastConsumerGone(this);
  }

  consumerReady(consumer: Consumer): void {
    if (this.isSingleActive) consumer.isWaiting = false;
    else this.consumers.rejoin(consumer);
    if (this.index.length > 0) this.host.scheduleRun(this);
  }

  purge(): number {
    const count = this.index.length;
    for (let i = 0; i < count; i++) this.log.release(this.index.shift());
    return count;
  }

  counts(): QueueCounts {
    return { ready: this.index.length, unacked: this.unackedCount, consumers: this.consumers.size };
  }

  delete(): number {
    const count = this.purge();
    this.isDeleted = true;
    const consumers = [...this.consumers];
    for (const consumer of consumers) this.consumers.remove(consumer);
    for (const consumer of consumers) consumer.cancelledByQueue();
    return count;
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
}
