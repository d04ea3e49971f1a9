/**
 * The durable half of the message log: segments with files, and the commits that make them safe.
 *
 *   append -> open batch --seal--> dirty range --write--> --fdatasync--> durable (the watermark moves)
 *
 * A commit seals the batch under way, writes every dirty range as it lies in memory and syncs once for all channels,
 * queues and virtual hosts together. Meanwhile the next batch forms; there is no timer in that path. Commits are
 * numbered, and the watermark `durable` says which are safe: that is all that confirms wait for.
 *
 * A segment's acks go to a file of their own beside it, after each commit, and are synced at leisure: a lost ack is a
 * redelivery, which AMQP permits. Both files go when nothing of the segment is needed any more.
 */

import type { Timer } from '../lib/clock.js';
import { Watermark } from '../lib/watermark.js';
import { BATCH_HEADER_BYTES, FILE_HEADER_BYTES, sealBatch, writeFileHeader } from './batch-format.js';
import type { JournalOptions, JournalState } from './journal-options.js';
import type { Segment } from './segment.js';
import { type DirtyRange, SegmentFiles } from './segment-files.js';
import { SegmentJournal } from './segment-journal.js';
import { SegmentRemovals } from './segment-removals.js';

/** How long acks alone may wait to be written and synced; in mode `interval`, also what was written. */
const LEISURE_MS = 200;

export class Journal {
  /** What commits up to this number took with them is safe. */
  readonly durable = new Watermark();
  open: Segment | undefined;
  /** The files of the segments; for the compactor too. */
  readonly files: SegmentFiles;
  private readonly options: JournalOptions;
  private readonly addSegment: (byteLength: number, journal: SegmentJournal) => Segment;
  private readonly dropSegment: (segment: Segment) => void;
  private commitsBegun = 0;
  private lastBatch = 0;
  private lastSegmentNumber = 0;
  private dirty: DirtyRange[] = [];
  private readonly withAcks = new Set<Segment>();
  private readonly removals: SegmentRemovals;
  private isInTransaction = false;
  private leisureTimer: Timer | undefined;
  private isCommitting = false;
  /** Segments that the commit under way writes to, or has still to write to. */
  private readonly held = new Set<Segment>();
  /** Batches were dropped with their segment, and the commit they wait for has not begun. */
  private hasDropped = false;
  /** The disk is full: the commit that waits looks whether it can do without some of its segments. */
  private isMakingRoom = false;
  private isSyncingAcks = false;
  private hasFailed = false;
  private isClosing = false;
  private idle: (() => void)[] = [];

  constructor(
    options: JournalOptions,
    addSegment: (byteLength: number, journal: SegmentJournal) => Segment,
    dropSegment: (segment: Segment) => void,
  ) {
    this.options = options;
    this.files = new SegmentFiles(options);
    this.removals = new SegmentRemovals(
      (journal) => this.files.remove(journal),
      (error) => this.fail(error),
    );
    this.addSegment = addSegment;
    this.dropSegment = dropSegment;
  }

  /** Numbers go on after those an earlier opening used. Before the first record. */
  continueAfter(state: JournalState): void {
    this.lastBatch = state.batchNumber;
    this.lastSegmentNumber = state.segmentNumber;
  }

  /** The number of the commit that makes safe what is appended, or acknowledged, now. */
  get nextCommit(): number {
    return this.commitsBegun + 1;
  }

  /** Acks noted until now are synced with the next commit: a transaction promises that they are safe. */
  syncAcks(): void {
    this.isSyncingAcks = true;
    this.options.onDirty();
  }

  /** Whether something waits for a commit that must not wait. */
  get isUrgent(): boolean {
    return (
      this.dirty.length > 0 ||
      this.hasDropped ||
      (this.open?.journal?.batchStart ?? -1) >= 0 ||
      (this.isSyncingAcks && (this.isCommitting || this.hasUnsafeAcks))
    );
  }

  /** A commit under way may have taken out some more, which it does not sync. */
  private get hasUnsafeAcks(): boolean {
    return this.withAcks.size + this.removals.count > 0 || this.files.hasUnsynced;
  }

  /** Where the next record goes, at the earliest. */
  get position(): { readonly segmentNumber: number; readonly offset: number } {
    const { open } = this;
    if (open === undefined) return { segmentNumber: this.lastSegmentNumber + 1, offset: 0 };
    return { segmentNumber: open.journal!.number, offset: open.end };
  }

  /** The open segment with room for a record, in an open batch. */
  reserve(recordLength: number): Segment {
    let segment = this.open;
    if (segment !== undefined) {
      const needed = recordLength + (segment.journal!.batchStart < 0 ? BATCH_HEADER_BYTES : 0);
      if (segment.end + needed > segment.bytes.byteLength) segment = undefined;
    }
    segment ??= this.roll(recordLength);
    const journal = segment.journal!;
    if (journal.batchStart < 0) {
      journal.batchStart = segment.end;
      segment.end += BATCH_HEADER_BYTES;
      this.options.onDirty();
    }
    journal.batchRecords++;
    return segment;
  }

