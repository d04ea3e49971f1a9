import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generate } from '../../spec/generate.mjs';
import { DecodeError } from '../../src/amqp/field-error.js';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr } from '../../src/amqp/field-value.js';
import { MethodWriter } from '../../src/amqp/method-writer.js';
import * as methods from '../../src/amqp/methods.generated.js';
import { plainTable } from './field-arbitraries.js';

interface Field {
  readonly name: string;
  readonly domain: string;
  readonly reserved?: boolean;
}
interface Method {
  readonly name: string;
  readonly id: number;
  readonly from: readonly string[];
  readonly fields: readonly Field[];
}

const root = new URL('../../', import.meta.url);
const definition = JSON.parse(readFileSync(new URL('spec/amqp-0-9-1.json', root), 'utf8'));
const all: (Method & { readonly dotted: string; readonly fullId: number })[] = definition.classes.flatMap(
  (amqpClass: { name: string; id: number; methods: Method[] }) =>
    amqpClass.methods.map((method) => ({
      ...method,
      dotted: `${amqpClass.name}.${method.name}`,
      fullId: amqpClass.id * 65536 + method.id,
    })),
);
const fromClient = all.filter((method) => method.from.includes('client'));
const fromServer = all.filter((method) => method.from.includes('server'));

const camel = (name: string): string =>
  name.replaceAll(/[-.](.)/g, (_all, letter: string) => letter.toUpperCase());
const pascal = (name: string): string => camel(`-${name}`);
const sampleTable = FieldTable.of([['k', longstr('v')]]);

/** A value of each type that differs by position, so that fields read in the wrong order are noticed. */
function sample(type: string, position: number): unknown {
  switch (type) {
    case 'bit':
      return position % 3 !== 1;
    case 'octet':
      return 200 + position;
    case 'short':
      return 0xff00 + position;
    case 'long':
      return 0xffffff00 + position;
    case 'longlong':
      return 2 ** 52 + position;
    case 'shortstr':
      return `s${position}é`;
    case 'longstr':
      return Buffer.from(`long ${position}`);
    case 'table':
      return sampleTable;
    default:
      throw new Error(`no sample of ${type}`);
  }
}

/** The arguments of a method by the definition, and their bytes: slow, plain, and not how the generator does it. */
function reference(method: Method): { values: Map<string, unknown>; bytes: Buffer } {
  const values = new Map<string, unknown>();
  const parts: Buffer[] = [];
  let bitCount = 0;
  for (const [position, field] of method.fields.entries()) {
    const type: string = definition.domains[field.domain];
    const isZero = field.reserved === true;
    const value = sample(type, position);
    if (!isZero) values.set(camel(field.name), value);
    if (type === 'bit') {
      if (bitCount === 0) parts.push(Buffer.from([0]));
      if (!isZero && value === true) parts.at(-1)![0]! += 2 ** bitCount;
      bitCount++;
    } else {
      bitCount = 0;
      parts.push(isZero ? Buffer.alloc(reservedSize(type)) : encoded(type, value));
    }
  }
  return { values, bytes: Buffer.concat(parts) };
}

function reservedSize(type: string): number {
  return new Map([
    ['short', 2],
    ['shortstr', 1],
    ['longstr', 4],
  ]).get(type)!;
}

function encoded(type: string, value: unknown): Buffer {
  const prefixed = (sizeBytes: number, bytes: Buffer): Buffer => {
    const length = Buffer.alloc(sizeBytes);
    length.writeUIntBE(bytes.length, 0, sizeBytes);
    return Buffer.concat([length, bytes]);
  };
  const number = Buffer.alloc(8);
  if (typeof value === 'number') number.writeBigUInt64BE(BigInt(value));
  if (type === 'octet') return number.subarray(7);
  if (type === 'short') return number.subarray(6);
  if (type === 'long') return number.subarray(4);
  if (type === 'longlong') return number;
  if (type === 'shortstr') return prefixed(1, Buffer.from(value as string));
  if (type === 'longstr') return prefixed(4, value as Buffer);
  return prefixed(4, Buffer.from('\x01kS\0\0\0\x01v', 'latin1'));
}

const decodeHex = (id: number, hex: string): unknown => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return methods.decodeMethod(id, bytes, 0, bytes.length);
};
const writtenHex = (write: (writer: MethodWriter) => void): string => {
  const writer = new MethodWriter();
  write(writer);
  return writer.toBuffer().toString('hex');
};
/** Field tables as plain data; the rest as it is. */
const plain = (value: unknown): unknown => (value instanceof FieldTable ? plainTable(value) : value);

it('methods.generated.ts is what the generator writes', () => {
  const checkedIn = readFileSync(new URL('src/amqp/methods.generated.ts', root), 'utf8');
  expect(checkedIn === generate(definition), 'run npm run generate').toBe(true);
});

