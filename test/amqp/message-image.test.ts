import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blindLength,
  bodyOffset,
  contentHeaderOffset,
  FRAME_END,
  IMAGE_BLIND_KEYS,
  IMAGE_HEADER_BYTES,
  imageLength,
  readImage,
  writeBlindKeys,
  writeImageFrame,
} from '../../src/amqp/message-image.js';
import { blockOver } from '../../src/lib/bytes.js';
import { frame, framesOf, patterned } from '../helpers/frames.js';
import { NO_NOTES } from '../helpers/messages.js';

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const name = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => Buffer.byteLength(text) <= 255);

function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
}

describe('a message image', () => {
  it('reads back as it was written, at any offset, and writes nothing outside itself', () => {
    fc.assert(
      fc.property(
        fc.nat(20),
        name,
        name,
        bytes(80),
        bytes(200),
        fc.record({
          publishedMs: fc.maxSafeNat(),
          deadlineMs: fc.oneof(fc.maxSafeNat(), fc.constant(Number.POSITIVE_INFINITY)),
          flags: fc.nat(0xff),
          priority: fc.nat(0xff),
        }),
        fc.option(bytes(300), { nil: undefined }),
        (offset, exchange, routingKey, header, body, someNotes, blindKeys) => {
          const isBlind = blindKeys !== undefined;
          const flags = (someNotes.flags & ~IMAGE_BLIND_KEYS) | (isBlind ? IMAGE_BLIND_KEYS : 0);
          const notes = { ...someNotes, flags: someNotes.flags & ~IMAGE_BLIND_KEYS };
          const names = Buffer.concat([shortString(exchange), shortString(routingKey)]);
          const framesLength = imageLength(names.length, header.length, body.length);
          const length = framesLength + blindLength(blindKeys);
          const block = blockOver(Buffer.alloc(offset + length + 8, 0xee));
          writeImageFrame(block, offset, names.length, header.length, body.length, notes);
          if (blindKeys !== undefined) writeBlindKeys(block, offset, offset + framesLength, blindKeys);
          block.bytes.set(names, offset + IMAGE_HEADER_BYTES);
          block.bytes.set(header, offset + contentHeaderOffset(names.length));
          if (body.length > 0) block.bytes.set(body, offset + bodyOffset(names.length, header.length));

          const read = readImage(block, offset);
          expect(read).toMatchObject({ exchange, routingKey, ...someNotes, flags });
          expect(read.blindKeys === undefined ? undefined : Buffer.from(read.blindKeys)).toEqual(blindKeys);
          expect(read.contentHeader.equals(header)).toBe(true);
          expect(read.body.equals(body)).toBe(true);
          expect(block.bytes.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
          expect(block.bytes.subarray(offset + length).every((byte) => byte === 0xee)).toBe(true);
        },
      ),
    );
  });

  it('holds the frames of its content as they go over the wire', () => {
    const names = Buffer.from('\x01x\x02rk', 'latin1');
    for (const body of [patterned(0), patterned(300)]) {
      const header = patterned(14, 3);
      const length = imageLength(names.length, header.length, body.length);
      const block = blockOver(Buffer.alloc(length));
      writeImageFrame(block, 0, names.length, header.length, body.length, NO_NOTES);
      block.bytes.set(names, IMAGE_HEADER_BYTES);
      block.bytes.set(header, contentHeaderOffset(names.length));
      block.bytes.set(body, body.length === 0 ? length : bodyOffset(names.length, header.length));
      const namesEnd = IMAGE_HEADER_BYTES + names.length;
      expect(block.bytes[namesEnd]).toBe(FRAME_END);
      const frames = framesOf(block.bytes.subarray(namesEnd + 1));
      expect(frames).toEqual(
        framesOf(Buffer.concat([frame(2, 0, header), ...(body.length > 0 ? [frame(3, 0, body)] : [])])),
      );
    }
  });
});
