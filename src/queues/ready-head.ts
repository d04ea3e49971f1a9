/**
 * The first ready message of a queue, which may not be in memory: its position, its bytes or both. Whoever wants to
 * read it asks here first; what follows it comes into memory ahead of its reader.
 */
import type { MessageLog } from '../store/message-log.js';
import type { ColdRun } from './cold-run.js';
import type { ReadyIndex } from './ready-index.js';

export interface ReadyHeadOwner {
  readonly id: number;
  /** A message that is damaged is lost: it was reported when it was read. */
  letGo(position: number): void;
  /** The first ready message can be read now. */
  onHeadReadable(): void;
}

export class ReadyHead {
  private readonly owner: ReadyHeadOwner;
  private readonly index: ReadyIndex;
  private readonly log: MessageLog;
  /** It is on its way into memory, and its owner is told when it is there. */
  private isComing = false;
  /** The run whose positions the log is looking for, and who waits for them. */
  private warming: ColdRun | undefined;
  private waiting: (() => void)[] | undefined;
  /** Set while nothing may be taken: whoever waits for that to end. */
  private held: (() => void)[] | undefined;

  constructor(owner: ReadyHeadOwner, index: ReadyIndex, log: MessageLog) {
    this.owner = owner;
    this.index = index;
    this.log = log;
  }

  /** Whether it can be read now, or there is none; if not, it is read in and its owner is told. */
  isReadable(): boolean {
    const { index, log } = this;
    if (this.held !== undefined) return false;
    while (index.length > 0) {
      const position = index.peek();
      if (position < 0 || !log.isReadable(position)) {
        this.bring();
        return false;
      }
      if (!log.isDamaged(position)) return true;
      this.owner.letGo(index.shift());
    }
    return true;
  }

  /** Reads it in; calls back when it can be read, or there is none any more. */
  fetch(onReadable: () => void): void {
    if (this.held !== undefined) {
      this.held.push(() => this.fetch(onReadable));
      return;
    }
    const run = this.index.coldHead;
    if (run !== undefined) return this.warm(run, () => this.fetch(onReadable));
    const position = this.index.peek();
    if (position < 0) return onReadable();
    // Held meanwhile, so that the segment does not go while it is read.
    this.log.retain(position, 1);
    this.log.fetch(position, () => {
      this.log.release(position);
      onReadable();
    });
  }

  /** Nothing may be taken for a while: it cannot be read, whatever it is. */
  hold(): void {
    this.held ??= [];
  }

  /** The end of `hold`. */
  letGo(): void {
    const { held } = this;
    if (held === undefined) return;
    this.held = undefined;
    for (const resume of held) resume();
    this.owner.onHeadReadable();
  }

  /** It is being read: what a deep queue is about to need comes into memory. */
  readAhead(): void {
    const { index, log } = this;
    const position = index.peek();
    if (position < 0 || !log.readAhead(position)) return;
    const next = index.peekBehindHead();
    if (next < 0) return;
    const run = index.nextRun;
    if (run !== undefined) this.warm(run, () => {});
    log.prefetch(next, position);
  }

  private bring(): void {
    if (this.isComing) return;
    this.isComing = true;
    this.fetch(() => {
      this.isComing = false;
      this.owner.onHeadReadable();
    });
  }

  /** Has the log find the positions of a run; it is asked once for each. */
  private warm(run: ColdRun, onWarm: () => void): void {
    this.waiting ??= [];
    this.waiting.push(onWarm);
    if (this.warming === run) return;
    this.warming = run;
    this.log.findRun(run, this.owner.id, (positions) => {
      // A purge may have taken the run, and another may be looked for.
      if (this.warming !== run) return;
      if (this.index.warm(run, positions)) this.log.recount(run.first, positions.length - run.count);
      const { waiting } = this;
      this.warming = undefined;
      this.waiting = undefined;
      for (const resume of waiting ?? []) resume();
    });
  }
}
