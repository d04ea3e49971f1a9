/** Messages the broker itself puts into the log: dead letters, and everything else that is not a plain publish. */
import { shortstrSize, writeShortstr } from '../amqp/field-text.js';
import {
  bodyOffset,
  contentHeaderOffset,
  IMAGE_HEADER_BYTES,
  type ImageNotes,
  imageLength,
  writeImageFrame,
} from '../amqp/message-image.js';
import type { MessageLog } from '../store/message-log.js';

export interface NewMessage extends Readonly<ImageNotes> {
  readonly exchange: string;
  readonly routingKey: string;
  /** The content header's payload: class id, weight, body size, property flags and properties. */
  readonly contentHeader: Buffer;
  readonly body: Buffer;
}

/** Writes a message and returns its position; the caller takes the references. */
export function writeMessage(log: MessageLog, message: NewMessage): number {
  const { contentHeader, body } = message;
  const names = encodeNames(message.exchange, message.routingKey);
  const position = log.append(imageLength(names.length, contentHeader.length, body.length));
  const { block } = log.segmentOf(position);
  const image = log.payloadOffset(position);
  writeImageFrame(block, image, names.length, contentHeader.length, body.length, message);
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
