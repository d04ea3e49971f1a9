/** The durable side of a segment: its file, the batch under way, the acks that wait to be written. */
import type { OpenFile } from '../lib/file-system.js';
import { AckKind, ackWord } from './ack-format.js';

/** Bytes of one entry of an ack file (ack-format.ts). */
const ACK_BYTES = 8;

const ACKS_INITIAL_BYTES = 512;

export class SegmentJournal {
  /** Never reused in a data directory. */
  readonly number: number;
  /** Which opening of the data directory wrote the log; undefined when its header cannot be proven. */
  readonly epoch: number | undefined;
  /** Open while the segment can still be written to, or acks can come. */
  file: OpenFile | undefined;
  ackFile: OpenFile | undefined;
  /** Where the next acks go in the ack file. */
  ackFileEnd = 0;
  /** Where the batch under way begins, or -1. */
  batchStart = -1;
  batchRecords = 0;
  /** Where the sealed batches end. */
  writtenEnd = 0;
  /** Sealed batches that are not in the file yet: until then it cannot leave memory. */
  unwrittenRanges = 0;
  /** Queues that its records were written for, all together: what `live` once was. */
  targets = 0;
  /** Queues that keep nothing over a restart refer to it too: which of its records they need is not written. */
  hasTransientReferences = false;
  /** Among them queues that have others of its records for good. */
  hasUnnamedReferences = false;
  /** Acks noted until now; and when the compactor last looked. */
  ackCount = 0;
  ackCountSeen = -1;
  /** What could not be proven when it was last read: records in there must not be delivered. */
  damaged: readonly { readonly start: number; readonly end: number }[] = [];
  /** A hint file is there, or is being written; and it is there, whole. */
  isHintBegun = false;
  isHinted = false;
  /** Where the batches begin, from the hint, while some of the segment is in memory. */
  batchStarts: Uint32Array | undefined;
  /** The log was written anew with fewer records: its batches are not where they were. */
  isCompacted = false;
  /** No record will be added. */
  isSealed = false;
  /** Its files are on their way out: once only, or its slot would be given to two others. */
  isRetired = false;
  /** The commit that must be safe before its files may go. */
  removableFrom = 0;
  /** Commits under way that read its memory or write its file. */
  commitsUnderWay = 0;
  private acks = Buffer.allocUnsafe(0);
  private acksLength = 0;

  constructor(number: number, epoch: number | undefined) {
    this.number = number;
    this.epoch = epoch;
  }

  /** Whether a record lies in a stretch that could not be proven. */
  isDamagedAt(recordOffset: number): boolean {
    return this.damaged.some(({ start, end }) => recordOffset >= start && recordOffset < end);
  }

  get hasAcks(): boolean {
    return this.acksLength > 0;
  }

  /** A record is not needed by a queue any more. */
  noteAck(recordOffset: number, queueId: number): void {
    this.note(recordOffset / 8, queueId);
    this.ackCount++;
  }

  /** As `noteAck`, for all records of the queue from `first` to `last`, `count` of them. */
  noteAckRange(first: number, last: number, count: number, queueId: number): void {
    this.note(ackWord(first, AckKind.RangeGone), queueId);
    this.note(ackWord(last, AckKind.RangeGone), queueId);
    this.ackCount += count;
  }

  /** A record was handed out and came back, after a failed delivery or not. */
  noteReturn(recordOffset: number, queueId: number, isFailure: boolean): void {
    this.note(ackWord(recordOffset, isFailure ? AckKind.Failed : AckKind.GivenBack), queueId);
  }

  private note(word: number, queueId: number): void {
    if (this.acksLength + ACK_BYTES > this.acks.length) this.growAcks();
    this.acks.writeUInt32LE(word, this.acksLength);
    this.acks.writeUInt32LE(queueId, this.acksLength + 4);
    this.acksLength += ACK_BYTES;
  }

  /** Takes the noted acks out. */
  takeAcks(): Buffer {
    const taken = this.acks.subarray(0, this.acksLength);
    this.acks = Buffer.allocUnsafe(0);
    this.acksLength = 0;
    return taken;
  }

  private growAcks(): void {
    const larger = Buffer.allocUnsafe(Math.max(ACKS_INITIAL_BYTES, this.acks.length * 2));
    this.acks.copy(larger, 0, 0, this.acksLength);
    this.acks = larger;
  }
}
