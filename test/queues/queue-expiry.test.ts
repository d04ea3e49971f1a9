/** Expiration of messages: rabbitmq.com/docs/ttl, and where that says nothing what RabbitMQ does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../helpers/fake-consumer.js';
import { expectNothingHeld, labelAt } from '../helpers/messages.js';
import { classicBench, publish } from './classic-bench.js';
import type { QueueBench } from './queue-contract.js';

const ready = (t: QueueBench): number => t.queue.counts().ready;

const take = (t: QueueBench): NonNullable<ReturnType<QueueBench['get']>> => {
  const got = t.get();
  if (got === undefined) throw new Error('the queue is empty');
  return got;
};

describe('a message that expires', () => {
  it('dies at its deadline, not a millisecond before', () => {
    const t = classicBench();
    publish(t, '1', { ttlMs: 100 });
    t.host.clock.advance(99);
    expect(ready(t)).toBe(1);
    expect(t.host.deadLetters).toEqual([]);
    t.host.clock.advance(1);
    expect(t.host.deadLetters).toEqual([['1', 'expired']]);
    expect(ready(t)).toBe(0);
    expect(t.get()).toBeUndefined();
    expectNothingHeld(t.log);
  });

  it('dies by the time to live of the queue', () => {
    const t = classicBench({ 'x-message-ttl': 100 });
    publish(t, '1');
    t.host.clock.advance(60);
    publish(t, '2');
    t.host.clock.advance(39);
    expect(t.host.deadLetters).toEqual([]);
    t.host.clock.advance(1);
    expect(t.host.deadLetters).toEqual([['1', 'expired']]);
    t.host.clock.advance(59);
    expect(ready(t)).toBe(1);
    t.host.clock.advance(1);
    expect(ready(t)).toBe(0);
    expectNothingHeld(t.log);
  });

  it.each([
    [100, 60, 60],
    [60, 100, 60],
    [100, 0, 0],
  ])('lives for the lower of %i ms of the queue and %i ms of its own', (queueMs, ownMs, expectedMs) => {
    const t = classicBench({ 'x-message-ttl': queueMs });
    publish(t, '1', { ttlMs: ownMs });
    if (expectedMs > 0) {
      t.host.clock.advance(expectedMs - 1);
      expect(ready(t)).toBe(1);
      t.host.clock.advance(1);
    }
    expect(t.host.deadLetters).toEqual([['1', 'expired']]);
  });

  it('expires at the head only: what waits behind a live one waits and counts, and dies when its turn comes', () => {
    const t = classicBench();
    publish(t, '1');
    publish(t, '2', { ttlMs: 10 });
    publish(t, '3', { ttlMs: 20 });
    publish(t, '4');
    t.host.clock.advance(1_000);
    expect(ready(t)).toBe(4);
    expect(t.drain()).toEqual(['1', '4']);
    expect(t.host.deadLetters).toEqual([
      ['2', 'expired'],
      ['3', 'expired'],
    ]);
    expectNothingHeld(t.log);
  });

  it('waits for a longer one before it, and dies with it', () => {
    const t = classicBench();
    publish(t, 'long', { ttlMs: 100 });
    publish(t, 'short', { ttlMs: 50 });
    t.host.clock.advance(99);
    expect(t.host.deadLetters).toEqual([]);
    t.host.clock.advance(1);
    expect(t.host.deadLetters.map(([label]) => label)).toEqual(['long', 'short']);
  });

  it('dies at its own deadline once it is the head, though the timer was set for another', () => {
    const t = classicBench();
    publish(t, 'long', { ttlMs: 100 });
    publish(t, 'short', { ttlMs: 50 });
    t.host.clock.advance(10);
    t.queue.acknowledge(take(t).position, t.queue.lastSequence);
    t.host.clock.advance(39);
    expect(t.host.deadLetters).toEqual([]);
    t.host.clock.advance(1);
    expect(t.host.deadLetters).toEqual([['short', 'expired']]);
  });

  it('is never delivered expired: what a consumer does not reach in time is gone', () => {
    const t = classicBench();
    const consumer = t.subscribe('c', { capacity: 1 });
    for (const label of ['1', '2', '3']) publish(t, label, { ttlMs: 100 });
    publish(t, '4', { ttlMs: 200 });
    expect(t.run()).toEqual(['c:1']);
    t.host.clock.advance(100);
    consumer.settle(t.queue, consumer.unsettled[0]!, 'acknowledge');
    expect(t.run()).toEqual(['c:4']);
    expect(t.host.deadLetters.map(([label]) => label)).toEqual(['2', '3']);
  });
});

describe('a time to live of zero', () => {
  it('is enough for a consumer that is ready, also behind messages that wait for the turn', () => {
    const t = classicBench();
    t.subscribe('c');
    t.publish('1');
    publish(t, '2', { ttlMs: 0 });
    t.publish('3');
    publish(t, '4', { ttlMs: 0 });
    t.publish('5');
    expect(t.run()).toEqual(['c:1', 'c:2', 'c:3', 'c:4', 'c:5']);
    expect(t.host.deadLetters).toEqual([]);
  });

  it('is the end without one, or with one that has enough', () => {
    const t = classicBench({ 'x-message-ttl': 0 });
    t.publish('1');
    expect(t.host.deadLetters).toEqual([['1', 'expired']]);
    t.subscribe('c', { capacity: 2 });
    t.publish('2', '3', '4');
    expect(t.run()).toEqual(['c:2', 'c:3']);
    expect(t.host.deadLetters.slice(1)).toEqual([['4', 'expired']]);
  });

  it('leaves nothing for basic.get', () => {
    const t = classicBench();
    publish(t, '1', { ttlMs: 0 });
    expect(t.get()).toBeUndefined();
    expectNothingHeld(t.log);
  });

  it('goes to the consumer whose turn it is, so that all get their share', () => {
    const t = classicBench({ 'x-message-ttl': 0 });
    t.subscribe('a');
    t.subscribe('b');
    t.publish('1', '2', '3');
    expect(t.run()).toEqual(['a:1', 'b:2', 'a:3']);
  });

  it('is the end of what comes back', () => {
    const t = classicBench({ 'x-message-ttl': 0 });
    const consumer = t.subscribe('c', { capacity: 1 });
    t.publish('1');
    t.run();
    consumer.settle(t.queue, consumer.unsettled[0]!, 'requeue');
    expect(t.run()).toEqual([]);
    expect(t.host.deadLetters).toEqual([['1', 'expired']]);
  });
});

describe('an unacked message', () => {
  it('does not expire, but dies at once when it comes back after its deadline', () => {
    const t = classicBench();
    publish(t, '1', { ttlMs: 100 });
    const got = take(t);
    t.host.clock.advance(500);
    expect(t.queue.counts()).toMatchObject({ ready: 0, unacked: 1 });
    const waiting = t.subscribe('c');
    t.queue.requeue(got.position, got.sequence);
    expect(t.host.deadLetters).toEqual([['1', 'expired']]);
    expect(t.run()).toEqual([]);
    expect(waiting.unsettled).toEqual([]);
    expectNothingHeld(t.log);
  });

  it('keeps its deadline when it comes back before it', () => {
    const t = classicBench({ 'x-message-ttl': 100 });
    publish(t, '1');
    publish(t, '2');
    const got = take(t);
    t.host.clock.advance(40);
    publish(t, '3');
    t.queue.requeue(got.position, got.sequence);
    t.host.clock.advance(59);
    expect(ready(t)).toBe(3);
    t.host.clock.advance(1);
    expect(t.host.deadLetters.map(([label]) => label)).toEqual(['1', '2']);
    expect(ready(t)).toBe(1);
  });

  it('is watched again when it comes back to the head of those that live longer', () => {
    const t = classicBench();
    publish(t, 'short', { ttlMs: 100 });
    const got = take(t);
    publish(t, 'long', { ttlMs: 500 });
    t.host.clock.advance(50);
    t.queue.requeue(got.position, got.sequence);
    t.host.clock.advance(49);
    expect(ready(t)).toBe(2);
    t.host.clock.advance(1);
    expect(t.host.deadLetters).toEqual([['short', 'expired']]);
  });
});

describe('the timer of a queue', () => {
  const COUNT = 10_000;

  it('is one for all its messages, whatever their deadlines', () => {
    const t = classicBench();
    for (let i = 0; i < COUNT; i++) {
      publish(t, String(i), { ttlMs: 1 + ((i * 7_919) % COUNT) });
      expect(t.host.clock.pendingCount).toBeLessThanOrEqual(1);
    }
    expect(ready(t)).toBe(COUNT);
    for (let i = 0; i < 100; i++) {
      t.host.clock.advance(COUNT / 100);
      expect(t.host.clock.pendingCount).toBeLessThanOrEqual(1);
    }
    expect(ready(t)).toBe(0);
    expect(t.host.deadLetters).toHaveLength(COUNT);
    expect(t.host.clock.pendingCount).toBe(0);
    expectNothingHeld(t.log);
  });

  it('is none while consumers keep up', () => {
    const t = classicBench({ 'x-message-ttl': 1_000 });
    t.subscribe('c', { noAck: true });
    for (let i = 0; i < 100; i++) {
      publish(t, String(i));
      expect(t.host.clock.pendingCount).toBe(0);
    }
  });

  it('goes when the queue is purged or deleted, and does not come back', () => {
    for (const end of ['purge', 'delete'] as const) {
      const t = classicBench({ 'x-message-ttl': 100 });
      t.publish('1', '2', '3');
      const got = take(t);
      expect(t.host.clock.pendingCount).toBe(1);
      expect(t.queue[end]()).toBe(2);
      expect(t.host.clock.pendingCount).toBe(0);
      if (end === 'delete') {
        t.queue.requeue(got.position, got.sequence);
        expect(publish(t, 'late')).toBe(true);
      } else t.queue.acknowledge(got.position, got.sequence);
      expect(t.host.clock.pendingCount).toBe(0);
      t.host.clock.advance(1_000);
      expect(t.host.deadLetters).toEqual([]);
      expectNothingHeld(t.log);
    }
  });
});

interface Waiting {
  readonly sequence: number;
  readonly label: string;
  readonly deadlineMs: number;
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('publish'), ms: fc.option(fc.nat(12), { nil: Number.POSITIVE_INFINITY }) }),
  fc.record({
    kind: fc.constantFrom('get', 'acknowledge', 'requeue', 'reject', 'capacity'),
    ms: fc.nat(12),
  }),
  fc.record({ kind: fc.constant('advance'), ms: fc.integer({ min: 1, max: 8 }) }),
);

/** A queue beside a list: its head dies at its deadline, and a consumer takes what it can at once. */
class Model {
  private readonly t = classicBench();
  private readonly consumer = this.t.subscribe('c', { capacity: 0 });
  private readonly got: Pick<Delivery, 'position' | 'sequence'>[] = [];
  private readonly deadlines: number[] = [];
  private readonly waiting: Waiting[] = [];
  private readonly dead: (readonly [label: string, reason: string])[] = [];
  /** Messages the consumer has. */
  private heldCount = 0;

