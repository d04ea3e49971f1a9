/**
 * The bytes of an ack file: what became of the records of a segment, queue by queue.
 *
 *   chunk     0   u32  magic "LVRA"
 *             4   u32  bytes of the entries that follow (a multiple of 8)
 *             8   u32  CRC-32 of the entries
 *             12  u32  CRC-32 of bytes 0 to 11
 *             16  entries
 *
 *   entry     0   u32  offset of the record in its segment, divided by 8; in the two highest bits its kind
 *             4   u32  queue id
 *
 *   kind      0   the queue does not need the record any more
 *             1   the record was handed out and came back; once for each time
 *             2   the queue needs none of the records from this one up to that of the next entry, of the same kind
 *             3   as 1, where coming back is no failure of the delivery; a reader that does not know it passes it over
 *
 * Chunks are appended, one with each commit, each at a multiple of 4. A chunk that cannot be proven is skipped: its
 * acks are lost, which means redelivery, and the search goes on behind it.
 */
import { crc32 } from '../lib/checksum.js';

/** "LVRA" read as a little-endian number. */
const CHUNK_MAGIC = 0x4152_564c;
const CHUNK_HEADER_BYTES = 16;
const ENTRY_BYTES = 8;
/** Chunks begin at multiples of this: the search behind damage looks nowhere else. */
const CHUNK_ALIGNMENT_BYTES = 4;

/**
 * Frames entries as one chunk, to be written at `position`: behind a torn tail it is padded, so that it stands where
 * it is looked for. Not with zeros: those would be the missing bytes of a torn queue id, and prove what was dropped.
 */
export function encodeAcks(entries: Buffer, position = 0): Buffer {
  const start = -position & (CHUNK_ALIGNMENT_BYTES - 1);
  const content = start + CHUNK_HEADER_BYTES;
  const bytes = Buffer.allocUnsafe(content + entries.length).fill(0xff, 0, start);
  bytes.writeUInt32LE(CHUNK_MAGIC, start);
  bytes.writeUInt32LE(entries.length, start + 4);
  entries.copy(bytes, content);
  bytes.writeUInt32LE(crc32(bytes, content, bytes.length), start + 8);
  bytes.writeUInt32LE(crc32(bytes, start, start + 12), start + 12);
  return bytes;
}

/** What an entry says; see above. */
export const AckKind = { Gone: 0, Failed: 1, RangeGone: 2, GivenBack: 3 } as const;
export type AckKind = (typeof AckKind)[keyof typeof AckKind];

const KIND_UNIT = 0x4000_0000;

/** An entry's first word. */
export function ackWord(recordOffset: number, kind: AckKind): number {
  return recordOffset / 8 + kind * KIND_UNIT;
}

/** A record and a queue as one number: records begin below 2^23, so it is a safe integer. */
export function ackKey(recordOffset: number, queueId: number): number {
  return (recordOffset / 8) * 4_294_967_296 + queueId;
}

interface AckRange {
  readonly queueId: number;
  readonly first: number;
  readonly last: number;
}

/** What became of the records of one segment. */
export class Acks {
  /** Records that are gone, each with its queue, as `ackKey`. */
  readonly gone = new Set<number>();
  private readonly ranges: AckRange[] = [];
  private readonly returnsByKey = new Map<number, number>();
  /** How many of the returns were no failures, of those that had such. */
  private readonly givenBackByKey = new Map<number, number>();

  get isEmpty(): boolean {
    return this.gone.size + this.ranges.length + this.returnsByKey.size === 0;
  }

  /** Whether a queue does not need a record any more. */
  has(recordOffset: number, queueId: number): boolean {
    if (this.gone.has(ackKey(recordOffset, queueId))) return true;
    return this.ranges.some(
      (range) => range.queueId === queueId && recordOffset >= range.first && recordOffset <= range.last,
    );
  }

  /** How often a record came back to a queue. */
  returnCount(recordOffset: number, queueId: number): number {
    return this.returnsByKey.get(ackKey(recordOffset, queueId)) ?? 0;
  }

  /** How many of these returns count as failures of the delivery. */
  failureCount(recordOffset: number, queueId: number): number {
    const givenBack = this.givenBackByKey.get(ackKey(recordOffset, queueId)) ?? 0;
    return this.returnCount(recordOffset, queueId) - givenBack;
  }

  /** Takes in the entries of a chunk. */
  add(bytes: Buffer, start: number, end: number): void {
    for (let entry = start; entry < end; entry += ENTRY_BYTES) {
      const word = bytes.readUInt32LE(entry);
      const queueId = bytes.readUInt32LE(entry + 4);
      const kind = Math.floor(word / KIND_UNIT);
      const offset = (word % KIND_UNIT) * 8;
      if (kind === AckKind.Gone) {
        this.gone.add(ackKey(offset, queueId));
      } else if (kind === AckKind.Failed || kind === AckKind.GivenBack) {
        const key = ackKey(offset, queueId);
        this.returnsByKey.set(key, (this.returnsByKey.get(key) ?? 0) + 1);
        if (kind === AckKind.Failed) continue;
        this.givenBackByKey.set(key, (this.givenBackByKey.get(key) ?? 0) + 1);
      } else if (kind === AckKind.RangeGone && entry + ENTRY_BYTES < end) {
        entry += ENTRY_BYTES;
        this.ranges.push({
          queueId,
          first: offset,
          last: (bytes.readUInt32LE(entry) % KIND_UNIT) * 8,
        });
      }
    }
  }
}

/** The acks of a file that can be proven. */
export function decodeAcks(bytes: Buffer): Acks {
  const acks = new Acks();
  let at = 0;
  while (at + CHUNK_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at + 4);
    const start = at + CHUNK_HEADER_BYTES;
    const isProven =
      bytes.readUInt32LE(at) === CHUNK_MAGIC &&
      bytes.readUInt32LE(at + 12) === crc32(bytes, at, at + 12) &&
      start + length <= bytes.length &&
      bytes.readUInt32LE(at + 8) === crc32(bytes, start, start + length);
    if (!isProven) {
      at += CHUNK_ALIGNMENT_BYTES;
      continue;
    }
    acks.add(bytes, start, start + length);
    at = start + length;
  }
  return acks;
}
