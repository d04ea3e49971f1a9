/**
 * The bytes of a hint file: what a sealed segment holds, without its messages. It is written when a segment leaves
 * memory, or the broker ends; with it nobody has to read the log to know which records a queue has in it, and a
 * part of the log can be read and proven alone. It is never needed: what it says can be found out from the log.
 *
 *   file      0   8 bytes "LEVERETH"
 *             8   u32  format version (1)
 *             12  u32  epoch of the log
 *             16  u64  segment number
 *             24  u32  bytes of the log
 *             28  u32  number of batches (b)
 *             32  u32  number of queues (q)
 *             36  u32  bytes of this file
 *             40  u64  number of the last batch
 *             48  u32  CRC-32 of the bytes from 64 on
 *             52  8 bytes 0
 *             60  u32  CRC-32 of bytes 0 to 59
 *             64  b times u32: where a batch begins in the log
 *                 q times a section
 *                 lists
 *
 *   section   0   u32  queue id
 *             4   u32  number of its records
 *             8   u32  offset of the first one in the segment, divided by 8
 *             12  u32  offset of the last one, divided by 8
 *             16  u32  1 when one of them wants a look before it joins its queue again (see RecordInspector)
 *             20  u32  where its list begins in this file
 *
 *   list      for each record but the first, the step from the one before, divided by 8, in groups of 7 bits, the
 *             lowest first; the highest bit says that another group follows
 *
 * Numbers are little-endian.
 */
import { crc32 } from '../lib/checksum.js';
import {
  BATCH_HEADER_BYTES,
  FILE_HEADER_BYTES,
  FORMAT_VERSION,
  readBatchHeader,
  targetsOffset,
} from './batch-format.js';

const MAGIC = Buffer.from('LEVERETH', 'latin1');
const HEADER_BYTES = 64;
const SECTION_BYTES = 24;

/** Whether a queue wants to see a record before it takes it back: its payload begins at `payloadOffset`. */
export type RecordInspector = (view: DataView, payloadOffset: number) => boolean;

export interface HintSection {
  readonly queueId: number;
  readonly recordCount: number;
  /** Offsets of the first and the last record in the segment. */
  readonly first: number;
  readonly last: number;
  readonly wantsLook: boolean;
  readonly listStart: number;
}

export interface Hint {
  readonly epoch: number;
  readonly segmentNumber: number;
  readonly logBytes: number;
  readonly lastBatchNumber: number;
  /** Where the batches begin in the log, ascending. */
  readonly batchStarts: Uint32Array;
  readonly sections: readonly HintSection[];
  readonly bytes: Buffer;
}

/** What a segment is asked for its hint. */
export interface HintSource {
  readonly epoch: number;
  readonly segmentNumber: number;
  /** The segment as it is in memory, whole and uncompacted. */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly end: number;
}

/** The records of one queue, while they are gathered. */
class SectionBuilder {
  recordCount = 0;
  first = 0;
  last = 0;
  wantsLook = false;
  listLength = 0;
  list = new Uint8Array(64);

  add(unit: number): void {
    if (this.recordCount++ === 0) this.first = unit;
    else this.addStep(unit - this.last);
    this.last = unit;
  }

  private addStep(step: number): void {
    if (this.listLength + 4 > this.list.length) this.grow();
    let rest = step;
    for (; rest > 0x7f; rest >>>= 7) this.list[this.listLength++] = (rest & 0x7f) | 0x80;
    this.list[this.listLength++] = rest;
  }

  private grow(): void {
    const larger = new Uint8Array(this.list.length * 2);
    larger.set(this.list);
    this.list = larger;
  }
}

/** Makes the hint of a segment. @returns undefined when its batches do not lie back to back */
export function encodeHint(source: HintSource, inspect: RecordInspector): Buffer | undefined {
  const batchStarts: number[] = [];
  const builders = new Map<number, SectionBuilder>();
  const { view, end } = source;
  let lastBatchNumber = 0;
  for (let at = FILE_HEADER_BYTES; at < end; ) {
    const header = readBatchHeader(source.bytes, at);
    if (header === undefined || header.isCompacted) return undefined;
    batchStarts.push(at);
    lastBatchNumber = header.batchNumber;
    let record = at + BATCH_HEADER_BYTES;
    for (let i = 0; i < header.recordCount; i++) {
      gather(view, record, builders, inspect);
      record += view.getUint32(record, true);
    }
    at += BATCH_HEADER_BYTES + header.contentLength;
  }
  return write(source, batchStarts, builders, lastBatchNumber);
}

