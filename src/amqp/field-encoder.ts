/**
 * Field tables to bytes, in two passes: the size first, then the writing into a place that has the room. Tables
 * that came from the wire unchanged are copied as they are.
 */

import { TABLE_DEPTH_MAX } from './field-scan.js';
import type { FieldTable } from './field-table.js';
import { Tag, VALUE_SIZE } from './field-tag.js';
import { shortstrSize, writeShortstr } from './field-text.js';
import type { FieldValue } from './field-value.js';

/** The body of a table, without the four-octet length that stands before it on the wire. Throws RangeError. */
export function encodeTable(table: FieldTable): Buffer {
  const bytes = Buffer.allocUnsafe(tableSize(table));
  writeTable(bytes, 0, table);
  return bytes;
}

/**
 * Bytes the body of a table takes. Throws RangeError for a key past 255 bytes and for nesting past
 * TABLE_DEPTH_MAX: no reader with our own limit could take it.
 */
export function tableSize(table: FieldTable, depth = 1): number {
  const encoded = table.encodedBody;
  if (encoded !== undefined) return encoded.length;
  checkDepth(depth);
  let size = 0;
  for (const [key, value] of table.entries) size += shortstrSize(key) + valueSize(value, depth);
  return size;
}

/**
 * Writes the body of a table at a position with room for tableSize(table) bytes; returns the position after it.
 * Throws RangeError for a number outside its type's range.
 */
export function writeTable(bytes: Buffer, start: number, table: FieldTable): number {
  const encoded = table.encodedBody;
  if (encoded !== undefined) return start + encoded.copy(bytes, start);
  let at = start;
  for (const [key, value] of table.entries) {
    at = writeShortstr(bytes, at, key);
    at = writeValue(bytes, at, value);
  }
  return at;
}

/** Writes an unsigned 64-bit number; returns the position after it. */
export function writeUint64(bytes: Buffer, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return bytes.writeBigUInt64BE(value, at);
  const high = Math.floor(value / 0x100000000);
  bytes.writeUInt32BE(high, at);
  return bytes.writeUInt32BE(value - high * 0x100000000, at + 4);
}

function writeInt64(bytes: Buffer, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return bytes.writeBigInt64BE(value, at);
  const high = Math.floor(value / 0x100000000);
  bytes.writeInt32BE(high, at);
  return bytes.writeUInt32BE(value - high * 0x100000000, at + 4);
}

const TAG_BY_TYPE: Readonly<Record<FieldValue['type'], number>> = {
  bool: Tag.Bool,
  byte: Tag.Byte,
  unsignedbyte: Tag.UnsignedByte,
  short: Tag.Short,
  unsignedshort: Tag.UnsignedShort,
  signedint: Tag.SignedInt,
  unsignedint: Tag.UnsignedInt,
  long: Tag.Long,
  float: Tag.Float,
  double: Tag.Double,
  decimal: Tag.Decimal,
  longstr: Tag.Longstr,
  array: Tag.Array,
  timestamp: Tag.Timestamp,
  table: Tag.Table,
  void: Tag.Void,
  binary: Tag.Binary,
};

/** Bytes a value takes, its tag included. */
function valueSize(value: FieldValue, depth: number): number {
  switch (value.type) {
    case 'longstr':
    case 'binary':
      return 5 + value.value.length;
    case 'table':
      return 5 + tableSize(value.value, depth + 1);
    case 'array': {
      checkDepth(depth + 1);
      let size = 5;
      for (const member of value.value) size += valueSize(member, depth + 1);
      return size;
    }
    default:
      return 1 + VALUE_SIZE[TAG_BY_TYPE[value.type]]!;
  }
}

function writeValue(bytes: Buffer, tagAt: number, value: FieldValue): number {
  bytes[tagAt] = TAG_BY_TYPE[value.type];
  const at = tagAt + 1;
  switch (value.type) {
    case 'longstr':
    case 'binary':
      return bytes.writeUInt32BE(value.value.length, at) + value.value.copy(bytes, at + 4);
    case 'table': {
      const end = writeTable(bytes, at + 4, value.value);
      bytes.writeUInt32BE(end - at - 4, at);
      return end;
    }
    case 'array': {
      let end = at + 4;
      for (const member of value.value) end = writeValue(bytes, end, member);
      bytes.writeUInt32BE(end - at - 4, at);
      return end;
    }
    default:
      return writeScalar(bytes, at, value);
  }
}

type Scalar = Exclude<FieldValue, { readonly type: 'longstr' | 'binary' | 'table' | 'array' }>;

function writeScalar(bytes: Buffer, at: number, value: Scalar): number {
  switch (value.type) {
    case 'bool':
      return bytes.writeUInt8(value.value ? 1 : 0, at);
    case 'byte':
      return bytes.writeInt8(value.value, at);
    case 'unsignedbyte':
      return bytes.writeUInt8(value.value, at);
    case 'short':
      return bytes.writeInt16BE(value.value, at);
    case 'unsignedshort':
      return bytes.writeUInt16BE(value.value, at);
    case 'signedint':
      return bytes.writeInt32BE(value.value, at);
    case 'unsignedint':
      return bytes.writeUInt32BE(value.value, at);
    case 'long':
      return writeInt64(bytes, at, value.value);
    case 'float':
      return bytes.writeFloatBE(finite(Math.fround(value.value)), at);
    case 'double':
      return bytes.writeDoubleBE(finite(value.value), at);
    case 'decimal':
      return bytes.writeUInt32BE(value.value, bytes.writeUInt8(value.scale, at));
    case 'timestamp':
      return writeUint64(bytes, at, value.value);
    case 'void':
      return at;
  }
}

/** Neither RabbitMQ nor checkTable reads an infinity or NaN: writing one would poison the message. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no form in a field table`);
  return value;
}

function checkDepth(depth: number): void {
  if (depth > TABLE_DEPTH_MAX) throw new RangeError(`field table deeper than ${TABLE_DEPTH_MAX} levels`);
}
