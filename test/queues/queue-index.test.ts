import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QueueIndex } from '../../src/queues/queue-index.js';

interface Entry {
  readonly position: number;
  readonly sequence: number;
  readonly isReturned: boolean;
}

/** Runs of pushes and shifts as long as several chunks of 512 entries. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('push' as const), count: fc.oneof(fc.nat(5), fc.nat(1_500)) }),
  fc.record({ kind: fc.constant('shift' as const), count: fc.oneof(fc.nat(5), fc.nat(1_500)) }),
  fc.record({ kind: fc.constant('restore' as const), count: fc.nat(20) }),
);

describe('QueueIndex', () => {
  it('behaves as a sorted array with push, shift and restore', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (steps, choices) => {
        const index = new QueueIndex();
        const ready: Entry[] = [];
        const out: Entry[] = [];
        let pushed = 0;
        const wrong: unknown[] = [];
        const shift = (): void => {
          const expected = ready.shift()!;
          if (index.peek() !== expected.position) wrong.push('peek', expected);
          const position = index.shift();
          const found = {
            position,
            sequence: index.lastSequence,
            isReturned: index.lastRedelivered,
          };
          if (JSON.stringify(found) !== JSON.stringify(expected)) wrong.push({ found, expected });
          out.push(expected);
        };
        for (const { kind, count } of steps) {
          for (let i = 0; i < count; i++) {
            if (kind === 'push') {
              index.push(pushed * 5);
              ready.push({ position: pushed * 5, sequence: pushed, isReturned: false });
              pushed++;
            } else if (kind === 'shift' && ready.length > 0) {
              shift();
            } else if (kind === 'restore' && out.length > 0) {
              const [entry] = out.splice(choices.next().value % out.length, 1);
              index.restore(entry!.position, entry!.sequence);
              ready.push({ ...entry!, isReturned: true });
              ready.sort((a, b) => a.sequence - b.sequence);
            }
            if (index.length !== ready.length) wrong.push({ length: index.length, expected: ready.length });
          }
        }
        while (ready.length > 0) shift();
        expect(wrong).toEqual([]);
        expect(index.peek()).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps its order over a hundred chunks, pushed while it is read', () => {
    const index = new QueueIndex();
    let pushed = 0;
    let wrong = 0;
    for (let read = 0; read < 60_000; read++) {
      while (pushed < Math.min(60_000, read * 2 + 1)) index.push(pushed++);
      if (index.shift() !== read || index.lastSequence !== read) wrong++;
    }
    expect([wrong, index.length]).toEqual([0, 0]);
  });

  it('keeps the first of the ready ones for peek, returned or fresh', () => {
    const index = new QueueIndex();
    expect(index.peek()).toBe(-1);
    index.push(10);
    index.push(20);
    expect(index.peek()).toBe(10);
    const position = index.shift();
    expect(index.peek()).toBe(20);
    index.restore(position, index.lastSequence);
    expect(index.peek()).toBe(10);
  });
});
