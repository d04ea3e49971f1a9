import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.js';
import { encodeTable } from '../../src/amqp/field-encoder.js';
import { DecodeError } from '../../src/amqp/field-error.js';
import {
  checkTable,
  TABLE_DEPTH_MAX,
  TABLE_HAS_BCC,
  TABLE_HAS_CC,
  TABLE_HAS_UPPER_LONG,
  TABLE_IS_SORTED,
} from '../../src/amqp/field-scan.js';
import { canonicalKey, decodeTable, FieldTable, tablesEqual } from '../../src/amqp/field-table.js';
import {
  bool,
  type FieldValue,
  integerOf,
  long,
  longstr,
  signedint,
  table,
  textOf,
  timestamp,
} from '../../src/amqp/field-value.js';
import { anyTable, anyValue, plainTable, plainValue } from './field-arbitraries.js';

const decode = (bytes: Buffer): FieldTable => decodeTable(bytes, 0, bytes.length);
const check = (bytes: Buffer): number => checkTable(bytes, 0, bytes.length);
/** A table with one entry, key `k`, from the hexadecimal tag and value. */
const single = (hex: string): Buffer => Buffer.from(`016b${hex.replaceAll(' ', '')}`, 'hex');
const nestedBytes = (depth: number, tag: 'F' | 'A'): Buffer => {
  let bytes = Buffer.alloc(0);
  for (let i = 1; i < depth; i++) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    const isOutermost = i === depth - 1;
    const key = tag === 'F' || isOutermost ? Buffer.from([0]) : Buffer.alloc(0);
    bytes = Buffer.concat([key, Buffer.from(tag), length, bytes]);
  }
  return bytes;
};

/** Runs f and says which error it failed with; anything but the two wire errors fails the test. */
function wireError(f: () => unknown): DecodeError | AmqpError | undefined {
  try {
    f();
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError || error instanceof AmqpError) return error;
    throw error;
  }
}

describe('the wire form of each type', () => {
  const vectors: readonly (readonly [hex: string, value: unknown])[] = [
    ['74 00', { type: 'bool', value: false }],
    ['74 01', { type: 'bool', value: true }],
    ['62 80', { type: 'byte', value: -128 }],
    ['62 7f', { type: 'byte', value: 127 }],
    ['42 ff', { type: 'unsignedbyte', value: 255 }],
    ['73 8000', { type: 'short', value: -32768 }],
    ['73 fffe', { type: 'short', value: -2 }],
    ['75 ffff', { type: 'unsignedshort', value: 65535 }],
    ['49 80000000', { type: 'signedint', value: -2147483648 }],
    ['49 7fffffff', { type: 'signedint', value: 2147483647 }],
    ['69 ffffffff', { type: 'unsignedint', value: 4294967295 }],
    ['6c ffffffffffffffff', { type: 'long', value: -1 }],
    ['6c 001fffffffffffff', { type: 'long', value: Number.MAX_SAFE_INTEGER }],
    ['6c 0020000000000001', { type: 'long', value: 9007199254740993n }],
    ['6c 7fffffffffffffff', { type: 'long', value: 9223372036854775807n }],
    ['6c 8000000000000000', { type: 'long', value: -9223372036854775808n }],
    ['66 3fc00000', { type: 'float', value: 1.5 }],
    ['64 3ff8000000000000', { type: 'double', value: 1.5 }],
    ['44 02 ffffffff', { type: 'decimal', scale: 2, value: 4294967295 }],
    ['53 00000002 6869', { type: 'longstr', value: '6869' }],
    ['78 00000002 00ff', { type: 'binary', value: '00ff' }],
    ['54 0000000065d0c0de', { type: 'timestamp', value: 1708179678 }],
    ['54 ffffffffffffffff', { type: 'timestamp', value: 18446744073709551615n }],
    ['56', { type: 'void' }],
    [
      '41 00000007 7401 49 00000002',
      {
        type: 'array',
        value: [
          { type: 'bool', value: true },
          { type: 'signedint', value: 2 },
        ],
      },
    ],
    ['46 00000004 0178 7401', { type: 'table', value: [['x', { type: 'bool', value: true }]] }],
  ];

  it.each(vectors)('%s', (hex, expected) => {
    const bytes = single(hex);
    const decoded = decode(bytes);
    expect(plainTable(decoded)).toEqual([['k', expected]]);
    expect(encodeTable(FieldTable.of(decoded.entries))).toEqual(bytes);
  });

  it('reads L as a long and writes it as l, at any depth', () => {
    const inside = single('4c fffffffffffffffe');
    const outside = Buffer.concat([Buffer.from('016b4600000000', 'hex'), inside]);
    outside.writeUInt32BE(inside.length, 3);
    expect(plainTable(decode(inside))).toEqual([['k', { type: 'long', value: -2 }]]);
    expect(encodeTable(decode(inside))).toEqual(single('6c fffffffffffffffe'));
    expect(encodeTable(decode(outside)).subarray(7)).toEqual(single('6c fffffffffffffffe'));
  });

  it('reads any byte but zero as true', () => {
    expect(plainTable(decode(single('74 07')))).toEqual([['k', { type: 'bool', value: true }]]);
  });

  it.each(['55 0001', '7a', '00'])('refuses the unknown tag %s', (hex) => {
    expect(() => decode(single(hex))).toThrow(DecodeError);
  });

  it.each(['66 7f800000', '66 ffc00000', '64 7ff0000000000000', '64 fff8000000000000'])(
    'refuses the float that is not finite %s',
    (hex) => {
      expect(() => decode(single(hex))).toThrow(DecodeError);
    },
  );
});