function gather(
  view: DataView,
  record: number,
  builders: Map<number, SectionBuilder>,
  inspect: RecordInspector,
): void {
  const targetsAt = targetsOffset(record, view.getUint32(record + 4, true));
  const count = view.getUint32(targetsAt, true);
  const wantsLook = inspect(view, record + 8);
  for (let i = 0; i < count; i++) {
    const queueId = view.getUint32(targetsAt + 4 + 4 * i, true);
    const builder = builders.get(queueId) ?? new SectionBuilder();
    if (builder.recordCount === 0) builders.set(queueId, builder);
    builder.add(record / 8);
    if (wantsLook) builder.wantsLook = true;
  }
}

function write(
  source: HintSource,
  batchStarts: readonly number[],
  builders: ReadonlyMap<number, SectionBuilder>,
  lastBatchNumber: number,
): Buffer {
  const sectionsAt = HEADER_BYTES + 4 * batchStarts.length;
  let listStart = sectionsAt + SECTION_BYTES * builders.size;
  let length = listStart;
  for (const { listLength } of builders.values()) length += listLength;
  const bytes = Buffer.alloc(length);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(source.epoch, 12);
  bytes.writeBigUInt64LE(BigInt(source.segmentNumber), 16);
  bytes.writeUInt32LE(source.end, 24);
  bytes.writeUInt32LE(batchStarts.length, 28);
  bytes.writeUInt32LE(builders.size, 32);
  bytes.writeUInt32LE(length, 36);
  bytes.writeBigUInt64LE(BigInt(lastBatchNumber), 40);
  for (let i = 0; i < batchStarts.length; i++) bytes.writeUInt32LE(batchStarts[i]!, HEADER_BYTES + 4 * i);
  let at = sectionsAt;
  for (const [queueId, builder] of builders) {
    bytes.writeUInt32LE(queueId, at);
    bytes.writeUInt32LE(builder.recordCount, at + 4);
    bytes.writeUInt32LE(builder.first, at + 8);
    bytes.writeUInt32LE(builder.last, at + 12);
    bytes.writeUInt32LE(builder.wantsLook ? 1 : 0, at + 16);
    bytes.writeUInt32LE(listStart, at + 20);
    at += SECTION_BYTES;
    bytes.set(builder.list.subarray(0, builder.listLength), listStart);
    listStart += builder.listLength;
  }
  bytes.writeUInt32LE(crc32(bytes, HEADER_BYTES, length), 48);
  bytes.writeUInt32LE(crc32(bytes, 0, 60), 60);
  return bytes;
}

/** @returns undefined for anything that is not, whole and undamaged, a hint of a format known here */
export function decodeHint(bytes: Buffer): Hint | undefined {
  if (bytes.length < HEADER_BYTES || MAGIC.compare(bytes, 0, 8) !== 0) return undefined;
  if (bytes.readUInt32LE(60) !== crc32(bytes, 0, 60) || bytes.readUInt32LE(8) !== FORMAT_VERSION) {
    return undefined;
  }
  if (bytes.readUInt32LE(36) !== bytes.length) return undefined;
  if (bytes.readUInt32LE(48) !== crc32(bytes, HEADER_BYTES, bytes.length)) return undefined;
  const batchStarts = new Uint32Array(bytes.readUInt32LE(28));
  for (let i = 0; i < batchStarts.length; i++) batchStarts[i] = bytes.readUInt32LE(HEADER_BYTES + 4 * i);
  const sections: HintSection[] = [];
  let at = HEADER_BYTES + 4 * batchStarts.length;
  for (let i = bytes.readUInt32LE(32); i > 0; i--, at += SECTION_BYTES) {
    sections.push({
      queueId: bytes.readUInt32LE(at),
      recordCount: bytes.readUInt32LE(at + 4),
      first: bytes.readUInt32LE(at + 8) * 8,
      last: bytes.readUInt32LE(at + 12) * 8,
      wantsLook: bytes.readUInt32LE(at + 16) !== 0,
      listStart: bytes.readUInt32LE(at + 20),
    });
  }
  return {
    epoch: bytes.readUInt32LE(12),
    segmentNumber: Number(bytes.readBigUInt64LE(16)),
    logBytes: bytes.readUInt32LE(24),
    lastBatchNumber: Number(bytes.readBigUInt64LE(40)),
    batchStarts,
    sections,
    bytes,
  };
}

/** Offsets in the segment of the records of a section, ascending. */
export function offsetsOf(hint: Hint, section: HintSection): Float64Array {
  const { bytes } = hint;
  const offsets = new Float64Array(section.recordCount);
  let unit = section.first / 8;
  offsets[0] = section.first;
  let at = section.listStart;
  for (let i = 1; i < offsets.length; i++) {
    let step = 0;
    for (let shift = 0; ; shift += 7) {
      const group = bytes[at++]!;
      step |= (group & 0x7f) << shift;
      if (group < 0x80) break;
    }
    unit += step;
    offsets[i] = unit * 8;
  }
  return offsets;
}
