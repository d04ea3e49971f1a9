/**
 * Walks field tables and arrays without decoding them: every publish with headers is checked here, so nothing is
 * allocated. A table that passes can be decoded later, or forwarded byte for byte, without failing.
 *
 *     table:  | entry | entry | ...         (the four-octet length before it is not part of the range)
 *     entry:  | key length (1) | key | value |
 *     value:  | tag (1) | payload |         payload: fixed size by tag, or | length (4) | bytes |
 *     array:  | value | value | ...
 */

import { syntaxError } from './errors.js';
import { DecodeError } from './field-error.js';
import { SIZE_IS_PREFIXED, TAG_IS_UNKNOWN, Tag, VALUE_SIZE } from './field-tag.js';

/**
 * Tables and arrays inside each other, the outermost table counting as one. RabbitMQ has no limit but the frame
 * size; here each level is a stack frame, and a 128 KiB frame could hold twenty thousand of them. Real headers
 * (x-death, traces) nest three or four deep.
 */
export const TABLE_DEPTH_MAX = 64;

/** Bits of checkTable's answer. */
export const TABLE_IS_SORTED = 1;
export const TABLE_HAS_UPPER_LONG = 2;
export const TABLE_HAS_CC = 4;
export const TABLE_HAS_BCC = 8;

/**
 * Checks that a range of bytes is a readable table body.
 *
 * Returns the sum of: TABLE_IS_SORTED when the keys ascend strictly by bytes (so none repeats), TABLE_HAS_CC and
 * TABLE_HAS_BCC when such a key is there (https://www.rabbitmq.com/docs/sender-selected), all three of the
 * outermost table only; TABLE_HAS_UPPER_LONG when a value at any depth has the tag `L`, which RabbitMQ reads and
 * re-encodes as `l`.
 *
 * Throws DecodeError for a truncated value, an unknown tag or a float that is not finite (the Erlang VM cannot
 * decode those), and AmqpError 502 for nesting past TABLE_DEPTH_MAX.
 */
export function checkTable(bytes: Buffer, start: number, end: number, depth = 1): number {
  if (depth > TABLE_DEPTH_MAX) throw tooDeep();
  let flags = TABLE_IS_SORTED;
  let previousKey = -1;
  let at = start;
  while (at < end) {
    const tagAt = at + 1 + bytes[at]!;
    const next = valueEnd(bytes, tagAt, end);
    flags |= keyFlags(bytes, at) | nestedFlags(bytes, tagAt, next, depth);
    if (previousKey >= 0 && !isKeyBefore(bytes, previousKey, at)) flags &= ~TABLE_IS_SORTED;
    previousKey = at;
    at = next;
  }
  return flags;
}

/** Where the value whose tag stands at `at` ends. Looks at its size only, not inside it. Throws DecodeError. */
export function valueEnd(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw truncated();
  const tag = bytes[at]!;
  let size = VALUE_SIZE[tag]!;
  if (size === TAG_IS_UNKNOWN) throw new DecodeError(`unknown field type tag ${tag}`);
  if (size === SIZE_IS_PREFIXED) {
    if (at + 5 > end) throw truncated();
    size = 4 + uint32At(bytes, at + 1);
  }
  const next = at + 1 + size;
  if (next > end) throw truncated();
  if (!isFiniteAt(bytes, at, tag)) throw new DecodeError('a float that is not a finite number');
  return next;
}

/** Four octets, most significant first, unsigned. The caller has checked that they are there. */
export function uint32At(bytes: Buffer, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

function checkArray(bytes: Buffer, start: number, end: number, depth: number): number {
  if (depth > TABLE_DEPTH_MAX) throw tooDeep();
  let flags = 0;
  let at = start;
  while (at < end) {
    const next = valueEnd(bytes, at, end);
    flags |= nestedFlags(bytes, at, next, depth);
    at = next;
  }
  return flags;
}

/** TABLE_HAS_UPPER_LONG or 0, for the value from its tag at `at` up to `next`; checks what is inside it. */
function nestedFlags(bytes: Buffer, at: number, next: number, depth: number): number {
  switch (bytes[at]) {
    case Tag.LongUpper:
      return TABLE_HAS_UPPER_LONG;
    case Tag.Table:
      return checkTable(bytes, at + 5, next, depth + 1) & TABLE_HAS_UPPER_LONG;
    case Tag.Array:
      return checkArray(bytes, at + 5, next, depth + 1);
    default:
      return 0;
  }
}

/** An exponent of all ones is an infinity or not a number (IEEE 754). */
function isFiniteAt(bytes: Buffer, at: number, tag: number): boolean {
  if (tag === Tag.Double) return (bytes[at + 1]! & 0x7f) !== 0x7f || (bytes[at + 2]! & 0xf0) !== 0xf0;
  if (tag === Tag.Float) return (bytes[at + 1]! & 0x7f) !== 0x7f || (bytes[at + 2]! & 0x80) === 0;
  return true;
}

const LETTER_B = 0x42;
const LETTER_C = 0x43;

function keyFlags(bytes: Buffer, at: number): number {
  const length = bytes[at]!;
  if (length === 2 && bytes[at + 1] === LETTER_C && bytes[at + 2] === LETTER_C) return TABLE_HAS_CC;
  if (length !== 3 || bytes[at + 1] !== LETTER_B) return 0;
  return bytes[at + 2] === LETTER_C && bytes[at + 3] === LETTER_C ? TABLE_HAS_BCC : 0;
}

/** Whether the key (length octet first) at `a` sorts strictly before the one at `b`: by bytes, shorter first. */
function isKeyBefore(bytes: Buffer, a: number, b: number): boolean {
  const lengthA = bytes[a]!;
  const lengthB = bytes[b]!;
  const shorter = Math.min(lengthA, lengthB);
  for (let i = 1; i <= shorter; i++) {
    const difference = bytes[a + i]! - bytes[b + i]!;
    if (difference !== 0) return difference < 0;
  }
  return lengthA < lengthB;
}

function truncated(): DecodeError {
  return new DecodeError('a field table ends inside a value');
}

function tooDeep(): Error {
  return syntaxError(`field table nested deeper than ${TABLE_DEPTH_MAX} levels`);
}
