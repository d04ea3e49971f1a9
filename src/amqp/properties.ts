/**
 * The properties of a message, as they stand in a content header frame (AMQP 0-9-1 section 4.2.6.1) after class
 * id, weight and body size:
 *
 *     | flags (2) | content-type | content-encoding | headers | ... |
 *
 * Bit 15 of the flags stands for the first property, bit 2 for the fourteenth, and only those whose bit is set
 * follow, in that order. RabbitMQ ignores bits 1 and 0: there are no continuation words. Text may hold any bytes
 * here; see field-text.ts.
 */

import { tableSize, writeTable, writeUint64 } from './field-encoder.js';
import { DecodeError } from './field-error.js';
import { checkTable, uint32At } from './field-scan.js';
import { decodeTable, type FieldTable, uint64At } from './field-table.js';
import { shortstrSize, textAt, writeShortstr } from './field-text.js';

/** Those absent from the message are absent or undefined here. */
export interface BasicProperties {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly headers?: FieldTable | undefined;
  /** 2 is persistent; RabbitMQ takes everything else for transient. */
  readonly deliveryMode?: number | undefined;
  readonly priority?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly replyTo?: string | undefined;
  /** Milliseconds, in decimal digits. */
  readonly expiration?: string | undefined;
  readonly messageId?: string | undefined;
  /** Seconds since 1970; a bigint past 2^53 - 1. */
  readonly timestamp?: number | bigint | undefined;
  readonly type?: string | undefined;
  readonly userId?: string | undefined;
  readonly appId?: string | undefined;
  readonly clusterId?: string | undefined;
}

/** The flag bit of each property. */
export const PropertyFlag = {
  ContentType: 1 << 15,
  ContentEncoding: 1 << 14,
  Headers: 1 << 13,
  DeliveryMode: 1 << 12,
  Priority: 1 << 11,
  CorrelationId: 1 << 10,
  ReplyTo: 1 << 9,
  Expiration: 1 << 8,
  MessageId: 1 << 7,
  Timestamp: 1 << 6,
  Type: 1 << 5,
  UserId: 1 << 4,
  AppId: 1 << 3,
  ClusterId: 1 << 2,
} as const;

/**
 * Decodes properties that fill bytes[start..end) exactly, flags first. Nothing returned shares memory with the
 * bytes. Throws DecodeError when they do not fit or headers are unreadable, AmqpError 502 for headers nested too
 * deep.
 */
export function decodeProperties(bytes: Buffer, start: number, end: number): BasicProperties {
  const cursor = new PropertyCursor(bytes, start, end);
  const { flags } = cursor;
  const properties: { -readonly [K in keyof BasicProperties]: BasicProperties[K] } = {};
  if (flags & PropertyFlag.ContentType) properties.contentType = cursor.shortstr();
  if (flags & PropertyFlag.ContentEncoding) properties.contentEncoding = cursor.shortstr();
  if (flags & PropertyFlag.Headers) properties.headers = cursor.table();
  if (flags & PropertyFlag.DeliveryMode) properties.deliveryMode = cursor.octet();
  if (flags & PropertyFlag.Priority) properties.priority = cursor.octet();
  if (flags & PropertyFlag.CorrelationId) properties.correlationId = cursor.shortstr();
  if (flags & PropertyFlag.ReplyTo) properties.replyTo = cursor.shortstr();
  if (flags & PropertyFlag.Expiration) properties.expiration = cursor.shortstr();
  if (flags & PropertyFlag.MessageId) properties.messageId = cursor.shortstr();
  if (flags & PropertyFlag.Timestamp) properties.timestamp = cursor.timestamp();
  if (flags & PropertyFlag.Type) properties.type = cursor.shortstr();
  if (flags & PropertyFlag.UserId) properties.userId = cursor.shortstr();
  if (flags & PropertyFlag.AppId) properties.appId = cursor.shortstr();
  if (flags & PropertyFlag.ClusterId) properties.clusterId = cursor.shortstr();
  cursor.finish();
  return properties;
}

