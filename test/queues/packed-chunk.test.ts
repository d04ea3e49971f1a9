import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packChunk, unpackChunk } from '../../src/queues/packed-chunk.js';
import { QueueIndex } from '../../src/queues/queue-index.js';

const ENTRIES = 512;

function fromSteps(first: number, steps: readonly number[]): Float64Array {
  const positions = new Float64Array(steps.length + 1);
  positions[0] = first;
  for (const [i, step] of steps.entries()) positions[i + 1] = positions[i]! + step;
  return positions;
}

describe('a packed chunk', () => {
  it('unpacks to what was packed, or is not packed at all', () => {
    const step = fc.oneof(fc.constant(21), fc.nat(70_000), fc.integer({ min: -9, max: 9 }));
    fc.assert(
      fc.property(
        fc.nat(2 ** 40),
        fc.array(step, { minLength: ENTRIES - 1, maxLength: ENTRIES - 1 }),
        (first, steps) => {
          const positions = fromSteps(first, steps);
          const packed = packChunk(positions);
          const isPackable = steps.every((one) => one >= 0 && one <= 65_535);
          expect(packed !== undefined).toBe(isPackable);
          if (packed === undefined) return;
          const unpacked = new Float64Array(ENTRIES);
          unpackChunk(packed, unpacked);
          expect(unpacked).toEqual(positions);
        },
      ),
    );
  });

  it('takes no memory per message where the messages are of one size', () => {
    const packed = packChunk(fromSteps(7, new Array<number>(ENTRIES - 1).fill(24)));
    expect(packed).toEqual({ first: 7, stride: 24, steps: undefined });
  });
});

describe('a deep queue index', () => {
  it('gives back every position in order, however they were packed, while both ends move', () => {
    const index = new QueueIndex();
    const expected: number[] = [];
    let position = 0;
    let taken = 0;
    const push = (count: number, stepOf: (i: number) => number): void => {
      for (let i = 0; i < count; i++) {
        position += stepOf(i);
        expected.push(position);
        index.push(position);
      }
    };
    const take = (count: number): void => {
      for (let i = 0; i < count; i++) expect(index.shift()).toBe(expected[taken++]);
    };
    push(40_000, () => 24);
    take(5_000);
    push(40_000, (i) => (i % 7) * 11 + 1);
    // Now and then the log goes on in another segment, which may have a lower slot.
    push(20_000, (i) => (i % 3_000 === 0 ? -1_000_000 : 30));
    take(60_000);
    push(3_000, () => 1);
    take(index.length);
    expect([index.length, taken]).toEqual([0, expected.length]);
    push(10, () => 5);
    take(10);
  });
});
