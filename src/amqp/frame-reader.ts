/**
 * Bytes to frames. The reader takes whatever a socket delivers, cuts it into frames and hands each to the sink
 * of its channel, as (buffer, start, end) numbers into the buffer that came in: nothing is copied or sliced.
 * Only a method or header frame that is split between two reads is gathered, in a buffer of its own; a body
 * frame is handed on piece by piece as it arrives, so a large body is copied once, by its receiver.
 *
 *   frame     0  u8   type: 1 method, 2 content header, 3 body, 8 heartbeat
 *             1  u16  channel
 *             3  u32  payload length n
 *             7  payload, n bytes
 *             7+n u8  0xCE                                          (AMQP 0-9-1 section 2.3.5)
 *
 * The buffers handed to a sink are never reused by the reader, so a sink may hold on to one.
 */
import { type ByteBlock, blockOver } from '../lib/bytes.js';
import { AmqpError, frameError, ReplyCode } from './errors.js';
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD_BYTES,
  FRAME_PREFIX_BYTES,
} from './message-image.js';

/** Receives the frames of one channel. Payloads are `block.bytes[start..end)`. */
export interface FrameSink {
  onMethod(block: ByteBlock, start: number, end: number): void;
  onHeader(block: ByteBlock, start: number, end: number): void;
  /** Part of a body frame whose end has not been seen yet. */
  onBodyPart(block: ByteBlock, start: number, end: number): void;
  /** The last (or only) part of a body frame: the frame was well-formed. */
  onBody(block: ByteBlock, start: number, end: number): void;
}

export interface FrameReaderOwner {
  /** The sink of a channel number seen on a frame of `type`; throws an AmqpError when there can be none. */
  sinkFor(channel: number, type: number): FrameSink;
  onHeartbeat(): void;
  /**
   * A frame was malformed, or a sink threw. The owner ends what the error ends (with `stop` when that is the
   * connection); reading goes on with the next frame otherwise, unless the place where that begins is lost (frame
   * too large, wrong frame end): then the reader has stopped. `sink` is the one that threw, if one did.
   */
  onFrameError(error: unknown, sink: FrameSink | undefined): void;
}

/** A body frame below this is gathered rather than handed on in parts: the parts cost more than the copy. */
const BODY_PART_BYTES_MIN = 4096;

/** RabbitMQ quotes at most this many octets of a payload in an error text. */
const QUOTED_OCTETS_MAX = 16;

export class FrameReader {
  /** Largest payload accepted. RabbitMQ tolerates frames up to frame-max + 8, so this is frame-max itself. */
  payloadBytesMax: number;
  private readonly owner: FrameReaderOwner;
  private readonly sinks = new Map<number, FrameSink>();
  private lastChannel = -1;
  private lastSink: FrameSink | undefined;

  /** A split frame's bytes so far, in a buffer of its final size (or of the prefix alone). */
  private carry: ByteBlock | undefined;
  private carryLength = 0;
  /** Bytes of a body frame's payload still to come; -1 when no body frame is being passed on in parts. */
  private bodyRemaining = -1;
  private bodyChannel = 0;
  /** The first octets of that payload: an error text quotes them, however the stream was cut. */
  private readonly bodyHead = Buffer.alloc(QUOTED_OCTETS_MAX);
  private bodyHeadLength = 0;
  /** Nothing is read any more: `stop` was called, or the place where the next frame begins is lost. */
  isStopped = false;
  private isPaused = false;
  private held: { readonly chunk: ByteBlock; readonly offset: number }[] = [];
  /** Where to go on in the current bytes when a frame or its sink throws: never at the frame that did. */
  private resumeOffset = 0;
  private activeSink: FrameSink | undefined;

  constructor(owner: FrameReaderOwner, payloadBytesMax: number) {
    this.owner = owner;
    this.payloadBytesMax = payloadBytesMax;
  }

  addSink(channel: number, sink: FrameSink): void {
    this.sinks.set(channel, sink);
    this.lastChannel = -1;
  }

  removeSink(channel: number): void {
    this.sinks.delete(channel);
    this.lastChannel = -1;
  }

  removeAllSinks(): void {
    this.sinks.clear();
    this.lastChannel = -1;
  }

  /** Frames that follow are ignored: the connection is lost or a fatal error was found. */
  stop(): void {
    this.isStopped = true;
    this.carry = undefined;
    this.held = [];
  }

  /** The frame at hand is the last one until `resumeWith`: what comes meanwhile is kept. */
  pause(): void {
    this.isPaused = true;
  }

  /** Calls `first`, as if a frame of `sink` had come, then goes on with what was kept. */
  resumeWith(first: () => void, sink: FrameSink): void {
    this.isPaused = false;
    try {
      first();
    } catch (error) {
      this.owner.onFrameError(error, sink);
    }
    const { held } = this;
    this.held = [];
    for (const { chunk, offset } of held) this.read(chunk, offset);
  }

