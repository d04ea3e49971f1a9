/** The CC and BCC headers: further routing keys of a message (rabbitmq.com/docs/sender-selected). */
import { preconditionFailed } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import { shortstrSize, textAt, writeShortstr } from '../amqp/field-text.js';
import { SHORT_STRING_BYTES_MAX } from '../lib/limits.js';

/** The routing keys in the array under `name`; members that are not strings do not count. Empty when absent. */
export function keysOfHeader(headers: FieldTable | undefined, name: 'CC' | 'BCC'): readonly string[] {
  const value = headers?.get(name);
  if (value?.type !== 'array') return [];
  const keys: string[] = [];
  for (const member of value.value) if (member.type === 'longstr') keys.push(member.value.toString());
  return keys;
}

/** @throws AmqpError 406 when the header is there and is not an array */
export function checkKeysHeader(headers: FieldTable, name: 'CC' | 'BCC'): void {
  const value = headers.get(name);
  if (value === undefined || value.type === 'array') return;
  throw preconditionFailed(`invalid message: {unacceptable_type_in_header,"${name}",${value.type}}`);
}

/**
 * Keys as a record has them: short strings one behind the other; undefined when there are none. A key that fits no short
 * string is no routing key of any binding, and is left out.
 */
export function encodeKeys(keys: readonly string[]): Buffer | undefined {
  const fitting = keys.filter((key) => Buffer.byteLength(key) <= SHORT_STRING_BYTES_MAX);
  if (fitting.length === 0) return undefined;
  const bytes = Buffer.allocUnsafe(fitting.reduce((sum, key) => sum + shortstrSize(key), 0));
  let at = 0;
  for (const key of fitting) at = writeShortstr(bytes, at, key);
  return bytes;
}

export function decodeKeys(bytes: Buffer | undefined): readonly string[] {
  const keys: string[] = [];
  if (bytes === undefined) return keys;
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]!) {
    keys.push(textAt(bytes, at + 1, at + 1 + bytes[at]!));
  }
  return keys;
}