/** Flags and values. Throws RangeError for text past 255 bytes, a number out of range or a table that is. */
export function encodeProperties(properties: BasicProperties): Buffer {
  const p = properties;
  const early = [p.contentType, p.contentEncoding];
  const middle = [p.correlationId, p.replyTo, p.expiration, p.messageId];
  const late = [p.type, p.userId, p.appId, p.clusterId];
  let size = 2 + (p.headers === undefined ? 0 : 4 + tableSize(p.headers));
  for (const text of [...early, ...middle, ...late]) size += text === undefined ? 0 : shortstrSize(text);
  size += (p.deliveryMode === undefined ? 0 : 1) + (p.priority === undefined ? 0 : 1);
  size += p.timestamp === undefined ? 0 : 8;

  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt16BE(flagsOf(p), 0);
  for (const text of early) at = writeText(bytes, at, text);
  if (p.headers !== undefined) {
    const headersEnd = writeTable(bytes, at + 4, p.headers);
    bytes.writeUInt32BE(headersEnd - at - 4, at);
    at = headersEnd;
  }
  if (p.deliveryMode !== undefined) at = bytes.writeUInt8(p.deliveryMode, at);
  if (p.priority !== undefined) at = bytes.writeUInt8(p.priority, at);
  for (const text of middle) at = writeText(bytes, at, text);
  if (p.timestamp !== undefined) at = writeUint64(bytes, at, p.timestamp);
  for (const text of late) at = writeText(bytes, at, text);
  return bytes;
}

/**
 * What the broker must know of a publish's properties, found without decoding or allocating: one object is reused
 * for every message. Positions are into the scanned bytes, text without its length octet and headers without
 * their length; -1 when the property is absent, and 0 for absent numbers.
 */
export class PropertyScan {
  /** The property flags; the two bits without a meaning are cleared. */
  flags = 0;
  deliveryMode = 0;
  priority = 0;
  headersStart = -1;
  headersEnd = -1;
  /** What checkTable says of the headers: TABLE_IS_SORTED and so on. */
  headerBits = 0;
  replyToStart = -1;
  replyToEnd = -1;
  expirationStart = -1;
  expirationEnd = -1;
  userIdStart = -1;
  userIdEnd = -1;

  /** Reads properties that fill bytes[start..end) exactly, flags first. Throws as decodeProperties does. */
  scan(bytes: Buffer, start: number, end: number): void {
    if (this.flags !== 0) this.clear();
    if (end - start < 2) throw endsTooSoon();
    const flags = ((bytes[start]! << 8) | bytes[start + 1]!) & KNOWN_FLAGS;
    this.flags = flags;
    let at = start + 2;
    if (flags & BEFORE_CORRELATION_ID) at = this.scanFirstFive(bytes, at, end);
    if (flags & FROM_CORRELATION_ID) at = this.scanOthers(bytes, at, end);
    if (at !== end) throw goesOn();
  }

  private scanFirstFive(bytes: Buffer, start: number, end: number): number {
    const { flags } = this;
    let at = start;
    if (flags & PropertyFlag.ContentType) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.ContentEncoding) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.Headers) {
      this.headersStart = at + 4;
      this.headersEnd = tableEnd(bytes, at, end);
      this.headerBits = checkTable(bytes, this.headersStart, this.headersEnd);
      at = this.headersEnd;
    }
    if (flags & PropertyFlag.DeliveryMode) {
      if (at >= end) throw endsTooSoon();
      this.deliveryMode = bytes[at++]!;
    }
    if (flags & PropertyFlag.Priority) {
      if (at >= end) throw endsTooSoon();
      this.priority = bytes[at++]!;
    }
    return at;
  }

  private scanOthers(bytes: Buffer, start: number, end: number): number {
    const { flags } = this;
    let at = start;
    if (flags & PropertyFlag.CorrelationId) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.ReplyTo) {
      this.replyToStart = at + 1;
      at = this.replyToEnd = shortstrEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.Expiration) {
      this.expirationStart = at + 1;
      at = this.expirationEnd = shortstrEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.MessageId) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.Timestamp) {
      at += 8;
      if (at > end) throw endsTooSoon();
    }
    if (flags & PropertyFlag.Type) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.UserId) {
      this.userIdStart = at + 1;
      at = this.userIdEnd = shortstrEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.AppId) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.ClusterId) at = shortstrEnd(bytes, at, end);
    return at;
  }

  private clear(): void {
    this.flags = 0;
    this.deliveryMode = 0;
    this.priority = 0;
    this.headersStart = -1;
    this.headersEnd = -1;
    this.headerBits = 0;
    this.replyToStart = -1;
    this.replyToEnd = -1;
    this.expirationStart = -1;
    this.expirationEnd = -1;
    this.userIdStart = -1;
    this.userIdEnd = -1;
  }
}