  /** Takes the next bytes of the stream. Never throws: what goes wrong is the owner's to handle. */
  push(chunk: ByteBlock): void {
    this.read(chunk, 0);
  }

  private read(chunk: ByteBlock, from: number): void {
    const end = chunk.bytes.length;
    let offset = from;
    while (offset < end && !this.isStopped) {
      if (this.isPaused) {
        this.held.push({ chunk, offset });
        return;
      }
      this.resumeOffset = end;
      this.activeSink = undefined;
      try {
        if (this.bodyRemaining >= 0) offset = this.continueBody(chunk, offset);
        else if (this.carry !== undefined) offset = this.fillCarry(chunk, offset);
        else offset = this.readFrames(chunk, offset);
      } catch (error) {
        offset = this.resumeOffset;
        this.owner.onFrameError(error, this.activeSink);
      }
    }
  }

  /** Reads whole frames in place; returns where it stopped, having kept what belongs to a split frame. */
  private readFrames(chunk: ByteBlock, from: number): number {
    const { bytes, view } = chunk;
    const end = bytes.length;
    let offset = from;
    while (offset + FRAME_PREFIX_BYTES <= end) {
      this.activeSink = undefined;
      const size = view.getUint32(offset + 3);
      if (size > this.payloadBytesMax) throw this.tooLarge(bytes[offset]!, size);
      const frameEnd = offset + FRAME_PREFIX_BYTES + size;
      if (frameEnd >= end) return this.beginSplit(chunk, offset, size);
      if (bytes[frameEnd] !== FRAME_END) throw this.badFrameEnd(bytes, offset, frameEnd);
      this.resumeOffset = frameEnd + 1;
      this.dispatch(chunk, offset, offset + FRAME_PREFIX_BYTES, frameEnd);
      offset = frameEnd + 1;
      if (this.isStopped || this.isPaused) return offset;
    }
    if (offset < end) this.keep(chunk, offset, FRAME_PREFIX_BYTES);
    return end;
  }

  private dispatch(chunk: ByteBlock, offset: number, start: number, end: number): void {
    const type = chunk.bytes[offset]!;
    const channel = chunk.view.getUint16(offset + 1);
    if (type > FRAME_BODY || type === 0) {
      this.dispatchRare(chunk, type, channel, start, end);
      return;
    }
    const sink = channel === this.lastChannel ? this.lastSink! : this.findSink(channel, type);
    if (type === FRAME_METHOD) {
      if (end - start < 4) throw unknownFrame(chunk.bytes, type, start, end);
      this.activeSink = sink;
      sink.onMethod(chunk, start, end);
    } else if (type === FRAME_HEADER) {
      if (end - start < 14) throw unknownFrame(chunk.bytes, type, start, end);
      this.activeSink = sink;
      sink.onHeader(chunk, start, end);
    } else {
      this.activeSink = sink;
      sink.onBody(chunk, start, end);
    }
  }

  private findSink(channel: number, type: number): FrameSink {
    const sink = this.sinks.get(channel) ?? this.owner.sinkFor(channel, type);
    this.lastChannel = channel;
    this.lastSink = sink;
    return sink;
  }

  /** A heartbeat has channel 0 and no payload (AMQP 0-9-1 section 4.2.7); other types do not exist. */
  private dispatchRare(chunk: ByteBlock, type: number, channel: number, start: number, end: number): void {
    if (type !== FRAME_HEARTBEAT || end !== start) throw unknownFrame(chunk.bytes, type, start, end);
    if (channel !== 0) {
      throw new AmqpError(ReplyCode.UnexpectedFrame, `type ${type}, all octets = <<>>`);
    }
    this.owner.onHeartbeat();
  }

  private beginSplit(chunk: ByteBlock, offset: number, size: number): number {
    const { bytes, view } = chunk;
    const start = offset + FRAME_PREFIX_BYTES;
    if (bytes[offset] !== FRAME_BODY || size < BODY_PART_BYTES_MIN) {
      this.keep(chunk, offset, size + FRAME_OVERHEAD_BYTES);
      return bytes.length;
    }
    this.bodyChannel = view.getUint16(offset + 1);
    this.bodyRemaining = size;
    this.bodyHeadLength = 0;
    return this.continueBody(chunk, start);
  }

