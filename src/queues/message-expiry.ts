/**
 * When the messages of a queue expire (rabbitmq.com/docs/ttl): by their own expiration or by the queue's
 * x-message-ttl, whichever is first. A queue expires its head only, so one timer is enough for all its messages.
 *
 * A policy may change the time to live. Messages keep that of the moment they came (rabbit_amqqueue_process computes
 * their expiry once), so the queue remembers until when which one held: its eras.
 */
import { IMAGE_DEADLINE_MS, IMAGE_PUBLISHED_MS } from '../amqp/message-image.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { MessageLog } from '../store/message-log.js';

/** Messages that came until `untilMs`, and after the era before, live for `ttlMs`; Infinity is for ever. */
export interface TtlEra {
  readonly untilMs: number;
  readonly ttlMs: number;
}

/** Eras a queue remembers: beyond that the oldest become one, with the longer life of the two. */
export const TTL_ERAS_MAX = 64;

const NO_ERAS: readonly TtlEra[] = [];

export interface ExpiryOwner {
  dropExpired(): void;
}

export class MessageExpiry {
  private readonly log: MessageLog;
  private readonly clock: Clock;
  private ttlMs: number;
  /** The oldest first; replaced, never changed. */
  eras: readonly TtlEra[] = NO_ERAS;
  private readonly owner: ExpiryOwner;
  private timer: Timer | undefined;
  private dueMs = Number.POSITIVE_INFINITY;

  /**
   * @param ttlMs of the queue; Infinity without one
   * @param owner told when a deadline that was watched may have come; it watches the next
   */
  constructor(log: MessageLog, clock: Clock, ttlMs: number, owner: ExpiryOwner) {
    this.log = log;
    this.clock = clock;
    this.ttlMs = ttlMs;
    this.owner = owner;
  }

  /** Whether every message expires, or every one of some time. */
  get isForAll(): boolean {
    return this.ttlMs !== Number.POSITIVE_INFINITY || this.eras.length > 0;
  }

  /** Whether a message that can be read has a deadline. */
  mayExpire(position: number): boolean {
    return this.isForAll || this.deadlineOf(position) !== Number.POSITIVE_INFINITY;
  }

  /** Another time to live, for messages to come. @param isUsed whether there are messages that keep the old one */
  changeTtl(ttlMs: number, isUsed: boolean): void {
    if (ttlMs === this.ttlMs) return;
    const nowMs = this.clock.nowMs();
    // An era that nothing came in is none.
    if (isUsed && this.eras.at(-1)?.untilMs !== nowMs) {
      const eras = [...this.eras, { untilMs: nowMs, ttlMs: this.ttlMs }];
      if (eras.length > TTL_ERAS_MAX) {
        const [first, second] = eras.splice(0, 2) as [TtlEra, TtlEra];
        eras.unshift({ untilMs: second.untilMs, ttlMs: Math.max(first.ttlMs, second.ttlMs) });
      }
      this.eras = eras;
    }
    this.ttlMs = ttlMs;
  }

  /** Milliseconds since 1970; Infinity for a message that never expires. */
  deadlineOf(position: number): number {
    const { view } = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const ownMs = view.getFloat64(image + IMAGE_DEADLINE_MS, true);
    if (!this.isForAll) return ownMs;
    const publishedMs = view.getFloat64(image + IMAGE_PUBLISHED_MS, true);
    return Math.min(ownMs, publishedMs + this.ttlAt(publishedMs));
  }

  /**
   * Calls back when a deadline has come. A timer that is due earlier stays: a queue whose head is consumed would
   * set one for every message, and all it costs is one call that finds nothing.
   */
  watch(deadlineMs: number): void {
    if (deadlineMs >= this.dueMs) return;
    this.timer?.cancel();
    this.dueMs = deadlineMs;
    this.timer = this.clock.after(deadlineMs - this.clock.nowMs(), () => this.fire());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  private ttlAt(publishedMs: number): number {
    for (const era of this.eras) if (publishedMs <= era.untilMs) return era.ttlMs;
    return this.ttlMs;
  }

  private fire(): void {
    this.timer = undefined;
    this.dueMs = Number.POSITIVE_INFINITY;
    this.owner.dropExpired();
  }
}
