/**
 * The messages that died in a queue and stay with it until they are safe elsewhere (the dead-letter strategy
 * at-least-once): how many, and how many bytes of bodies. When one goes it may have left memory, so its size is kept.
 */
import type { MessageLog } from '../store/message-log.js';
import { bodySizeOf } from './length-limit.js';

export class DyingBodies {
  bytes = 0;
  private readonly log: MessageLog;
  private readonly sizes = new Map<number, number>();

  constructor(log: MessageLog) {
    this.log = log;
  }

  get length(): number {
    return this.sizes.size;
  }

  /** @param countsBytes whether the limit of the queue does: then the message can be read */
  add(position: number, countsBytes: boolean): void {
    const size = countsBytes ? bodySizeOf(this.log, position) : 0;
    this.sizes.set(position, size);
    this.bytes += size;
  }

  /** One that was never added died when the strategy was another. */
  remove(position: number): void {
    this.bytes -= this.sizes.get(position) ?? 0;
    this.sizes.delete(position);
  }
}
