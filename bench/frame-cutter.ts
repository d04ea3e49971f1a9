/**
 * Cuts a stream into frames by their headers. Nothing is copied but a frame that is split between two reads, and of
 * a split body only its first bytes: the rest is skipped. Nothing is allocated.
 */
import { FRAME_BODY, FRAME_METHOD, FRAME_OVERHEAD_BYTES, FRAME_PREFIX_BYTES, readU32 } from './frames.js';

/** What is looked at of a body: its sequence number and its time. */
export const BODY_HEAD_BYTES = 16;
const HEAD_BYTES = FRAME_PREFIX_BYTES + BODY_HEAD_BYTES;
/** Longer than any method or content header that a broker sends here. */
const CARRY_BYTES = 8192;

export abstract class FrameCutter {
  private readonly carry = new Uint8Array(CARRY_BYTES);
  private carryLength = 0;
  /** Bytes of a body frame still to come. */
  private skipBytes = 0;

  /** The payload of a method begins at `at`. */
  protected abstract onMethod(bytes: Uint8Array, at: number): void;
  /** The payload of a body frame begins at `at`; `BODY_HEAD_BYTES` of it are there, or all of it. */
  protected abstract onBodyHead(bytes: Uint8Array, at: number, size: number): void;
  /** Its last byte has come. */
  protected abstract onBodyEnd(): void;

  push(bytes: Uint8Array, end: number): void {
    for (let at = 0; at < end; ) {
      if (this.skipBytes > 0) {
        const skipped = Math.min(this.skipBytes, end - at);
        at += skipped;
        this.skipBytes -= skipped;
        if (this.skipBytes === 0) this.onBodyEnd();
      } else if (this.carryLength > 0) {
        at = this.fillCarry(bytes, at, end);
      } else {
        at = this.readFrames(bytes, at, end);
        for (; at < end; at++) this.carry[this.carryLength++] = bytes[at]!;
      }
    }
  }

  /** Reads frames in place. @returns where a split frame begins, or `end` */
  private readFrames(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at + FRAME_PREFIX_BYTES <= end) {
      const size = readU32(bytes, at + 3);
      const next = at + size + FRAME_OVERHEAD_BYTES;
      const type = bytes[at];
      if (next > end) {
        if (type !== FRAME_BODY || at + HEAD_BYTES > end) return at;
        this.onBodyHead(bytes, at + FRAME_PREFIX_BYTES, size);
        this.skipBytes = next - end;
        return end;
      }
      if (type === FRAME_METHOD) {
        this.onMethod(bytes, at + FRAME_PREFIX_BYTES);
      } else if (type === FRAME_BODY) {
        this.onBodyHead(bytes, at + FRAME_PREFIX_BYTES, size);
        this.onBodyEnd();
      }
      at = next;
    }
    return at;
  }

  /** Takes what the split frame lacks, then reads it. @returns where the rest begins */
  private fillCarry(bytes: Uint8Array, from: number, end: number): number {
    const { carry } = this;
    let wanted = FRAME_PREFIX_BYTES;
    if (this.carryLength >= FRAME_PREFIX_BYTES) {
      wanted = readU32(carry, 3) + FRAME_OVERHEAD_BYTES;
      if (carry[0] === FRAME_BODY) wanted = Math.min(wanted, HEAD_BYTES);
      if (wanted > CARRY_BYTES) throw new Error(`a frame of ${wanted} bytes that holds no body`);
    }
    let at = from;
    while (at < end && this.carryLength < wanted) carry[this.carryLength++] = bytes[at++]!;
    if (this.carryLength === wanted && this.readFrames(carry, 0, wanted) === wanted) this.carryLength = 0;
    return at;
  }
}
