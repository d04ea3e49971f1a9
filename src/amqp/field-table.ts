/**
 * Field tables: the maps of arguments, client properties and message headers (AMQP 0-9-1 section 4.2.5.5), in
 * RabbitMQ's dialect. A table read from the wire keeps its bytes and is decoded when first looked into: most are
 * forwarded unseen.
 */

import { encodeTable } from './field-encoder.js';
import { checkTable, TABLE_HAS_UPPER_LONG, uint32At, valueEnd } from './field-scan.js';
import { Tag } from './field-tag.js';
import { textAt } from './field-text.js';
import type { FieldValue } from './field-value.js';

export type FieldEntry = readonly [key: string, value: FieldValue];

/** From this many entries on, look-ups go through a map: a frame can hold tens of thousands. */
const INDEX_ENTRIES_MIN = 12;

const NO_ENTRIES: readonly FieldEntry[] = [];
const NO_BYTES = Buffer.alloc(0);

/** An immutable table: entries in the order they came, keys possibly repeated. */
export class FieldTable {
  static readonly EMPTY: FieldTable = new FieldTable(NO_ENTRIES, NO_BYTES);

  private decoded: readonly FieldEntry[] | undefined;
  private index: Map<string, FieldValue> | undefined;
  private readonly body: Buffer | undefined;
  private readonly hasUpperLong: boolean;

  private constructor(entries: readonly FieldEntry[] | undefined, body?: Buffer, hasUpperLong = false) {
    this.decoded = entries;
    this.body = body;
    this.hasUpperLong = hasUpperLong;
  }

  /** A table of the given entries; the caller must not change them afterwards. */
  static of(entries: readonly FieldEntry[]): FieldTable {
    return entries.length === 0 ? FieldTable.EMPTY : new FieldTable(entries);
  }

  /** A table over bytes that have passed checkTable and that nobody changes afterwards: they are not copied. */
  static ofChecked(body: Buffer, hasUpperLong: boolean): FieldTable {
    return body.length === 0 ? FieldTable.EMPTY : new FieldTable(undefined, body, hasUpperLong);
  }

  get entries(): readonly FieldEntry[] {
    this.decoded ??= decodeEntries(this.body ?? NO_BYTES, this.hasUpperLong);
    return this.decoded;
  }

  get size(): number {
    return this.entries.length;
  }

