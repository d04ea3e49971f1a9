/**
 * The AMQP 0-9-1 encoding once more, written from the specification for the tests: it shares nothing with `src`, so
 * a mistake there is not made here too. Slow, plain and small.
 */

/** Everything a field of a method can hold; the names are those of the specification, in camel case. */
export interface Fields {
  versionMajor?: number;
  versionMinor?: number;
  serverProperties?: Table;
  mechanisms?: string;
  locales?: string;
  clientProperties?: Table;
  mechanism?: string;
  response?: string | Buffer;
  locale?: string;
  challenge?: string;
  channelMax?: number;
  frameMax?: number;
  heartbeat?: number;
  virtualHost?: string;
  capabilities?: string;
  insist?: boolean;
  knownHosts?: string;
  replyCode?: number;
  replyText?: string;
  classId?: number;
  methodId?: number;
  reason?: string;
  newSecret?: string;
  outOfBand?: string;
  channelId?: string;
  active?: boolean;
  realm?: string;
  ticket?: number;
  exchange?: string;
  type?: string;
  passive?: boolean;
  durable?: boolean;
  autoDelete?: boolean;
  internal?: boolean;
  noWait?: boolean;
  arguments?: Table;
  ifUnused?: boolean;
  ifEmpty?: boolean;
  destination?: string;
  source?: string;
  routingKey?: string;
  queue?: string;
  exclusive?: boolean;
  messageCount?: number;
  consumerCount?: number;
  prefetchSize?: number;
  prefetchCount?: number;
  global?: boolean;
  consumerTag?: string;
  noLocal?: boolean;
  noAck?: boolean;
  mandatory?: boolean;
  immediate?: boolean;
  deliveryTag?: number;
  redelivered?: boolean;
  clusterId?: string;
  multiple?: boolean;
  requeue?: boolean;
}

/** A value with its type tag: `['S', 'text']`, `['I', 5]`, `['F', [['key', 'S', 'text']]]`, `['A', [['I', 1]]]`. */
export type TaggedValue = readonly [tag: string, value: TableValue];
export type TableEntry = readonly [key: string, tag: string, value: TableValue];
export type Table = readonly TableEntry[];
export type TableValue = number | bigint | boolean | string | Buffer | null | Table | readonly TaggedValue[];

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

/**
 * Class id, method id and fields. Types: o octet, h short, l long, L long long, b bit, s short string, S long
 * string, t table.
 */