describe('round trips', () => {
  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(anyTable, (original) => {
        const bytes = encodeTable(original);
        const decoded = decode(bytes);
        expect(plainTable(decoded)).toEqual(plainTable(original));
        expect(encodeTable(decoded)).toEqual(bytes);
        expect(encodeTable(FieldTable.of(decoded.entries))).toEqual(bytes);
      }),
    );
  });

  it('keeps keys that are not UTF-8, even 255 bytes of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 255 }), (key) => {
        const bytes = Buffer.concat([Buffer.from([key.length]), key, Buffer.from('V')]);
        expect(encodeTable(FieldTable.of(decode(bytes).entries))).toEqual(bytes);
      }),
    );
    const worst = Buffer.concat([Buffer.alloc(256, 0xff), Buffer.from('V')]);
    expect(encodeTable(FieldTable.of(decode(worst).entries))).toEqual(worst);
  });

  it('does not share memory with the bytes it read', () => {
    const bytes = single('53 00000002 6869');
    const decoded = decode(bytes);
    bytes.fill(0);
    expect(textOf(decoded.get('k'))).toBe('hi');
  });

  it('refuses to write what no reader takes', () => {
    const of = (key: string, value: FieldValue) => () => encodeTable(FieldTable.of([[key, value]]));
    expect(of('k'.repeat(256), bool(true))).toThrow(RangeError);
    expect(of('é'.repeat(128), bool(true))).toThrow(RangeError);
    expect(of('k'.repeat(255), bool(true))).not.toThrow();
    expect(of('k', { type: 'byte', value: 128 })).toThrow(RangeError);
    expect(of('k', { type: 'double', value: Number.NaN })).toThrow(RangeError);
    expect(of('k', long(2n ** 63n))).toThrow(RangeError);
    let deep = FieldTable.EMPTY;
    for (let i = 0; i < TABLE_DEPTH_MAX; i++) deep = FieldTable.of([['k', { type: 'table', value: deep }]]);
    expect(() => encodeTable(FieldTable.of([['k', { type: 'table', value: deep }]]))).toThrow(RangeError);
  });
});

