/** Messages the broker itself puts into the log: dead letters, and everything else that is not a plain publish. */
import { shortstrSize, writeShortstr } from '../amqp/field-text.js';
import {
  blindLength,
  bodyOffset,
  contentHeaderOffset,
  IMAGE_DEADLINE_MS,
  IMAGE_FLAGS,
  IMAGE_HEADER_BYTES,
  IMAGE_PERSISTENT,
  IMAGE_PUBLISHED_MS,
  type ImageNotes,
  imageLength,
  writeBlindKeys,
  writeImageFrame,
} from '../amqp/message-image.js';
import { copyBytes } from '../lib/bytes.js';
import type { Queue } from '../queues/queue.js';
import type { MessageLog } from '../store/message-log.js';

export interface NewMessage extends Readonly<ImageNotes> {
  readonly exchange: string;
  readonly routingKey: string;
  /** The content header's payload: class id, weight, body size, property flags and properties. */
  readonly contentHeader: Buffer;
  readonly body: Buffer;
  /** The keys of a BCC header; see amqp/message-image.ts. */
  readonly blindKeys?: Buffer | undefined;
}

/** How many queues of a route keep a message over a restart; 0 for a broker in memory. */
export function durableTargets(log: MessageLog, route: readonly Queue[], isPersistent: boolean): number {
  if (log.journal === undefined) return 0;
  let count = 0;
  for (let i = 0; i < route.length; i++) if (keeps(route[i]!, isPersistent)) count++;
  return count;
}

/** Writes the ids of the queues that keep a message over a restart into its durable record. */
export function writeTargets(
  log: MessageLog,
  position: number,
  route: readonly Queue[],
  isPersistent: boolean,
): void {
  let index = 0;
  for (let i = 0; i < route.length; i++) {
    const queue = route[i]!;
    if (keeps(queue, isPersistent)) {
      log.writeTarget(position, index++, queue.id);
    } else {
      const journal = log.segmentOf(position).journal!;
      journal.hasTransientReferences = true;
      // A durable queue forgets positions that the log can find again. This one it cannot.
      if (queue.durable) journal.hasUnnamedReferences = true;
    }
  }
}

function keeps(queue: Queue, isPersistent: boolean): boolean {
  return isPersistent ? queue.durable : queue.persistsAll;
}

/** Makes a record one that is published at `nowMs`, its deadline moved along. @returns by how many milliseconds */
export function moveInTime(log: MessageLog, position: number, nowMs: number): number {
  const { view } = log.segmentOf(position);
  const image = log.payloadOffset(position);
  const lateMs = nowMs - view.getFloat64(image + IMAGE_PUBLISHED_MS, true);
  view.setFloat64(image + IMAGE_PUBLISHED_MS, nowMs, true);
  view.setFloat64(image + IMAGE_DEADLINE_MS, view.getFloat64(image + IMAGE_DEADLINE_MS, true) + lateMs, true);
  return lateMs;
}

/**
 * The durable copy of a record that was held in memory until now, or the record itself if its message, or its route,
 * does not survive a restart anyway.
 */
export function makeDurable(log: MessageLog, position: number, route: readonly Queue[]): number {
  return durableTargets(log, route, isPersistent(log, position)) > 0
    ? copyRecord(log, position, route)
    : position;
}

/** Writes a record again, so that the queues of its route that keep it over a restart find it again. */
export function copyRecord(log: MessageLog, position: number, route: readonly Queue[]): number {
  const { block } = log.segmentOf(position);
  const image = log.payloadOffset(position);
  const length = log.payloadLength(position);
  const durableCount = durableTargets(log, route, isPersistent(log, position));
  const copy = durableCount > 0 ? log.appendDurable(length, durableCount) : log.append(length);
  copyBytes(block, image, log.segmentOf(copy).block, log.payloadOffset(copy), length);
  if (durableCount > 0) writeTargets(log, copy, route, isPersistent(log, position));
  return copy;
}

/** Whether the delivery mode of a record's message is 2. */
export function isPersistent(log: MessageLog, position: number): boolean {
  return (log.segmentOf(position).bytes[log.payloadOffset(position) + IMAGE_FLAGS]! & IMAGE_PERSISTENT) !== 0;
}

/**
 * Writes a message and returns its position; the caller takes the references.
 * @param route the queues it goes to: it is written so that those that keep it over a restart find it again
 */
export function writeMessage(log: MessageLog, message: NewMessage, route: readonly Queue[] = []): number {
  const { contentHeader, body } = message;
  const names = encodeNames(message.exchange, message.routingKey);
  const { blindKeys } = message;
  const framesLength = imageLength(names.length, contentHeader.length, body.length);
  const length = framesLength + blindLength(blindKeys);
  const isKeptByAll = (message.flags & IMAGE_PERSISTENT) !== 0;
  const durableCount = durableTargets(log, route, isKeptByAll);
  const position = durableCount > 0 ? log.appendDurable(length, durableCount) : log.append(length);
  if (durableCount > 0) writeTargets(log, position, route, isKeptByAll);
  const { block } = log.segmentOf(position);
  const image = log.payloadOffset(position);
  writeImageFrame(block, image, names.length, contentHeader.length, body.length, message);
  if (blindKeys !== undefined) writeBlindKeys(block, image, image + framesLength, blindKeys);
  block.bytes.set(names, image + IMAGE_HEADER_BYTES);
  block.bytes.set(contentHeader, image + contentHeaderOffset(names.length));
  if (body.length > 0) block.bytes.set(body, image + bodyOffset(names.length, contentHeader.length));
  return position;
}

/** Exchange and routing key as two short strings, one behind the other. */
export function encodeNames(exchange: string, routingKey: string): Buffer {
  const names = Buffer.allocUnsafe(shortstrSize(exchange) + shortstrSize(routingKey));
  writeShortstr(names, writeShortstr(names, 0, exchange), routingKey);
  return names;
}
