/** Frames as bytes, and bytes as frames: written apart from the broker's own code, to check it against. */
import { expect } from 'vitest';

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

const OVERHEAD_BYTES = 8;

export function frame(type: number, channel: number, payload: Uint8Array, frameEnd = 0xce): Buffer {
  const bytes = Buffer.alloc(payload.length + OVERHEAD_BYTES);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  bytes.set(payload, 7);
  bytes[7 + payload.length] = frameEnd;
  return bytes;
}

/** Reads a stream that ends with a frame; fails the test where it is not one frame behind the other. */
export function framesOf(stream: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 7 + stream.readUInt32BE(at + 3);
    expect(stream[end], `frame end of frame ${frames.length}`).toBe(0xce);
    const payload = Buffer.from(stream.subarray(at + 7, end));
    frames.push({ type: stream[at]!, channel: stream.readUInt16BE(at + 1), payload });
    at = end + 1;
  }
  return frames;
}

/** A content header's payload of class basic: body size, then property flags and properties. */
export function contentHeader(bodySize: number, properties: Uint8Array = Buffer.alloc(2)): Buffer {
  const bytes = Buffer.alloc(12 + properties.length);
  bytes.writeUInt16BE(60, 0);
  bytes.writeBigUInt64BE(BigInt(bodySize), 4);
  bytes.set(properties, 12);
  return bytes;
}

/** Bytes that tell their place, so that a wrong offset shows. */
export function patterned(length: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + seed) & 0xff;
  return bytes;
}
