/**
 * Counts the bytes of the bodies that a queue has ready, when a limit comes to messages that nobody counted when they
 * came. What is not in memory is read in once, a block at a time, so it may take a while: meanwhile nothing may leave
 * the queue, and what comes is counted by the queue itself.
 */
import type { MessageLog } from '../store/message-log.js';
import type { ColdRun } from './cold-run.js';
import { bodySizeOf } from './length-limit.js';
import type { ReadyIndex } from './ready-index.js';

export class BodyCount {
  private readonly log: MessageLog;
  private readonly queueId: number;
  private onCounted: ((byteCount: number) => void) | undefined;
  /** What could not be read at once: positions, or a run that has to be found first. */
  private readonly unread: (Float64Array | ColdRun)[] = [];
  private byteCount = 0;

  constructor(log: MessageLog, queueId: number, index: ReadyIndex) {
    this.log = log;
    this.queueId = queueId;
    for (const stretch of index.stretches()) {
      if (!(stretch instanceof Float64Array)) this.unread.push(stretch);
      else this.countReadable(stretch);
    }
    this.unread.reverse();
  }

  /** Calls back once: at once where everything is in memory, never after a `cancel`. */
  start(onCounted: (byteCount: number) => void): void {
    this.onCounted = onCounted;
    this.next();
  }

  cancel(): void {
    this.onCounted = undefined;
  }

  private countReadable(positions: Float64Array): void {
    const unreadable = positions.filter((position) => !this.log.isReadable(position));
    if (unreadable.length > 0) this.unread.push(unreadable);
    for (const position of positions) if (this.log.isReadable(position)) this.add(position);
  }

  private next(): void {
    const { onCounted } = this;
    if (onCounted === undefined) return;
    const stretch = this.unread.pop();
    if (stretch === undefined) return onCounted(this.byteCount);
    if (stretch instanceof Float64Array) return this.read(stretch, 0);
    this.log.findRun(stretch, this.queueId, (positions) => {
      if (this.onCounted !== undefined) this.read(positions, 0);
    });
  }

  private read(positions: Float64Array, from: number): void {
    for (let i = from; i < positions.length; i++) {
      const position = positions[i]!;
      if (!this.log.isReadable(position)) {
        // The queue holds its reference: nothing leaves it.
        return this.log.fetch(position, () => {
          if (this.onCounted !== undefined) this.read(positions, i);
        });
      }
      this.add(position);
    }
    this.next();
  }

  private add(position: number): void {
    if (!this.log.isDamaged(position)) this.byteCount += bodySizeOf(this.log, position);
  }
}
