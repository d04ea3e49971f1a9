import type { Clock, Timer } from './clock.js';

/** A clock whose callbacks cannot end the process: what one of them throws is a bug, told to `onError`. */
export class GuardedClock implements Clock {
  private readonly clock: Clock;
  private readonly onError: (error: unknown) => void;

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.clock = clock;
    this.onError = onError;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.clock.after(delayMs, () => {
      try {
        callback();
      } catch (error) {
        this.onError(error);
      }
    });
  }
}
