/**
 * The AMQP 0-9-1 encoding once more, written from the specification for judging brokers: it shares nothing with
 * `src`, so a mistake there is not made here too. Slow, plain and small.
 */
import { definitionOf, type Fields, METHODS } from './raw-methods.js';

/** A value with its type tag: `['S', 'text']`, `['I', 5]`, `['F', [['key', 'S', 'text']]]`, `['A', [['I', 1]]]`. */
export type TaggedValue = readonly [tag: string, value: TableValue];
export type TableEntry = readonly [key: string, tag: string, value: TableValue];
export type Table = readonly TableEntry[];
export type TableValue =
  | number
  | bigint
  | boolean
  | string
  | Buffer
  | Decimal
  | null
  | Table
  | readonly TaggedValue[];

/** Of type `D`: `digits` divided by ten as often as `scale` says. */
export interface Decimal {
  readonly scale: number;
  readonly digits: number;
}

export interface Properties {
  contentType?: string;
  contentEncoding?: string;
  headers?: Table;
  deliveryMode?: number;
  priority?: number;
  correlationId?: string;
  replyTo?: string;
  expiration?: string;
  messageId?: string;
  timestamp?: number;
  type?: string;
  userId?: string;
  appId?: string;
  clusterId?: string;
}

const PROPERTIES: readonly (readonly [name: keyof Properties, type: string])[] = [
  ['contentType', 's'],
  ['contentEncoding', 's'],
  ['headers', 't'],
  ['deliveryMode', 'o'],
  ['priority', 'o'],
  ['correlationId', 's'],
  ['replyTo', 's'],
  ['expiration', 's'],
  ['messageId', 's'],
  ['timestamp', 'L'],
  ['type', 's'],
  ['userId', 's'],
  ['appId', 's'],
  ['clusterId', 's'],
];

/** The payload of a method frame; fields that are not given are 0, false or empty. */
export function encodeMethod(name: string, fields: Fields): Buffer {
  const [classId, methodId, signature] = definitionOf(name);
  const values = new Map<string, unknown>(Object.entries(fields));
  const parts: Buffer[] = [integer(classId, 2), integer(methodId, 2)];
  let bits: number[] = [];
  const flushBits = (): void => {
    if (bits.length > 0) parts.push(Buffer.from([bits.reduce((octet, bit, i) => octet | (bit << i), 0)]));
    bits = [];
  };
  for (const field of signature.split(' ').filter((text) => text !== '')) {
    const [type, fieldName] = field.split(':') as [string, string];
    const value = values.get(fieldName);
    if (type === 'b') {
      bits.push(value === true ? 1 : 0);
      continue;
    }
    flushBits();
    parts.push(encodeField(type, value));
  }
  flushBits();
  return Buffer.concat(parts);
}

export interface Method {
  readonly name: string;
  readonly fields: Fields;
}

export function decodeMethod(payload: Buffer): Method {
  const classId = payload.readUInt16BE(0);
  const methodId = payload.readUInt16BE(2);
  for (const [name, [knownClass, knownMethod, signature]] of METHODS) {
    if (knownClass !== classId || knownMethod !== methodId) continue;
    const cursor = new Cursor(payload, 4);
    const fields = new Map<string, unknown>();
    let bit = 8;
    let octet = 0;
    for (const field of signature.split(' ').filter((text) => text !== '')) {
      const [type, fieldName] = field.split(':') as [string, string];
      if (type !== 'b') {
        bit = 8;
        fields.set(fieldName, cursor.field(type));
        continue;
      }
      if (bit === 8) {
        octet = cursor.integer(1);
        bit = 0;
      }
      fields.set(fieldName, ((octet >> bit++) & 1) === 1);
    }
    return { name, fields: Object.fromEntries(fields) as Fields };
  }
  return { name: `unknown (${classId},${methodId})`, fields: {} };
}

/** The payload of a content header frame. */
export function encodeContentHeader(bodySize: number, properties: Properties, classId = 60): Buffer {
  let flags = 0;
  const parts: Buffer[] = [];
  PROPERTIES.forEach(([name, type], i) => {
    const value = properties[name];
    if (value === undefined) return;
    flags |= 1 << (15 - i);
    parts.push(encodeField(type, value));
  });
  return Buffer.concat([
    integer(classId, 2),
    integer(0, 2),
    integer(bodySize, 8),
    integer(flags, 2),
    ...parts,
  ]);
}

export function decodeContentHeader(payload: Buffer): { bodySize: number; properties: Properties } {
  const cursor = new Cursor(payload, 4);
  const bodySize = cursor.integer(8);
  const flags = cursor.integer(2);
  const properties = new Map<string, unknown>();
  PROPERTIES.forEach(([name, type], i) => {
    if ((flags & (1 << (15 - i))) !== 0) properties.set(name, cursor.field(type));
  });
  return { bodySize, properties: Object.fromEntries(properties) as Properties };
}

