import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReturnedMessages } from '../../src/queues/returned-messages.js';

describe('ReturnedMessages', () => {
  it('gives entries back in the order of their sequence numbers', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.nat(10_000) },
      { weight: 2, arbitrary: fc.constant('shift' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const returned = new ReturnedMessages();
        const model: number[] = [];
        const expectFirst = (): void => {
          expect(returned.length).toBe(model.length);
          if (model.length === 0) return;
          expect(returned.firstSequence).toBe(model[0]);
          expect(returned.firstPosition).toBe(model[0]! * 3);
        };
        for (const action of steps) {
          if (action !== 'shift') {
            if (model.includes(action)) continue;
            model.push(action);
            model.sort((a, b) => a - b);
            returned.add(action * 3, action);
          } else if (model.length > 0) {
            expect(returned.shift()).toBe(model.shift()! * 3);
          }
          expectFirst();
        }
        while (model.length > 0) expect(returned.shift()).toBe(model.shift()! * 3);
        expect(returned.length).toBe(0);
      }),
    );
  });

  it('is as good as new after many came and went', () => {
    const returned = new ReturnedMessages();
    for (const round of [0, 1]) {
      for (let i = 0; i < 5_000; i++) returned.add(i, (i * 7_919) % 5_000);
      for (let i = 0; i < 5_000; i++) {
        expect(returned.firstSequence).toBe(i);
        returned.shift();
      }
      expect(returned.length, `round ${round}`).toBe(0);
    }
  });

  it('keeps numbers beyond 32 bits', () => {
    const returned = new ReturnedMessages();
    returned.add(2 ** 52 + 1, 2 ** 40 + 1);
    returned.add(2 ** 52, 2 ** 40);
    expect([returned.shift(), returned.shift()]).toEqual([2 ** 52, 2 ** 52 + 1]);
  });
});
