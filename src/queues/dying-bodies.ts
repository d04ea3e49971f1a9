/**
 * The messages that died in a queue and stay with it until they are safe elsewhere (the dead-letter strategy
 * at-least-once): how many, and how many bytes of bodies. When one goes it may have left memory, so its size is kept.
 */
import type { LengthLimit } from './length-limit.js';

export class DyingBodies {
  length = 0;
  bytes = 0;
  private readonly limit: LengthLimit | undefined;
  private readonly sizes = new Map<number, number>();

  /** @param limit of the queue: whether it counts bytes */
  constructor(limit: LengthLimit | undefined) {
    this.limit = limit;
  }

  add(position: number): void {
    this.length++;
    if (this.limit?.countsBytes !== true) return;
    const size = this.limit.bodySizeOf(position);
    this.sizes.set(position, size);
    this.bytes += size;
  }

  remove(position: number): void {
    this.length--;
    this.bytes -= this.sizes.get(position) ?? 0;
    this.sizes.delete(position);
  }
}
