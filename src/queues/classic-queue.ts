/**
 * The classic queue: messages in order of arrival (or priority), each to one consumer. What comes back takes the
 * place that it had.
 */
import { accessRefused, preconditionFailed } from '../amqp/errors.js';
import { IMAGE_PRIORITY } from '../amqp/message-image.js';
import type { MessageLog } from '../store/message-log.js';
import { CompetingQueue } from './competing-queue.js';
import { isLimited } from './length-limit.js';
import { PriorityIndex } from './priority-index.js';
import type { Consumer, QueueHost, QueueProperties } from './queue.js';
import { QueueIndex } from './queue-index.js';
import type { HandOut, ReadyIndex } from './ready-index.js';

export class ClassicQueue extends CompetingQueue {
  readonly typeName = 'classic';
  readonly persistsAll = false;
  readonly supportsGlobalPrefetch = true;
  readonly unlimitedPrefetch = 0;

  constructor(properties: QueueProperties, virtualHostName: string, log: MessageLog, host: QueueHost) {
    super(properties, {
      virtualHostName,
      log,
      host,
      index: indexFor(properties, log),
      yieldsToHigher: false,
    });
  }

  get recoversByMessage(): boolean {
    return this.rules.limit !== undefined || this.settings.maxPriority !== undefined;
  }

  requeue(position: number, sequence: number): void {
    // What is returned to a deleted queue is dropped (RabbitMQ).
    if (this.isDeleted) return this.acknowledge(position, sequence);
    if (this.rules.limit?.countsBytes === true && !this.log.isReadable(position)) {
      return this.log.fetch(position, () => this.requeue(position, sequence));
    }
    this.unackedCount--;
    this.index.restore(position, sequence);
    if (this.durable) this.log.noteReturn(position, this.id, true);
    this.settleReturn(position);
  }

  reject(position: number, sequence: number): void {
    if (this.isDeleted) return this.acknowledge(position, sequence);
    this.unackedCount--;
    this.die(position, 'rejected');
  }

  checkGet(): void {}

  checkDelete(ifUnused: boolean, ifEmpty: boolean): void {
    const { ready, consumers } = this.counts();
    if (ifEmpty && ready > 0) throw preconditionFailed(`${this.place} not empty`);
    if (ifUnused && consumers > 0) throw preconditionFailed(`${this.place} in use`);
  }

  override subscribe(consumer: Consumer): void {
    // RabbitMQ: an exclusive consumer tolerates no other, and cannot join a queue that has one or elects one.
    const isTaken = consumer.isExclusive && (this.consumers.size > 0 || this.single !== undefined);
    if (isTaken || this.consumers.hasExclusive) {
      throw accessRefused(`${this.place} in exclusive use`);
    }
    super.subscribe(consumer);
  }

  recover(position: number, handOut: HandOut): void {
    this.index.recover(position, handOut, this.priorityOf(position));
    this.settleRecovery(position);
  }

  protected refuses(position: number): boolean {
    const { limit } = this.rules;
    if (limit === undefined || limit.dropsHead || limit.hasRoomFor(position, this.index.length)) return false;
    if (limit.deadLettersRejected) this.die(position, 'maxlen');
    else this.letGo(position);
    return true;
  }

  /** Of a queue without priorities all messages are equal, and need not be looked at. */
  protected priorityOf(position: number): number {
    if (this.settings.maxPriority === undefined) return 0;
    return this.log.segmentOf(position).bytes[this.log.payloadOffset(position) + IMAGE_PRIORITY]!;
  }
}

function indexFor({ settings, durable }: QueueProperties, log: MessageLog): ReadyIndex {
  if (settings.maxPriority !== undefined) return new PriorityIndex(settings.maxPriority);
  return new QueueIndex(durable && !isLimited(settings) ? log : undefined);
}
