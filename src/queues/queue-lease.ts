/**
 * The lease of a queue (x-expires, rabbitmq.com/docs/ttl#queue-ttl): a queue without consumers that nobody gets
 * from or declares for so long is deleted. One timer a queue; using the queue only notes the time.
 */
import type { Clock, Timer } from '../lib/clock.js';

export class QueueLease {
  private readonly clock: Clock;
  private readonly durationMs: number;
  private readonly isUnused: () => boolean;
  private readonly onExpired: () => void;
  private lastUsedMs: number;
  private timer: Timer | undefined;

  constructor(clock: Clock, durationMs: number, isUnused: () => boolean, onExpired: () => void) {
    this.clock = clock;
    this.durationMs = durationMs;
    this.isUnused = isUnused;
    this.onExpired = onExpired;
    this.lastUsedMs = clock.monotonicMs();
    this.arm(durationMs);
  }

  /** The queue was used: the time begins anew. */
  renew(): void {
    this.lastUsedMs = this.clock.monotonicMs();
    if (this.timer === undefined) this.arm(this.durationMs);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private arm(delayMs: number): void {
    this.timer = this.clock.after(delayMs, this.onDue);
  }

  private readonly onDue = (): void => {
    this.timer = undefined;
    // While it has consumers nothing is due; the last one that goes renews the lease.
    if (!this.isUnused()) return;
    const leftMs = this.lastUsedMs + this.durationMs - this.clock.monotonicMs();
    if (leftMs > 0) this.arm(leftMs);
    else this.onExpired();
  };
}
