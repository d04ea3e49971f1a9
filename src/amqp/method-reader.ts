import { frameError } from './errors.js';
import { DecodeError } from './field-error.js';
import { uint32At } from './field-scan.js';
import { decodeTable, type FieldTable } from './field-table.js';
import { utf8At } from './field-text.js';

export { DecodeError } from './field-error.js';

/**
 * Reads the arguments of a method one after another (AMQP 0-9-1 section 4.2.5). Reading past the end throws
 * DecodeError, which the connection answers with 501 FRAME_ERROR. Nothing it returns shares memory with the
 * bytes read.
 */
export class MethodReader {
  private at: number;
  private readonly bytes: Buffer;
  private readonly end: number;

  /** Reads bytes[start..end). */
  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.at === this.end;
  }

  /** Also the way to read packed bits: the first bit field is the lowest bit. */
  u8(): number {
    return this.bytes[this.take(1)]!;
  }

  u16(): number {
    const at = this.take(2);
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  u32(): number {
    return uint32At(this.bytes, this.take(4));
  }

  /**
   * Only delivery tags have this type. Past 2^53 - 1, which no channel reaches, it is clamped there: an unknown
   * delivery tag either way.
   */
  u64(): number {
    const at = this.take(8);
    const value = uint32At(this.bytes, at) * 0x100000000 + uint32At(this.bytes, at + 4);
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }

  /** Throws AmqpError 501 when it is not UTF-8, as RabbitMQ does for method arguments (but not in properties). */
  shortstr(): string {
    const length = this.u8();
    const at = this.take(length);
    const text = utf8At(this.bytes, at, at + length);
    if (text === undefined) throw frameError('Malformed UTF-8 in shortstr');
    return text;
  }

  longstr(): Buffer {
    const length = this.u32();
    const at = this.take(length);
    const copy = Buffer.allocUnsafe(length);
    this.bytes.copy(copy, 0, at, at + length);
    return copy;
  }

  /** Throws as checkTable does. */
  table(): FieldTable {
    const length = this.u32();
    const at = this.take(length);
    return decodeTable(this.bytes, at, at + length);
  }

  /** Moves past the next `size` bytes; returns where they start. */
  private take(size: number): number {
    const { at } = this;
    if (size > this.end - at) throw new DecodeError('the arguments end too soon');
    this.at = at + size;
    return at;
  }
}
