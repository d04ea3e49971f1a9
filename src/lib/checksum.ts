import * as zlib from 'node:zlib';

/** CRC-32 (IEEE 802.3) of `bytes[start..end)`. */
export function crc32(bytes: Buffer, start: number, end: number): number {
  return zlib.crc32(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
}
