import fc from 'fast-check';
import { FieldTable } from '../../src/amqp/field-table.js';
import type { FieldValue } from '../../src/amqp/field-value.js';

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const exact = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value;

const integer = (type: 'byte' | 'short' | 'signedint', bits: number) =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }).map((value) => ({ type, value }));
const unsigned = (type: 'unsignedbyte' | 'unsignedshort' | 'unsignedint', bits: number) =>
  fc.integer({ min: 0, max: 2 ** bits - 1 }).map((value) => ({ type, value }));
const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value));

/** A key or a property: at most 60 characters of text, so always within 255 bytes; now and then with a NUL or
 * a character outside the basic plane. */
export const shortText = fc.string({ unit: 'binary', maxLength: 60 });

const scalar: fc.Arbitrary<FieldValue> = fc.oneof(
  fc.boolean().map((value) => ({ type: 'bool' as const, value })),
  integer('byte', 8),
  unsigned('unsignedbyte', 8),
  integer('short', 16),
  unsigned('unsignedshort', 16),
  integer('signedint', 32),
  unsigned('unsignedint', 32),
  fc
    .bigInt({ min: -INT64_MAX - 1n, max: INT64_MAX })
    .map((value) => ({ type: 'long' as const, value: exact(value) })),
  fc.maxSafeInteger().map((value) => ({ type: 'long' as const, value })),
  fc
    .bigInt({ min: 0n, max: UINT64_MAX })
    .map((value) => ({ type: 'timestamp' as const, value: exact(value) })),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ type: 'float' as const, value })),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ type: 'double' as const, value })),
  fc
    .tuple(fc.nat(255), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
    .map(([scale, value]) => ({ type: 'decimal' as const, scale, value })),
  bytes.map((value) => ({ type: 'longstr' as const, value })),
  bytes.map((value) => ({ type: 'binary' as const, value })),
  fc.constant({ type: 'void' as const }),
);

const nested = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }).map((value) => ({ type: 'array' as const, value })),
    tie('table').map((value) => ({ type: 'table' as const, value })),
  ),
  table: fc
    .array(fc.tuple(shortText, tie('value')), { maxLength: 5 })
    .map((entries) => FieldTable.of(entries)),
}));

export const anyValue: fc.Arbitrary<FieldValue> = nested.value;
export const anyTable: fc.Arbitrary<FieldTable> = nested.table;

/** A table as plain data, so that one made in code and one read from bytes can be compared. */
export function plainTable(table: FieldTable): unknown {
  return table.entries.map(([key, value]) => [key, plainValue(value)]);
}

export function plainValue(value: FieldValue): unknown {
  switch (value.type) {
    case 'table':
      return { type: 'table', value: plainTable(value.value) };
    case 'array':
      return { type: 'array', value: value.value.map(plainValue) };
    case 'longstr':
    case 'binary':
      return { type: value.type, value: value.value.toString('hex') };
    default:
      return value;
  }
}
