/**
 * The bytes of a segment file. They are also the segment's memory: a commit writes a range of it as it is.
 *
 *   file      64   file header
 *             ...  batches, back to back, each as one commit wrote it
 *
 *   file header  0   8 bytes "LEVERETM"
 *                8   u32  format version (1)
 *                12  u32  epoch: which opening of the data directory made the file
 *                16  u64  segment number, never reused
 *                24  f64  time of creation, milliseconds since 1970
 *                32  u32  extent: bytes of the segment a compacted file stands for; 0 for a file that is whole
 *                36  24 bytes 0
 *                60  u32  CRC-32 of bytes 0 to 59
 *
 *   batch     0   u32  magic "LVRB"
 *             4   u32  epoch
 *             8   u64  batch number, counted up from 1 in a data directory
 *             16  f64  time, milliseconds since 1970
 *             24  u32  bytes of the records that follow (a multiple of 8)
 *             28  u32  number of records
 *             32  u32  CRC-32 of the records
 *             36  u32  CRC-32 of bytes 0 to 35
 *             40  records
 *
 * A compacted file has one batch with the magic "LVRC", whose contents are not records back to back but, for each
 * record that was still needed, u32 offset it had in the segment, u32 its length, then the record: positions stay.
 *
 *   record    0   u32  record length in bytes, this header included, a multiple of 8
 *             4   u32  payload length in bytes
 *             8   payload (for an AMQP message its image, see amqp/message-image.ts)
 *             ..  padding to a multiple of 4, then u32 number of queues (q), q times u32 queue id
 *             ..  padding to a multiple of 8
 *
 * Numbers are little-endian. A batch is the unit of atomicity: it counts as a whole or not at all. Damage at the end
 * of the newest segment is a torn tail; damage before a batch that can be proven is damage, and is confined to its
 * own batch.
 */
import { crc32 } from '../lib/checksum.js';

export const FORMAT_VERSION = 1;
export const FILE_HEADER_BYTES = 64;
export const BATCH_HEADER_BYTES = 40;

const FILE_MAGIC = Buffer.from('LEVERETM', 'latin1');
/** "LVRB" read as a little-endian number. */
const BATCH_MAGIC = 0x4252_564c;
/** "LVRC" read as a little-endian number: the batch of a compacted file. */
const COMPACTED_MAGIC = 0x4352_564c;
/** Offset and length before each record of a compacted batch. */
export const COMPACTED_ENTRY_BYTES = 8;

export interface FileHeader {
  readonly epoch: number;
  readonly segmentNumber: number;
  readonly createdMs: number;
  /** Of a compacted file: bytes of the segment it stands for; 0 for one that is whole. */
  readonly extent: number;
}

export function writeFileHeader(bytes: Buffer, header: FileHeader): void {
  bytes.fill(0, 0, FILE_HEADER_BYTES);
  FILE_MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(header.epoch, 12);
  bytes.writeBigUInt64LE(BigInt(header.segmentNumber), 16);
  bytes.writeDoubleLE(header.createdMs, 24);
  bytes.writeUInt32LE(header.extent, 32);
  bytes.writeUInt32LE(crc32(bytes, 0, 60), 60);
}

/** A file of a newer format: nothing of it may be touched. */
export class NewerFormatError extends Error {
  constructor(version: number) {
    super(
      `the data was written by a newer version of Leveret (format ${version}; this one knows ${FORMAT_VERSION})`,
    );
  }
}

/** @returns undefined when the header is torn or damaged. @throws NewerFormatError */
export function readFileHeader(bytes: Buffer): FileHeader | undefined {
  if (bytes.length < FILE_HEADER_BYTES || FILE_MAGIC.compare(bytes, 0, 8) !== 0) return undefined;
  if (bytes.readUInt32LE(60) !== crc32(bytes, 0, 60)) return undefined;
  const version = bytes.readUInt32LE(8);
  if (version > FORMAT_VERSION) throw new NewerFormatError(version);
  return {
    epoch: bytes.readUInt32LE(12),
    segmentNumber: Number(bytes.readBigUInt64LE(16)),
    createdMs: bytes.readDoubleLE(24),
    extent: bytes.readUInt32LE(32),
  };
}

export interface BatchHeader {
  readonly epoch: number;
  readonly batchNumber: number;
  readonly timeMs: number;
  /** Bytes of the records. */
  readonly contentLength: number;
  readonly recordCount: number;
  /** The records stand with the offsets they had before compaction. */
  readonly isCompacted: boolean;
}

/** Completes the batch whose records lie behind `BATCH_HEADER_BYTES` at `start`. */
export function sealBatch(bytes: Buffer, start: number, header: BatchHeader): void {
  const content = start + BATCH_HEADER_BYTES;
  bytes.writeUInt32LE(header.isCompacted ? COMPACTED_MAGIC : BATCH_MAGIC, start);
  bytes.writeUInt32LE(header.epoch, start + 4);
  bytes.writeBigUInt64LE(BigInt(header.batchNumber), start + 8);
  bytes.writeDoubleLE(header.timeMs, start + 16);
  bytes.writeUInt32LE(header.contentLength, start + 24);
  bytes.writeUInt32LE(header.recordCount, start + 28);
  bytes.writeUInt32LE(crc32(bytes, content, content + header.contentLength), start + 32);
  bytes.writeUInt32LE(crc32(bytes, start, start + 36), start + 36);
}

