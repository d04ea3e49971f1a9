import { tableSize, writeTable, writeUint64 } from './field-encoder.js';
import type { FieldTable } from './field-table.js';
import { shortstrSize, writeShortstr } from './field-text.js';

const INITIAL_SIZE_BYTES = 1024;

/**
 * Collects the bytes of a method. Made to be reused: reset() forgets what was written and keeps the memory, so
 * whoever wants the bytes must copy them before the next use.
 */
export class MethodWriter {
  /** The memory written to; only its first `length` bytes mean anything. Replaced when it has to grow. */
  bytes: Buffer;
  /** Bytes written since the last reset. */
  length = 0;

  constructor(initialSizeBytes: number = INITIAL_SIZE_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(initialSizeBytes);
  }

  reset(): void {
    this.length = 0;
  }

  /** A copy of what was written. */
  toBuffer(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  u8(value: number): void {
    const at = this.claim(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.claim(2);
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.claim(4);
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  u64(value: number): void {
    const at = this.claim(8);
    writeUint64(this.bytes, at, value);
  }

  /** Seconds since 1970. */
  timestamp(seconds: number | bigint): void {
    const at = this.claim(8);
    writeUint64(this.bytes, at, seconds);
  }

  /** Throws RangeError past 255 bytes of UTF-8. */
  shortstr(text: string): void {
    const at = this.claim(shortstrSize(text));
    writeShortstr(this.bytes, at, text);
  }

  /** A string goes out as UTF-8. */
  longstr(value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    this.u32(bytes.length);
    const at = this.claim(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** The four-octet length and the body. Throws RangeError as encodeTable does. */
  table(table: FieldTable): void {
    const size = tableSize(table);
    this.u32(size);
    const at = this.claim(size);
    writeTable(this.bytes, at, table);
  }

  /** Makes room for `size` more bytes; returns where they start. */
  private claim(size: number): number {
    const at = this.length;
    const needed = at + size;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = larger;
    }
    this.length = needed;
    return at;
  }
}
