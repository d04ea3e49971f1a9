/**
 * Which segments with files are in memory: the newest, and what is being read. Past a budget the least recently used
 * ones that are whole in their files leave, with a hint (hint-format.ts) of what they hold. Who needs a record asks
 * for it, and the batches around it are read back, off the event loop, and proven before anything of them can be
 * delivered.
 *
 *   segment   |........[=== readable ===]...............|
 *                      ^ readableStart   ^ readableEnd
 *
 * What is readable of a segment is one stretch of whole batches. It grows by merged blocks, in both directions; a
 * segment without a hint is read whole, since only its hint tells where its batches begin; so is a spilled one.
 */
import { type ByteBlock, blockOver } from '../lib/bytes.js';
import { type FileSystem, type OpenFile, readFully } from '../lib/file-system.js';
import { READ_BLOCK_BYTES } from '../lib/limits.js';
import { imageOf, isContentIntact, readBatchHeader, readFileHeader } from './batch-format.js';
import { readHint, writeHint } from './hint-files.js';
import { encodeHint, type RecordInspector } from './hint-format.js';
import { segmentPath } from './journal-files.js';
import { readFile } from './read-file.js';
import type { Segment } from './segment.js';

export interface ResidencyOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** Bytes to read at a time, rounded up to whole batches; `READ_BLOCK_BYTES` when absent. */
  readonly readBlockBytes?: number;
  /** Asked for every record that a hint is made of. */
  readonly inspect: RecordInspector;
  /** A stretch of a segment cannot be proven any more. */
  readonly onDamage: (segmentNumber: number, start: number, end: number) => void;
  readonly onFatal: (error: unknown) => void;
}

/** What becomes of segments besides. */
export interface ResidencyOwner {
  /** A segment may have lost its last reference while its files were at work. */
  retire(segment: Segment): void;
  /** A durable segment has left memory. */
  rest(segment: Segment): void;
  /** Reads a transient segment back. */
  readSpilled(segment: Segment): Promise<Buffer>;
}

interface Request {
  readonly recordOffset: number;
  readonly onReadable: () => void;
}

export class Residency {
  private readonly options: ResidencyOptions;
  private readonly budgetBytes: number;
  private readonly blockBytes: number;
  private readonly blockOf: (byteLength: number) => ByteBlock;
  private readonly changeHeld: (byteCount: number) => void;
  private readonly owner: ResidencyOwner;
  /** In memory, least recently used first. */
  private readonly resident = new Set<Segment>();
  private residentBytes = 0;
  private readonly requests = new Map<Segment, Request[]>();

  /** @param blockOf memory of at least so many bytes */
  constructor(
    options: ResidencyOptions,
    budgetBytes: number,
    blockOf: (byteLength: number) => ByteBlock,
    changeHeld: (byteCount: number) => void,
    owner: ResidencyOwner,
  ) {
    this.options = options;
    this.blockBytes = options.readBlockBytes ?? READ_BLOCK_BYTES;
    this.budgetBytes = budgetBytes;
    this.blockOf = blockOf;
    this.changeHeld = changeHeld;
    this.owner = owner;
  }

  /** A segment came into memory. */
  add(segment: Segment): void {
    this.resident.add(segment);
    this.residentBytes += segment.heldBytes;
    this.evictOverBudget(segment);
  }

  /** A segment is gone for good. */
  remove(segment: Segment): void {
    if (this.resident.delete(segment)) this.residentBytes -= segment.heldBytes;
  }

  /** Reads the record in. The caller holds a reference until it is called back. */
  load(segment: Segment, recordOffset: number, onReadable: () => void): void {
    const waiting = this.requests.get(segment);
    if (waiting !== undefined) {
      waiting.push({ recordOffset, onReadable });
      return;
    }
    this.requests.set(segment, [{ recordOffset, onReadable }]);
    void this.serve(segment).catch((error) => {
      this.requests.delete(segment);
      // A segment that nobody needs any more may have lost its file while it was to be read.
      if (segment.live > 0) this.options.onFatal(error);
    });
  }

