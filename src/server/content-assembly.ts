/**
 * A message whose body comes in several pieces (several frames, or a frame split between reads), gathered in the
 * layout of its record, so that a large one can become a segment of the log as it is.
 *
 * The buffer grows with what has arrived, never with what was announced: a client that announces half a gigabyte
 * and sends nothing costs nothing. Where a message is copied into the log anyway its buffer is lent, and given back.
 */
import {
  bodyOffset,
  contentHeaderOffset,
  IMAGE_HEADER_BYTES,
  type ImageNotes,
  imageLength,
  writeImageFrame,
} from '../amqp/message-image.js';
import { allocateBlock, type ByteBlock, blockOver, copyBytes } from '../lib/bytes.js';
import type { SlabPool } from '../lib/slab-pool.js';
import { RECORD_HEADER_BYTES } from '../store/message-log.js';

/** Bytes allocated before any of a body has come. */
const INITIAL_BODY_BYTES_MAX = 262_144;

export class ContentAssembly {
  block: ByteBlock;
  readonly headerStart: number;
  readonly headerLength: number;
  readonly bodyStart: number;
  readonly bodySize: number;
  received = 0;
  private readonly recordLength: number;
  /** Where the buffer came from; undefined when it is the assembly's own. */
  private readonly lender: SlabPool | undefined;
  private readonly namesLength: number;

  constructor(
    names: ByteBlock,
    namesLength: number,
    header: ByteBlock,
    headerStart: number,
    headerLength: number,
    bodySize: number,
    buffers: SlabPool,
  ) {
    this.namesLength = namesLength;
    this.headerLength = headerLength;
    this.bodySize = bodySize;
    this.headerStart = RECORD_HEADER_BYTES + contentHeaderOffset(namesLength);
    this.bodyStart = RECORD_HEADER_BYTES + bodyOffset(namesLength, headerLength);
    const length = RECORD_HEADER_BYTES + imageLength(namesLength, headerLength, bodySize);
    this.recordLength = (length + 7) & -8;
    this.lender = this.recordLength <= buffers.slabBytes ? buffers : undefined;
    this.block =
      this.lender?.take() ??
      allocateBlock(Math.min(this.recordLength, this.bodyStart + INITIAL_BODY_BYTES_MAX));
    copyBytes(names, 0, this.block, RECORD_HEADER_BYTES + IMAGE_HEADER_BYTES, namesLength);
    copyBytes(header, headerStart, this.block, this.headerStart, headerLength);
  }

  get isComplete(): boolean {
    return this.received === this.bodySize;
  }

  /** Adds a piece of the body that is known to fit in what was announced. */
  add(piece: ByteBlock, start: number, end: number): void {
    const length = end - start;
    const at = this.bodyStart + this.received;
    if (at + length > this.block.bytes.length) this.grow(at + length);
    copyBytes(piece, start, this.block, at, length);
    this.received += length;
  }

  /** The finished record, its header left for the log to write. Only of a message whose buffer is its own. */
  record(notes: ImageNotes): Buffer {
    if (this.block.bytes.length < this.recordLength) this.grow(this.recordLength);
    const { namesLength, headerLength, bodySize } = this;
    writeImageFrame(this.block, RECORD_HEADER_BYTES, namesLength, headerLength, bodySize, notes);
    return this.block.bytes;
  }

  /** The message has been copied or given up: nobody looks at the buffer any more. Called once. */
  giveBack(): void {
    this.lender?.give(this.block);
  }

  private grow(needed: number): void {
    const size = Math.min(this.recordLength, Math.max(needed, this.block.bytes.length * 2));
    const larger = Buffer.allocUnsafeSlow(size);
    this.block.bytes.copy(larger, 0, 0, this.bodyStart + this.received);
    this.block = blockOver(larger);
  }
}
