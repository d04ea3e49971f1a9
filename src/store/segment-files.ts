/** The files of the segments: made, written, synced and removed on behalf of the journal. */
import { type FileSystem, type OpenFile, writeFully } from '../lib/file-system.js';
import { encodeAcks } from './ack-format.js';
import { type DiskPatience, syncBytes } from './disk-patience.js';
import { removeHint } from './hint-files.js';
import { acksPath, segmentPath } from './journal-files.js';
import type { Segment } from './segment.js';
import type { SegmentJournal } from './segment-journal.js';

export interface SegmentFilesOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly patience: DiskPatience;
}

/** A sealed batch that is not in its file yet. */
export interface DirtyRange {
  readonly segment: Segment;
  readonly start: number;
  readonly end: number;
}

export class SegmentFiles {
  private readonly options: SegmentFilesOptions;
  private readonly open = new Set<OpenFile>();
  private readonly unsyncedLogs = new Set<OpenFile>();
  private readonly unsyncedAcks = new Set<OpenFile>();
  /** Files were made since the directory was last synced. */
  private hasNewNames = false;

  constructor(options: SegmentFilesOptions) {
    this.options = options;
  }

  get hasUnsyncedLogs(): boolean {
    return this.unsyncedLogs.size > 0;
  }

  get hasUnsynced(): boolean {
    return this.unsyncedLogs.size + this.unsyncedAcks.size > 0;
  }

  /**
   * Writes `bytes[start..end)` of a segment to the same place in its file, which is made with its first range.
   * @param isNeeded asked before each try: on a full disk the segment may be gone before there is room for it
   */
  async writeRange(
    journal: SegmentJournal,
    bytes: Buffer,
    start: number,
    end: number,
    isNeeded: () => boolean,
  ): Promise<void> {
    await this.options.patience.attempt(async () => {
      if (!isNeeded()) return;
      journal.file ??= await this.create(segmentPath(this.options.directory, journal.number));
      await this.syncNames();
      await writeFully(journal.file, bytes, start, end - start, start);
      this.unsyncedLogs.add(journal.file);
    });
    journal.unwrittenRanges--;
  }

  /** Writes the acks noted for a segment behind those its ack file has; `isNeeded` as for ranges. */
  async writeAcks(journal: SegmentJournal, isNeeded: () => boolean): Promise<void> {
    const taken = journal.takeAcks();
    await this.options.patience.attempt(async () => {
      if (!isNeeded()) return;
      journal.ackFile ??= await this.openAcks(journal);
      await this.syncNames();
      const bytes = encodeAcks(taken, journal.ackFileEnd);
      await writeFully(journal.ackFile, bytes, 0, bytes.length, journal.ackFileEnd);
      journal.ackFileEnd += bytes.length;
      this.unsyncedAcks.add(journal.ackFile);
    });
  }

  async syncLogs(): Promise<void> {
    await sync(this.unsyncedLogs);
  }

  async syncAcks(): Promise<void> {
    await sync(this.unsyncedAcks);
  }

  /** Nothing is written to the log any more, and acks are far: files that are safe need not stay open. */
  rest(journal: SegmentJournal): void {
    const { file, ackFile } = journal;
    if (file !== undefined && !this.unsyncedLogs.has(file)) {
      journal.file = undefined;
      void this.close(file).catch(() => {});
    }
    if (ackFile !== undefined && !this.unsyncedAcks.has(ackFile)) {
      journal.ackFile = undefined;
      void this.close(ackFile).catch(() => {});
    }
  }

  /** The log of a sealed segment was replaced: the old file is let go. */
  async letGo(journal: SegmentJournal): Promise<void> {
    const { file } = journal;
    journal.file = undefined;
    if (file !== undefined) await this.close(file);
  }

  /** The log goes first: acks without their log are harmless, a log without its acks would come back. */
  async remove(journal: SegmentJournal): Promise<void> {
    const { fileSystem, directory, patience } = this.options;
    const log = segmentPath(directory, journal.number);
    const acks = acksPath(directory, journal.number);
    for (const file of [journal.file, journal.ackFile]) if (file !== undefined) await this.close(file);
    // Where nothing is overwritten in place, even a removal can find the disk full.
    if (await fileSystem.exists(log)) {
      await patience.attempt(() => fileSystem.unlink(log));
      // Names reach the disk in any order, or not at all.
      await patience.attempt(() => fileSystem.syncDirectory(directory));
    }
    if (await fileSystem.exists(acks)) await patience.attempt(() => fileSystem.unlink(acks));
    await patience.attempt(() => removeHint(fileSystem, directory, journal.number));
    patience.retry();
  }

  async closeAll(): Promise<void> {
    for (const file of this.open) await file.close();
  }

  private async close(file: OpenFile): Promise<void> {
    this.unsyncedLogs.delete(file);
    this.unsyncedAcks.delete(file);
    this.open.delete(file);
    await file.close();
  }

  private async create(path: string): Promise<OpenFile> {
    const file = await this.options.fileSystem.open(path, 'create');
    this.open.add(file);
    this.hasNewNames = true;
    return file;
  }

  private async openAcks(journal: SegmentJournal): Promise<OpenFile> {
    const { fileSystem, directory } = this.options;
    const path = acksPath(directory, journal.number);
    if (!(await fileSystem.exists(path))) return this.create(path);
    const file = await fileSystem.open(path, 'readWrite');
    this.open.add(file);
    journal.ackFileEnd = await file.size();
    return file;
  }

  private async syncNames(): Promise<void> {
    if (!this.hasNewNames) return;
    await this.options.fileSystem.syncDirectory(this.options.directory);
    this.hasNewNames = false;
  }
}

/** An error from fdatasync is final: what it was about may be gone, and a second one would say nothing. */
async function sync(files: Set<OpenFile>): Promise<void> {
  for (const file of files) {
    await syncBytes(file);
    files.delete(file);
  }
}
