/**
 * One socket: bytes in to the receiver of the moment, bytes out through slabs with one write per turn.
 *
 * Writers reserve room in the current slab and write into it; nothing is sent before the turn's flush. A large
 * body is not copied but referred to where it lies, and its record is held until the socket has taken it. How
 * much may wait for a slow reader is bounded: past `OUTPUT_BYTES_MAX` the transport is congested, and consumers
 * behind it are passed over until it has drained. What is referred to is in memory anyway, and may be more.
 */
import type { Socket } from 'node:net';
import { FRAME_END, FRAME_METHOD, FRAME_OVERHEAD_BYTES, FRAME_PREFIX_BYTES } from '../amqp/message-image.js';
import type { MethodWriter } from '../amqp/method-writer.js';
import type { Flushable, Scheduler } from '../broker/scheduler.js';
import { allocateBlock, type ByteBlock, blockOver } from '../lib/bytes.js';
import {
  FRAME_BYTES_MIN,
  OUTPUT_BYTES_MAX,
  OUTPUT_BYTES_RESUME,
  OUTPUT_REFERRED_BYTES_MAX,
  OUTPUT_REFERRED_BYTES_RESUME,
} from '../lib/limits.js';
import type { SlabPool } from '../lib/slab-pool.js';
import type { Watermark } from '../lib/watermark.js';

export interface TransportOwner {
  /** The transport was congested and is not any more. */
  onDrained(): void;
  /** A record that was referred to has been sent. */
  release(position: number): void;
}

/** A stretch of output. */
interface OutputChunk {
  readonly bytes: Buffer;
  /** The slab to give back when this has been sent. */
  readonly slab: ByteBlock | undefined;
  /** The record to release when this has been sent, or -1. */
  readonly position: number;
}

interface Write {
  readonly chunks: readonly OutputChunk[];
  readonly byteLength: number;
  /** Of those, bytes that are referred to. */
  readonly referredLength: number;
}

const NO_SLAB: ByteBlock = blockOver(Buffer.alloc(0));

export class Transport implements Flushable {
  /** The slab being written to; valid from a `reserve` to the next. */
  block: ByteBlock = NO_SLAB;
  /** Largest body frame payload the peer takes: the negotiated frame-max less the frame's overhead. */
  bodyFrameBytesMax = FRAME_BYTES_MIN - FRAME_OVERHEAD_BYTES;
  /** Takes the bytes that come in. It must not throw. */
  receiver: (block: ByteBlock) => void = () => {};
  /** Statistics: integers only, read by whoever reports. */
  bytesReceived = 0;
  bytesSent = 0;

  private readonly socket: Socket;
  private readonly slabs: SlabPool;
  private readonly scheduler: Scheduler;
  private readonly owner: TransportOwner;
  private length = 0;
  private sliceStart = 0;
  private chunks: OutputChunk[] = [];
  /** Bytes in `chunks` and in writes under way; what the current slab holds since its last slice comes on top. */
  private waitingBytes = 0;
  /** Of `waitingBytes`, those that are referred to and not copied. */
  private referredBytes = 0;
  private readonly writes: Write[] = [];
  private isMarked = false;
  private holds: { readonly watermark: Watermark; readonly value: number }[] = [];
  private wasCongested = false;
  private isClosed = false;

  constructor(socket: Socket, slabs: SlabPool, scheduler: Scheduler, owner: TransportOwner) {
    this.socket = socket;
    this.slabs = slabs;
    this.scheduler = scheduler;
    this.owner = owner;
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
  }

  /** Whether so much output is waiting that no delivery may be added. */
  get isCongested(): boolean {
    const isCopiedLittle = this.bytesWaiting - this.referredBytes < OUTPUT_BYTES_MAX;
    if (isCopiedLittle && this.referredBytes < OUTPUT_REFERRED_BYTES_MAX) return false;
    this.wasCongested = true;
    return true;
  }

  private get isDrained(): boolean {
    const { waitingBytes, referredBytes } = this;
    return (
      waitingBytes - referredBytes <= OUTPUT_BYTES_RESUME && referredBytes <= OUTPUT_REFERRED_BYTES_RESUME
    );
  }

  get bytesWaiting(): number {
    return this.waitingBytes + this.length - this.sliceStart;
  }

  /**
   * Makes room for `count` bytes in `block` and returns where they begin. The caller writes all of them before
   * anything else is reserved.
   */
  reserve(count: number): number {
    if (this.length + count > this.block.bytes.length) this.roll(count);
    if (!this.isMarked) this.mark();
    const at = this.length;
    this.length = at + count;
    return at;
  }

  /** Adds bytes that stay where they are until sent; the record at `position` is released then. */
  refer(bytes: Buffer, position: number): void {
    this.sealSlice();
    this.chunks.push({ bytes, slab: undefined, position });
    this.waitingBytes += bytes.length;
    this.referredBytes += bytes.length;
    if (!this.isMarked) this.mark();
  }

