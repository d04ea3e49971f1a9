/**
 * The properties of a publish that concern the broker: they are checked, and the content header is written anew
 * where RabbitMQ changes it on the way in. Messages without headers, reply-to, expiration and user-id never come
 * here; most that do leave with the content header they came with.
 */
import { preconditionFailed } from '../amqp/errors.js';
import { TABLE_HAS_BCC, TABLE_HAS_CC, TABLE_HAS_UPPER_LONG, TABLE_IS_SORTED } from '../amqp/field-scan.js';
import { type FieldEntry, FieldTable } from '../amqp/field-table.js';
import { textAt } from '../amqp/field-text.js';
import { CONTENT_HEADER_FIXED_BYTES, IMAGE_HAS_PRIORITY, IMAGE_PERSISTENT } from '../amqp/message-image.js';
import { decodeProperties, encodeProperties, PropertyFlag, type PropertyScan } from '../amqp/properties.js';
import { checkKeysHeader, encodeKeys, keysOfHeader } from '../broker/carbon-copies.js';
import { type ByteBlock, blockOver } from '../lib/bytes.js';
import { TTL_MS_MAX } from '../lib/limits.js';
import type { Channel } from './channel.js';
import type { PublishTarget } from './publish-target.js';
import { REPLY_TO_NAME } from './reply-to-names.js';

/** Property flags that make a publish worth a look. */
export const NEEDS_LOOK =
  PropertyFlag.Headers | PropertyFlag.ReplyTo | PropertyFlag.Expiration | PropertyFlag.UserId;

/** Bytes of `amq.rabbitmq.reply-to`. */
const REPLY_TO_LENGTH = REPLY_TO_NAME.length;

/**
 * Checks what `scan` found, in RabbitMQ's order, and tells `target` of headers and further routing keys.
 * @returns the content header to store: `header` itself, or a new block that holds nothing else
 * @throws AmqpError 406
 */
export function editContentHeader(
  channel: Channel,
  target: PublishTarget,
  scan: PropertyScan,
  header: ByteBlock,
  start: number,
  end: number,
): ByteBlock {
  const { bytes } = header;
  const { flags, headerBits } = scan;
  let replyTo: string | undefined;
  if ((flags & PropertyFlag.ReplyTo) !== 0 && scan.replyToEnd - scan.replyToStart === REPLY_TO_LENGTH) {
    if (textAt(bytes, scan.replyToStart, scan.replyToEnd) === REPLY_TO_NAME) replyTo = replyAddress(channel);
  }
  if ((flags & PropertyFlag.Expiration) !== 0) {
    const ttlMs = parseExpiration(textAt(bytes, scan.expirationStart, scan.expirationEnd));
    channel.notes.deadlineMs = channel.notes.publishedMs + ttlMs;
  }
  if ((flags & PropertyFlag.Headers) !== 0) {
    target.setHeaders(bytes, scan.headersStart, scan.headersEnd);
    if ((headerBits & (TABLE_HAS_CC | TABLE_HAS_BCC)) !== 0) addCarbonCopies(channel, target);
  }
  if ((flags & PropertyFlag.UserId) !== 0) {
    // Of two faults RabbitMQ sees this one first.
    target.authorizeTopics();
    checkUserId(channel, textAt(bytes, scan.userIdStart, scan.userIdEnd));
  }
  const isRewritten =
    replyTo !== undefined ||
    ((flags & PropertyFlag.Headers) !== 0 &&
      ((headerBits & TABLE_IS_SORTED) === 0 || (headerBits & (TABLE_HAS_UPPER_LONG | TABLE_HAS_BCC)) !== 0));
  return isRewritten ? rewrite(bytes, start, end, replyTo) : header;
}

/** What the record notes of the properties. */
export function imageFlags({ flags, deliveryMode }: PropertyScan): number {
  return (
    (deliveryMode === 2 ? IMAGE_PERSISTENT : 0) |
    ((flags & PropertyFlag.Priority) !== 0 ? IMAGE_HAS_PRIORITY : 0)
  );
}

function replyAddress(channel: Channel): string {
  const address = channel.replyTo?.queue.name;
  if (address === undefined) throw preconditionFailed('fast reply consumer does not exist');
  return address;
}

function addCarbonCopies(channel: Channel, target: PublishTarget): void {
  const headers = target.headers();
  checkKeysHeader(headers, 'CC');
  checkKeysHeader(headers, 'BCC');
  const blindKeys = keysOfHeader(headers, 'BCC');
  target.addRoutingKeys([...keysOfHeader(headers, 'CC'), ...blindKeys]);
  // The header goes; a dead letter is routed by the keys all the same.
  channel.blindKeys = encodeKeys(blindKeys);
}

/**
 * The expiration property in milliseconds: decimal digits with an optional sign.
 * @throws AmqpError 406 in RabbitMQ's words
 */
export function parseExpiration(text: string): number {
  const match = /^[+-]?\d+/.exec(text);
  const invalid = (why: string): Error => preconditionFailed(`invalid expiration '${text}': ${why}`);
  if (match === null) throw invalid('no_integer');
  const rest = text.slice(match[0].length);
  if (rest !== '') throw invalid(`{leftover_string,"${rest}"}`);
  const value = Number(match[0]);
  if (value < 0) throw invalid(`{value_negative,${BigInt(match[0].replace('+', ''))}}`);
  if (value > TTL_MS_MAX) throw invalid(`{value_too_large,${BigInt(match[0].replace('+', ''))}}`);
  return value;
}

/** rabbitmq.com/docs/validated-user-id */
function checkUserId(channel: Channel, userId: string): void {
  const { user } = channel.context;
  if (userId === user.name || user.tags.includes('impersonator')) return;
  throw preconditionFailed(`user_id property set to '${userId}' but authenticated user was '${user.name}'`);
}

/**
 * RabbitMQ from 3.13 on encodes properties anew: headers sorted by key with duplicates gone, `L` as `l`; the BCC
 * header is never stored, or its receivers would show.
 */
function rewrite(bytes: Buffer, start: number, end: number, replyTo: string | undefined): ByteBlock {
  const properties = decodeProperties(bytes, start + CONTENT_HEADER_FIXED_BYTES, end);
  const encoded = encodeProperties({
    ...properties,
    headers: properties.headers === undefined ? undefined : canonicalHeaders(properties.headers),
    replyTo: replyTo ?? properties.replyTo,
  });
  const fixed = bytes.subarray(start, start + CONTENT_HEADER_FIXED_BYTES);
  return blockOver(Buffer.concat([fixed, encoded]));
}

/** Sorted by key; of entries with one key the first counts, as it does in look-ups. */
function canonicalHeaders(headers: FieldTable): FieldTable {
  const byKey = new Map<string, FieldEntry>();
  for (const entry of headers.entries) if (!byKey.has(entry[0])) byKey.set(entry[0], entry);
  byKey.delete('BCC');
  return FieldTable.of(
    [...byKey.values()].sort((a, b) => Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]))),
  );
}
