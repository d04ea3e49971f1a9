/**
 * Which durable segments are in memory: the newest, and what is being read. Past a budget the least recently used
 * ones that are whole in their files leave; who needs one asks for it, and it is read back whole, off the event
 * loop, and proven before anything of it can be delivered.
 */
import { blockOver } from '../lib/bytes.js';
import { type FileSystem, readFully } from '../lib/file-system.js';
import { imageOf, readFileHeader } from './batch-format.js';
import { segmentPath } from './journal-files.js';
import type { Segment } from './segment.js';

export interface ResidencyOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** A stretch of a segment cannot be proven any more. */
  readonly onDamage: (segmentNumber: number, start: number, end: number) => void;
  readonly onFatal: (error: unknown) => void;
}

export class Residency {
  private readonly options: ResidencyOptions;
  private readonly budgetBytes: number;
  private readonly changeHeld: (byteCount: number) => void;
  /** In memory, least recently used first. */
  private readonly resident = new Set<Segment>();
  private residentBytes = 0;
  private readonly loading = new Map<Segment, (() => void)[]>();

  constructor(options: ResidencyOptions, budgetBytes: number, changeHeld: (byteCount: number) => void) {
    this.options = options;
    this.budgetBytes = budgetBytes;
    this.changeHeld = changeHeld;
  }

  /** A segment came into memory. */
  add(segment: Segment): void {
    this.resident.add(segment);
    this.residentBytes += segment.bytes.byteLength;
    this.evictOverBudget(segment);
  }

  /** A segment is gone for good. */
  remove(segment: Segment): void {
    if (this.resident.delete(segment)) this.residentBytes -= segment.bytes.byteLength;
  }

  load(segment: Segment, onReadable: () => void): void {
    const waiting = this.loading.get(segment);
    if (waiting !== undefined) {
      waiting.push(onReadable);
      return;
    }
    this.loading.set(segment, [onReadable]);
    void this.read(segment).catch((error) => {
      // A segment that nobody needs any more may have lost its file while it was to be read.
      if (segment.live > 0) this.options.onFatal(error);
    });
  }

  private async read(segment: Segment): Promise<void> {
    const { fileSystem, directory, onDamage } = this.options;
    const journal = segment.journal!;
    const file = await fileSystem.open(segmentPath(directory, journal.number), 'read');
    try {
      const whole = Buffer.allocUnsafeSlow(await file.size());
      const length = await readFully(file, whole, 0, whole.length, 0);
      const header = readFileHeader(whole.subarray(0, length));
      const image = imageOf(whole.subarray(0, length), header?.extent);
      const damaged = [...image.damaged];
      const { bytes } = image;
      // What the file no longer has is damage too.
      if (bytes.length < segment.end) damaged.push({ start: bytes.length, end: segment.end });
      for (const { start, end } of damaged) {
        if (!journal.damaged.some((known) => known.start === start)) onDamage(journal.number, start, end);
      }
      journal.damaged = damaged;
      // Everything of it may have gone while it was read.
      if (segment.live > 0) {
        segment.load(blockOver(bytes));
        this.changeHeld(bytes.byteLength);
        this.add(segment);
      }
    } finally {
      await file.close();
    }
    const waiting = this.loading.get(segment) ?? [];
    this.loading.delete(segment);
    for (const onReadable of waiting) onReadable();
  }

  private evictOverBudget(newest: Segment): void {
    for (const segment of this.resident) {
      if (this.residentBytes <= this.budgetBytes) return;
      const { isSealed, unwrittenRanges, commitsUnderWay } = segment.journal!;
      if (segment === newest || !isSealed || unwrittenRanges > 0 || commitsUnderWay > 0) continue;
      const byteLength = segment.bytes.byteLength;
      this.resident.delete(segment);
      this.residentBytes -= byteLength;
      segment.evict();
      this.changeHeld(-byteLength);
    }
  }
}
