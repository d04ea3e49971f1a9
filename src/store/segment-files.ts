/** The files of the segments: made, written, synced and removed on behalf of the journal. */
import { type FileSystem, type OpenFile, writeFully } from '../lib/file-system.js';
import { encodeAcks } from './ack-format.js';
import { removeHint } from './hint-files.js';
import { acksPath, segmentPath } from './journal-files.js';
import type { SegmentJournal } from './segment-journal.js';

export interface SegmentFilesOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** The disk is full (true), or takes writes again. */
  readonly onFull: (isFull: boolean) => void;
}

export class SegmentFiles {
  private readonly options: SegmentFilesOptions;
  private readonly open = new Set<OpenFile>();
  private readonly unsyncedLogs = new Set<OpenFile>();
  private readonly unsyncedAcks = new Set<OpenFile>();
  private isWaiting = true;
  private wakeUp: () => void = () => {};

  constructor(options: SegmentFilesOptions) {
    this.options = options;
  }

  get hasUnsyncedLogs(): boolean {
    return this.unsyncedLogs.size > 0;
  }

  get hasUnsynced(): boolean {
    return this.unsyncedLogs.size + this.unsyncedAcks.size > 0;
  }

  /** Writes `bytes[start..end)` of a segment to the same place in its file, which is made with its first range. */
  async writeRange(journal: SegmentJournal, bytes: Buffer, start: number, end: number): Promise<void> {
    journal.file ??= await this.create(segmentPath(this.options.directory, journal.number));
    const { file } = journal;
    await this.writePatiently(file, bytes, start, end - start, start);
    this.unsyncedLogs.add(file);
    journal.unwrittenRanges--;
  }

  /** Writes the acks noted for a segment behind those its ack file has. */
  async writeAcks(journal: SegmentJournal): Promise<void> {
    const taken = journal.takeAcks();
    journal.ackFile ??= await this.openAcks(journal);
    const file = journal.ackFile;
    const bytes = encodeAcks(taken, journal.ackFileEnd);
    await this.writePatiently(file, bytes, 0, bytes.length, journal.ackFileEnd);
    journal.ackFileEnd += bytes.length;
    this.unsyncedAcks.add(file);
  }

  async syncLogs(): Promise<void> {
    await sync(this.unsyncedLogs);
  }

  async syncAcks(): Promise<void> {
    await sync(this.unsyncedAcks);
  }

  /** Tries a write again that found the disk full. */
  retry(): void {
    this.wakeUp();
  }

  /** From now on a full disk is an error. */
  stopWaiting(): void {
    this.isWaiting = false;
    this.wakeUp();
  }

  /** The log of a sealed segment was replaced: the old file is let go. */
  async letGo(journal: SegmentJournal): Promise<void> {
    const { file } = journal;
    journal.file = undefined;
    if (file !== undefined) await this.close(file);
  }

  /** The log goes first: acks without their log are harmless, a log without its acks would come back. */
  async remove(journal: SegmentJournal): Promise<void> {
    const { fileSystem, directory } = this.options;
    const log = segmentPath(directory, journal.number);
    const acks = acksPath(directory, journal.number);
    for (const file of [journal.file, journal.ackFile]) if (file !== undefined) await this.close(file);
    if (await fileSystem.exists(log)) {
      await fileSystem.unlink(log);
      // Names reach the disk in any order, or not at all.
      await fileSystem.syncDirectory(directory);
    }
    if (await fileSystem.exists(acks)) await fileSystem.unlink(acks);
    await removeHint(fileSystem, directory, journal.number);
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
    const { fileSystem, directory } = this.options;
    const file = await fileSystem.open(path, 'create');
    this.open.add(file);
    await fileSystem.syncDirectory(directory);
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

  /** A full disk is waited for: what was begun is written again at the same place, nothing is confirmed meanwhile. */
  private async writePatiently(
    file: OpenFile,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<void> {
    let wasFull = false;
    for (;;) {
      try {
        await writeFully(file, bytes, offset, length, position);
        if (wasFull) this.options.onFull(false);
        return;
      } catch (error) {
        if (!isFullDisk(error) || !this.isWaiting) throw error;
        if (!wasFull) this.options.onFull(true);
        wasFull = true;
        await new Promise<void>((resolve) => {
          this.wakeUp = resolve;
        });
      }
    }
  }
}

/** An error from fdatasync is final: what it was about may be gone, and a second one would say nothing. */
async function sync(files: Set<OpenFile>): Promise<void> {
  for (const file of files) {
    await file.dataSync();
    files.delete(file);
  }
}

function isFullDisk(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