  step(kind: string, ms: number): void {
    if (kind === 'publish') this.publish(ms);
    else if (kind === 'get') this.get();
    else if (kind === 'capacity') {
      this.consumer.capacity = ms % 4;
      this.consumer.wake(this.t.queue);
    } else if (kind === 'advance') this.advance(ms);
    else this.settle(kind as 'acknowledge' | 'requeue' | 'reject', ms % 2 === 0);
    this.expire();
    this.deliver();
    this.check();
  }

  private publish(ttlMs: number): void {
    const sequence = this.deadlines.length;
    const deadlineMs = this.t.host.clock.nowMs() + ttlMs;
    this.deadlines.push(deadlineMs);
    publish(this.t, String(sequence), { ttlMs });
    this.waiting.push({ sequence, label: String(sequence), deadlineMs });
    this.deliver();
  }

  private get(): void {
    const expected = this.waiting.shift();
    const got = this.t.get();
    expect(got?.sequence).toBe(expected?.sequence);
    if (got !== undefined) this.got.push(got);
  }

  private advance(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.t.host.clock.advance(1);
      this.expire();
      this.check();
    }
  }

  private settle(kind: 'acknowledge' | 'requeue' | 'reject', isOfConsumer: boolean): void {
    const { t, consumer } = this;
    const settled = isOfConsumer ? consumer.unsettled[0] : this.got.shift();
    if (settled === undefined) return;
    if (kind === 'reject') this.dead.push([labelAt(t.log, settled.position), 'rejected']);
    if (kind === 'requeue') this.putBack(settled);
    if (!isOfConsumer) return t.queue[kind](settled.position, settled.sequence);
    this.heldCount--;
    consumer.settle(t.queue, consumer.unsettled[0]!, kind);
  }

  private putBack({ position, sequence }: Pick<Delivery, 'position' | 'sequence'>): void {
    const label = labelAt(this.t.log, position);
    this.waiting.push({ sequence, label, deadlineMs: this.deadlines[sequence]! });
    this.waiting.sort((a, b) => a.sequence - b.sequence);
  }

  /** What has not died goes to the consumer as long as it takes more. */
  private deliver(): void {
    const expected: string[] = [];
    while (this.waiting.length > 0 && this.heldCount < this.consumer.capacity) {
      expected.push(`c:${this.waiting.shift()!.label}`);
      this.heldCount++;
      this.expire();
    }
    expect(this.t.run().map((line) => line.replace('*', ''))).toEqual(expected);
  }

  private expire(): void {
    const nowMs = this.t.host.clock.nowMs();
    while (this.waiting.length > 0 && this.waiting[0]!.deadlineMs <= nowMs) {
      this.dead.push([this.waiting.shift()!.label, 'expired']);
    }
  }

  private check(): void {
    expect(this.t.host.deadLetters).toEqual(this.dead);
    expect(ready(this.t)).toBe(this.waiting.length);
    expect(this.t.host.clock.pendingCount).toBeLessThanOrEqual(1);
  }

  end(): void {
    const { t, consumer } = this;
    t.queue.unsubscribe(consumer);
    for (const { position, sequence } of [...this.got, ...consumer.unsettled]) {
      t.queue.acknowledge(position, sequence);
    }
    t.queue.delete();
    expect(t.host.clock.pendingCount).toBe(0);
    expectNothingHeld(t.log);
  }
}

describe('a queue with messages that expire', () => {
  it('behaves as a list whose head dies at its deadline, whatever happens to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const model = new Model();
        for (const { kind, ms } of steps) model.step(kind, ms);
        model.end();
      }),
      { numRuns: 300 },
    );
  });
});
