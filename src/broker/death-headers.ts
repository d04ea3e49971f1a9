/**
 * The headers that tell of a message's deaths (https://www.rabbitmq.com/docs/dlx#effects). `x-death` is an array
 * of tables, the newest death first, with one table per pair of queue and reason:
 *
 *     original-expiration S   only when the message had one: it is removed from the message
 *     count               l   deaths for this pair
 *     reason              S   rejected, expired, maxlen, delivery_limit
 *     queue               S
 *     time                T   of the first death for this pair
 *     exchange            S   published to before that death
 *     routing-keys        A   of that publish: its key and CC, never BCC
 *
 * Beside it stand x-first-death-{queue,reason,exchange}, written once, and x-last-death-{queue,reason,exchange}.
 *
 * RabbitMQ 4.x keeps this history apart from the message and ignores what a publisher writes into these headers.
 * Here the headers are the history, and a flag of the message says whether the broker wrote them; 3.13 takes also those
 * of a publisher for the history.
 */
import { type FieldEntry, FieldTable } from '../amqp/field-table.js';
import { shortstrSize, writeShortstr } from '../amqp/field-text.js';
import {
  array,
  type FieldValue,
  integerOf,
  long,
  longstr,
  table,
  textOf,
  timestamp,
} from '../amqp/field-value.js';
import type { DeadLetterReason } from '../queues/queue.js';

export interface Death {
  /** Where the message died. */
  readonly queue: string;
  readonly reason: DeadLetterReason;
  /** Published to before this death. */
  readonly exchange: string;
  /** The routing key and those of CC, without those of BCC. */
  readonly routingKeys: readonly string[];
  /** Since 1970. */
  readonly timeSeconds: number;
  /** The message's expiration property, which dead-lettering removes: milliseconds in decimal digits. */
  readonly originalExpiration: string | undefined;
}

/**
 * The headers of a message after one more death: sorted by key, each key once, as 4.x delivers headers. Nothing
 * of `headers` is changed.
 * @param hasHistory whether the death headers there are the message's history; if not, they are overwritten
 */
export function withDeath(headers: FieldTable | undefined, death: Death, hasHistory: boolean): FieldTable {
  const history = hasHistory ? deathsIn(headers) : NO_DEATHS;
  const written: FieldEntry[] = [
    ['x-death', array(merged(history, death))],
    ['x-last-death-exchange', longstr(death.exchange)],
    ['x-last-death-queue', longstr(death.queue)],
    ['x-last-death-reason', longstr(death.reason)],
  ];
  if (history.length === 0) {
    written.push(
      ['x-first-death-exchange', longstr(death.exchange)],
      ['x-first-death-queue', longstr(death.queue)],
      ['x-first-death-reason', longstr(death.reason)],
    );
  }
  // What the broker writes comes first, so that it is what remains of a key that occurs twice.
  return sortedOnce(headers === undefined ? written : [...written, ...headers.entries]);
}

/**
 * Whether a dead message must not go to a queue, because it has died there before and no consumer has rejected it
 * since: it would go round for ever (https://www.rabbitmq.com/docs/dlx#routing).
 * @param headers after `withDeath`: the death being handled counts
 * @param reason of that death; a rejected message may go anywhere
 */
export function wouldCycle(
  headers: FieldTable | undefined,
  targetQueue: string,
  reason: DeadLetterReason,
): boolean {
  if (reason === 'rejected') return false;
  for (const entry of deathsIn(headers)) {
    if (reasonOf(entry) === 'rejected') return false;
    if (queueOf(entry) === targetQueue) return true;
  }
  return false;
}

type DeathEntry = FieldValue & { readonly type: 'table' };

const NO_DEATHS: readonly DeathEntry[] = [];

function deathsIn(headers: FieldTable | undefined): readonly DeathEntry[] {
  const value = headers?.get('x-death');
  return value?.type === 'array' ? value.value.filter((entry) => entry.type === 'table') : NO_DEATHS;
}

function queueOf(entry: DeathEntry): string | undefined {
  return textOf(entry.value.get('queue'));
}

function reasonOf(entry: DeathEntry): string | undefined {
  return textOf(entry.value.get('reason'));
}

/** Ordered by recency: the pair that died now is moved to, or put at, the front. */
function merged(history: readonly DeathEntry[], death: Death): readonly FieldValue[] {
  const known = history.find((entry) => queueOf(entry) === death.queue && reasonOf(entry) === death.reason);
  if (known === undefined) return [newEntry(death), ...history];
  return [countedAgain(known), ...history.filter((entry) => entry !== known)];
}

function newEntry(death: Death): FieldValue {
  const expiration: readonly FieldEntry[] =
    death.originalExpiration === undefined
      ? []
      : [['original-expiration', longstr(plainDigits(death.originalExpiration))]];
  return table([
    ...expiration,
    ['count', long(1)],
    ['reason', longstr(death.reason)],
    ['queue', longstr(death.queue)],
    ['time', timestamp(death.timeSeconds)],
    ['exchange', longstr(death.exchange)],
    ['routing-keys', array(death.routingKeys.map((key) => longstr(key)))],
  ]);
}

/** All but the count stays as it was at the first death of the pair. */
function countedAgain(entry: DeathEntry): FieldValue {
  return table(
    entry.value.entries.map(([key, value]) =>
      key === 'count' ? [key, long((integerOf(value) ?? 0) + 1)] : [key, value],
    ),
  );
}

/** RabbitMQ writes back the number it read: `007` and `+7` are `7`. */
function plainDigits(expiration: string): string {
  return /^\+?[0-9]+$/.test(expiration) ? BigInt(expiration).toString() : expiration;
}

function sortedOnce(entries: FieldEntry[]): FieldTable {
  // Array.prototype.sort is stable: the first of equal keys stays the first.
  entries.sort(([a], [b]) => compareKeys(a, b));
  return FieldTable.of(entries.filter((entry, i) => i === 0 || entry[0] !== entries[i - 1]![0]));
}

/** The order of the keys' bytes. UTF-16 has the same order, except where surrogates come in. */
function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(bytesOf(a), bytesOf(b));
  return a < b ? -1 : 1;
}

const SURROGATE = /[\ud800-\udfff]/;

function bytesOf(key: string): Buffer {
  const bytes = Buffer.alloc(shortstrSize(key));
  writeShortstr(bytes, 0, key);
  return bytes.subarray(1);
}