  /** A queue does not need a record any more. */
  noteAck(segment: Segment, recordOffset: number, queueId: number): void {
    const journal = segment.journal!;
    if (!journal.hasAcks) this.expectAcks(segment);
    journal.noteAck(recordOffset, queueId);
  }

  /** A queue does not need `count` records any more: all it has from `first` to `last`. */
  noteAckRange(segment: Segment, first: number, last: number, count: number, queueId: number): void {
    this.expectAcks(segment);
    segment.journal!.noteAckRange(first, last, count, queueId);
  }

  /** A queue has a record again that it had handed out. */
  noteReturn(segment: Segment, recordOffset: number, queueId: number, isFailure: boolean): void {
    this.expectAcks(segment);
    segment.journal!.noteReturn(recordOffset, queueId, isFailure);
  }

  /** Alone they can wait: what they spare is a redelivery. */
  private expectAcks(segment: Segment): void {
    this.withAcks.add(segment);
    this.armLeisure();
  }

  /** Nothing refers to the segment any more: its files go, unless it is still written to. */
  retire(segment: Segment): void {
    const journal = segment.journal!;
    if (this.isInTransaction) journal.removableFrom = this.nextCommit;
    if (!journal.isSealed || journal.isRetired || journal.commitsUnderWay > 0) return;
    journal.isRetired = true;
    this.withAcks.delete(segment);
    const dirty = this.dirty.filter((range) => range.segment !== segment);
    if (dirty.length < this.dirty.length) this.noteDropped();
    this.dirty = dirty;
    this.dropSegment(segment);
    this.removals.add(journal);
  }

  /**
   * While a transaction settles what it held, segments that are not needed any more keep their files until its
   * publishes are safe: a crash in between must bring both back, or neither.
   */
  settleTransaction(settle: () => void): void {
    this.isInTransaction = this.isUrgent;
    try {
      settle();
    } finally {
      this.isInTransaction = false;
    }
  }

  /** Starts a commit if there is something to make safe and none is under way. */
  commit(): void {
    if (this.isCommitting || this.hasFailed || !this.isUrgent) return;
    this.isCommitting = true;
    void this.run();
  }

  /**
   * Tries again what found the disk full, after making room: whole segments that nobody needs go, also the one that
   * is written to, and those whose writing was to be waited for. The owner calls it now and then.
   */
  retry(): void {
    this.isMakingRoom = true;
    this.retireOpen();
    this.options.patience.retry();
  }

  /** Makes everything safe, and closes the files; nothing is appended any more. @returns false when the disk failed */
  async close(): Promise<boolean> {
    this.isClosing = true;
    this.leisureTimer?.cancel();
    this.options.patience.stopWaiting();
    await this.settled();
    if (!this.hasFailed) {
      this.isSyncingAcks = true;
      this.isCommitting = true;
      await this.run();
    }
    await this.removals.settled();
    await this.files.closeAll();
    if (this.open !== undefined) this.open.journal!.isSealed = true;
    return !this.hasFailed;
  }

