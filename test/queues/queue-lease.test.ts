/** x-expires: a queue that nobody uses goes. https://www.rabbitmq.com/docs/ttl#queue-ttl */
import { describe, expect, it } from 'vitest';
import { classicBench } from './classic-bench.js';
import type { QueueBench } from './queue-contract.js';

const LEASE_MS = 100;
const bench = (): QueueBench => classicBench({ 'x-expires': LEASE_MS });

/** The lease ends in exactly so long. */
function expectExpiryIn(t: QueueBench, leftMs: number): void {
  t.host.clock.advance(leftMs - 1);
  expect(t.host.leaseExpiredCount).toBe(0);
  t.host.clock.advance(1);
  expect(t.host.leaseExpiredCount).toBe(1);
  expect(t.host.clock.pendingCount).toBe(0);
}

describe('the lease of a queue', () => {
  it('ends when the queue was never used', () => {
    expectExpiryIn(bench(), LEASE_MS);
  });

  it.each<readonly [use: string, (t: QueueBench) => void]>([
    ['a declaration', (t) => t.queue.touch()],
    ['basic.get, also when it finds nothing', (t) => t.queue.get()],
    ['the last consumer, when it goes', (t) => t.queue.unsubscribe(t.subscribe('c'))],
  ])('is renewed by %s', (_use, use) => {
    const t = bench();
    t.host.clock.advance(70);
    use(t);
    t.host.clock.advance(70);
    use(t);
    expectExpiryIn(t, LEASE_MS);
  });

  it('is not renewed by messages coming, settled or purged', () => {
    const t = bench();
    t.publish('1', '2', '3');
    const got = [t.get()!, t.get()!];
    t.host.clock.advance(60);
    t.publish('4');
    t.queue.acknowledge(got[0]!.position, got[0]!.sequence);
    t.queue.requeue(got[1]!.position, got[1]!.sequence);
    t.queue.purge();
    t.queue.counts();
    expectExpiryIn(t, 40);
  });

  it('does not run while there are consumers, and begins anew when the last one has gone', () => {
    const t = bench();
    t.host.clock.advance(50);
    const [first, second] = [t.subscribe('a'), t.subscribe('b')];
    t.host.clock.advance(1_000);
    t.queue.unsubscribe(first);
    t.host.clock.advance(1_000);
    expect(t.host.leaseExpiredCount).toBe(0);
    t.queue.unsubscribe(second);
    expectExpiryIn(t, LEASE_MS);
  });

  it('runs on when a use that renews it comes while there are consumers', () => {
    const t = bench();
    const consumer = t.subscribe('c');
    t.host.clock.advance(250);
    t.queue.touch();
    t.host.clock.advance(60);
    t.queue.unsubscribe(consumer);
    expectExpiryIn(t, LEASE_MS);
  });

  it('needs one timer, however often the queue is used', () => {
    const t = bench();
    for (let i = 0; i < 10_000; i++) {
      t.queue.touch();
      t.queue.get();
      if (i % 100 === 0) t.host.clock.advance(1);
      expect(t.host.clock.pendingCount).toBe(1);
    }
    expectExpiryIn(t, LEASE_MS);
  });

  it('ends with the queue: nothing is left to fire', () => {
    const t = bench();
    t.host.clock.advance(50);
    t.queue.delete();
    expect(t.host.clock.pendingCount).toBe(0);
    t.host.clock.advance(1_000);
    expect(t.host.leaseExpiredCount).toBe(0);
  });
});