const METHODS = new Map<string, readonly [classId: number, methodId: number, fields: string]>([
  ['connection.start', [10, 10, 'o:versionMajor o:versionMinor t:serverProperties S:mechanisms S:locales']],
  ['connection.start-ok', [10, 11, 't:clientProperties s:mechanism S:response s:locale']],
  ['connection.secure', [10, 20, 'S:challenge']],
  ['connection.secure-ok', [10, 21, 'S:response']],
  ['connection.tune', [10, 30, 'h:channelMax l:frameMax h:heartbeat']],
  ['connection.tune-ok', [10, 31, 'h:channelMax l:frameMax h:heartbeat']],
  ['connection.open', [10, 40, 's:virtualHost s:capabilities b:insist']],
  ['connection.open-ok', [10, 41, 's:knownHosts']],
  ['connection.close', [10, 50, 'h:replyCode s:replyText h:classId h:methodId']],
  ['connection.close-ok', [10, 51, '']],
  ['connection.blocked', [10, 60, 's:reason']],
  ['connection.unblocked', [10, 61, '']],
  ['connection.update-secret', [10, 70, 'S:newSecret s:reason']],
  ['connection.update-secret-ok', [10, 71, '']],
  ['channel.open', [20, 10, 's:outOfBand']],
  ['channel.open-ok', [20, 11, 'S:channelId']],
  ['channel.flow', [20, 20, 'b:active']],
  ['channel.flow-ok', [20, 21, 'b:active']],
  ['channel.close', [20, 40, 'h:replyCode s:replyText h:classId h:methodId']],
  ['channel.close-ok', [20, 41, '']],
  ['access.request', [30, 10, 's:realm b:exclusive b:passive b:active b:write b:read']],
  ['access.request-ok', [30, 11, 'h:ticket']],
  [
    'exchange.declare',
    [40, 10, 'h:ticket s:exchange s:type b:passive b:durable b:autoDelete b:internal b:noWait t:arguments'],
  ],
  ['exchange.declare-ok', [40, 11, '']],
  ['exchange.delete', [40, 20, 'h:ticket s:exchange b:ifUnused b:noWait']],
  ['exchange.delete-ok', [40, 21, '']],
  ['exchange.bind', [40, 30, 'h:ticket s:destination s:source s:routingKey b:noWait t:arguments']],
  ['exchange.bind-ok', [40, 31, '']],
  ['exchange.unbind', [40, 40, 'h:ticket s:destination s:source s:routingKey b:noWait t:arguments']],
  ['exchange.unbind-ok', [40, 51, '']],
  [
    'queue.declare',
    [50, 10, 'h:ticket s:queue b:passive b:durable b:exclusive b:autoDelete b:noWait t:arguments'],
  ],
  ['queue.declare-ok', [50, 11, 's:queue l:messageCount l:consumerCount']],
  ['queue.bind', [50, 20, 'h:ticket s:queue s:exchange s:routingKey b:noWait t:arguments']],
  ['queue.bind-ok', [50, 21, '']],
  ['queue.purge', [50, 30, 'h:ticket s:queue b:noWait']],
  ['queue.purge-ok', [50, 31, 'l:messageCount']],
  ['queue.delete', [50, 40, 'h:ticket s:queue b:ifUnused b:ifEmpty b:noWait']],
  ['queue.delete-ok', [50, 41, 'l:messageCount']],
  ['queue.unbind', [50, 50, 'h:ticket s:queue s:exchange s:routingKey t:arguments']],
  ['queue.unbind-ok', [50, 51, '']],
  ['basic.qos', [60, 10, 'l:prefetchSize h:prefetchCount b:global']],
  ['basic.qos-ok', [60, 11, '']],
  [
    'basic.consume',
    [60, 20, 'h:ticket s:queue s:consumerTag b:noLocal b:noAck b:exclusive b:noWait t:arguments'],
  ],
  ['basic.consume-ok', [60, 21, 's:consumerTag']],
  ['basic.cancel', [60, 30, 's:consumerTag b:noWait']],
  ['basic.cancel-ok', [60, 31, 's:consumerTag']],
  ['basic.publish', [60, 40, 'h:ticket s:exchange s:routingKey b:mandatory b:immediate']],
  ['basic.return', [60, 50, 'h:replyCode s:replyText s:exchange s:routingKey']],
  ['basic.deliver', [60, 60, 's:consumerTag L:deliveryTag b:redelivered s:exchange s:routingKey']],
  ['basic.get', [60, 70, 'h:ticket s:queue b:noAck']],
  ['basic.get-ok', [60, 71, 'L:deliveryTag b:redelivered s:exchange s:routingKey l:messageCount']],
  ['basic.get-empty', [60, 72, 's:clusterId']],
  ['basic.ack', [60, 80, 'L:deliveryTag b:multiple']],
  ['basic.reject', [60, 90, 'L:deliveryTag b:requeue']],
  ['basic.recover-async', [60, 100, 'b:requeue']],
  ['basic.recover', [60, 110, 'b:requeue']],
  ['basic.recover-ok', [60, 111, '']],
  ['basic.nack', [60, 120, 'L:deliveryTag b:multiple b:requeue']],
  ['confirm.select', [85, 10, 'b:noWait']],
  ['confirm.select-ok', [85, 11, '']],
  ['tx.select', [90, 10, '']],
  ['tx.select-ok', [90, 11, '']],
  ['tx.commit', [90, 20, '']],
  ['tx.commit-ok', [90, 21, '']],
  ['tx.rollback', [90, 30, '']],
  ['tx.rollback-ok', [90, 31, '']],
]);

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

/** The (class, method) ids of a method, as they stand in a close. */
export function idsOf(name: string): { classId: number; methodId: number } {
  const [classId, methodId] = definitionOf(name);
  return { classId, methodId };
}

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

function definitionOf(name: string): readonly [number, number, string] {
  const definition = METHODS.get(name);
  if (definition === undefined) throw new Error(`there is no method '${name}'`);
  return definition;
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