  /** A record is being read: what follows it is read in ahead of its reader. @returns true when all of it is there */
  readAhead(segment: Segment, recordOffset: number): boolean {
    this.touch(segment);
    if (segment.readableEnd >= segment.end) return true;
    const isNear = recordOffset + this.blockBytes > segment.readableEnd;
    if (isNear && !this.requests.has(segment)) this.load(segment, segment.readableEnd, () => {});
    return false;
  }

  /** Reads a record of a segment in before its reader is done with `current`, if there is room beside that. */
  prefetch(segment: Segment, recordOffset: number, current: Segment): void {
    this.touch(current);
    if (this.requests.has(segment)) return;
    let neededBytes = segment.end;
    for (const other of this.resident) {
      if (other === current || !canLeave(other)) neededBytes += other.heldBytes;
    }
    if (neededBytes <= this.budgetBytes) this.load(segment, recordOffset, () => {});
  }

  private touch(segment: Segment): void {
    if (this.resident.delete(segment)) this.resident.add(segment);
  }

  /** Makes the hint of a segment that is whole in memory, if it can have one and has none. */
  async hint(segment: Segment): Promise<void> {
    const journal = segment.journal!;
    if (journal.isHintBegun || !canBeHinted(segment)) return;
    const { fileSystem, directory, inspect } = this.options;
    const { bytes, view, end } = segment;
    journal.isHintBegun = true;
    // As for a commit: the segment does not retire while a file of it is made.
    journal.commitsUnderWay++;
    try {
      // At once: the bytes may leave memory while the file is written.
      const source = { epoch: journal.epoch!, segmentNumber: journal.number, bytes, view, end };
      const hint = encodeHint(source, inspect);
      if (hint === undefined) return;
      await writeHint(fileSystem, directory, journal.number, hint);
      journal.isHinted = true;
    } catch {
      // It spares reading. A full disk has better uses for its room.
    } finally {
      journal.commitsUnderWay--;
      if (segment.live === 0) this.owner.retire(segment);
    }
  }

  private async serve(segment: Segment): Promise<void> {
    const requests = this.requests.get(segment)!;
    while (requests.length > 0) {
      const { recordOffset, onReadable } = requests[0]!;
      if (segment.live > 0 && !isReadable(segment, recordOffset)) await this.read(segment, recordOffset);
      requests.shift();
      if (requests.length === 0) this.requests.delete(segment);
      onReadable();
    }
  }

  private async read(segment: Segment, recordOffset: number): Promise<void> {
    const { fileSystem, directory } = this.options;
    const { journal } = segment;
    if (journal === undefined) {
      const bytes = await this.owner.readSpilled(segment);
      return this.place(segment, blockOver(bytes), 0, Number.POSITIVE_INFINITY, bytes.length);
    }
    if (journal.isHinted && journal.batchStarts === undefined) {
      const hint = await readHint(fileSystem, directory, journal.number);
      if (hint?.logBytes === segment.end) journal.batchStarts = hint.batchStarts;
      else journal.isHinted = false;
    }
    const { batchStarts } = journal;
    if (batchStarts === undefined) return this.readWhole(segment);
    const file = await fileSystem.open(segmentPath(directory, journal.number), 'read');
    try {
      // A compaction says so before it gives the new file the name: this is the file as it was written.
      if (journal.isCompacted) await this.readWhole(segment);
      else await this.readBlock(segment, file, batchStarts, recordOffset);
    } finally {
      await file.close();
    }
  }

  /** Widens what is readable of a segment by the batches around a record. */
  private async readBlock(
    segment: Segment,
    file: OpenFile,
    batchStarts: Uint32Array,
    recordOffset: number,
  ): Promise<void> {
    const first = lastAtMost(batchStarts, recordOffset);
    let next = first + 1;
    let start = batchStarts[first]!;
    while (next < batchStarts.length && batchStarts[next]! < start + this.blockBytes) next++;
    let end = batchStarts[next] ?? segment.end;
    const isFresh = !segment.isResident;
    const block = isFresh ? this.blockOf(segment.end) : segment.block;
    if (isFresh) {
      await this.readBatches(segment, file, block.bytes, batchStarts, start, end);
    } else {
      const { readableStart, readableEnd } = segment;
      if (start < readableStart) {
        await this.readBatches(segment, file, block.bytes, batchStarts, start, readableStart);
      }
      if (end > readableEnd) {
        await this.readBatches(segment, file, block.bytes, batchStarts, readableEnd, end);
      }
      start = Math.min(start, readableStart);
      end = Math.max(end, readableEnd);
    }
    this.place(segment, block, start, end, end - start);
  }

