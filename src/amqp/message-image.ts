/**
 * The image of a message: the payload of its record in the message log. It is laid out so that a delivery is one
 * copy: what follows the fixed header is exactly what follows `redelivered` in a basic.deliver, a basic.get-ok
 * (before its message count) or, with the reply code before it, a basic.return.
 *
 *   0        u32  body size in bytes (B)
 *   4        u32  content header payload length in bytes (H)
 *   8        f64  when it was published, milliseconds since 1970
 *   16       f64  when it expires by its own expiration property, the same; Infinity without one
 *   24       u16  length of the names in bytes (N)
 *   26       u8   flags, IMAGE_*
 *   27       u8   priority; 0 without IMAGE_HAS_PRIORITY
 *   28       exchange, routing key: two short strings, N bytes together
 *   28+N     frame end 0xCE (the deliver frame ends here)
 *   29+N     content header frame: 02, channel u16, length u32 = H, payload (H), 0xCE
 *   37+N+H   body frame: 03, channel u16, length u32 = B, body (B), 0xCE      (absent when B is 0)
 *            with IMAGE_BLIND_KEYS: u32 length of what follows, short strings: the keys of the BCC header
 *
 * The fixed header is little-endian, the frames are big-endian as on the wire. The channel numbers are whatever
 * the publisher sent: a delivery overwrites them. A body that does not fit the receiver's frame-max is sent in
 * pieces; the image always holds it as one.
 */
import type { ByteBlock } from '../lib/bytes.js';
import { textAt } from './field-text.js';

export const IMAGE_HEADER_BYTES = 28;
export const IMAGE_BODY_SIZE = 0;
export const IMAGE_CONTENT_HEADER_LENGTH = 4;
export const IMAGE_PUBLISHED_MS = 8;
export const IMAGE_DEADLINE_MS = 16;
export const IMAGE_NAMES_LENGTH = 24;
export const IMAGE_FLAGS = 26;
export const IMAGE_PRIORITY = 27;

/** delivery-mode is 2. */
export const IMAGE_PERSISTENT = 1;
/** The headers' death history was written by the broker; one that a publisher made up does not count. */
export const IMAGE_DEATH_HISTORY = 2;
/** The routing key is a queue's x-dead-letter-routing-key: the keys in the CC header no longer count. */
export const IMAGE_KEY_REPLACED = 8;
/** It was sent to the keys of a BCC header too, which no receiver may see: they stand behind its frames. */
export const IMAGE_BLIND_KEYS = 16;
/** The message has a priority, which may be 0. */
export const IMAGE_HAS_PRIORITY = 4;

export const FRAME_END = 0xce;
export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;
/** Type, channel and length before a frame's payload. */
export const FRAME_PREFIX_BYTES = 7;
/** What a frame adds to its payload: the prefix and the frame end. */
export const FRAME_OVERHEAD_BYTES = 8;

/** Class id, weight and body size, before the property flags, in a content header's payload. */
export const CONTENT_HEADER_FIXED_BYTES = 12;

const BLIND_PREFIX_BYTES = 4;

/** Bytes of an image without the keys of a BCC header. */
export function imageLength(namesLength: number, contentHeaderLength: number, bodySize: number): number {
  const bodyFrame = bodySize === 0 ? 0 : bodySize + FRAME_OVERHEAD_BYTES;
  return IMAGE_HEADER_BYTES + namesLength + 1 + contentHeaderLength + FRAME_OVERHEAD_BYTES + bodyFrame;
}

/** Bytes that the keys of a BCC header take behind the frames; without one there are none. */
export function blindLength(blindKeys: Buffer | undefined): number {
  return blindKeys === undefined ? 0 : BLIND_PREFIX_BYTES + blindKeys.length;
}

/** Writes the keys of a BCC header, short strings one behind the other, behind the frames that end at `end`. */
export function writeBlindKeys(block: ByteBlock, offset: number, end: number, blindKeys: Buffer): void {
  block.bytes[offset + IMAGE_FLAGS]! |= IMAGE_BLIND_KEYS;
  block.view.setUint32(end, blindKeys.length, true);
  block.bytes.set(blindKeys, end + BLIND_PREFIX_BYTES);
}

/** Where the content header's payload begins, from the start of the image. */
export function contentHeaderOffset(namesLength: number): number {
  return IMAGE_HEADER_BYTES + namesLength + 1 + FRAME_PREFIX_BYTES;
}

