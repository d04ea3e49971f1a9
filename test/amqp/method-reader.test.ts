import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError, MethodReader } from '../../src/amqp/method-reader.js';
import { MethodWriter } from '../../src/amqp/method-writer.js';
import { anyTable, plainTable, shortText } from './field-arbitraries.js';

const readerOf = (hex: string): MethodReader => {
  const bytes = Buffer.from(hex, 'hex');
  return new MethodReader(bytes, 0, bytes.length);
};

const item = fc.oneof(
  fc.tuple(fc.constant('u8' as const), fc.nat(0xff)),
  fc.tuple(fc.constant('u16' as const), fc.nat(0xffff)),
  fc.tuple(fc.constant('u32' as const), fc.integer({ min: 0, max: 0xffffffff })),
  fc.tuple(fc.constant('u64' as const), fc.maxSafeInteger().map(Math.abs)),
  fc.tuple(fc.constant('shortstr' as const), shortText),
  fc.tuple(
    fc.constant('longstr' as const),
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  ),
  fc.tuple(fc.constant('table' as const), anyTable),
);
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never;

function write(writer: MethodWriter, [kind, value]: Item): void {
  if (kind === 'table') writer.table(value);
  else if (kind === 'longstr') writer.longstr(value);
  else if (kind === 'shortstr') writer.shortstr(value);
  else writer[kind](value);
}

describe('the writer and the reader', () => {
  it('agree, with a writer that starts small and is reused', () => {
    const writer = new MethodWriter(4);
    fc.assert(
      fc.property(fc.array(item, { maxLength: 8 }), (items) => {
        writer.reset();
        for (const each of items) write(writer, each);
        const reader = new MethodReader(writer.bytes, 0, writer.length);
        for (const each of items) {
          if (each[0] === 'table') expect(plainTable(reader.table())).toEqual(plainTable(each[1]));
          else expect(reader[each[0]]()).toEqual(each[1]);
        }
        expect(reader.atEnd).toBe(true);
        expect(() => reader.u8()).toThrow(DecodeError);
      }),
    );
  });
});

describe('the reader', () => {
  it('clamps numbers past 2^53 - 1', () => {
    expect(readerOf('001fffffffffffff').u64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(readerOf('0020000000000000').u64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(readerOf('ffffffffffffffff').u64()).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each(['02c328', '01ff', '03eda080'])('refuses the short string %s, which is not UTF-8', (hex) => {
    expect(() => readerOf(hex).shortstr()).toThrow(
      expect.objectContaining({ code: 501, replyText: 'FRAME_ERROR - Malformed UTF-8 in shortstr' }),
    );
  });

  it.each(['u8', 'u16', 'u32', 'u64', 'shortstr', 'longstr', 'table'] as const)(
    'throws DecodeError for a %s past the end, even when the buffer goes on',
    (kind) => {
      const bytes = Buffer.alloc(16, 9);
      expect(() => new MethodReader(bytes, 4, 4)[kind]()).toThrow(DecodeError);
      if (kind.endsWith('str') || kind === 'table') {
        expect(() => new MethodReader(bytes, 0, 5)[kind]()).toThrow(DecodeError);
      }
    },
  );

  it('copies long strings', () => {
    const bytes = Buffer.from('000000026869', 'hex');
    const read = new MethodReader(bytes, 0, bytes.length).longstr();
    bytes.fill(0);
    expect(read.toString()).toBe('hi');
  });
});

describe('the writer', () => {
  it('refuses a short string past 255 bytes and is none the worse for it', () => {
    const writer = new MethodWriter();
    writer.u8(7);
    expect(() => writer.shortstr('é'.repeat(128))).toThrow(RangeError);
    writer.shortstr('x'.repeat(255));
    expect(writer.length).toBe(1 + 256);
  });

  it('writes text as UTF-8 and timestamps of either kind', () => {
    const writer = new MethodWriter();
    writer.longstr('é');
    writer.timestamp(2n ** 64n - 1n);
    writer.timestamp(1);
    expect(writer.toBuffer().toString('hex')).toBe('00000002c3a9ffffffffffffffff0000000000000001');
  });
});
