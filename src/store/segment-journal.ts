/** The durable side of a segment: its file, the batch under way, the acks that wait to be written. */
import type { OpenFile } from '../lib/file-system.js';

/** Bytes of one entry of an ack file: record offset / 8, queue id. */
export const ACK_BYTES = 8;

const ACKS_INITIAL_BYTES = 512;

export class SegmentJournal {
  /** Never reused in a data directory. */
  readonly number: number;
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
  /** Acks noted until now; and when the compactor last looked. */
  ackCount = 0;
  ackCountSeen = -1;
  /** What could not be proven when it was last read: records in there must not be delivered. */
  damaged: readonly { readonly start: number; readonly end: number }[] = [];
  /** No record will be added. */
  isSealed = false;
  /** Its files are on their way out: once only, or its slot would be given to two others. */
  isRetired = false;
  /** Commits under way that read its memory or write its file. */
  commitsUnderWay = 0;
  private acks = Buffer.allocUnsafe(0);
  private acksLength = 0;

  constructor(number: number) {
    this.number = number;
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
    if (this.acksLength + ACK_BYTES > this.acks.length) this.growAcks();
    this.acks.writeUInt32LE(recordOffset / 8, this.acksLength);
    this.acks.writeUInt32LE(queueId, this.acksLength + 4);
    this.acksLength += ACK_BYTES;
    this.ackCount++;
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