describe('every method a client sends', () => {
  it.each(fromClient)('$dotted is decoded by the definition', (method) => {
    const { values, bytes } = reference(method);
    const framed = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('trailing')]);
    const decoded = methods.decodeMethod(method.fullId, framed, 2, framed.length);
    const fields = Object.entries(decoded!).map(([name, value]) => [name, plain(value)] as const);
    const expected = [...values].map(([name, value]) => [name, plain(value)] as const);
    expect(fields).toEqual([['id', method.fullId], ...expected]);
  });

  it.each(fromClient)('$dotted cut off anywhere is a DecodeError', (method) => {
    const { bytes } = reference(method);
    for (let end = 0; end < bytes.length; end++) {
      expect(() => methods.decodeMethod(method.fullId, bytes, 0, end)).toThrow(DecodeError);
    }
  });
});

describe('every method a server sends', () => {
  it.each(fromServer)('$dotted is encoded by the definition', (method) => {
    const { values, bytes } = reference(method);
    const encode = new Map<string, unknown>(Object.entries(methods)).get(
      `encode${pascal(method.dotted)}`,
    ) as (writer: MethodWriter, ...values: unknown[]) => void;
    const id = Buffer.alloc(4);
    id.writeUInt32BE(method.fullId);
    expect(writtenHex((writer) => encode(writer, ...values.values()))).toBe(
      Buffer.concat([id, bytes]).toString('hex'),
    );
  });
});

describe('names and ids', () => {
  it('covers both directions and nothing else', () => {
    expect(Object.values(methods.MethodId).sort()).toEqual(all.map((method) => method.fullId).sort());
    for (const method of all) {
      expect(methods.methodName(method.fullId)).toBe(method.dotted);
      expect(methods.isKnownMethod(method.fullId)).toBe(true);
    }
    expect(methods.isKnownMethod(0x003c0079)).toBe(false);
    expect(methods.methodName(0x003c0079)).toBe('60.121');
  });

  it('does not decode what only a server sends, or what does not exist', () => {
    const bytes = Buffer.alloc(64);
    for (const method of all.filter((each) => !each.from.includes('client'))) {
      expect(methods.decodeMethod(method.fullId, bytes, 0, 64)).toBeUndefined();
    }
    expect(methods.decodeMethod(0x003c0079, bytes, 0, 64)).toBeUndefined();
  });

  it('has the numbers of the protocol', () => {
    expect(methods.MethodId).toMatchObject({
      ConnectionStart: 0x000a000a,
      ConnectionUpdateSecret: 0x000a0046,
      ExchangeUnbindOk: 0x00280033,
      QueueUnbind: 0x00320032,
      BasicPublish: 0x003c0028,
      BasicNack: 0x003c0078,
      ConfirmSelect: 0x0055000a,
      TxRollbackOk: 0x005a001f,
    });
    expect(methods.CLASS_ID.Basic).toBe(60);
  });
});

describe('vectors written by hand', () => {
  const { MethodId } = methods;

  it('queue.declare', () => {
    expect(decodeHex(MethodId.QueueDeclare, '0000 0171 12 00000000')).toEqual({
      id: MethodId.QueueDeclare,
      queue: 'q',
      passive: false,
      durable: true,
      exclusive: false,
      autoDelete: false,
      noWait: true,
      arguments: FieldTable.EMPTY,
    });
  });

  it('basic.publish', () => {
    expect(decodeHex(MethodId.BasicPublish, '0000 0178 026b6b 01')).toEqual({
      id: MethodId.BasicPublish,
      exchange: 'x',
      routingKey: 'kk',
      mandatory: true,
      immediate: false,
    });
    expect(decodeHex(MethodId.BasicPublish, '0000 00 00 02')).toMatchObject({
      mandatory: false,
      immediate: true,
    });
  });

  it('basic.consume', () => {
    expect(decodeHex(MethodId.BasicConsume, '0000 0171 0174 06 00000000')).toEqual({
      id: MethodId.BasicConsume,
      queue: 'q',
      consumerTag: 't',
      noLocal: false,
      noAck: true,
      exclusive: true,
      noWait: false,
      arguments: FieldTable.EMPTY,
    });
  });

  it('basic.nack, both ways', () => {
    expect(decodeHex(MethodId.BasicNack, '0000000000000005 02')).toEqual({
      id: MethodId.BasicNack,
      deliveryTag: 5,
      multiple: false,
      requeue: true,
    });
    expect(writtenHex((writer) => methods.encodeBasicNack(writer, 5, true, false))).toBe(
      '003c0078000000000000000501',
    );
  });

  it('basic.deliver and queue.declare-ok', () => {
    expect(writtenHex((writer) => methods.encodeBasicDeliver(writer, 't', 2 ** 33, true, '', 'k'))).toBe(
      '003c003c0174000000020000000001' + '00' + '016b',
    );
    expect(writtenHex((writer) => methods.encodeQueueDeclareOk(writer, 'q', 1, 4294967295))).toBe(
      '0032000b017100000001ffffffff',
    );
  });
});
