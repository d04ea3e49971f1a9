/**
 * The length limit of a queue (rabbitmq.com/docs/maxlength): how many messages, and how many bytes of bodies, may be
 * ready. Messages that are out for acknowledgement do not count.
 */
import { IMAGE_BODY_SIZE } from '../amqp/message-image.js';
import type { MessageLog } from '../store/message-log.js';
import type { QueueSettings } from './queue-arguments.js';

export class LengthLimit {
  /** x-overflow drop-head, the default: the oldest make room. Otherwise what comes is rejected. */
  readonly dropsHead: boolean;
  /** x-overflow reject-publish-dlx: what is rejected is dead-lettered. */
  readonly deadLettersRejected: boolean;
  private readonly log: MessageLog;
  private readonly maxLength: number;
  private readonly maxBytes: number;
  private readyBytes = 0;

  private constructor(log: MessageLog, settings: QueueSettings) {
    const { maxLength, maxLengthBytes, overflow } = settings;
    this.log = log;
    this.maxLength = maxLength ?? Number.POSITIVE_INFINITY;
    this.maxBytes = maxLengthBytes ?? Number.POSITIVE_INFINITY;
    this.dropsHead = overflow === undefined || overflow === 'drop-head';
    this.deadLettersRejected = overflow === 'reject-publish-dlx';
  }

  /** The limit that the settings of a queue have, if they have one. */
  static of(settings: QueueSettings, log: MessageLog): LengthLimit | undefined {
    return isLimited(settings) ? new LengthLimit(log, settings) : undefined;
  }

  /** Whether the sizes of bodies count: then a record must be readable to be added or removed. */
  get countsBytes(): boolean {
    return this.maxBytes !== Number.POSITIVE_INFINITY;
  }

  /** A message became ready. */
  add(position: number): void {
    if (this.countsBytes) this.readyBytes += bodySizeOf(this.log, position);
  }

  /** A message is not ready any more. */
  remove(position: number): void {
    if (this.countsBytes) this.readyBytes -= bodySizeOf(this.log, position);
  }

  /** Bytes that were counted apart: those of messages that were ready before the limit. */
  addBytes(byteCount: number): void {
    this.readyBytes += byteCount;
  }

  /** Goes on with what another limit of the same queue has counted. */
  takeOver(previous: LengthLimit): void {
    this.readyBytes = previous.readyBytes;
  }

  /** No message is ready any more. */
  clear(): void {
    this.readyBytes = 0;
  }

  /** Whether `length` messages are too many: the ready ones, all added here, and others, whose bodies have `otherBytes`. */
  isExceededBy(length: number, otherBytes = 0): boolean {
    return length > this.maxLength || this.readyBytes + otherBytes > this.maxBytes;
  }

  /** Whether so many messages are few enough for a queue that had refused some to take them again. */
  isWellBelow(length: number, otherBytes: number): boolean {
    const bytes = this.readyBytes + otherBytes;
    return length <= softLimit(this.maxLength) && bytes <= softLimit(this.maxBytes);
  }

  /** Whether one more message fits behind `length` ready ones. */
  hasRoomFor(position: number, length: number): boolean {
    if (length >= this.maxLength) return false;
    return !this.countsBytes || this.readyBytes + bodySizeOf(this.log, position) <= this.maxBytes;
  }
}

export function isLimited({ maxLength, maxLengthBytes }: QueueSettings): boolean {
  return maxLength !== undefined || maxLengthBytes !== undefined;
}

/** Bytes of the body of a message that can be read. */
export function bodySizeOf(log: MessageLog, position: number): number {
  return log.segmentOf(position).view.getUint32(log.payloadOffset(position) + IMAGE_BODY_SIZE, true);
}

/** A quorum queue that was full takes messages again below 80 % of its limit (RabbitMQ). */
function softLimit(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? limit : Math.trunc(limit * 0.8);
}