  /** Reads and proves the batches from `start` up to `end`, where one begins and one ends. */
  private async readBatches(
    segment: Segment,
    file: OpenFile,
    bytes: Buffer,
    batchStarts: Uint32Array,
    start: number,
    end: number,
  ): Promise<void> {
    const readEnd = start + (await readFully(file, bytes, start, end - start, start));
    const { epoch } = segment.journal!;
    for (let i = lastAtMost(batchStarts, start); i < batchStarts.length && batchStarts[i]! < end; i++) {
      const batchStart = batchStarts[i]!;
      const batchEnd = batchStarts[i + 1] ?? segment.end;
      const header = batchEnd <= readEnd ? readBatchHeader(bytes, batchStart) : undefined;
      const isProven =
        header !== undefined &&
        (epoch === undefined || header.epoch === epoch) &&
        isContentIntact(bytes, batchStart, header);
      if (!isProven) this.noteDamage(segment, batchStart, batchEnd);
    }
  }

  private async readWhole(segment: Segment): Promise<void> {
    const { fileSystem, directory } = this.options;
    const journal = segment.journal!;
    const file = await readFile(fileSystem, segmentPath(directory, journal.number));
    const image = imageOf(file, readFileHeader(file)?.extent);
    const { bytes } = image;
    for (const { start, end } of image.damaged) this.noteDamage(segment, start, end);
    // What the file no longer has is damage too.
    if (bytes.length < segment.end) this.noteDamage(segment, bytes.length, segment.end);
    this.place(segment, blockOver(bytes), 0, Number.POSITIVE_INFINITY, bytes.length);
  }

  private noteDamage(segment: Segment, start: number, end: number): void {
    const journal = segment.journal!;
    if (journal.damaged.some((known) => known.start === start)) return;
    journal.damaged = [...journal.damaged, { start, end }];
    this.options.onDamage(journal.number, start, end);
  }

  /** Everything of the segment may have gone while it was read. */
  private place(segment: Segment, block: ByteBlock, start: number, end: number, heldBytes: number): void {
    if (segment.live === 0) return;
    this.remove(segment);
    this.changeHeld(heldBytes - segment.heldBytes);
    segment.load(block, start, end);
    segment.heldBytes = heldBytes;
    this.add(segment);
  }

  /** A transient segment has been written to a file. */
  evictSpilled(segment: Segment): void {
    this.changeHeld(-segment.heldBytes);
    segment.evict();
  }

  private evictOverBudget(newest: Segment): void {
    for (const segment of this.resident) {
      if (this.residentBytes <= this.budgetBytes) return;
      if (segment === newest || !canLeave(segment)) continue;
      this.remove(segment);
      if (segment.journal !== undefined) {
        void this.hint(segment);
        segment.journal.batchStarts = undefined;
        this.owner.rest(segment);
      }
      this.changeHeld(-segment.heldBytes);
      segment.evict();
    }
  }
}

function canLeave({ journal, pins }: Segment): boolean {
  if (journal === undefined) return pins === 0;
  return journal.isSealed && journal.unwrittenRanges === 0 && journal.commitsUnderWay === 0;
}

function isReadable(segment: Segment, recordOffset: number): boolean {
  return recordOffset >= segment.readableStart && recordOffset < segment.readableEnd;
}

/** Only of a segment that is whole in memory, and as it was written. */
function canBeHinted(segment: Segment): boolean {
  const journal = segment.journal!;
  const isWhole = segment.readableStart === 0 && segment.readableEnd >= segment.end;
  const isAsWritten = !journal.isCompacted && journal.damaged.length === 0 && journal.epoch !== undefined;
  return isWhole && journal.isSealed && isAsWritten;
}

/** Index of the last of the ascending `starts` that is at most `offset`; the first when there is none. */
function lastAtMost(starts: Uint32Array, offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
