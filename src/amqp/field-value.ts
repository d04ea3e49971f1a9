import { canonicalKey, type FieldEntry, FieldTable } from './field-table.js';

/**
 * One value of a field table. The type names are RabbitMQ's: they occur in its error texts. A `long` and a
 * `timestamp` (seconds since 1970) are a number where that is exact and a bigint beyond 2^53 - 1. A `decimal` is
 * `value` divided by ten to the power of `scale`, `value` unsigned as RabbitMQ has it.
 */
export type FieldValue =
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: IntegerType; readonly value: number }
  | { readonly type: 'long'; readonly value: number | bigint }
  | { readonly type: 'float' | 'double'; readonly value: number }
  | { readonly type: 'decimal'; readonly scale: number; readonly value: number }
  | { readonly type: 'longstr' | 'binary'; readonly value: Buffer }
  | { readonly type: 'array'; readonly value: readonly FieldValue[] }
  | { readonly type: 'timestamp'; readonly value: number | bigint }
  | { readonly type: 'table'; readonly value: FieldTable }
  | { readonly type: 'void' };

/** The integer types of at most 32 bits: byte and unsignedbyte of 8, short of 16, signedint of 32. */
export type IntegerType = 'byte' | 'unsignedbyte' | 'short' | 'unsignedshort' | 'signedint' | 'unsignedint';

export const longstr = (value: string | Buffer): FieldValue => ({
  type: 'longstr',
  value: typeof value === 'string' ? Buffer.from(value) : value,
});
export const bool = (value: boolean): FieldValue => ({ type: 'bool', value });
export const signedint = (value: number): FieldValue => ({ type: 'signedint', value });
export const long = (value: number | bigint): FieldValue => ({ type: 'long', value: exactNumber(value) });
export const double = (value: number): FieldValue => ({ type: 'double', value });
export const timestamp = (seconds: number | bigint): FieldValue => ({
  type: 'timestamp',
  value: exactNumber(seconds),
});
export const table = (entries: readonly FieldEntry[]): FieldValue => ({
  type: 'table',
  value: FieldTable.of(entries),
});
export const array = (value: readonly FieldValue[]): FieldValue => ({ type: 'array', value });

/** The text of a longstr, read as UTF-8; undefined for every other type. */
export function textOf(value: FieldValue | undefined): string | undefined {
  return value?.type === 'longstr' ? value.value.toString('utf8') : undefined;
}

/**
 * The number in a value of a type RabbitMQ takes where an argument must be an integer (byte, short, signedint,
 * long and their unsigned forms); undefined for every other type. Beyond 2^53 - 1 it is rounded: no argument's
 * range reaches that far, so it is only ever compared and refused.
 */
export function integerOf(value: FieldValue | undefined): number | undefined {
  switch (value?.type) {
    case 'byte':
    case 'unsignedbyte':
    case 'short':
    case 'unsignedshort':
    case 'signedint':
    case 'unsignedint':
    case 'long':
      return Number(value.value);
    default:
      return undefined;
  }
}

/**
 * Whether a repeated declare may give one argument in place of the other: both absent, or of one type class and
 * equal. Integers of all sizes are one class, floats another, every other type its own (RabbitMQ's type_class;
 * https://www.rabbitmq.com/docs/queues#property-equivalence).
 */
export function valuesEquivalent(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.type === b.type)
    return canonicalKey(FieldTable.of([['', a]])) === canonicalKey(FieldTable.of([['', b]]));
  const classOfA = numberClass(a);
  return classOfA !== 'other' && classOfA === numberClass(b) && isSameNumber(a, b);
}

/** Values that are an Erlang integer in RabbitMQ, and so equal whatever their width: the integers and timestamps. */
export function isErlangInteger(
  value: FieldValue,
): value is Extract<FieldValue, { readonly value: number | bigint }> {
  return value.type === 'timestamp' || numberClass(value) === 'integer';
}

/** RabbitMQ counts a decimal among the integers, but its pair of numbers never equals a single one. */
function numberClass(value: FieldValue): 'integer' | 'float' | 'other' {
  switch (value.type) {
    case 'byte':
    case 'unsignedbyte':
    case 'short':
    case 'unsignedshort':
    case 'signedint':
    case 'unsignedint':
    case 'long':
      return 'integer';
    case 'float':
    case 'double':
      return 'float';
    default:
      return 'other';
  }
}

function isSameNumber(a: FieldValue, b: FieldValue): boolean {
  if (!('value' in a) || !('value' in b)) return false;
  // Neither less nor greater: exact for a number beside a bigint, which are never identical.
  return !(a.value < b.value) && !(a.value > b.value);
}

function exactNumber(value: number | bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
