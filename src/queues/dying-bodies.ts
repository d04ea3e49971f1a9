/**
 * The messages that died in a queue and stay with it until they are safe elsewhere (the dead-letter strategy
 * at-least-once): how many, and how many bytes of bodies. When one goes it may have left memory, so its size is kept.
 */
import type { MessageLog } from '../store/message-log.js';
import { bodySizeOf } from './length-limit.js';

/** Nobody has asked for the size yet. */
const UNKNOWN = -1;

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
    this.sizes.set(position, UNKNOWN);
    if (countsBytes) this.measure(position);
  }

  /** One that was never added died when the strategy was another. */
  remove(position: number): void {
    this.bytes -= Math.max(0, this.sizes.get(position) ?? 0);
    this.sizes.delete(position);
  }

  /** The queue got a limit of bytes. What is not in memory counts as soon as it has been read in. */
  measureAll(): void {
    const { log } = this;
    for (const [position, size] of this.sizes) {
      if (size !== UNKNOWN) continue;
      if (log.isReadable(position)) {
        this.measure(position);
        continue;
      }
      // Held meanwhile: it may be safe elsewhere, and forgotten, before it is read.
      log.retain(position, 1);
      log.fetch(position, () => {
        if (this.sizes.get(position) === UNKNOWN) this.measure(position);
        log.release(position);
      });
    }
  }

  private measure(position: number): void {
    const size = this.log.isDamaged(position) ? 0 : bodySizeOf(this.log, position);
    this.sizes.set(position, size);
    this.bytes += size;
  }
}