describe('hostile bytes', () => {
  it('fails with a wire error, or not at all, when cut off anywhere', () => {
    fc.assert(
      fc.property(anyTable, (original) => {
        const bytes = encodeTable(original);
        for (let end = 0; end < bytes.length; end++) {
          const error = wireError(() => plainTable(decodeTable(bytes, 0, end)));
          if (error !== undefined) expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('never fails after the check has passed, whatever the bytes', () => {
    const damaged = fc
      .tuple(anyTable, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }))
      .map(([original, changes]) => {
        const bytes = encodeTable(original);
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      });
    const noise = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, noise), (bytes) => {
        if (wireError(() => check(bytes)) !== undefined) return;
        const decoded = decode(bytes);
        plainTable(decoded);
        expect(canonicalKey(decode(encodeTable(decoded)))).toBe(canonicalKey(decoded));
      }),
      { numRuns: 500 },
    );
  });

  it.each(['F', 'A'] as const)('limits the depth of %s', (tag) => {
    expect(() => plainTable(decode(nestedBytes(TABLE_DEPTH_MAX, tag)))).not.toThrow();
    expect(wireError(() => decode(nestedBytes(TABLE_DEPTH_MAX + 1, tag)))).toMatchObject({
      code: 502,
      replyText: 'SYNTAX_ERROR - field table nested deeper than 64 levels',
    });
  });

  it('does not overflow the stack on a frame full of nesting', () => {
    expect(wireError(() => decode(nestedBytes(10_000, 'A')))).toMatchObject({ code: 502 });
  });

  it('keeps keys such as __proto__ apart from objects', () => {
    const entries = Array.from({ length: 20 }, (_, i) => [`k${i}`, signedint(i)] as const);
    for (const others of [[], entries]) {
      const bytes = encodeTable(
        FieldTable.of([
          ['__proto__', table([['polluted', bool(true)]])],
          ['constructor', bool(true)],
          ...others,
        ]),
      );
      const decoded = decode(bytes);
      expect(decoded.get('__proto__')?.type).toBe('table');
      expect(decoded.get('toString')).toBeUndefined();
      expect('polluted' in {}).toBe(false);
    }
  });
});

describe('what the check reports', () => {
  const keys = (...names: string[]): number =>
    check(encodeTable(FieldTable.of(names.map((name) => [name, bool(true)] as const))));

  it('sorted and unique keys, by bytes and the shorter first', () => {
    expect(keys()).toBe(TABLE_IS_SORTED);
    expect(keys('a', 'ab', 'b')).toBe(TABLE_IS_SORTED);
    expect(keys('B', 'a')).toBe(TABLE_IS_SORTED);
    expect(keys('a', 'a')).toBe(0);
    expect(keys('ab', 'a')).toBe(0);
    expect(keys('b', 'a', 'c')).toBe(0);
    expect(keys('a', 'é')).toBe(TABLE_IS_SORTED);
  });

  it('sorted keys, in agreement with a comparison of buffers', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 4 }), { maxLength: 4 }), (names) => {
        const isSorted = names.every(
          (name, i) => i === 0 || Buffer.compare(Buffer.from(names[i - 1]!), Buffer.from(name)) < 0,
        );
        expect(keys(...names) & TABLE_IS_SORTED).toBe(isSorted ? TABLE_IS_SORTED : 0);
      }),
    );
  });

  it('the keys CC and BCC of the outermost table', () => {
    expect(keys('BCC', 'CC')).toBe(TABLE_IS_SORTED | TABLE_HAS_CC | TABLE_HAS_BCC);
    expect(keys('CC')).toBe(TABLE_IS_SORTED | TABLE_HAS_CC);
    expect(keys('BCC')).toBe(TABLE_IS_SORTED | TABLE_HAS_BCC);
    expect(keys('cc', 'CCC', 'BC')).toBe(0);
    expect(check(encodeTable(FieldTable.of([['k', table([['CC', bool(true)]])]])))).toBe(TABLE_IS_SORTED);
  });

  it('the tag L at any depth', () => {
    const inside = '4c 0000000000000001';
    expect(check(single(inside))).toBe(TABLE_IS_SORTED | TABLE_HAS_UPPER_LONG);
    expect(check(single(`41 00000009 ${inside}`))).toBe(TABLE_IS_SORTED | TABLE_HAS_UPPER_LONG);
    expect(check(single(`46 0000000b 0178 ${inside}`))).toBe(TABLE_IS_SORTED | TABLE_HAS_UPPER_LONG);
    expect(check(single('6c 0000000000000001'))).toBe(TABLE_IS_SORTED);
  });

  it('takes a range in the middle of other bytes', () => {
    const bytes = Buffer.concat([Buffer.from('zz'), single('7401'), Buffer.from('zz')]);
    expect(checkTable(bytes, 2, bytes.length - 2)).toBe(TABLE_IS_SORTED);
    expect(decodeTable(bytes, 2, bytes.length - 2).has('k')).toBe(true);
  });
});

describe('look-ups', () => {
  it('finds the first of repeated keys, in small tables and large', () => {
    const filler = Array.from({ length: 30 }, (_, i) => [`k${i}`, signedint(i)] as const);
    for (const rest of [[], filler]) {
      const found = FieldTable.of([['a', signedint(1)], ['a', signedint(2)], ...rest]);
      expect(integerOf(found.get('a'))).toBe(1);
      expect(found.has('b')).toBe(false);
      expect(found.size).toBe(2 + rest.length);
    }
  });

  it('reads text and integers only from their types', () => {
    expect(textOf(longstr('é'))).toBe('é');
    expect(textOf({ type: 'binary', value: Buffer.from('x') })).toBeUndefined();
    expect(textOf(undefined)).toBeUndefined();
    expect(integerOf(long(-5n))).toBe(-5);
    expect(integerOf({ type: 'unsignedshort', value: 7 })).toBe(7);
    expect(integerOf(timestamp(5))).toBeUndefined();
    expect(integerOf({ type: 'decimal', scale: 0, value: 5 })).toBeUndefined();
    expect(integerOf({ type: 'double', value: 5 })).toBeUndefined();
    expect(integerOf(bool(true))).toBeUndefined();
  });
});

describe('identity', () => {
  it('does not depend on the order of distinct keys', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string(), anyValue), { selector: ([key]) => key, maxLength: 6 }),
        (entries) => {
          const forwards = FieldTable.of(entries);
          const backwards = FieldTable.of(entries.toReversed());
          expect(canonicalKey(backwards)).toBe(canonicalKey(forwards));
          expect(tablesEqual(decode(encodeTable(backwards)), forwards)).toBe(true);
        },
      ),
    );
  });

  it('tells different tables apart', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        const isSame = JSON.stringify(plainValue(a), bigText) === JSON.stringify(plainValue(b), bigText);
        fc.pre(!isSame);
        expect(tablesEqual(FieldTable.of([['k', a]]), FieldTable.of([['k', b]]))).toBe(false);
      }),
    );
    expect(tablesEqual(FieldTable.of([['a', longstr('b')]]), FieldTable.of([['ab', longstr('')]]))).toBe(
      false,
    );
    expect(tablesEqual(FieldTable.of([['a', signedint(1)]]), FieldTable.of([['a', long(1)]]))).toBe(false);
  });
});

/** JSON.stringify has no form for a bigint. */
function bigText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
