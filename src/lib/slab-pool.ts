import { allocateBlock, type ByteBlock } from './bytes.js';

/**
 * Equal blocks that are lent and come back. Idle connections hold none, so memory follows the traffic and not
 * the number of connections; a bounded number waits here, the rest goes to the garbage collector.
 */
export class SlabPool {
  readonly slabBytes: number;
  private readonly idle: ByteBlock[] = [];
  private readonly idleMax: number;

  constructor(slabBytes: number, idleMax: number) {
    this.slabBytes = slabBytes;
    this.idleMax = idleMax;
  }

  get idleCount(): number {
    return this.idle.length;
  }

  take(): ByteBlock {
    return this.idle.pop() ?? allocateBlock(this.slabBytes);
  }

  /** Gives a block back. One of another size (a frame too large for a slab had its own) is left to the collector. */
  give(block: ByteBlock): void {
    if (block.bytes.byteLength === this.slabBytes && this.idle.length < this.idleMax) this.idle.push(block);
  }
}
