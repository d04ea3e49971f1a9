/**
 * Writes messages as they leave on a channel: a deliver method with its content, or the content alone. Small ones are
 * copied from the log into the slab of the transport; large bodies are referred to where they lie.
 */
import { withCounts } from '../amqp/delivery-count.js';
import {
  bodyOffset,
  contentHeaderOffset,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_METHOD,
  FRAME_OVERHEAD_BYTES,
  FRAME_PREFIX_BYTES,
  IMAGE_BODY_SIZE,
  IMAGE_CONTENT_HEADER_LENGTH,
  IMAGE_HEADER_BYTES,
  IMAGE_NAMES_LENGTH,
} from '../amqp/message-image.js';
import { allocateBlock, type ByteBlock, copyBytes } from '../lib/bytes.js';
import { BODY_REFERENCE_BYTES_MIN } from '../lib/limits.js';
import { acquiredCountOf, deliveryCountOf } from '../queues/return-counts.js';
import type { MessageLog } from '../store/message-log.js';
import type { Transport } from './transport.js';

export class DeliveryWriter {
  private readonly channelNumber: number;
  private readonly transport: Transport;
  private readonly log: MessageLog;

  constructor(channelNumber: number, transport: Transport, log: MessageLog) {
    this.channelNumber = channelNumber;
    this.transport = transport;
    this.log = log;
  }

  /** The hot end of the way out: deliver method, content header and body in one stretch of the slab. */
  writeDelivery(prefix: ByteBlock, tag: number, redelivered: boolean, position: number): void {
    const segment = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const bodySize = segment.view.getUint32(image + IMAGE_BODY_SIZE, true);
    const headerLength = segment.view.getUint32(image + IMAGE_CONTENT_HEADER_LENGTH, true);
    const namesLength = segment.view.getUint16(image + IMAGE_NAMES_LENGTH, true);
    const isWhole = bodySize < BODY_REFERENCE_BYTES_MIN && bodySize <= this.transport.bodyFrameBytesMax;
    const bodyFrame = bodySize === 0 || !isWhole ? 0 : bodySize + FRAME_OVERHEAD_BYTES;
    const tailLength = namesLength + 1 + headerLength + FRAME_OVERHEAD_BYTES + bodyFrame;
    const prefixLength = prefix.bytes.length;

    let at = this.transport.reserve(prefixLength + 9 + tailLength);
    const { block } = this.transport;
    const { bytes, view } = block;
    copyBytes(prefix, 0, block, at, prefixLength);
    view.setUint32(at + 3, prefixLength - FRAME_PREFIX_BYTES + 9 + namesLength);
    at += prefixLength;
    view.setUint32(at, Math.floor(tag / 4_294_967_296));
    view.setUint32(at + 4, tag);
    bytes[at + 8] = redelivered ? 1 : 0;
    at += 9;
    copyBytes(segment.block, image + IMAGE_HEADER_BYTES, block, at, tailLength);
    at += namesLength + 1;
    view.setUint16(at + 1, this.channelNumber);
    if (bodyFrame !== 0) view.setUint16(at + headerLength + FRAME_OVERHEAD_BYTES + 1, this.channelNumber);
    else if (bodySize !== 0)
      this.writeBody(position, image + bodyOffset(namesLength, headerLength), bodySize);
  }

  /** As `writeDelivery`, of a message that was handed out before, and says how often (queues/return-counts.ts). */
  writeCountedDelivery(prefix: ByteBlock, tag: number, position: number, counts: number): void {
    const segment = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const namesLength = segment.view.getUint16(image + IMAGE_NAMES_LENGTH, true);
    const prefixLength = prefix.bytes.length;
    let at = this.transport.reserve(prefixLength + 9 + namesLength + 1);
    const { block } = this.transport;
    copyBytes(prefix, 0, block, at, prefixLength);
    block.view.setUint32(at + 3, prefixLength - FRAME_PREFIX_BYTES + 9 + namesLength);
    at += prefixLength;
    block.view.setUint32(at, Math.floor(tag / 4_294_967_296));
    block.view.setUint32(at + 4, tag);
    block.bytes[at + 8] = 1;
    copyBytes(segment.block, image + IMAGE_HEADER_BYTES, block, at + 9, namesLength + 1);
    this.writeContent(position, counts);
  }

