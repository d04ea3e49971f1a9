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
  /** Where the next record goes. */
  end = 0;
  /** References to records of this segment; at zero nothing of it is needed any more. */
  live = 0;
  /** What belongs to its file; undefined for a transient segment. */
  readonly journal: SegmentJournal | undefined;

  constructor(slot: number, block: ByteBlock, journal: SegmentJournal | undefined) {
    this.slot = slot;
    this.block = block;
    this.bytes = block.bytes;
    this.view = block.view;
    this.journal = journal;
  }

  /** Whether its records can be read; a segment that is not resident has to be loaded first. */
  get isResident(): boolean {
    return this.block !== NOWHERE;
  }

  /** Gives its memory up: the file has it all. */
  evict(): void {
    this.load(NOWHERE);
  }

  load(block: ByteBlock): void {
    this.block = block;
    this.bytes = block.bytes;
    this.view = block.view;
  }
}