  /** Nothing is safe any more from here on. */
  private fail(error: unknown): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.options.onFatal(error);
  }

  private armLeisure(): void {
    this.leisureTimer ??= this.options.clock.after(LEISURE_MS, this.onLeisure);
  }

  private readonly onLeisure = (): void => {
    this.leisureTimer = undefined;
    if (this.hasFailed || this.isClosing) return;
    this.isSyncingAcks = true;
    this.commit();
  };

  /** Resolves when no commit is under way. */
  private async settled(): Promise<void> {
    while (this.isCommitting) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private async run(): Promise<void> {
    try {
      while (this.isUrgent && !this.hasFailed) await this.commitOnce();
    } catch (error) {
      this.fail(error);
    } finally {
      this.isCommitting = false;
      const idle = this.idle;
      this.idle = [];
      for (const resolve of idle) resolve();
    }
  }

  private async commitOnce(): Promise<void> {
    this.seal();
    const commit = ++this.commitsBegun;
    const ranges = this.dirty;
    const acked = [...this.withAcks];
    const isSyncingAcks = this.isSyncingAcks;
    this.dirty = [];
    this.hasDropped = false;
    this.withAcks.clear();
    this.isSyncingAcks = false;
    const prerequisite = this.options.prerequisite?.();
    const segments = [...new Set([...acked, ...ranges.map(({ segment }) => segment)])];
    for (const segment of segments) {
      segment.journal!.commitsUnderWay++;
      this.held.add(segment);
    }
    try {
      await this.writeLogs(ranges);
      if (isSyncingAcks) await this.writeAcks(acked);
      await this.sync(isSyncingAcks, commit);
      if (prerequisite !== undefined && !(await prerequisite)) this.hasFailed = true;
      // A removal may have failed meanwhile: acks that were to go with their segment are there.
      if (this.hasFailed) return;
      this.durable.advance(commit);
      // Nobody waits for these: they are written while the clients answer.
      if (!isSyncingAcks) await this.writeAcks(acked);
    } finally {
      for (const segment of this.held) segment.journal!.commitsUnderWay--;
      this.held.clear();
    }
    for (const segment of segments) if (segment.live === 0) this.retire(segment);
  }

  private async writeLogs(ranges: readonly DirtyRange[]): Promise<void> {
    for (const { segment, start, end } of ranges) {
      const isNeeded = (): boolean => this.isNeeded(segment);
      await this.files.writeRange(segment.journal!, segment.bytes, start, end, isNeeded);
      // What was begun and given up ends a file, and would be damage if another came behind it.
      if (segment.journal!.isRetired) await this.removals.settled();
    }
  }

  private async writeAcks(acked: readonly Segment[]): Promise<void> {
    for (const segment of acked) {
      const isNeeded = (): boolean => this.isNeeded(segment);
      if (isNeeded()) await this.files.writeAcks(segment.journal!, isNeeded);
    }
  }

  private async sync(isSyncingAcks: boolean, commit: number): Promise<void> {
    const { syncMode } = this.options;
    if (syncMode === 'always' || (syncMode === 'interval' && isSyncingAcks)) await this.files.syncLogs();
    this.removals.noteSafe(commit);
    if (isSyncingAcks && syncMode !== 'os') {
      await this.files.syncAcks();
      await this.removals.settled();
    }
    if (syncMode === 'interval' && this.files.hasUnsyncedLogs) this.armLeisure();
  }

  /**
   * Whether the commit under way has to write to a segment. If nobody needs it any more, it goes now: neither its
   * messages nor its acks need a file. Asked while nothing is being written.
   */
  private isNeeded(segment: Segment): boolean {
    if (this.isMakingRoom) {
      this.isMakingRoom = false;
      for (const held of [...this.held]) this.retireHeld(held);
    } else this.retireHeld(segment);
    return !segment.journal!.isRetired;
  }

  private retireHeld(segment: Segment): void {
    const journal = segment.journal!;
    // More than one: it is being compacted.
    if (segment.live > 0 || !journal.isSealed || journal.commitsUnderWay !== 1) return;
    journal.commitsUnderWay = 0;
    this.held.delete(segment);
    this.retire(segment);
  }

  /** The open segment goes if nobody needs it, with what it had for the next commit. */
  private retireOpen(): void {
    const segment = this.open;
    if (segment === undefined || segment.live > 0) return;
    const journal = segment.journal!;
    if (journal.batchStart >= 0) this.noteDropped();
    journal.batchStart = -1;
    journal.batchRecords = 0;
    journal.isSealed = true;
    this.open = undefined;
    this.retire(segment);
  }

  /** Whoever waits for the commit of what was dropped waits for nothing, but still for that commit. */
  private noteDropped(): void {
    this.hasDropped = true;
    this.options.onDirty();
  }

  /** The batch under way is complete: its header is written, and its range is to be written. */
  private seal(): void {
    const segment = this.open;
    const journal = segment?.journal;
    if (segment === undefined || journal === undefined || journal.batchStart < 0) return;
    const start = journal.batchStart;
    sealBatch(segment.bytes, start, {
      epoch: this.options.epoch,
      batchNumber: ++this.lastBatch,
      timeMs: this.options.clock.nowMs(),
      contentLength: segment.end - start - BATCH_HEADER_BYTES,
      recordCount: journal.batchRecords,
      isCompacted: false,
    });
    // The first range of a file brings the file header with it.
    const rangeStart = journal.writtenEnd === 0 ? 0 : start;
    journal.batchStart = -1;
    journal.batchRecords = 0;
    journal.writtenEnd = segment.end;
    journal.unwrittenRanges++;
    this.dirty.push({ segment, start: rangeStart, end: segment.end });
  }

  private roll(recordLength: number): Segment {
    const full = this.open;
    this.seal();
    const byteLength = Math.max(
      this.options.segmentBytes,
      FILE_HEADER_BYTES + BATCH_HEADER_BYTES + recordLength,
    );
    const segment = this.addSegment(
      byteLength,
      new SegmentJournal(++this.lastSegmentNumber, this.options.epoch),
    );
    writeFileHeader(segment.bytes, {
      epoch: this.options.epoch,
      segmentNumber: this.lastSegmentNumber,
      createdMs: this.options.clock.nowMs(),
      extent: 0,
    });
    segment.end = FILE_HEADER_BYTES;
    this.open = segment;
    if (full !== undefined) {
      full.journal!.isSealed = true;
      if (full.live === 0) this.retire(full);
    }
    return segment;
  }
}
