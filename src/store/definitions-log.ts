/**
 * The definitions log: what was declared, as JSON records in an append-only file that is rewritten whole when it is
 * opened and when it has grown. What a record means is its writer's affair.
 *
 *   chunk     0   u32  magic "LVRD"
 *             4   u32  format version (1)
 *             8   u32  bytes of the records that follow
 *             12  u32  CRC-32 of the records
 *             16  u32  CRC-32 of bytes 0 to 15
 *             20  records, each one line of JSON with its line feed
 *
 * Behind the last chunk there are zeros, room for chunks to come: a full disk does not keep anybody from deleting or
 * purging a queue, which makes room, nor from declaring the queue to consume from.
 *
 * A chunk is one commit: it counts as a whole or not at all. The first chunk of a file is the state when it was
 * written, each later one what changed. A chunk at the end that cannot be proven is a torn tail,
 * whose records nobody was told of; one with proven chunks behind it is damage, and stops the start.
 */
import { crc32 } from '../lib/checksum.js';
import { type FileSystem, type OpenFile, readFully, writeFully } from '../lib/file-system.js';
import { Watermark } from '../lib/watermark.js';
import { FORMAT_VERSION, NewerFormatError } from './batch-format.js';
import { type DiskPatience, isFullDisk, syncBytes } from './disk-patience.js';

/** "LVRD" read as a little-endian number. */
const CHUNK_MAGIC = 0x4452_564c;
const CHUNK_HEADER_BYTES = 20;
/** A file is rewritten when it has grown to this, and to several times its first chunk. */
const COMPACTION_BYTES_MIN = 1_048_576;
const COMPACTION_FACTOR = 4;
/** Zeros behind the last chunk, at least half of this: several hundred records. */
const RESERVE_BYTES = 65_536;

export type DefinitionRecord = { readonly [key: string]: DefinitionValue };
export type DefinitionValue = string | number | boolean | null | readonly DefinitionValue[];

export interface DefinitionsLogOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** The whole state, as records. */
  readonly snapshot: () => readonly DefinitionRecord[];
  readonly patience: DiskPatience;
  readonly onFatal: (error: unknown) => void;
  /** Bytes kept free in the file for a full disk. */
  readonly reserveBytes?: number;
}

export interface RecoveredDefinitions {
  readonly records: readonly DefinitionRecord[];
  /** Bytes of the chunks, without what follows them. */
  readonly chunkBytes: number;
  /** Bytes of a torn tail. */
  readonly droppedBytes: number;
}

/** Definitions that were promised cannot be read: messages hang on them, so nothing is started without them. */
export class DamagedDefinitionsError extends Error {
  constructor(offset: number) {
    super(
      `definitions.log is damaged at byte ${offset}; restore it from a copy, or move the directory away to start afresh`,
    );
  }
}

/** Reads what a data directory holds. @throws NewerFormatError, DamagedDefinitionsError, with nothing touched */
export async function readDefinitions(
  fileSystem: FileSystem,
  directory: string,
): Promise<RecoveredDefinitions> {
  const path = definitionsPath(directory);
  if (!(await fileSystem.exists(path))) return { records: [], chunkBytes: 0, droppedBytes: 0 };
  const file = await fileSystem.open(path, 'read');
  try {
    const bytes = Buffer.alloc(await file.size());
    await readFully(file, bytes, 0, bytes.length, 0);
    return decode(bytes);
  } finally {
    await file.close();
  }
}

export class DefinitionsLog {
  /** Appends up to this number are safe. */
  readonly durable = new Watermark();
  private readonly options: DefinitionsLogOptions;
  private file: OpenFile | undefined;
  private fileEnd = 0;
  private snapshotBytes = 0;
  private readonly reserveBytes: number;
  /** Where the room ends that the file has on the disk. */
  private reservedEnd = 0;
  private lastSequence = 0;
  private readonly pending: string[] = [];
  /** How many of the pending records are being written, and the number of the last of them. */
  private takenCount = 0;
  private takenSequence = 0;
  /** The file has been given its name, which is not on the disk for sure yet. */
  private hasNewName = false;
  private isWriting = false;
  private hasFailed = false;
  private idle: (() => void)[] = [];

  constructor(options: DefinitionsLogOptions) {
    this.options = options;
    this.reserveBytes = options.reserveBytes ?? RESERVE_BYTES;
  }