  private continueBody(chunk: ByteBlock, start: number): number {
    const { bytes } = chunk;
    if (this.bodyHeadLength < QUOTED_OCTETS_MAX) {
      const quoted = Math.min(start + this.bodyRemaining, start + QUOTED_OCTETS_MAX - this.bodyHeadLength);
      this.bodyHeadLength += bytes.copy(this.bodyHead, this.bodyHeadLength, start, quoted);
    }
    const isWhole = bytes.length - start > this.bodyRemaining;
    const end = isWhole ? start + this.bodyRemaining : bytes.length;
    // Settled before a sink is found or called: whatever throws there, reading goes on behind this part.
    this.bodyRemaining = isWhole ? -1 : this.bodyRemaining - (end - start);
    this.resumeOffset = isWhole ? end + 1 : end;
    if (isWhole && bytes[end] !== FRAME_END) {
      this.stop();
      const quoted = `first 16 octets = <<${erlangBinary(this.bodyHead)}>>`;
      throw frameError(`type ${FRAME_BODY}, ${quoted}: {invalid_frame_end_marker,${bytes[end]}}`);
    }
    const sink =
      this.bodyChannel === this.lastChannel ? this.lastSink! : this.findSink(this.bodyChannel, FRAME_BODY);
    this.activeSink = sink;
    if (isWhole) sink.onBody(chunk, start, end);
    else sink.onBodyPart(chunk, start, end);
    return this.resumeOffset;
  }

  /** Keeps the bytes from `offset` on, in a buffer with room for `total`. */
  private keep(chunk: ByteBlock, offset: number, total: number): void {
    const kept = Buffer.allocUnsafeSlow(total);
    chunk.bytes.copy(kept, 0, offset);
    this.carry = blockOver(kept);
    this.carryLength = chunk.bytes.length - offset;
  }

  /** Adds to the kept bytes; once the frame is whole, hands it on. Returns where to go on in `chunk`. */
  private fillCarry(chunk: ByteBlock, from: number): number {
    const carry = this.carry!;
    const wanted = carry.bytes.length - this.carryLength;
    const taken = Math.min(wanted, chunk.bytes.length - from);
    chunk.bytes.copy(carry.bytes, this.carryLength, from, from + taken);
    this.carryLength += taken;
    if (this.carryLength < carry.bytes.length) return from + taken;
    this.carry = undefined;
    this.resumeOffset = from + taken;
    if (carry.bytes.length > FRAME_PREFIX_BYTES) {
      const frameEnd = carry.bytes.length - 1;
      if (carry.bytes[frameEnd] !== FRAME_END) throw this.badFrameEnd(carry.bytes, 0, frameEnd);
      this.dispatch(carry, 0, FRAME_PREFIX_BYTES, frameEnd);
      return from + taken;
    }
    this.beginCarried(carry);
    return from + taken;
  }

  /** The prefix is now whole, the payload has not begun. */
  private beginCarried(prefix: ByteBlock): void {
    const size = prefix.view.getUint32(3);
    const type = prefix.bytes[0]!;
    if (size > this.payloadBytesMax) throw this.tooLarge(type, size);
    if (type === FRAME_BODY && size >= BODY_PART_BYTES_MIN) {
      this.bodyChannel = prefix.view.getUint16(1);
      this.bodyRemaining = size;
      this.bodyHeadLength = 0;
      return;
    }
    this.keep(prefix, 0, size + FRAME_OVERHEAD_BYTES);
  }

  /** RabbitMQ words this as an Erlang term; clients see it in their logs. */
  private tooLarge(type: number, size: number): AmqpError {
    this.stop();
    const largest = this.payloadBytesMax - FRAME_OVERHEAD_BYTES;
    return frameError(`type ${type}, all octets = <<>>: {frame_too_large,${size},${largest}}`);
  }

  private badFrameEnd(bytes: Buffer, offset: number, frameEnd: number): AmqpError {
    this.stop();
    const octets = describeOctets(bytes, offset + FRAME_PREFIX_BYTES, frameEnd);
    return frameError(`type ${bytes[offset]}, ${octets}: {invalid_frame_end_marker,${bytes[frameEnd]}}`);
  }
}

function unknownFrame(bytes: Buffer, type: number, start: number, end: number): AmqpError {
  return frameError(`type ${type}, ${describeOctets(bytes, start, end)}: unknown_frame`);
}

/** The payload as RabbitMQ prints it: all of it up to 16 octets, else the first 16. */
export function describeOctets(bytes: Buffer, start: number, end: number): string {
  const isShort = end - start <= QUOTED_OCTETS_MAX;
  const shown = bytes.subarray(start, isShort ? end : start + QUOTED_OCTETS_MAX);
  return `${isShort ? 'all octets' : 'first 16 octets'} = <<${erlangBinary(shown)}>>`;
}

/** Erlang prints a binary of printable characters as a quoted string, any other as numbers. */
export function erlangBinary(bytes: Buffer): string {
  const isPrintable = bytes.length > 0 && bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isPrintable ? `"${bytes.toString('latin1').replace(/["\\]/g, '\\$&')}"` : bytes.join(',');
}
