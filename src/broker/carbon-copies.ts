/** The CC and BCC headers: further routing keys of a message (rabbitmq.com/docs/sender-selected). */
import { preconditionFailed } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';

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