const KNOWN_FLAGS = 0xfffc;
const BEFORE_CORRELATION_ID = 0xf800;
const FROM_CORRELATION_ID = KNOWN_FLAGS & ~BEFORE_CORRELATION_ID;

class PropertyCursor {
  readonly flags: number;
  private at: number;

  constructor(
    private readonly bytes: Buffer,
    start: number,
    private readonly end: number,
  ) {
    if (end - start < 2) throw endsTooSoon();
    this.flags = bytes.readUInt16BE(start);
    this.at = start + 2;
  }

  shortstr(): string {
    const start = this.at + 1;
    this.at = shortstrEnd(this.bytes, this.at, this.end);
    return textAt(this.bytes, start, this.at);
  }

  table(): FieldTable {
    const start = this.at + 4;
    this.at = tableEnd(this.bytes, this.at, this.end);
    return decodeTable(this.bytes, start, this.at);
  }

  octet(): number {
    if (this.at >= this.end) throw endsTooSoon();
    return this.bytes[this.at++]!;
  }

  timestamp(): number | bigint {
    const start = this.at;
    this.at = start + 8;
    if (this.at > this.end) throw endsTooSoon();
    return uint64At(this.bytes, start);
  }

  finish(): void {
    if (this.at !== this.end) throw goesOn();
  }
}

function shortstrEnd(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw endsTooSoon();
  const next = at + 1 + bytes[at]!;
  if (next > end) throw endsTooSoon();
  return next;
}

function tableEnd(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) throw endsTooSoon();
  const next = at + 4 + uint32At(bytes, at);
  if (next > end) throw endsTooSoon();
  return next;
}

function flagsOf(p: BasicProperties): number {
  return (
    (p.contentType === undefined ? 0 : PropertyFlag.ContentType) |
    (p.contentEncoding === undefined ? 0 : PropertyFlag.ContentEncoding) |
    (p.headers === undefined ? 0 : PropertyFlag.Headers) |
    (p.deliveryMode === undefined ? 0 : PropertyFlag.DeliveryMode) |
    (p.priority === undefined ? 0 : PropertyFlag.Priority) |
    (p.correlationId === undefined ? 0 : PropertyFlag.CorrelationId) |
    (p.replyTo === undefined ? 0 : PropertyFlag.ReplyTo) |
    (p.expiration === undefined ? 0 : PropertyFlag.Expiration) |
    (p.messageId === undefined ? 0 : PropertyFlag.MessageId) |
    (p.timestamp === undefined ? 0 : PropertyFlag.Timestamp) |
    (p.type === undefined ? 0 : PropertyFlag.Type) |
    (p.userId === undefined ? 0 : PropertyFlag.UserId) |
    (p.appId === undefined ? 0 : PropertyFlag.AppId) |
    (p.clusterId === undefined ? 0 : PropertyFlag.ClusterId)
  );
}

function writeText(bytes: Buffer, at: number, text: string | undefined): number {
  return text === undefined ? at : writeShortstr(bytes, at, text);
}

function endsTooSoon(): DecodeError {
  return new DecodeError('the properties end too soon');
}

/** RabbitMQ's decoder too fails on bytes after the last property. */
function goesOn(): DecodeError {
  return new DecodeError('bytes after the last property');
}
