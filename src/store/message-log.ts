/**
 * The message log: the one home of message bytes.
 *
 * A message is written once, into an open segment, and is from then on a position: a number that queues, unacked
 * lists and output buffers hold. There is no object per message and nothing for the garbage collector to walk. A
 * segment counts the references to its records and goes when the last one goes.
 *
 *   segment   +--------+--------+-----------------+--- free ---+
 *             | record | record |     record      |            |
 *             +--------+--------+-----------------+------------+
 *   record    0   u32 record length in bytes, this header included, a multiple of 8
 *             4   u32 payload length in bytes
 *             8   payload (for an AMQP message its image, see amqp/message-image.ts)
 *             ..  padding to a multiple of 8
 *   position  slot * 2^23 + offset / 8, a safe integer: which segment, and where its record begins
 *
 * Numbers are little-endian. The log knows bytes and positions only; what a payload means is its writer's affair.
 *
 * Transient records share segments that exist in memory only, until that gets scarce (spill.ts). Durable ones go to segments that are images of files
 * (batch-format.ts adds batches and the ids of queues), written and synced by the `Journal`; once written, such a
 * segment may leave memory, and whoever wants to read it asks `isReadable` first.
 */
import { allocateBlock, type ByteBlock, blockOver } from '../lib/bytes.js';
import { DURABLE_SEGMENTS_IDLE_MAX, SEGMENT_BYTES, SEGMENTS_IDLE_MAX } from '../lib/limits.js';
import { SlabPool } from '../lib/slab-pool.js';
import { targetsOffset } from './batch-format.js';
import { Journal } from './journal.js';
import type { JournalOptions } from './journal-options.js';
import { Residency } from './residency.js';
import { type RecordRun, RunFinder } from './run-finder.js';
import { Segment } from './segment.js';
import type { SegmentJournal } from './segment-journal.js';
import { Spill, type SpillOptions } from './spill.js';

export const RECORD_HEADER_BYTES = 8;

const OFFSET_UNITS = 8_388_608;
const UNIT_BYTES = 8;

export interface MessageLogOptions {
  /** Bytes of a regular segment. A record that does not fit in one gets a segment of its own. */
  readonly segmentBytes?: number;
  /** Told whenever a segment comes or goes. */
  readonly onBytesHeldChanged?: (bytesHeld: number) => void;
}

