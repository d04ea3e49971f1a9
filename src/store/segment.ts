/**
 * A segment: a stretch of memory that records are appended to. A transient one exists in memory only; a durable one
 * is the image of a file, byte for byte, and may leave memory once it is written.
 */
import { type ByteBlock, blockOver } from '../lib/bytes.js';
import type { SegmentJournal } from './segment-journal.js';

const NOWHERE: ByteBlock = blockOver(Buffer.alloc(0));

export class Segment {
  readonly slot: number;
  block: ByteBlock;
  bytes: Buffer;
  view: DataView;
  /** What of it can be read: offsets from `readableStart` up to `readableEnd`. */
  readableStart = 0;
  readableEnd = Number.POSITIVE_INFINITY;
  /** Whether all of it can be read: the common case, which needs no look at an offset. */
  isWhole = true;
  /** Bytes of memory it takes. */
  heldBytes: number;
  /** Where the next record goes. */
  end = 0;
  /** References to records of this segment; at zero nothing of it is needed any more. */
  live = 0;
  /** Holders that read or change records of it without asking first: it stays in memory. */
  pins = 0;
  /** It is not what it was when it left memory: nothing of it may be delivered. */
  isLost = false;
  /** What belongs to its file; undefined for a transient segment. */
  readonly journal: SegmentJournal | undefined;

  constructor(slot: number, block: ByteBlock, journal: SegmentJournal | undefined) {
    this.slot = slot;
    this.block = block;
    this.bytes = block.bytes;
    this.view = block.view;
    this.heldBytes = block.bytes.byteLength;
    this.journal = journal;
  }

  /** Whether some of it is in memory. */
  get isResident(): boolean {
    return this.block !== NOWHERE;
  }

  /** Gives its memory up: the file has it all. */
  evict(): void {
    this.load(NOWHERE, 0, 0);
    this.heldBytes = 0;
  }

  /** Has its bytes from `start` up to `end` in `block`, which is as large as the segment. */
  load(block: ByteBlock, start: number, end: number): void {
    this.block = block;
    this.bytes = block.bytes;
    this.view = block.view;
    this.readableStart = start;
    this.readableEnd = end;
    this.isWhole = start === 0 && end === Number.POSITIVE_INFINITY;
  }
}
