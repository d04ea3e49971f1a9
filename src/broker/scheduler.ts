/**
 * The turn: socket callbacks only change memory and mark things; the first mark arms one turn, which
 *   1. runs the queues that have something to deliver, each within its budget,
 *   2. hands what has to become durable to the journal, if that is idle,
 *   3. lets every marked confirmer write its publisher confirms,
 *   4. flushes every marked transport with one write.
 * Publishing never calls delivery directly: no deep stacks, no re-entry, natural batches, and this one place
 * decides fairness. The order of the steps is an invariant: what the steps before write, the last one sends.
 */

/** Something with deliveries to make. */
export interface Runnable {
  /** Set by the scheduler while a run is due, so that a mark per message costs one test. */
  isScheduled: boolean;
  /** @returns true when it stopped for its budget and wants another turn */
  run(): boolean;
}

/** Something with publisher confirms to write. */
export interface Confirmer {
  writeConfirms(): void;
}

/** Something with bytes to send. */
export interface Flushable {
  flush(): void;
}

export class Scheduler {
  private runnable: Runnable[] = [];
  private confirmers: Confirmer[] = [];
  private flushables: Flushable[] = [];
  private isArmed = false;
  /** Starts a commit of the journal, unless one is under way. */
  commit: () => void = () => {};
  private readonly defer: (turn: () => void) => void;
  private readonly onError: (error: unknown) => void;
  private readonly boundTurn = (): void => this.turn();

  /**
   * @param defer arms a turn: calls it once, soon, from the event loop
   * @param onError told of whatever a step throws, which is always a bug; the other steps go on
   */
  constructor(defer: (turn: () => void) => void, onError: (error: unknown) => void) {
    this.defer = defer;
    this.onError = onError;
  }

  scheduleRun(queue: Runnable): void {
    if (queue.isScheduled) return;
    queue.isScheduled = true;
    this.runnable.push(queue);
    this.arm();
  }

  /** The caller marks itself once per turn: it knows whether it is marked already. */
  scheduleConfirms(confirmer: Confirmer): void {
    this.confirmers.push(confirmer);
    this.arm();
  }

  /** The caller marks itself once per turn: it knows whether it is marked already. */
  scheduleFlush(flushable: Flushable): void {
    this.flushables.push(flushable);
    this.arm();
  }

  /** There is something to make durable. */
  scheduleCommit(): void {
    this.arm();
  }

  private arm(): void {
    if (this.isArmed) return;
    this.isArmed = true;
    this.defer(this.boundTurn);
  }

  /** One turn. What its steps mark is served in it, but for queues: they are run in the next, which they arm. */
  turn(): void {
    this.isArmed = true;
    if (this.runnable.length > 0) this.runQueues();
    this.commit();
    for (let i = 0; i < this.confirmers.length; i++) this.guard(writeConfirms, this.confirmers[i]!);
    this.confirmers.length = 0;
    for (let i = 0; i < this.flushables.length; i++) this.guard(flush, this.flushables[i]!);
    this.flushables.length = 0;
    this.isArmed = false;
    if (this.runnable.length > 0 || this.confirmers.length > 0) this.arm();
  }

  private runQueues(): void {
    const queues = this.runnable;
    this.runnable = [];
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i]!;
      queue.isScheduled = false;
      if (this.guard(run, queue)) this.scheduleRun(queue);
    }
  }

  private guard<T>(step: (target: T) => boolean, target: T): boolean {
    try {
      return step(target);
    } catch (error) {
      this.onError(error);
      return false;
    }
  }
}

// Made once: a step must not cost a closure per target.
const run = (queue: Runnable): boolean => queue.run();
const writeConfirms = (confirmer: Confirmer): boolean => {
  confirmer.writeConfirms();
  return false;
};
const flush = (flushable: Flushable): boolean => {
  flushable.flush();
  return false;
};