  /**
   * The body as it is to stand on the wire, when that is already known: undefined for a table made in code, and
   * for one with a tag `L` somewhere, which RabbitMQ writes as `l`.
   */
  get encodedBody(): Buffer | undefined {
    return this.hasUpperLong ? undefined : this.body;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The value of a key; of the first entry when the key is repeated, as in RabbitMQ. */
  get(key: string): FieldValue | undefined {
    const { entries } = this;
    if (entries.length >= INDEX_ENTRIES_MIN) {
      this.index ??= indexOf(entries);
      return this.index.get(key);
    }
    for (const entry of entries) {
      if (entry[0] === key) return entry[1];
    }
    return undefined;
  }
}

/**
 * The table in a range of bytes, without the four-octet length that stands before it. The bytes are copied.
 * Throws as checkTable does.
 */
export function decodeTable(bytes: Buffer, start: number, end: number): FieldTable {
  const flags = checkTable(bytes, start, end);
  if (start === end) return FieldTable.EMPTY;
  const body = Buffer.allocUnsafe(end - start);
  bytes.copy(body, 0, start, end);
  return FieldTable.ofChecked(body, (flags & TABLE_HAS_UPPER_LONG) !== 0);
}

/** Whether two tables hold the same entries, types included, in whatever order their keys come. */
export function tablesEqual(a: FieldTable, b: FieldTable): boolean {
  return a === b || canonicalKey(a) === canonicalKey(b);
}

/**
 * A string that is the same for two tables exactly when tablesEqual says they are: one character per byte of the
 * encoded table with its keys sorted, at every depth. Not for display. Throws RangeError as encodeTable does.
 */
export function canonicalKey(table: FieldTable): string {
  return encodeTable(sorted(table)).toString('latin1');
}

/** Eight octets, unsigned: a number where that is exact, a bigint where it is not. */
export function uint64At(bytes: Buffer, at: number): number | bigint {
  const high = uint32At(bytes, at);
  return high < 0x200000 ? high * 0x100000000 + uint32At(bytes, at + 4) : bytes.readBigUInt64BE(at);
}

function decodeEntries(body: Buffer, hasUpperLong: boolean): readonly FieldEntry[] {
  const entries: FieldEntry[] = [];
  let at = 0;
  while (at < body.length) {
    const keyEnd = at + 1 + body[at]!;
    const next = valueEnd(body, keyEnd, body.length);
    entries.push([textAt(body, at + 1, keyEnd), decodeValue(body, keyEnd, next, hasUpperLong)]);
    at = next;
  }
  return entries;
}

function decodeArray(body: Buffer, start: number, end: number, hasUpperLong: boolean): readonly FieldValue[] {
  const values: FieldValue[] = [];
  let at = start;
  while (at < end) {
    const next = valueEnd(body, at, end);
    values.push(decodeValue(body, at, next, hasUpperLong));
    at = next;
  }
  return values;
}

/** The value from its tag at `tagAt` up to `end`. Long strings and tables share the body's memory. */
function decodeValue(body: Buffer, tagAt: number, end: number, hasUpperLong: boolean): FieldValue {
  const at = tagAt + 1;
  switch (body[tagAt]) {
    case Tag.Longstr:
      return { type: 'longstr', value: body.subarray(at + 4, end) };
    case Tag.Binary:
      return { type: 'binary', value: body.subarray(at + 4, end) };
    case Tag.Table:
      return { type: 'table', value: FieldTable.ofChecked(body.subarray(at + 4, end), hasUpperLong) };
    case Tag.Array:
      return { type: 'array', value: decodeArray(body, at + 4, end, hasUpperLong) };
    default:
      return decodeScalar(body, tagAt);
  }
}

function decodeScalar(body: Buffer, tagAt: number): FieldValue {
  const at = tagAt + 1;
  switch (body[tagAt]) {
    case Tag.Bool:
      return { type: 'bool', value: body[at] !== 0 };
    case Tag.Byte:
      return { type: 'byte', value: body.readInt8(at) };
    case Tag.UnsignedByte:
      return { type: 'unsignedbyte', value: body.readUInt8(at) };
    case Tag.Short:
      return { type: 'short', value: body.readInt16BE(at) };
    case Tag.UnsignedShort:
      return { type: 'unsignedshort', value: body.readUInt16BE(at) };
    case Tag.SignedInt:
      return { type: 'signedint', value: body.readInt32BE(at) };
    case Tag.UnsignedInt:
      return { type: 'unsignedint', value: body.readUInt32BE(at) };
    case Tag.Long:
    case Tag.LongUpper:
      return { type: 'long', value: int64At(body, at) };
    case Tag.Float:
      return { type: 'float', value: body.readFloatBE(at) };
    case Tag.Double:
      return { type: 'double', value: body.readDoubleBE(at) };
    case Tag.Decimal:
      return { type: 'decimal', scale: body.readUInt8(at), value: body.readUInt32BE(at + 1) };
    case Tag.Timestamp:
      return { type: 'timestamp', value: uint64At(body, at) };
    default:
      return { type: 'void' };
  }
}

function int64At(bytes: Buffer, at: number): number | bigint {
  const value = bytes.readInt32BE(at) * 0x100000000 + uint32At(bytes, at + 4);
  return Number.isSafeInteger(value) ? value : bytes.readBigInt64BE(at);
}

function indexOf(entries: readonly FieldEntry[]): Map<string, FieldValue> {
  const index = new Map<string, FieldValue>();
  for (const [key, value] of entries) {
    if (!index.has(key)) index.set(key, value);
  }
  return index;
}

function sorted(table: FieldTable): FieldTable {
  const entries = table.entries.map(([key, value]) => [key, sortedValue(value)] as const);
  // Array.prototype.sort is stable: repeated keys keep their order, as the first one counts.
  return FieldTable.of(entries.sort(([a], [b]) => (a < b ? -1 : Number(a > b))));
}

function sortedValue(value: FieldValue): FieldValue {
  if (value.type === 'table') return { type: 'table', value: sorted(value.value) };
  if (value.type === 'array') return { type: 'array', value: value.value.map(sortedValue) };
  return value;
}
