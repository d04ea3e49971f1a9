/** A callback that is due at some time. Cancelling one that has fired, or twice, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as an argument: everything that waits or stamps asks a clock, so a test can hold time still or let a day
 * pass at once. Wall time is for stamps that leave the broker, monotonic time for measuring how long.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
  /** Calls `callback` once, `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The longest delay a Node timer holds; a longer one would fire at once, so it is taken in steps. */
const TIMER_DELAY_MS_MAX = 2_147_483_647;

/** The machine's time. Its timers do not keep the process alive: sockets and files do. */
export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, callback: () => void): Timer {
    let remainingMs = Math.max(0, delayMs);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(remainingMs, TIMER_DELAY_MS_MAX);
      remainingMs -= stepMs;
      handle = setTimeout(() => (remainingMs > 0 ? arm() : callback()), stepMs);
      handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  }
}