/** Where the body begins, from the start of the image. */
export function bodyOffset(namesLength: number, contentHeaderLength: number): number {
  return contentHeaderOffset(namesLength) + contentHeaderLength + 1 + FRAME_PREFIX_BYTES;
}

/** What the broker itself notes about a message. */
export interface ImageNotes {
  publishedMs: number;
  /** Infinity without an expiration property. */
  deadlineMs: number;
  /** IMAGE_* bits. */
  flags: number;
  priority: number;
}

/** Writes everything of an image but the names, the content header's payload, the body, and the keys of a BCC header. */
export function writeImageFrame(
  block: ByteBlock,
  offset: number,
  namesLength: number,
  contentHeaderLength: number,
  bodySize: number,
  notes: Readonly<ImageNotes>,
): void {
  const { bytes, view } = block;
  view.setUint32(offset + IMAGE_BODY_SIZE, bodySize, true);
  view.setUint32(offset + IMAGE_CONTENT_HEADER_LENGTH, contentHeaderLength, true);
  view.setFloat64(offset + IMAGE_PUBLISHED_MS, notes.publishedMs, true);
  view.setFloat64(offset + IMAGE_DEADLINE_MS, notes.deadlineMs, true);
  view.setUint16(offset + IMAGE_NAMES_LENGTH, namesLength, true);
  bytes[offset + IMAGE_FLAGS] = notes.flags;
  bytes[offset + IMAGE_PRIORITY] = notes.priority;
  let p = offset + IMAGE_HEADER_BYTES + namesLength;
  bytes[p++] = FRAME_END;
  bytes[p] = FRAME_HEADER;
  view.setUint32(p + 3, contentHeaderLength);
  p += FRAME_PREFIX_BYTES + contentHeaderLength;
  bytes[p++] = FRAME_END;
  if (bodySize === 0) return;
  bytes[p] = FRAME_BODY;
  view.setUint32(p + 3, bodySize);
  bytes[p + FRAME_PREFIX_BYTES + bodySize] = FRAME_END;
}

/** A message read back from its image, for the places that need its parts (dead letters, tests, tracing). */
export interface MessageParts extends Readonly<ImageNotes> {
  readonly exchange: string;
  readonly routingKey: string;
  /** The content header's payload: class id, weight, body size, flags, properties. A view, not a copy. */
  readonly contentHeader: Buffer;
  /** A view, not a copy. */
  readonly body: Buffer;
  /** The keys of a BCC header, as short strings one behind the other. A view, not a copy. */
  readonly blindKeys: Buffer | undefined;
}

export function readImage(block: ByteBlock, offset: number): MessageParts {
  const { bytes, view } = block;
  const namesLength = view.getUint16(offset + IMAGE_NAMES_LENGTH, true);
  const headerLength = view.getUint32(offset + IMAGE_CONTENT_HEADER_LENGTH, true);
  const bodySize = view.getUint32(offset + IMAGE_BODY_SIZE, true);
  const exchangeStart = offset + IMAGE_HEADER_BYTES + 1;
  const exchangeLength = bytes[exchangeStart - 1]!;
  const keyStart = exchangeStart + exchangeLength + 1;
  const headerStart = offset + contentHeaderOffset(namesLength);
  const bodyStart = offset + bodyOffset(namesLength, headerLength);
  const flags = bytes[offset + IMAGE_FLAGS]!;
  const end = offset + imageLength(namesLength, headerLength, bodySize);
  const blindStart = end + BLIND_PREFIX_BYTES;
  return {
    exchange: textAt(bytes, exchangeStart, exchangeStart + exchangeLength),
    routingKey: textAt(bytes, keyStart, keyStart + bytes[keyStart - 1]!),
    contentHeader: bytes.subarray(headerStart, headerStart + headerLength),
    body: bodySize === 0 ? bytes.subarray(0, 0) : bytes.subarray(bodyStart, bodyStart + bodySize),
    publishedMs: view.getFloat64(offset + IMAGE_PUBLISHED_MS, true),
    deadlineMs: view.getFloat64(offset + IMAGE_DEADLINE_MS, true),
    flags,
    priority: bytes[offset + IMAGE_PRIORITY]!,
    blindKeys:
      (flags & IMAGE_BLIND_KEYS) === 0
        ? undefined
        : bytes.subarray(blindStart, blindStart + view.getUint32(end, true)),
  };
}
