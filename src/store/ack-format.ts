/**
 * The bytes of an ack file: which records of a segment are not needed any more, by which queue.
 *
 *   chunk     0   u32  magic "LVRA"
 *             4   u32  bytes of the entries that follow (a multiple of 8)
 *             8   u32  CRC-32 of the entries
 *             12  u32  CRC-32 of bytes 0 to 11
 *             16  entries
 *
 *   entry     0   u32  offset of the record in its segment, divided by 8
 *             4   u32  queue id
 *
 * Chunks are appended, one with each commit, each at a multiple of 4. A chunk that cannot be proven is skipped: its acks are lost, which means
 * redelivery, and the search goes on behind it.
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

/** A record and a queue as one number; record offsets are below 2^26. */
export function ackKey(recordOffset: number, queueId: number): number {
  return (recordOffset / 8) * 4_294_967_296 + queueId;
}

/** The acks of a file that can be proven. */
export function decodeAcks(bytes: Buffer): Set<number> {
  const acks = new Set<number>();
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
    for (let entry = start; entry < start + length; entry += ENTRY_BYTES) {
      acks.add(bytes.readUInt32LE(entry) * 4_294_967_296 + bytes.readUInt32LE(entry + 4));
    }
    at = start + length;
  }
  return acks;
}
