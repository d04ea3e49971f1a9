/** Messages in a message log, each with its label as its body, so that a test can say which one it means. */
import { expect } from 'vitest';
import { type ImageNotes, readImage } from '../../src/amqp/message-image.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import { MessageLog } from '../../src/store/message-log.js';
import { contentHeader } from './frames.js';

/** Small, so that a handful of messages fills several. */
export const SEGMENT_BYTES = 512;

/** Of a message that never expires, with nothing to be said of it. */
export const NO_NOTES: Readonly<ImageNotes> = {
  publishedMs: 1_700_000_000_000,
  deadlineMs: Number.POSITIVE_INFINITY,
  flags: 0,
  priority: 0,
};

/** Writes a message without properties and returns its position; the caller takes the references. */
export function writeLabelled(log: MessageLog, label: string, notes: Partial<ImageNotes> = {}): number {
  const body = Buffer.from(label);
  return writeMessage(log, {
    exchange: 'x',
    routingKey: 'rk',
    contentHeader: contentHeader(body.length),
    body,
    ...NO_NOTES,
    ...notes,
  });
}

export function labelAt(log: MessageLog, position: number): string {
  return readImage(log.segmentOf(position).block, log.payloadOffset(position)).body.toString();
}

export const smallLog = (): MessageLog => new MessageLog({ segmentBytes: SEGMENT_BYTES });

/** Every reference was given back, and none twice: only the open segment is left, and nothing lives in it. */
export function expectNothingHeld(log: MessageLog): void {
  expect(log.segmentCount).toBe(1);
  expect(log.segmentOf(log.append(0)).live).toBe(0);
}