export function encodeFrame(type: number, channel: number, payload: Buffer, end = 0xce): Buffer {
  return Buffer.concat([
    integer(type, 1),
    integer(channel, 2),
    integer(payload.length, 4),
    payload,
    Buffer.from([end]),
  ]);
}

/** A field table without its length: what AMQPLAIN wants. */
export function encodeEntries(table: Table): Buffer {
  return Buffer.concat(
    table.flatMap(([key, tag, value]) => [shortString(key), Buffer.from(tag), encodeTagged(tag, value)]),
  );
}

export function shortString(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([integer(bytes.length, 1), bytes]);
}

export function integer(value: number | bigint, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
  return bytes.subarray(8 - size);
}

const INTEGER_SIZES = new Map([
  ['o', 1],
  ['h', 2],
  ['l', 4],
  ['L', 8],
]);

function encodeField(type: string, value: unknown): Buffer {
  const size = INTEGER_SIZES.get(type);
  if (size !== undefined) return integer((value as number | undefined) ?? 0, size);
  if (type === 's') return shortString((value as string | undefined) ?? '');
  if (type === 'S') return withLength(Buffer.from((value as string | undefined) ?? ''));
  return withLength(encodeEntries((value as Table | undefined) ?? []));
}

function withLength(bytes: Buffer): Buffer {
  return Buffer.concat([integer(bytes.length, 4), bytes]);
}

/** Size in bytes and signedness of the integers in a field table, as RabbitMQ reads them. */
const TABLE_INTEGERS = new Map<string, readonly [size: number, isSigned: boolean]>([
  ['b', [1, true]],
  ['B', [1, false]],
  ['s', [2, true]],
  ['u', [2, false]],
  ['I', [4, true]],
  ['i', [4, false]],
  ['l', [8, true]],
  ['L', [8, true]],
  ['T', [8, false]],
]);

function encodeTagged(tag: string, value: TableValue): Buffer {
  const kind = TABLE_INTEGERS.get(tag);
  if (kind !== undefined) return integer(value as number, kind[0]);
  switch (tag) {
    case 't':
      return Buffer.from([value === true ? 1 : 0]);
    case 'f': {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatBE(value as number);
      return bytes;
    }
    case 'D': {
      const { scale, digits } = value as Decimal;
      return Buffer.concat([integer(scale, 1), integer(digits, 4)]);
    }
    case 'd': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value as number);
      return bytes;
    }
    case 'S':
    case 'x':
      return withLength(Buffer.from(value as string));
    case 'F':
      return withLength(encodeEntries(value as Table));
    case 'A':
      return withLength(
        Buffer.concat(
          (value as readonly TaggedValue[]).flatMap((member) => [
            Buffer.from(member[0]),
            encodeTagged(...member),
          ]),
        ),
      );
    default:
      // V, and the tags that do not exist.
      return Buffer.alloc(0);
  }
}

class Cursor {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
  ) {}

  integer(size: number, isSigned = false): number {
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.bytes.readUInt8(this.at++));
    return Number(isSigned ? BigInt.asIntN(size * 8, value) : value);
  }

  field(type: string): unknown {
    const size = INTEGER_SIZES.get(type);
    if (size !== undefined) return this.integer(size);
    if (type === 's') return this.take(this.integer(1)).toString();
    if (type === 'S') return this.take(this.integer(4)).toString();
    return this.table();
  }

  private table(): Table {
    const end = this.integer(4) + this.at;
    const entries: TableEntry[] = [];
    while (this.at < end) {
      const key = this.take(this.integer(1)).toString();
      entries.push([key, ...this.tagged()]);
    }
    return entries;
  }

  private tagged(): TaggedValue {
    const tag = this.take(1).toString();
    const kind = TABLE_INTEGERS.get(tag);
    if (kind !== undefined) return [tag, this.integer(...kind)];
    switch (tag) {
      case 't':
        return [tag, this.integer(1) !== 0];
      case 'f':
        return [tag, this.take(4).readFloatBE()];
      case 'D':
        return [tag, { scale: this.integer(1), digits: this.integer(4) }];
      case 'd':
        return [tag, this.take(8).readDoubleBE()];
      case 'S':
        return [tag, this.take(this.integer(4)).toString()];
      case 'x':
        return [tag, Buffer.from(this.take(this.integer(4)))];
      case 'F':
        return [tag, this.table()];
      case 'A': {
        const end = this.integer(4) + this.at;
        const members: TaggedValue[] = [];
        while (this.at < end) members.push(this.tagged());
        return [tag, members];
      }
      case 'V':
        return [tag, null];
      default:
        throw new Error(`cannot decode a field with tag '${tag}'`);
    }
  }

  private take(size: number): Buffer {
    const start = this.at;
    this.at += size;
    return this.bytes.subarray(start, this.at);
  }
}
