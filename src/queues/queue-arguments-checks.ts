/**
 * What values the arguments of queue.declare may have (https://www.rabbitmq.com/docs/queues#optional-arguments).
 */
import type { FieldTable } from '../amqp/field-table.js';
import { type FieldValue, integerOf, textOf } from '../amqp/field-value.js';
import { PRIORITY_MAX, TTL_MS_MAX } from '../lib/limits.js';

/** What is wrong with a value, as the Erlang term RabbitMQ prints; undefined when nothing is. */
export type ValueCheck = (value: FieldValue, args: FieldTable) => string | undefined;

/** Those of 4.2, in the order in which RabbitMQ looks at them: the first fault is the one reported. */
export const VALUE_CHECKS: readonly (readonly [key: string, check: ValueCheck])[] = [
  ['x-expires', (value) => checkInteger(value, { isZeroRefused: true, max: TTL_MS_MAX })],
  ['x-message-ttl', (value) => checkInteger(value, { max: TTL_MS_MAX })],
  ['x-dead-letter-routing-key', checkDeadLetterRoutingKey],
  ['x-dead-letter-strategy', oneOf(['at-most-once', 'at-least-once'], () => 'invalid_dlx_strategy')],
  ['x-max-length', (value) => checkInteger(value)],
  ['x-max-length-bytes', (value) => checkInteger(value)],
  ['x-max-in-memory-length', (value) => checkInteger(value)],
  ['x-max-in-memory-bytes', (value) => checkInteger(value)],
  ['x-max-priority', (value) => checkInteger(value, { max: PRIORITY_MAX, tooLarge: 'max_value_exceeded' })],
  ['x-overflow', oneOf(['drop-head', 'reject-publish', 'reject-publish-dlx'], () => 'invalid_overflow')],
  ['x-queue-mode', oneOf(['default', 'lazy'], (mode) => erlangString(`unsupported queue mode '${mode}'`))],
  ['x-queue-version', (value) => checkVersion(value, [1, 2])],
  ['x-single-active-consumer', (value) => (value.type === 'bool' ? undefined : unacceptable(value))],
  ['x-quorum-initial-group-size', (value) => checkInteger(value, { isZeroRefused: true })],
  ['x-max-age', checkMaxAge],
  ['x-stream-max-segment-size-bytes', (value) => checkInteger(value)],
  ['x-initial-cluster-size', (value) => checkInteger(value, { isZeroRefused: true })],
  [
    'x-queue-leader-locator',
    oneOf(
      ['client-local', 'balanced', 'random', 'least-leaders', 'min-masters'],
      () => 'invalid_queue_locator_arg',
    ),
  ],
];

/** Milliseconds of an age like `7D`, or undefined when it is not one. */
export function ageMsOf(text: string): number | undefined {
  const unitMs = AGE_UNIT_MS.get(text.slice(-1));
  const digits = text.slice(0, -1);
  if (unitMs === undefined || !/^[0-9]+$/.test(digits) || Number(digits) === 0) return undefined;
  return Number(digits) * unitMs;
}

/** The fault of a value of a type that is never right. */
export function unacceptable(value: FieldValue): string {
  return `{unacceptable_type,${value.type}}`;
}

/** RabbitMQ prints a text made for an error once more, as an Erlang string. */
export function erlangString(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`;
}

/** Units of x-max-age; a year is 365 days and a month 30 (https://www.rabbitmq.com/docs/streams#retention). */
const AGE_UNIT_MS = new Map<string, number>([
  ['Y', 31_536_000_000],
  ['M', 2_592_000_000],
  ['D', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
]);

interface IntegerRange {
  readonly isZeroRefused?: boolean;
  readonly max?: number;
  readonly tooLarge?: string;
}

/** The texts carry the exact number: a `long` beyond 2^53 - 1 is a bigint. */
export function checkInteger(value: FieldValue, range: IntegerRange = {}): string | undefined {
  const number = integerOf(value);
  if (number === undefined || !('value' in value)) return `"expected integer, got ${value.type}"`;
  const digits = String(value.value);
  if (range.isZeroRefused === true && number === 0) return `{value_zero,${digits}}`;
  if (number < 0) return `{value_negative,${digits}}`;
  if (range.max !== undefined && number > range.max) {
    return `{${range.tooLarge ?? 'value_too_large'},${digits}}`;
  }
  return undefined;
}

/** @param versions storage formats of RabbitMQ: until 4.2 either of 1 and 2 may be asked for, then 2 only */
export function checkVersion(value: FieldValue, versions: readonly number[]): string | undefined {
  const fault = checkInteger(value);
  if (fault !== undefined || !('value' in value)) return fault;
  return versions.includes(Number(value.value))
    ? undefined
    : erlangString(`unsupported queue version '${value.value}'`);
}

function checkDeadLetterRoutingKey(value: FieldValue, args: FieldTable): string | undefined {
  if (value.type !== 'longstr') return unacceptable(value);
  return args.has('x-dead-letter-exchange') ? undefined : 'routing_key_but_no_dlx_defined';
}

function checkMaxAge(value: FieldValue): string | undefined {
  const text = textOf(value);
  if (text === undefined) return unacceptable(value);
  return ageMsOf(text) === undefined ? 'invalid_max_age' : undefined;
}

function oneOf(names: readonly string[], faultOfOther: (name: string) => string): ValueCheck {
  return (value) => {
    const name = textOf(value);
    if (name === undefined) return unacceptable(value);
    return names.includes(name) ? undefined : faultOfOther(name);
  };
}