  /**
   * Writes the content (header and body frames) of a record after a method that names it: get-ok and return.
   * The reference of the caller is enough for the time of the call.
   * @param counts what its queue tells of earlier deliveries (queues/return-counts.ts)
   */
  writeContent(position: number, counts = 0): void {
    const segment = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const bodySize = segment.view.getUint32(image + IMAGE_BODY_SIZE, true);
    const headerLength = segment.view.getUint32(image + IMAGE_CONTENT_HEADER_LENGTH, true);
    const namesLength = segment.view.getUint16(image + IMAGE_NAMES_LENGTH, true);
    const headerAt = image + contentHeaderOffset(namesLength);
    if (counts > 0) {
      const header = segment.bytes.subarray(headerAt, headerAt + headerLength);
      this.writeHeader(withCounts(header, deliveryCountOf(counts), acquiredCountOf(counts)));
    } else {
      const length = headerLength + FRAME_OVERHEAD_BYTES;
      const at = this.transport.reserve(length);
      copyBytes(segment.block, headerAt - FRAME_PREFIX_BYTES, this.transport.block, at, length);
      this.transport.block.view.setUint16(at + 1, this.channelNumber);
    }
    if (bodySize > 0) this.writeBody(position, image + bodyOffset(namesLength, headerLength), bodySize);
  }

  private writeHeader(payload: Buffer): void {
    const at = this.transport.reserve(payload.length + FRAME_OVERHEAD_BYTES);
    const { bytes, view } = this.transport.block;
    bytes[at] = FRAME_HEADER;
    view.setUint16(at + 1, this.channelNumber);
    view.setUint32(at + 3, payload.length);
    bytes.set(payload, at + FRAME_PREFIX_BYTES);
    bytes[at + FRAME_PREFIX_BYTES + payload.length] = FRAME_END;
  }

  /** Body frames of at most the peer's frame-max; large pieces are referred to where they lie. */
  private writeBody(position: number, bodyStart: number, bodySize: number): void {
    const { transport } = this;
    const segment = this.log.segmentOf(position);
    const pieceMax = transport.bodyFrameBytesMax;
    for (let sent = 0; sent < bodySize; ) {
      const piece = Math.min(pieceMax, bodySize - sent);
      const isReferred = piece >= BODY_REFERENCE_BYTES_MIN;
      const at = transport.reserve(FRAME_PREFIX_BYTES + (isReferred ? 0 : piece + 1));
      const { bytes, view } = transport.block;
      bytes[at] = FRAME_BODY;
      view.setUint16(at + 1, this.channelNumber);
      view.setUint32(at + 3, piece);
      if (isReferred) {
        this.log.retain(position, 1);
        transport.refer(segment.bytes.subarray(bodyStart + sent, bodyStart + sent + piece), position);
        // Reserved first: it may replace the slab.
        const end = transport.reserve(1);
        transport.block.bytes[end] = FRAME_END;
      } else {
        copyBytes(segment.block, bodyStart + sent, transport.block, at + FRAME_PREFIX_BYTES, piece);
        bytes[at + FRAME_PREFIX_BYTES + piece] = FRAME_END;
      }
      sent += piece;
    }
  }
}

/** basic.deliver up to the consumer tag; the length is filled in for each delivery. */
export function deliverPrefix(channel: number, tag: string): ByteBlock {
  const tagBytes = Buffer.from(tag);
  const block = allocateBlock(FRAME_PREFIX_BYTES + 4 + 1 + tagBytes.length);
  block.bytes[0] = FRAME_METHOD;
  block.view.setUint16(1, channel);
  block.view.setUint32(3, 0);
  block.view.setUint32(FRAME_PREFIX_BYTES, 0x003c003c);
  block.bytes[FRAME_PREFIX_BYTES + 4] = tagBytes.length;
  block.bytes.set(tagBytes, FRAME_PREFIX_BYTES + 5);
  return block;
}
