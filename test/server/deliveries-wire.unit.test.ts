import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MethodWriter } from '../../src/amqp/method-writer.js';
import { encodeBasicDeliver } from '../../src/amqp/methods.generated.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import { BODY_REFERENCE_BYTES_MIN } from '../../src/lib/limits.js';
import { CHANNEL, DeliveriesBench } from '../helpers/deliveries-bench.js';
import { contentHeader, frame, patterned } from '../helpers/frames.js';
import { expectNothingHeld, NO_NOTES } from '../helpers/messages.js';

const shortText = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((text) => Buffer.byteLength(text) <= 255);
const bodyBytes = fc.oneof(
  fc.nat(300),
  fc.nat(20_000),
  fc.constantFrom(4_087, 4_088, 4_089, 8_176, 8_191, 8_192, 8_193, 16_376, 131_064, 131_065, 300_000),
);
const bodyFrameBytesMax = fc.constantFrom(4_088, 8_192, 131_064, Number.MAX_SAFE_INTEGER - 8);

/** Content frames written apart from the broker's code. */
function contentFrames(channel: number, header: Buffer, body: Buffer, pieceMax: number): Buffer[] {
  const frames = [frame(2, channel, header)];
  for (let at = 0; at < body.length; at += pieceMax) {
    frames.push(frame(3, channel, body.subarray(at, at + pieceMax)));
  }
  return frames;
}

interface Written {
  readonly position: number;
  readonly header: Buffer;
  readonly body: Buffer;
}

function writeContent(
  t: DeliveriesBench,
  exchange: string,
  routingKey: string,
  bodySize: number,
  properties: Buffer,
): Written {
  const header = contentHeader(bodySize, properties);
  const body = patterned(bodySize, 5);
  const position = writeMessage(t.log, { exchange, routingKey, contentHeader: header, body, ...NO_NOTES });
  t.log.retain(position, 1);
  return { position, header, body };
}

describe('a delivery on the wire', () => {
  it('is what the generated encoder writes, then the content in frames the peer takes', () => {
    fc.assert(
      fc.property(
        fc.record({ tag: shortText, exchange: shortText, routingKey: shortText }),
        fc.uint8Array({ minLength: 2, maxLength: 400 }),
        bodyBytes,
        bodyFrameBytesMax,
        fc.oneof(fc.nat(1_000), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1)),
        fc.boolean(),
        ({ tag, exchange, routingKey }, properties, bodySize, pieceMax, nextTag, redelivered) => {
          const t = new DeliveriesBench();
          t.transport.bodyFrameBytesMax = pieceMax;
          t.nextTag = nextTag;
          const { position, header, body } = writeContent(
            t,
            exchange,
            routingKey,
            bodySize,
            Buffer.from(properties),
          );
          t.consumer({ tag, noAck: true }).deliver(position, 1, redelivered, 0);
          // A consumer that acknowledges automatically lets go at once: what is referred to must be held.
          t.log.release(position);
          t.turn();

          const writer = new MethodWriter();
          encodeBasicDeliver(writer, tag, nextTag, redelivered, exchange, routingKey);
          const expected = [
            frame(1, CHANNEL, writer.toBuffer()),
            ...contentFrames(CHANNEL, header, body, pieceMax),
          ];
          expect(t.socket.output().equals(Buffer.concat(expected))).toBe(true);
          t.socket.complete();
          t.log.release(t.position);
          expectNothingHeld(t.log);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is followed by others without a gap, over the ends of slabs', () => {
    // Bodies below the size from which they are referred to: see the test below for the others.
    fc.assert(
      fc.property(
        fc.array(fc.nat(BODY_REFERENCE_BYTES_MIN - 1), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 256, max: 2_048 }),
        (sizes, slabBytes) => {
          const t = new DeliveriesBench(slabBytes);
          const consumer = t.consumer({ tag: 'c' });
          const expected: Buffer[] = [];
          for (const [i, size] of sizes.entries()) {
            const { position, header, body } = writeContent(t, 'x', 'k', size, Buffer.alloc(2));
            consumer.deliver(position, i, false, 0);
            const writer = new MethodWriter();
            encodeBasicDeliver(writer, 'c', i + 1, false, 'x', 'k');
            expected.push(
              frame(1, CHANNEL, writer.toBuffer()),
              ...contentFrames(CHANNEL, header, body, 4_088),
            );
          }
          t.turn();
          expect(t.socket.output().equals(Buffer.concat(expected))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('ends a body that is referred to with its frame end, wherever the slab ends', () => {
    const size = BODY_REFERENCE_BYTES_MIN;
    const wrong: number[] = [];
    for (let slabBytes = 50; slabBytes < 70; slabBytes++) {
      const t = new DeliveriesBench(slabBytes);
      t.transport.bodyFrameBytesMax = 131_064;
      const { position, header, body } = writeContent(t, 'x', 'k', size, Buffer.alloc(2));
      t.consumer({ tag: 'c' }).deliver(position, 1, false, 0);
      t.turn();
      const writer = new MethodWriter();
      encodeBasicDeliver(writer, 'c', 1, false, 'x', 'k');
      const expected = [frame(1, CHANNEL, writer.toBuffer()), ...contentFrames(CHANNEL, header, body, size)];
      if (!t.socket.output().equals(Buffer.concat(expected))) wrong.push(slabBytes);
    }
    expect(wrong).toEqual([]);
  });

  it('refers to large bodies instead of copying them, and holds them until they are taken', () => {
    const t = new DeliveriesBench();
    t.transport.bodyFrameBytesMax = 131_064;
    const { position } = writeContent(t, 'x', 'k', 300_000, Buffer.alloc(2));
    t.consumer().deliver(position, 1, false, 0);
    t.log.release(position);
    const { live, bytes } = t.log.segmentOf(position);
    expect(live).toBe(3);
    t.transport.flush();
    expect(t.socket.sent.filter((piece) => piece.length > 10_000)).toHaveLength(3);
    expect(bytes.length).toBeGreaterThan(300_000);
    t.socket.complete();
    expect(t.released).toEqual([position, position, position]);
  });

  it('of basic.get and basic.return has the same content frames', () => {
    for (const bodySize of [0, 1, 5_000, 8_192, 300_000]) {
      for (const pieceMax of [4_088, 131_064]) {
        const t = new DeliveriesBench();
        t.transport.bodyFrameBytesMax = pieceMax;
        const { position, header, body } = writeContent(t, 'x', 'k', bodySize, Buffer.from([0x10, 0, 2]));
        t.deliveries.writer.writeContent(position);
        t.log.release(position);
        t.turn();
        const expected = contentFrames(CHANNEL, header, body, pieceMax);
        expect(t.socket.output().equals(Buffer.concat(expected))).toBe(true);
        t.socket.complete();
        t.log.release(t.position);
        expectNothingHeld(t.log);
      }
    }
  });
});
