/**
 * When the messages of a queue expire (rabbitmq.com/docs/ttl): by their own expiration or by the queue's
 * x-message-ttl, whichever is first. A queue expires its head only, so one timer is enough for all its messages.
 */
import { IMAGE_DEADLINE_MS, IMAGE_PUBLISHED_MS } from '../amqp/message-image.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { MessageLog } from '../store/message-log.js';

export class MessageExpiry {
  private readonly log: MessageLog;
  private readonly clock: Clock;
  private readonly ttlMs: number;
  private readonly onDue: () => void;
  private timer: Timer | undefined;
  private dueMs = Number.POSITIVE_INFINITY;

  /**
   * @param ttlMs of the queue; Infinity without one
   * @param onDue called when a deadline that was watched may have come; it watches the next
   */
  constructor(log: MessageLog, clock: Clock, ttlMs: number, onDue: () => void) {
    this.log = log;
    this.clock = clock;
    this.ttlMs = ttlMs;
    this.onDue = onDue;
  }

  /** Milliseconds since 1970; Infinity for a message that never expires. */
  deadlineOf(position: number): number {
    const { view } = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const ownMs = view.getFloat64(image + IMAGE_DEADLINE_MS, true);
    if (this.ttlMs === Number.POSITIVE_INFINITY) return ownMs;
    return Math.min(ownMs, view.getFloat64(image + IMAGE_PUBLISHED_MS, true) + this.ttlMs);
  }

  /**
   * Calls back when a deadline has come. A timer that is due earlier stays: a queue whose head is consumed would
   * set one for every message, and all it costs is one call that finds nothing.
   */
  watch(deadlineMs: number): void {
    if (deadlineMs >= this.dueMs) return;
    this.timer?.cancel();
    this.dueMs = deadlineMs;
    this.timer = this.clock.after(deadlineMs - this.clock.nowMs(), this.fire);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  private readonly fire = (): void => {
    this.timer = undefined;
    this.dueMs = Number.POSITIVE_INFINITY;
    this.onDue();
  };
}
