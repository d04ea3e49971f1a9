import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingBuffer } from '../../src/lib/ring-buffer.js';

describe('RingBuffer', () => {
  it('behaves as an array with push, shift and removal of the first occurrence', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.nat(5).map((item) => ({ kind: 'push' as const, item })) },
      { weight: 2, arbitrary: fc.constant({ kind: 'shift' as const, item: 0 }) },
      { weight: 2, arbitrary: fc.nat(5).map((item) => ({ kind: 'remove' as const, item })) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const ring = new RingBuffer<number>();
        const model: number[] = [];
        for (const { kind, item } of steps) {
          if (kind === 'push') {
            ring.push(item);
            model.push(item);
          } else if (kind === 'shift') {
            expect(ring.shift()).toBe(model.shift());
          } else {
            const at = model.indexOf(item);
            if (at >= 0) model.splice(at, 1);
            expect(ring.remove(item)).toBe(at >= 0);
          }
          expect(ring.length).toBe(model.length);
          expect(ring.peek()).toBe(model[0]);
          for (let i = -1; i <= model.length; i++) expect(ring.at(i)).toBe(model[i]);
        }
        while (model.length > 0) expect(ring.shift()).toBe(model.shift());
        expect(ring.shift()).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });
});
