/** A number that only grows, up to which something is done; who waits for it is told whenever it has grown. */
export class Watermark {
  private reached: number;
  private waiters: Set<() => void> = new Set();

  constructor(reached = 0) {
    this.reached = reached;
  }

  get value(): number {
    return this.reached;
  }

  advance(value: number): void {
    if (value <= this.reached) return;
    this.reached = value;
    const waiters = this.waiters;
    this.waiters = new Set();
    for (const waiter of waiters) waiter();
  }

  /** Calls `waiter` once, when the number has grown. Asking twice with one function is asking once. */
  onceAdvanced(waiter: () => void): void {
    this.waiters.add(waiter);
  }

  forget(waiter: () => void): void {
    this.waiters.delete(waiter);
  }
}
