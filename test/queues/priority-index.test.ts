/** Priorities of messages: rabbitmq.com/docs/priority. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriorityIndex } from '../../src/queues/priority-index.js';
import { expectNothingHeld } from '../helpers/messages.js';
import { classicBench, publish } from './classic-bench.js';

const shiftAll = (index: PriorityIndex): number[] => {
  const positions: number[] = [];
  while (index.length > 0) positions.push(index.shift());
  return positions;
};

describe('PriorityIndex', () => {
  it('gives the highest priority first, and in order of arrival within one', () => {
    const index = new PriorityIndex(5);
    for (const [position, priority] of [
      [1, 0],
      [2, 5],
      [3, 3],
      [4, 5],
      [5, 0],
      [6, 3],
    ] as const) {
      index.push(position, priority);
    }
    expect(index.peek()).toBe(2);
    expect(shiftAll(index)).toEqual([2, 4, 3, 6, 1, 5]);
    expect(index.peek()).toBe(-1);
  });

  it('takes a priority above its highest for the highest', () => {
    const index = new PriorityIndex(2);
    index.push(1, 255);
    index.push(2, 2);
    index.push(3, 3);
    expect(shiftAll(index)).toEqual([1, 2, 3]);
  });

  it('puts back what it gave to its place in its level, marked redelivered', () => {
    const index = new PriorityIndex(255);
    for (let i = 0; i < 4; i++) index.push(i, i < 2 ? 255 : 1);
    const taken = [0, 1, 2].map(() => ({ position: index.shift(), sequence: index.lastSequence }));
    expect(index.lastRedelivered).toBe(false);
    for (const { position, sequence } of taken.reverse()) index.restore(position, sequence);
    expect(index.peek()).toBe(0);
    expect([index.shift(), index.lastRedelivered]).toEqual([0, true]);
    index.push(9, 255);
    expect(shiftAll(index)).toEqual([1, 9, 2, 3]);
    expect(index.lastRedelivered).toBe(false);
  });

  it('behaves as a list sorted by priority, then arrival', () => {
    const step = fc.record({ kind: fc.constantFrom('push', 'push', 'shift', 'restore'), pick: fc.nat(300) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), fc.array(step, { maxLength: 80 }), (highest, steps) => {
        const index = new PriorityIndex(highest);
        let ready: { position: number; level: number }[] = [];
        const out: { position: number; level: number; sequence: number }[] = [];
        for (const [position, { kind, pick }] of steps.entries()) {
          if (kind === 'push') {
            const priority = pick % 256;
            index.push(position, priority);
            ready.push({ position, level: Math.min(priority, highest) });
          } else if (kind === 'shift' && ready.length > 0) {
            const { position: first, level } = ready[0]!;
            expect(index.peek()).toBe(first);
            expect(index.shift()).toBe(first);
            ready = ready.slice(1);
            out.push({ position: first, level, sequence: index.lastSequence });
          } else if (kind === 'restore' && out.length > 0) {
            const [back] = out.splice(pick % out.length, 1);
            index.restore(back!.position, back!.sequence);
            ready.push(back!);
          }
          ready.sort((a, b) => b.level - a.level || a.position - b.position);
          expect(index.length).toBe(ready.length);
        }
        expect(shiftAll(index)).toEqual(ready.map(({ position }) => position));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a queue with x-max-priority', () => {
  it('orders what waits, and not what a consumer takes at once', () => {
    const t = classicBench({ 'x-max-priority': 10 });
    const consumer = t.subscribe('c', { capacity: 1 });
    for (const priority of [0, 9, 3, 10, 12]) publish(t, `p${priority}`, { priority });
    const order: string[] = [];
    for (let i = 0; i < 5; i++) {
      order.push(...t.run());
      consumer.settle(t.queue, consumer.unsettled[0]!, 'acknowledge');
    }
    expect(order).toEqual(['c:p0', 'c:p10', 'c:p12', 'c:p9', 'c:p3']);
    expectNothingHeld(t.log);
  });

  it('hands out in order of arrival to a consumer that takes everything', () => {
    const t = classicBench({ 'x-max-priority': 10 });
    t.subscribe('c');
    for (const priority of [0, 9, 3]) publish(t, `p${priority}`, { priority });
    expect(t.run()).toEqual(['c:p0', 'c:p9', 'c:p3']);
  });

  it('of 0 keeps all messages in order of arrival', () => {
    const t = classicBench({ 'x-max-priority': 0 });
    for (const priority of [0, 9, 1]) publish(t, `p${priority}`, { priority });
    expect(t.drain()).toEqual(['p0', 'p9', 'p1']);
  });

  it('puts a requeued message back into its level', () => {
    const t = classicBench({ 'x-max-priority': 5 });
    publish(t, 'high', { priority: 5 });
    publish(t, 'low', { priority: 1 });
    const [high, low] = [t.get()!, t.get()!];
    publish(t, 'high too', { priority: 5 });
    publish(t, 'mid', { priority: 3 });
    t.queue.requeue(low.position, low.sequence);
    t.queue.requeue(high.position, high.sequence);
    expect(t.drain()).toEqual(['high*', 'high too', 'mid', 'low*']);
    expectNothingHeld(t.log);
  });

  it('does not see an expired message behind a live one of a higher priority', () => {
    const t = classicBench({ 'x-max-priority': 5 });
    publish(t, 'live', { priority: 5 });
    publish(t, 'expired', { ttlMs: 10 });
    t.host.clock.advance(20);
    expect(t.queue.counts().ready).toBe(2);
    expect(t.drain()).toEqual(['live']);
    expect(t.host.deadLetters).toEqual([['expired', 'expired']]);
  });

  it('expires the head of a level that a higher one no longer hides, at its deadline', () => {
    const t = classicBench({ 'x-max-priority': 5 });
    publish(t, 'low', { priority: 0, ttlMs: 50 });
    publish(t, 'high', { priority: 5, ttlMs: 20 });
    t.host.clock.advance(20);
    expect(t.host.deadLetters).toEqual([['high', 'expired']]);
    t.host.clock.advance(29);
    expect(t.queue.counts().ready).toBe(1);
    t.host.clock.advance(1);
    expect(t.queue.counts().ready).toBe(0);
  });
});