  /** Adds a method frame with what `writer` holds. */
  writeMethod(channel: number, writer: MethodWriter): void {
    const size = writer.length;
    const at = this.reserve(size + FRAME_OVERHEAD_BYTES);
    const { bytes, view } = this.block;
    bytes[at] = FRAME_METHOD;
    view.setUint16(at + 1, channel);
    view.setUint32(at + 3, size);
    writer.bytes.copy(bytes, at + FRAME_PREFIX_BYTES, 0, size);
    bytes[at + FRAME_PREFIX_BYTES + size] = FRAME_END;
  }

  writeBytes(source: Uint8Array): void {
    const at = this.reserve(source.length);
    this.block.bytes.set(source, at);
  }

  /** Nothing written from now on, nor what waits, is sent before `watermark` has reached `value`. */
  holdUntil(watermark: Watermark, value: number): void {
    this.holds = this.holds.filter((hold) => hold.watermark !== watermark);
    this.holds.push({ watermark, value });
    if (!this.isMarked) this.mark();
  }

  flush(): void {
    this.isMarked = false;
    if (this.holds.length > 0 && this.isHeld()) return;
    this.sealSlab();
    const { chunks, socket } = this;
    if (chunks.length === 0) return;
    this.chunks = [];
    if (this.isClosed || !socket.writable) return this.discard(chunks);
    let byteLength = 0;
    let referredLength = 0;
    for (const { bytes, position } of chunks) {
      byteLength += bytes.length;
      if (position >= 0) referredLength += bytes.length;
    }
    this.writes.push({ chunks, byteLength, referredLength });
    this.bytesSent += byteLength;
    const last = chunks.length - 1;
    if (last > 0) socket.cork();
    for (let i = 0; i < last; i++) socket.write(chunks[i]!.bytes);
    socket.write(chunks[last]!.bytes, this.onWritten);
    if (last > 0) socket.uncork();
  }

  /** Stops taking bytes in: a publisher is held back by its TCP window. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Sends what is waiting, then closes our half. */
  end(): void {
    this.flush();
    if (!this.isClosed && !this.socket.destroyed) this.socket.end();
  }

  /** Drops the connection and everything that waits for it. */
  destroy(): void {
    this.socket.destroy();
    this.close();
  }

  /** The socket is gone: gives back what it held. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.sealSlab();
    this.discard(this.chunks);
    this.chunks = [];
    for (let write = this.writes.shift(); write !== undefined; write = this.writes.shift()) {
      this.discard(write.chunks);
    }
  }

  private onData(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    this.receiver(blockOver(chunk));
  }

  /** Whether an answer still waits for the disk; if so, the flush comes when it is there. */
  private isHeld(): boolean {
    this.holds = this.holds.filter(({ watermark, value }) => watermark.value < value);
    for (const { watermark } of this.holds) watermark.onceAdvanced(this.markAgain);
    return this.holds.length > 0 && !this.isClosed;
  }

  private readonly markAgain = (): void => {
    if (!this.isMarked && !this.isClosed) this.mark();
  };

  private mark(): void {
    this.isMarked = true;
    this.scheduler.scheduleFlush(this);
  }

  private roll(count: number): void {
    this.sealSlab();
    this.block = count > this.slabs.slabBytes ? allocateBlock(count) : this.slabs.take();
  }

  /** What was written to the slab since the last slice becomes a chunk; the slab goes on. */
  private sealSlice(): void {
    if (this.length === this.sliceStart) return;
    const bytes = this.block.bytes.subarray(this.sliceStart, this.length);
    this.chunks.push({ bytes, slab: undefined, position: -1 });
    this.waitingBytes += bytes.length;
    this.sliceStart = this.length;
  }

  /** The slab is full or the turn ends: it goes with its last slice. */
  private sealSlab(): void {
    if (this.block === NO_SLAB) return;
    const bytes = this.block.bytes.subarray(this.sliceStart, this.length);
    this.chunks.push({ bytes, slab: this.block, position: -1 });
    this.waitingBytes += bytes.length;
    this.block = NO_SLAB;
    this.length = 0;
    this.sliceStart = 0;
  }

  /** Writes complete in the order they were made. */
  private readonly onWritten = (): void => {
    const write = this.writes.shift();
    if (write === undefined) return;
    this.waitingBytes -= write.byteLength;
    this.referredBytes -= write.referredLength;
    this.discard(write.chunks);
    if (this.wasCongested && this.isDrained && !this.isClosed) {
      this.wasCongested = false;
      this.owner.onDrained();
    }
  };

  private discard(chunks: readonly OutputChunk[]): void {
    for (const { slab, position } of chunks) {
      if (slab !== undefined) this.slabs.give(slab);
      if (position >= 0) this.owner.release(position);
    }
  }
}