/** @returns undefined unless a whole, undamaged header stands at `start` */
export function readBatchHeader(bytes: Buffer, start: number): BatchHeader | undefined {
  if (start + BATCH_HEADER_BYTES > bytes.length) return undefined;
  const magic = bytes.readUInt32LE(start);
  if (magic !== BATCH_MAGIC && magic !== COMPACTED_MAGIC) return undefined;
  if (bytes.readUInt32LE(start + 36) !== crc32(bytes, start, start + 36)) return undefined;
  return {
    epoch: bytes.readUInt32LE(start + 4),
    batchNumber: Number(bytes.readBigUInt64LE(start + 8)),
    timeMs: bytes.readDoubleLE(start + 16),
    contentLength: bytes.readUInt32LE(start + 24),
    recordCount: bytes.readUInt32LE(start + 28),
    isCompacted: magic === COMPACTED_MAGIC,
  };
}

/** Whether the records of a batch are what was written. The header at `start` has been read. */
export function isContentIntact(bytes: Buffer, start: number, header: BatchHeader): boolean {
  const content = start + BATCH_HEADER_BYTES;
  const end = content + header.contentLength;
  return end <= bytes.length && bytes.readUInt32LE(start + 32) === crc32(bytes, content, end);
}

/** A stretch of a segment file. */
export interface BatchRange {
  readonly start: number;
  readonly end: number;
  readonly header: BatchHeader;
}

export interface SegmentScan {
  /** Batches that were proven, in order. */
  readonly batches: readonly BatchRange[];
  /** Stretches between proven batches, or at the end, that are not batches. */
  readonly damaged: readonly { readonly start: number; readonly end: number }[];
}

/**
 * Finds the batches of a segment file. Behind damage the search goes on at every multiple of 8 for the next batch
 * that proves itself, so damage never hides what follows it. Not inside a batch whose header is proven: a payload may
 * look like a batch. One of another opening is not of this file, however whole it is.
 */
export function scanSegment(bytes: Buffer): SegmentScan {
  const batches: BatchRange[] = [];
  const damaged: { start: number; end: number }[] = [];
  let damageStart = -1;
  const epoch = readFileHeader(bytes)?.epoch;
  let at = FILE_HEADER_BYTES;
  while (at < bytes.length) {
    const header = readBatchHeader(bytes, at);
    const isOfFile = header !== undefined && (epoch === undefined || header.epoch === epoch);
    if (isOfFile && isContentIntact(bytes, at, header)) {
      if (damageStart >= 0) damaged.push({ start: damageStart, end: at });
      damageStart = -1;
      const end = at + BATCH_HEADER_BYTES + header.contentLength;
      batches.push({ start: at, end, header });
      at = end;
    } else {
      if (damageStart < 0) damageStart = at;
      at += isOfFile ? BATCH_HEADER_BYTES + header.contentLength : 8;
    }
  }
  if (damageStart >= 0) damaged.push({ start: damageStart, end: bytes.length });
  return { batches, damaged };
}

/**
 * Calls `visit` for the records of a proven batch.
 * @param visit `offset` is where the record stands in its segment, `at` where it stands in `bytes`
 */
export function visitRecords(
  bytes: Buffer,
  batch: BatchRange,
  visit: (offset: number, at: number) => void,
): void {
  const { recordCount, isCompacted } = batch.header;
  let at = batch.start + BATCH_HEADER_BYTES;
  for (let i = 0; i < recordCount; i++) {
    const offset = isCompacted ? bytes.readUInt32LE(at) : at;
    if (isCompacted) at += COMPACTED_ENTRY_BYTES;
    visit(offset, at);
    at += bytes.readUInt32LE(at);
  }
}

/** A segment as it is in memory, from its file. */
export interface SegmentImage {
  readonly bytes: Buffer;
  readonly batches: readonly BatchRange[];
  /** Stretches of `bytes` that must not be read. */
  readonly damaged: readonly { readonly start: number; readonly end: number }[];
}

/**
 * Makes a segment's memory from the bytes of its file: those of a compacted one go back to their offsets.
 * @param extent of the file header, or undefined when that cannot be proven: batches prove themselves
 */
export function imageOf(file: Buffer, extent: number | undefined): SegmentImage {
  const { batches, damaged } = scanSegment(file);
  if (extent === undefined) {
    const whole = batches.filter(({ header }) => !header.isCompacted);
    const end = whole.length === 0 ? file.length : FILE_HEADER_BYTES;
    return { bytes: file, batches: whole, damaged: file.length === 0 ? [] : [{ start: 0, end }, ...damaged] };
  }
  if (extent === 0) return { bytes: file, batches, damaged };
  // Pages between the records are never touched, so they take no memory.
  const bytes = Buffer.allocUnsafeSlow(extent);
  for (const batch of batches) {
    visitRecords(file, batch, (offset, at) => file.copy(bytes, offset, at, at + file.readUInt32LE(at)));
  }
  // What a damaged compacted batch held cannot be told: nothing of the segment is believed.
  return { bytes, batches, damaged: damaged.length === 0 ? [] : [{ start: 0, end: extent }] };
}

/** Where the queue ids of a durable record stand: behind its payload, at a multiple of 4. */
export function targetsOffset(recordOffset: number, payloadLength: number): number {
  return (recordOffset + 8 + payloadLength + 3) & -4;
}
