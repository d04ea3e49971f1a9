import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockOver } from '../../src/lib/bytes.js';
import { decodeHint, encodeHint, type Hint, offsetsOf } from '../../src/store/hint-format.js';
import { buildSegment } from '../helpers/segment-file.js';

const LOOKED_AT = 0xee;

function hintOf(bytes: Buffer, end = bytes.length): Buffer | undefined {
  const { view } = blockOver(bytes);
  return encodeHint({ epoch: 3, segmentNumber: 12, bytes, view, end }, (records, payload) => {
    return records.getUint8(payload) === LOOKED_AT;
  });
}

/** What a hint says, in a form that can be compared. */
function told(hint: Hint): unknown {
  const { epoch, segmentNumber, logBytes, lastBatchNumber, batchStarts, sections } = hint;
  const queues = sections.map((section) => ({
    queueId: section.queueId,
    wantsLook: section.wantsLook,
    ends: [section.first, section.last],
    offsets: [...offsetsOf(hint, section)],
  }));
  return { epoch, segmentNumber, logBytes, lastBatchNumber, batchStarts: [...batchStarts], queues };
}

/** Payloads from nothing to one that takes three groups of seven bits to step over. */
const payloads = fc.array(
  fc.array(
    fc.oneof(fc.nat(40), fc.nat(3_000), fc.constant(200_000)).map((size) => Buffer.alloc(size, 1)),
    { minLength: 1, maxLength: 6 },
  ),
  { minLength: 1, maxLength: 5 },
);

describe('a hint', () => {
  it('tells where the batches and the records of a segment are', () => {
    fc.assert(
      fc.property(payloads, fc.integer({ min: 1, max: 0xffff_ffff }), (batches, queueId) => {
        const segment = buildSegment(batches, { queueId, epoch: 3, segmentNumber: 12, firstBatchNumber: 41 });
        const offsets: number[] = [];
        segment.batches.forEach(({ start }, i) => {
          let at = start + 40;
          for (let record = 0; record < batches[i]!.length; record++) {
            offsets.push(at);
            at += segment.bytes.readUInt32LE(at);
          }
        });
        expect(told(decodeHint(hintOf(segment.bytes)!)!)).toEqual({
          epoch: 3,
          segmentNumber: 12,
          logBytes: segment.bytes.length,
          lastBatchNumber: 40 + batches.length,
          batchStarts: segment.batches.map(({ start }) => start),
          queues: [{ queueId, wantsLook: false, ends: [offsets[0], offsets.at(-1)], offsets }],
        });
      }),
      { numRuns: 60 },
    );
  });

  it('says of which queues a record wants a look', () => {
    const segment = buildSegment([[Buffer.from('one'), Buffer.from([LOOKED_AT]), Buffer.from('two')]]);
    expect(decodeHint(hintOf(segment.bytes)!)!.sections.map(({ wantsLook }) => wantsLook)).toEqual([true]);
  });

  it('is not made of a segment whose batches do not lie back to back', () => {
    const { bytes, batches } = buildSegment([[Buffer.from('one')], [Buffer.from('two')]]);
    bytes[batches[1]!.start]! ^= 1;
    expect(hintOf(bytes)).toBeUndefined();
  });

  it('is believed whole and undamaged only', () => {
    const bytes = hintOf(buildSegment([[Buffer.from('one'), Buffer.alloc(2_000)]]).bytes)!;
    expect(decodeHint(bytes)).toBeDefined();
    for (let length = 0; length < bytes.length; length++) {
      if (decodeHint(bytes.subarray(0, length)) !== undefined) expect.unreachable(`cut at ${length}`);
    }
    expect(decodeHint(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      if (decodeHint(bytes) !== undefined) expect.unreachable(`bit ${bit}`);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });
});