  /** Number of the last append. */
  get sequence(): number {
    return this.lastSequence;
  }

  /** Resolves when everything appended until now is safe, or with false when the disk failed, now or before. */
  async allSafe(): Promise<boolean> {
    const sequence = this.lastSequence;
    while (this.durable.value < sequence) {
      if (this.hasFailed) return false;
      await new Promise<void>((resolve) => this.idle.push(resolve));
    }
    return true;
  }

  /**
   * Starts a file of its own, with the state as it is now. On a full disk the one there is goes on: who is to make
   * room has to be served. If there is none, nothing counts as safe until there is.
   */
  async open(): Promise<void> {
    const { fileSystem, directory } = this.options;
    try {
      await this.rewrite();
      await this.syncName();
    } catch (error) {
      if (!isFullDisk(error)) throw error;
      const exists = await fileSystem.exists(definitionsPath(directory));
      if (this.file === undefined && exists) await this.goOn();
      else this.lastSequence++;
      void this.write();
    }
  }

  /** Adds to the file of an earlier opening. */
  private async goOn(): Promise<void> {
    const { fileSystem, directory, snapshot } = this.options;
    const { chunkBytes, droppedBytes } = await readDefinitions(fileSystem, directory);
    const file = await fileSystem.open(definitionsPath(directory), 'readWrite');
    // A torn tail must not show behind a shorter chunk.
    if (droppedBytes > 0) await file.truncate(chunkBytes);
    this.file = file;
    this.fileEnd = chunkBytes;
    this.reservedEnd = await file.size();
    // What the state says of the opening itself comes first.
    this.pending.push(`${JSON.stringify(snapshot()[0])}\n`);
  }

  /** Adds a record; it is safe once `durable` has reached the number returned. */
  append(record: DefinitionRecord): number {
    this.pending.push(`${JSON.stringify(record)}\n`);
    this.lastSequence++;
    if (!this.isWriting && !this.hasFailed) void this.write();
    return this.lastSequence;
  }

  async close(): Promise<void> {
    while (this.isWriting) await new Promise<void>((resolve) => this.idle.push(resolve));
    await this.file?.close();
    this.file = undefined;
  }

  private async write(): Promise<void> {
    this.isWriting = true;
    try {
      while (this.pending.length > 0 || this.file === undefined || this.hasNewName) {
        if (this.file === undefined) await this.options.patience.attempt(() => this.rewrite());
        else if (!(this.isGrown && (await this.hasRewritten()))) await this.appendChunk();
        await this.options.patience.attempt(() => this.syncName());
        this.pending.splice(0, this.takenCount);
        this.durable.advance(this.takenSequence);
      }
    } catch (error) {
      this.hasFailed = true;
      this.options.onFatal(error);
    } finally {
      this.isWriting = false;
      const idle = this.idle;
      this.idle = [];
      for (const resolve of idle) resolve();
    }
  }

  private get isGrown(): boolean {
    return this.fileEnd > Math.max(COMPACTION_BYTES_MIN, this.snapshotBytes * COMPACTION_FACTOR);
  }

  /** What is pending now is what is about to be written, in records of their own or as part of the state. */
  private take(): string {
    this.takenCount = this.pending.length;
    this.takenSequence = this.lastSequence;
    return this.pending.join('');
  }

  private async appendChunk(): Promise<void> {
    const records = this.take();
    if (records === '') return;
    const chunk = encodeChunk(records);
    const file = this.file!;
    await this.options.patience.attempt(() => writeFully(file, chunk, 0, chunk.length, this.fileEnd));
    await this.reserve(file, this.fileEnd + chunk.length);
    await syncBytes(file);
    this.fileEnd += chunk.length;
  }

  /** Keeps room behind the end. On a full disk it is what there is. */
  private async reserve(file: OpenFile, end: number): Promise<void> {
    this.reservedEnd = Math.max(this.reservedEnd, end);
    if (this.reservedEnd - end >= this.reserveBytes / 2) return;
    const zeros = Buffer.alloc(end + this.reserveBytes - this.reservedEnd);
    try {
      await writeFully(file, zeros, 0, zeros.length, this.reservedEnd);
      this.reservedEnd += zeros.length;
    } catch (error) {
      if (!isFullDisk(error)) throw error;
    }
  }

