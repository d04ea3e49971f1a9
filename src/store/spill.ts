/**
 * Transient segments that give their memory back before their messages are gone. Past a limit the oldest that are
 * complete are written to files, whose checksums stay in memory, and leave; who needs a record has the segment read
 * back. Nothing is synced and nothing survives the process: what an earlier one left behind is removed.
 */
import { crc32 } from '../lib/checksum.js';
import { type FileSystem, writeFully } from '../lib/file-system.js';
import { readFile } from './read-file.js';
import type { Segment } from './segment.js';

export interface SpillOptions {
  readonly fileSystem: FileSystem;
  /** Holds spilled segments only, and is empty. */
  readonly directory: string;
  /** Segments are spilled while the log holds more bytes of memory than this. */
  readonly memoryBytesMax: number;
  /** A segment could not be written: it stays in memory, and the next one is tried when the log grows again. */
  readonly onFailed: (error: unknown) => void;
  /** A segment is not what it was when it is read back: its messages are lost. */
  readonly onDamage: () => void;
}

interface SpilledFile {
  readonly path: string;
  readonly checksum: number;
}

export class Spill {
  private readonly options: SpillOptions;
  private readonly bytesHeld: () => number;
  /** The segment is in its file: it may leave memory. */
  private readonly onSpilled: (segment: Segment) => void;
  /** Complete, in memory, and in no file; oldest first. */
  private readonly candidates = new Set<Segment>();
  private readonly files = new Map<Segment, SpilledFile>();
  private fileCount = 0;
  private writing: Promise<void> | undefined;
  private isClosed = false;

  constructor(options: SpillOptions, bytesHeld: () => number, onSpilled: (segment: Segment) => void) {
    this.options = options;
    this.bytesHeld = bytesHeld;
    this.onSpilled = onSpilled;
  }

  /** Nothing will be appended to the segment any more. */
  add(segment: Segment): void {
    this.candidates.add(segment);
  }

  /** The segment is gone. */
  remove(segment: Segment): void {
    this.candidates.delete(segment);
    const file = this.files.get(segment);
    if (file === undefined) return;
    this.files.delete(segment);
    this.unlink(file.path);
  }

  /** The log holds more bytes than before. */
  onGrowth(): void {
    const isEnough = this.bytesHeld() <= this.options.memoryBytesMax;
    if (isEnough || this.writing !== undefined || this.isClosed) return;
    this.writing = this.relieve().finally(() => {
      this.writing = undefined;
    });
  }

  /** Reads a segment back. */
  async read(segment: Segment): Promise<Buffer> {
    const { path, checksum } = this.files.get(segment)!;
    const bytes = await readFile(this.options.fileSystem, path);
    if (crc32(bytes, 0, bytes.length) !== checksum) {
      segment.isLost = true;
      this.options.onDamage();
    }
    return bytes;
  }

  /** From now on nothing is written; the files go. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.candidates.clear();
    await this.writing;
    await emptySpillDirectory(this.options.fileSystem, this.options.directory);
  }

  private async relieve(): Promise<void> {
    try {
      for (const segment of this.candidates) {
        if (this.isClosed || this.bytesHeld() <= this.options.memoryBytesMax) return;
        if (segment.pins === 0) await this.write(segment);
      }
    } catch (error) {
      this.options.onFailed(error);
    }
  }

  private async write(segment: Segment): Promise<void> {
    const { fileSystem, directory } = this.options;
    const path = `${directory}/${++this.fileCount}.spill`;
    const { bytes, end } = segment;
    const checksum = crc32(bytes, 0, end);
    const file = await fileSystem.open(path, 'create');
    try {
      await writeFully(file, bytes, 0, end, 0);
    } catch (error) {
      this.unlink(path);
      throw error;
    } finally {
      await file.close();
    }
    // It may have gone, or been pinned, meanwhile; its memory may hold something else by now.
    if (!this.candidates.has(segment) || segment.pins > 0) return this.unlink(path);
    this.candidates.delete(segment);
    this.files.set(segment, { path, checksum });
    this.onSpilled(segment);
  }

  private unlink(path: string): void {
    this.options.fileSystem.unlink(path).catch((error) => {
      if (!this.isClosed) this.options.onFailed(error);
    });
  }
}

/** Removes what an earlier process left behind; the directory is there afterwards. */
export async function emptySpillDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  await fileSystem.makeDirectory(directory);
  for (const name of await fileSystem.list(directory)) await fileSystem.unlink(`${directory}/${name}`);
}