export class MessageLog {
  private readonly segmentBytes: number;
  private readonly segments: (Segment | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  private readonly blocks: SlabPool;
  private durableBlocks: SlabPool | undefined;
  private open: Segment;
  private heldBytes = 0;
  /** Makes records durable; undefined for a broker in memory. */
  journal: Journal | undefined;
  private residency: Residency | undefined;
  private runFinder: RunFinder | undefined;
  private spill: Spill | undefined;
  private readonly onBytesHeldChanged: ((bytesHeld: number) => void) | undefined;

  constructor(options: MessageLogOptions = {}) {
    this.onBytesHeldChanged = options.onBytesHeldChanged;
    this.segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    if (this.segmentBytes % UNIT_BYTES !== 0 || this.segmentBytes > OFFSET_UNITS * UNIT_BYTES) {
      throw new RangeError(
        `a segment has a multiple of 8 bytes, at most ${OFFSET_UNITS * UNIT_BYTES}, not ${this.segmentBytes}`,
      );
    }
    this.blocks = new SlabPool(this.segmentBytes, SEGMENTS_IDLE_MAX);
    this.open = this.openSegment();
  }

  /** From now on there is a place for durable records. */
  startJournal(options: JournalOptions, residentBytesMax: number): void {
    const blocks = new SlabPool(options.segmentBytes, DURABLE_SEGMENTS_IDLE_MAX);
    this.durableBlocks = blocks;
    const blockOf = (byteLength: number): ByteBlock =>
      byteLength > blocks.slabBytes ? allocateBlock(byteLength) : blocks.take();
    this.residency = new Residency(
      options,
      residentBytesMax,
      blockOf,
      (byteCount) => this.changeHeld(byteCount),
      {
        retire: (segment) => this.journal!.retire(segment),
        rest: (segment) => this.journal!.files.rest(segment.journal!),
        readSpilled: (segment) => this.spill!.read(segment),
      },
    );
    this.runFinder = new RunFinder(options);
    this.journal = new Journal(
      options,
      (byteLength, journal) => {
        const segment = this.addSegment(blockOf(byteLength), journal);
        this.residency!.add(segment);
        return segment;
      },
      (segment) => this.drop(segment),
    );
  }

  /** From now on transient segments give their memory up when it gets scarce. Needs a journal's residency. */
  startSpill(options: SpillOptions): void {
    this.spill = new Spill(
      options,
      () => this.heldBytes,
      (segment) => this.residency!.evictSpilled(segment),
    );
  }

  stopSpill(): Promise<void> | undefined {
    return this.spill?.close();
  }

  /** Whoever holds a record and reads it without asking first keeps its segment in memory (1), until it is done (-1). */
  pin(position: number, change: 1 | -1): void {
    this.segmentOf(position).pins += change;
  }

  /** Bytes held in segments, used or not: what the memory alarm watches. */
  get bytesHeld(): number {
    return this.heldBytes;
  }

  get segmentCount(): number {
    return this.segments.length - this.freeSlots.length;
  }

  /**
   * Makes room for a record with `payloadLength` bytes and returns its position. The caller writes the payload
   * into `segmentOf(position)` at `payloadOffset(position)` and takes its references with `retain` before
   * anything is released: a segment without references starts anew.
   */
  append(payloadLength: number): number {
    const recordLength = (RECORD_HEADER_BYTES + payloadLength + (UNIT_BYTES - 1)) & -UNIT_BYTES;
    let segment = this.open;
    if (segment.end + recordLength > segment.bytes.byteLength) {
      if (recordLength > this.segmentBytes) return this.appendAlone(recordLength, payloadLength);
      segment = this.roll();
    }
    const offset = segment.end;
    segment.end = offset + recordLength;
    segment.view.setUint32(offset, recordLength, true);
    segment.view.setUint32(offset + 4, payloadLength, true);
    return segment.slot * OFFSET_UNITS + offset / UNIT_BYTES;
  }

  /**
   * As `append`, for a record that survives a restart in `targetCount` queues, whose ids the caller writes with
   * `writeTarget`. It is safe once the journal's watermark has reached the `nextCommit` of now.
   */
  appendDurable(payloadLength: number, targetCount: number): number {
    const targetsAt = targetsOffset(0, payloadLength);
    const recordLength = (targetsAt + 4 + 4 * targetCount + (UNIT_BYTES - 1)) & -UNIT_BYTES;
    const segment = this.journal!.reserve(recordLength);
    const offset = segment.end;
    segment.end = offset + recordLength;
    segment.view.setUint32(offset, recordLength, true);
    segment.view.setUint32(offset + 4, payloadLength, true);
    segment.view.setUint32(offset + targetsAt, targetCount, true);
    segment.journal!.targets += targetCount;
    return segment.slot * OFFSET_UNITS + offset / UNIT_BYTES;
  }

  /** Writes the id of the queue number `index` that a durable record goes to. */
  writeTarget(position: number, index: number, queueId: number): void {
    const { view } = this.segmentOf(position);
    const offset = (position % OFFSET_UNITS) * UNIT_BYTES;
    view.setUint32(targetsOffset(offset, view.getUint32(offset + 4, true)) + 4 + 4 * index, queueId, true);
  }

  allSegments(): Segment[] {
    return this.segments.filter((segment) => segment !== undefined);
  }

  /** Whether the record can be read now. If not, `fetch` it. */
  isReadable(position: number): boolean {
    const { isWhole, readableStart, readableEnd } = this.segmentOf(position);
    return isWhole || (offsetOf(position) >= readableStart && offsetOf(position) < readableEnd);
  }

  /** Whether a readable record can not be proven any more: it must not be delivered. */
  isDamaged(position: number): boolean {
    const { journal, isLost } = this.segmentOf(position);
    if (journal === undefined) return isLost;
    return journal.damaged.length > 0 && journal.isDamagedAt(offsetOf(position));
  }

  /** Reads the record in; calls back once it can be read. The caller holds a reference meanwhile. */
  fetch(position: number, onReadable: () => void): void {
    this.residency!.load(this.segmentOf(position), offsetOf(position), onReadable);
  }

  /**
   * The record at `position`, which can be read, is being read: what follows it comes into memory ahead of its
   * reader. @returns true when the rest of its segment is there
   */
  readAhead(position: number): boolean {
    const segment = this.segmentOf(position);
    return segment.readableEnd >= segment.end || this.residency!.readAhead(segment, offsetOf(position));
  }

  /** Reads `next` in while `position` is read, unless the one would push the other out. */
  prefetch(next: number, position: number): void {
    if (this.isReadable(next)) return;
    this.residency!.prefetch(this.segmentOf(next), offsetOf(next), this.segmentOf(position));
  }

  /** The positions of the records that a queue has between the ends of a run, whose references it holds. */
  findRun(run: RecordRun, queueId: number, onFound: (positions: Float64Array) => void): void {
    const segment = this.segmentOf(run.first);
    const base = segment.slot * OFFSET_UNITS;
    this.runFinder!.find(segment, queueId, offsetOf(run.first), offsetOf(run.last), (offsets) => {
      // In place: they are nobody else's, and a segment may have a hundred thousand.
      for (let i = 0; i < offsets.length; i++) offsets[i] = base + offsets[i]! / UNIT_BYTES;
      onFound(offsets);
    });
  }

  /** As many references more, or fewer, as a run had when it was found again. */
  recount(position: number, count: number): void {
    const segment = this.segmentOf(position);
    segment.live += count;
    if (segment.live === 0) this.retire(segment);
  }

  /** Gives the references of a run back. @param queueId given: the queue does not need them after a restart either */
  releaseRun(run: RecordRun, queueId: number | undefined): void {
    const segment = this.segmentOf(run.first);
    if (queueId !== undefined) {
      this.journal!.noteAckRange(segment, offsetOf(run.first), offsetOf(run.last), run.count, queueId);
    }
    this.recount(run.first, -run.count);
  }

  /** See `Cooler` of queues/cold-run.ts. */
  countCoolable(positions: Float64Array, from: number): number {
    const segment = this.segmentOf(positions[from]!);
    if (segment.journal === undefined || segment.journal.hasUnnamedReferences) return -1;
    if (segment.readableEnd >= segment.end) return 0;
    let end = from + 1;
    while (end < positions.length && this.segmentOf(positions[end]!) === segment) end++;
    return end - from;
  }

  isSameSegment(position: number, other: number): boolean {
    return Math.floor(position / OFFSET_UNITS) === Math.floor(other / OFFSET_UNITS);
  }

  /** A segment that an earlier opening of the data directory wrote. Its references are counted by the caller. */
  restore(journal: SegmentJournal, bytes: Buffer): Segment {
    const segment = this.addSegment(blockOver(bytes), journal);
    segment.end = bytes.byteLength;
    this.residency!.add(segment);
    return segment;
  }

  /** As `restore`, for a segment whose hint tells all there is to know: it stays where it is until it is read. */
  restoreCold(journal: SegmentJournal, byteLength: number): Segment {
    const segment = this.addSegment(blockOver(Buffer.alloc(0)), journal);
    segment.evict();
    segment.end = byteLength;
    return segment;
  }

  /** Writes the hints that are missing: the next opening need not read those segments. */
  async hintAll(): Promise<void> {
    for (const segment of this.allSegments()) {
      if (segment.journal !== undefined && segment.live > 0) await this.residency!.hint(segment);
    }
  }

  positionIn(segment: Segment, recordOffset: number): number {
    return segment.slot * OFFSET_UNITS + recordOffset / UNIT_BYTES;
  }

  /**
   * Takes over a buffer in which a large record was assembled, as a segment of its own: no second copy.
   * The first `RECORD_HEADER_BYTES` of `bytes` are the log's to write; the payload follows them.
   */
  adopt(bytes: Buffer): number {
    const segment = this.addSegment(blockOver(bytes));
    segment.end = bytes.byteLength;
    this.spill?.add(segment);
    segment.view.setUint32(0, bytes.byteLength, true);
    segment.view.setUint32(4, bytes.byteLength - RECORD_HEADER_BYTES, true);
    return segment.slot * OFFSET_UNITS;
  }

  segmentOf(position: number): Segment {
    return this.segments[Math.floor(position / OFFSET_UNITS)]!;
  }

  /** Where the payload of the record at `position` begins in its segment. */
  payloadOffset(position: number): number {
    return (position % OFFSET_UNITS) * UNIT_BYTES + RECORD_HEADER_BYTES;
  }

  payloadLength(position: number): number {
    return this.segmentOf(position).view.getUint32((position % OFFSET_UNITS) * UNIT_BYTES + 4, true);
  }

  /** Adds `count` references: one for each queue, and for each other holder, of the record. */
  retain(position: number, count: number): void {
    this.segmentOf(position).live += count;
  }

  /** Gives one reference back. The record must not be read afterwards by whoever held it. */
  release(position: number): void {
    const segment = this.segmentOf(position);
    if (--segment.live === 0) this.retire(segment);
  }

  /** As `release`, by a durable queue that does not need the record any more: not after a restart either. */
  settle(position: number, queueId: number): void {
    const segment = this.segmentOf(position);
    if (segment.journal !== undefined) this.journal!.noteAck(segment, offsetOf(position), queueId);
    if (--segment.live === 0) this.retire(segment);
  }

  /** A durable queue has a record again, after a failed delivery or not: it tells so after a restart too. */
  noteReturn(position: number, queueId: number, isFailure: boolean): void {
    const segment = this.segmentOf(position);
    if (segment.journal === undefined) return;
    this.journal!.noteReturn(segment, offsetOf(position), queueId, isFailure);
  }

  private retire(segment: Segment): void {
    if (segment.journal !== undefined) {
      this.journal!.retire(segment);
      return;
    }
    if (segment === this.open) {
      // Consumers that keep up let the same warm memory be used again and again.
      segment.end = 0;
      return;
    }
    this.drop(segment);
  }

  private drop(segment: Segment): void {
    this.segments[segment.slot] = undefined;
    this.freeSlots.push(segment.slot);
    this.residency?.remove(segment);
    this.spill?.remove(segment);
    this.keepBlock(segment);
    this.changeHeld(-segment.heldBytes);
  }

  /** Memory is used again: it is warm, and what the garbage collector counts as new makes it run. */
  private keepBlock({ block, journal }: Segment): void {
    if (journal === undefined) this.blocks.give(block);
    // A write that is under way reads it.
    else if (journal.commitsUnderWay === 0) this.durableBlocks!.give(block);
  }

  private roll(): Segment {
    const full = this.open;
    this.open = this.openSegment();
    this.spill?.add(full);
    // Everything in it may have gone while it was open: its end was then set back, unless a record was under way.
    if (full.live === 0) this.retire(full);
    return this.open;
  }

  private appendAlone(recordLength: number, payloadLength: number): number {
    const segment = this.addSegment(allocateBlock(recordLength));
    segment.end = recordLength;
    this.spill?.add(segment);
    segment.view.setUint32(0, recordLength, true);
    segment.view.setUint32(4, payloadLength, true);
    return segment.slot * OFFSET_UNITS;
  }

  private openSegment(): Segment {
    return this.addSegment(this.blocks.take());
  }

  private addSegment(block: ByteBlock, journal?: SegmentJournal): Segment {
    const slot = this.freeSlots.pop() ?? this.segments.length;
    const segment = new Segment(slot, block, journal);
    this.segments[slot] = segment;
    this.changeHeld(block.bytes.byteLength);
    return segment;
  }

  private changeHeld(byteCount: number): void {
    this.heldBytes += byteCount;
    this.onBytesHeldChanged?.(this.heldBytes);
    if (byteCount > 0) this.spill?.onGrowth();
  }
}

/** Where a record begins in its segment. */
function offsetOf(position: number): number {
  return (position % OFFSET_UNITS) * UNIT_BYTES;
}