  /** @returns false if the disk is too full for a second file: the first one grows on */
  private async hasRewritten(): Promise<boolean> {
    try {
      await this.rewrite();
      return true;
    } catch (error) {
      if (isFullDisk(error)) return false;
      throw error;
    }
  }

  /**
   * Write, sync, rename, and then `syncName`: at every moment one of the two files is whole. If it fails, the old file
   * is in use as before.
   */
  private async rewrite(): Promise<void> {
    const { fileSystem, directory, snapshot } = this.options;
    this.take();
    const chunk = encodeChunk(
      snapshot()
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(''),
    );
    const bytes = Buffer.concat([chunk, Buffer.alloc(this.reserveBytes)]);
    const path = definitionsPath(directory);
    const temporary = `${path}.tmp`;
    let file: OpenFile | undefined;
    try {
      if (await fileSystem.exists(temporary)) await fileSystem.unlink(temporary);
      file = await fileSystem.open(temporary, 'create');
      await writeFully(file, bytes, 0, bytes.length, 0);
      await syncBytes(file);
      await fileSystem.rename(temporary, path);
    } catch (error) {
      await file?.close().catch(() => {});
      // The next rewrite tries it again.
      await fileSystem.unlink(temporary).catch(() => {});
      throw error;
    }
    await this.file?.close();
    this.file = file;
    this.fileEnd = chunk.length;
    this.snapshotBytes = chunk.length;
    this.reservedEnd = bytes.length;
    this.hasNewName = true;
  }

  private async syncName(): Promise<void> {
    if (!this.hasNewName) return;
    await this.options.fileSystem.syncDirectory(this.options.directory);
    this.hasNewName = false;
  }
}

function definitionsPath(directory: string): string {
  return `${directory}/definitions.log`;
}

function encodeChunk(records: string): Buffer {
  const content = Buffer.from(records);
  const bytes = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + content.length);
  bytes.writeUInt32LE(CHUNK_MAGIC, 0);
  bytes.writeUInt32LE(FORMAT_VERSION, 4);
  bytes.writeUInt32LE(content.length, 8);
  content.copy(bytes, CHUNK_HEADER_BYTES);
  bytes.writeUInt32LE(crc32(bytes, CHUNK_HEADER_BYTES, bytes.length), 12);
  bytes.writeUInt32LE(crc32(bytes, 0, 16), 16);
  return bytes;
}

function decode(bytes: Buffer): RecoveredDefinitions {
  const records: DefinitionRecord[] = [];
  let at = 0;
  for (let end = provenEnd(bytes, at); end !== undefined; end = provenEnd(bytes, at)) {
    for (const line of bytes.toString('utf8', at + CHUNK_HEADER_BYTES, end).split('\n')) {
      if (line !== '') records.push(JSON.parse(line) as DefinitionRecord);
    }
    at = end;
  }
  // The first chunk has been synced before the file got its name, and chunks are written one behind the other: what
  // is unproven there, or has a proven chunk behind it, is no torn tail.
  let isDamage = at === 0 && bytes.length > 0;
  for (let next = at + 1; next < bytes.length && !isDamage; next++) {
    isDamage = provenEnd(bytes, next) !== undefined;
  }
  if (isDamage) throw new DamagedDefinitionsError(at);
  // Zeros behind the last chunk are room for more, and no tail.
  const droppedBytes = bytes.subarray(at).every((byte) => byte === 0) ? 0 : bytes.length - at;
  return { records, chunkBytes: at, droppedBytes };
}

/** Where the chunk at `at` ends, or undefined unless it is whole. @throws NewerFormatError */
function provenEnd(bytes: Buffer, at: number): number | undefined {
  if (at + CHUNK_HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== CHUNK_MAGIC) return undefined;
  if (bytes.readUInt32LE(at + 16) !== crc32(bytes, at, at + 16)) return undefined;
  const version = bytes.readUInt32LE(at + 4);
  if (version > FORMAT_VERSION) throw new NewerFormatError(version);
  const start = at + CHUNK_HEADER_BYTES;
  const end = start + bytes.readUInt32LE(at + 8);
  return end <= bytes.length && bytes.readUInt32LE(at + 12) === crc32(bytes, start, end) ? end : undefined;
}
