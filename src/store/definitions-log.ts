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
 * A chunk is one commit: it counts as a whole or not at all. The first chunk of a file is the state when it was
 * written, each later one what changed. A chunk at the end that cannot be proven is a torn tail,
 * whose records nobody was told of; one with proven chunks behind it is damage, and stops the start.
 */
import { crc32 } from '../lib/checksum.js';
import { type FileSystem, type OpenFile, readFully, writeFully } from '../lib/file-system.js';
import { Watermark } from '../lib/watermark.js';
import { FORMAT_VERSION, NewerFormatError } from './batch-format.js';

/** "LVRD" read as a little-endian number. */
const CHUNK_MAGIC = 0x4452_564c;
const CHUNK_HEADER_BYTES = 20;
/** A file is rewritten when it has grown to this, and to several times its first chunk. */
const COMPACTION_BYTES_MIN = 1_048_576;
const COMPACTION_FACTOR = 4;

export type DefinitionRecord = { readonly [key: string]: string | number | boolean | readonly string[] };

export interface DefinitionsLogOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** The whole state, as records. */
  readonly snapshot: () => readonly DefinitionRecord[];
  readonly onFatal: (error: unknown) => void;
}

export interface RecoveredDefinitions {
  readonly records: readonly DefinitionRecord[];
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
  if (!(await fileSystem.exists(path))) return { records: [], droppedBytes: 0 };
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
  private lastSequence = 0;
  private pending: string[] = [];
  private isWriting = false;
  private hasFailed = false;
  private idle: (() => void)[] = [];

  constructor(options: DefinitionsLogOptions) {
    this.options = options;
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

  /** Starts a file of its own, with the state as it is now. */
  async open(): Promise<void> {
    await this.rewrite();
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
      while (this.pending.length > 0) {
        // Whatever was declared until here is in the first chunk below, or in the state a rewrite takes.
        const sequence = this.lastSequence;
        const records = this.pending;
        this.pending = [];
        if (this.isGrown) await this.rewrite();
        else await this.appendChunk(encodeChunk(records.join('')));
        this.durable.advance(sequence);
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

  private async appendChunk(chunk: Buffer): Promise<void> {
    await writeFully(this.file!, chunk, 0, chunk.length, this.fileEnd);
    await this.file!.dataSync();
    this.fileEnd += chunk.length;
  }

  /** Write, sync, rename, sync of the directory: at every moment one of the two files is whole. */
  private async rewrite(): Promise<void> {
    const { fileSystem, directory, snapshot } = this.options;
    const chunk = encodeChunk(
      snapshot()
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(''),
    );
    const path = definitionsPath(directory);
    const temporary = `${path}.tmp`;
    if (await fileSystem.exists(temporary)) await fileSystem.unlink(temporary);
    const file = await fileSystem.open(temporary, 'create');
    await writeFully(file, chunk, 0, chunk.length, 0);
    await file.dataSync();
    await fileSystem.rename(temporary, path);
    await fileSystem.syncDirectory(directory);
    await this.file?.close();
    this.file = file;
    this.fileEnd = chunk.length;
    this.snapshotBytes = chunk.length;
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
  return { records, droppedBytes: bytes.length - at };
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
