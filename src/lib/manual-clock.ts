import type { Clock, Timer } from './clock.js';

interface PendingTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that moves only when told to. Timers fire in the order they are due, each at its own time. */
export class ManualClock implements Clock {
  private currentMs: number;
  private readonly startMs: number;
  private readonly pending = new Set<PendingTimer>();
  private nextOrder = 0;

  constructor(startMs = 1_700_000_000_000) {
    this.currentMs = startMs;
    this.startMs = startMs;
  }

  nowMs(): number {
    return this.currentMs;
  }

  monotonicMs(): number {
    return this.currentMs - this.startMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.currentMs + Math.max(0, delayMs), order: this.nextOrder++, callback };
    this.pending.add(timer);
    return { cancel: () => this.pending.delete(timer) };
  }

  /** How many timers wait: a test of a release counts them. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /** Moves time on by `durationMs`, firing what becomes due, also what those callbacks schedule. */
  advance(durationMs: number): void {
    const endMs = this.currentMs + durationMs;
    for (let next = this.earliest(endMs); next !== undefined; next = this.earliest(endMs)) {
      this.pending.delete(next);
      this.currentMs = Math.max(this.currentMs, next.dueMs);
      next.callback();
    }
    this.currentMs = endMs;
  }

  private earliest(limitMs: number): PendingTimer | undefined {
    let earliest: PendingTimer | undefined;
    for (const timer of this.pending) {
      if (timer.dueMs > limitMs) continue;
      const isEarlier =
        earliest === undefined ||
        timer.dueMs < earliest.dueMs ||
        (timer.dueMs === earliest.dueMs && timer.order < earliest.order);
      if (isEarlier) earliest = timer;
    }
    return earliest;
  }
}
