/**
 * Redeclaring what exists must repeat its properties and arguments; otherwise the channel is closed with 406 and
 * a text that names the first difference (https://www.rabbitmq.com/docs/queues#property-equivalence). Clients
 * match on these texts, so values are written as Erlang writes them: `6.0`, `{signedint,1}`, `<<"a">>`. Only the
 * line breaks that Erlang puts into long lists are left out.
 */

import { erlangTerm } from '../amqp/erlang-term.js';
import { type AmqpError, preconditionFailed } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import { type FieldValue, isErlangInteger, longstr, textOf, valuesEquivalent } from '../amqp/field-value.js';
import type { QueueArgumentRules } from './queue-argument-rules.js';
import type { QueuePlace, QueueType } from './queue-arguments.js';

export type DeclaredKind = 'queue' | 'exchange';

/**
 * Compares the arguments of a redeclare with those the queue has, in the order of its type's list; arguments
 * outside that list are never compared. An absent x-queue-type is `classic`, as RabbitMQ 4.x stores it.
 * @throws AmqpError 406 for the first argument that differs
 */
export function checkQueueArgumentsEquivalent(
  current: FieldTable,
  received: FieldTable,
  type: QueueType,
  place: QueuePlace,
  rules: QueueArgumentRules,
): void {
  for (const key of rules.known[type]) {
    const isType = key === 'x-queue-type';
    const currentValue = current.get(key) ?? (isType ? CLASSIC : undefined);
    const receivedValue = received.get(key) ?? (isType ? CLASSIC : undefined);
    if (!argumentsEquivalent(currentValue, receivedValue)) {
      throw inequivalentArgument('queue', place.queue, place.virtualHost, key, currentValue, receivedValue);
    }
  }
}

/**
 * Whether a redeclare may give one argument in place of the other. Beyond values of one type class, RabbitMQ
 * takes values that are the same Erlang term: a longstr and a binary of equal bytes, an integer and a timestamp.
 */
export function argumentsEquivalent(
  current: FieldValue | undefined,
  received: FieldValue | undefined,
): boolean {
  if (valuesEquivalent(current, received)) return true;
  if (current === undefined || received === undefined) return false;
  const currentBytes = bytesOf(current);
  const receivedBytes = bytesOf(received);
  if (currentBytes !== undefined && receivedBytes !== undefined) return currentBytes.equals(receivedBytes);
  const currentInteger = integerText(current);
  return currentInteger !== undefined && currentInteger === integerText(received);
}

/** The 406 for an argument of a table: `x-max-length`, `alternate-exchange` and so on. */
export function inequivalentArgument(
  kind: DeclaredKind,
  name: string,
  virtualHost: string,
  key: string,
  current: FieldValue | undefined,
  received: FieldValue | undefined,
): AmqpError {
  if (current !== undefined && received !== undefined) {
    return inequivalent(kind, name, virtualHost, key, plainText(current), plainText(received));
  }
  return inequivalent(kind, name, virtualHost, key, typedText(current), typedText(received));
}

/**
 * The 406 for a property of the declare method: `durable`, `auto_delete`, `internal`, or the `type` of an
 * exchange.
 */
export function inequivalentProperty(
  kind: DeclaredKind,
  name: string,
  virtualHost: string,
  key: string,
  current: boolean | string,
  received: boolean | string,
): AmqpError {
  return inequivalent(kind, name, virtualHost, key, `'${atom(current)}'`, `'${atom(received)}'`);
}

const CLASSIC = longstr('classic');

function inequivalent(
  kind: DeclaredKind,
  name: string,
  virtualHost: string,
  key: string,
  current: string,
  received: string,
): AmqpError {
  const resource = `${kind} '${name}' in vhost '${virtualHost}'`;
  return preconditionFailed(
    `inequivalent arg '${key}' for ${resource}: received ${received} but current is ${current}`,
  );
}

/** The form when both sides have a value; a void is Erlang's `undefined`, which counts as none there. */
function plainText(value: FieldValue): string {
  return value.type === 'void' ? 'none' : `'${displayed(value)}'`;
}

/** The form when one side has no value. */
function typedText(value: FieldValue | undefined): string {
  return value === undefined ? 'none' : `the value '${displayed(value)}' of type '${value.type}'`;
}

function displayed(value: FieldValue): string {
  return textOf(value) ?? (value.type === 'binary' ? value.value.toString('utf8') : erlangTerm(value));
}

/** Booleans and exchange types are atoms in RabbitMQ; one like `x-random` prints with quotes of its own. */
function atom(value: boolean | string): string {
  const text = String(value);
  return /^[a-z][A-Za-z0-9_@]*$/.test(text) ? text : `'${text}'`;
}

function bytesOf(value: FieldValue): Buffer | undefined {
  return value.type === 'longstr' || value.type === 'binary' ? value.value : undefined;
}

function integerText(value: FieldValue): string | undefined {
  return isErlangInteger(value) ? String(value.value) : undefined;
}
