import { encodePublish } from '../frames.js';
import type { Part } from './part.js';

/** What a socket hands over at most at a time. */
const CHUNK_BYTES = 65_536;
const FRAME_BYTES_MAX = 131_072;

const readingPart = (bodyBytes: number): Part => ({
  name: `frame-reader-${bodyBytes}`,
  title: `frames of publishes of ${bodyBytes} B, in chunks of 64 KB: one frame`,
  async prepare(build) {
    const { FrameReader } =
      await build.load<typeof import('../../src/amqp/frame-reader.js')>('amqp/frame-reader');
    const { blockOver } = await build.load<typeof import('../../src/lib/bytes.js')>('lib/bytes');
    const { bytes } = encodePublish({
      exchange: '',
      routingKey: 'queue',
      bodyBytes,
      isPersistent: false,
    });
    const stream = Buffer.concat(Array.from({ length: 1024 }, () => bytes));
    const chunks = Array.from({ length: Math.ceil(stream.length / CHUNK_BYTES) }, (_, i) =>
      blockOver(stream.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)),
    );
    let seen = 0;
    const take = (_block: unknown, start: number, end: number): void => {
      seen += end - start;
    };
    const sink = { onMethod: take, onHeader: take, onBodyPart: take, onBody: take };
    const owner = {
      sinkFor: () => sink,
      onHeartbeat: () => {},
      onFrameError: (error: unknown) => {
        throw error;
      },
    };
    const reader = new FrameReader(owner, FRAME_BYTES_MAX);
    reader.addSink(1, sink);
    return {
      operations: 3 * 1024,
      run: () => {
        const before = seen;
        for (const chunk of chunks) reader.push(chunk);
        if (seen === before) throw new Error('no frame was seen');
      },
    };
  },
});

export const frameReaderParts: readonly Part[] = [readingPart(16), readingPart(1024)];
