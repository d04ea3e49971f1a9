/** Length limits: rabbitmq.com/docs/maxlength, and where that says nothing what RabbitMQ does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../helpers/fake-consumer.js';
import { expectNothingHeld, labelAt } from '../helpers/messages.js';
import { classicBench, publish } from './classic-bench.js';
import type { QueueBench } from './queue-contract.js';

const labelsOf = (t: QueueBench): string[] => t.host.deadLetters.map(([label]) => label);

/** Publishes each, and tells which ones the queue took. */
const offer = (t: QueueBench, ...labels: readonly string[]): string[] =>
  labels.filter((label) => publish(t, label));

describe('x-overflow drop-head', () => {
  it('drops the oldest ready messages beyond the length, as dead letters with reason maxlen', () => {
    const t = classicBench({ 'x-max-length': 2 });
    expect(offer(t, '1', '2')).toEqual(['1', '2']);
    expect(t.host.deadLetters).toEqual([]);
    expect(offer(t, '3', '4')).toEqual(['3', '4']);
    expect(t.host.deadLetters).toEqual([
      ['1', 'maxlen'],
      ['2', 'maxlen'],
    ]);
    expect(t.drain()).toEqual(['3', '4']);
    expectNothingHeld(t.log);
  });

  it('counts bytes of bodies: drops as many as make room, and what is too large by itself', () => {
    const t = classicBench({ 'x-max-length-bytes': 4 });
    offer(t, 'aa', 'bb');
    expect(labelsOf(t)).toEqual([]);
    offer(t, 'c');
    expect(labelsOf(t)).toEqual(['aa']);
    offer(t, '');
    expect(labelsOf(t)).toEqual(['aa']);
    offer(t, 'dddd');
    expect(labelsOf(t)).toEqual(['aa', 'bb', 'c']);
    offer(t, 'eeeee');
    expect(labelsOf(t)).toEqual(['aa', 'bb', 'c', '', 'dddd', 'eeeee']);
    offer(t, 'f');
    expect(t.drain()).toEqual(['f']);
    expectNothingHeld(t.log);
  });

  it('obeys whichever of the two limits comes first', () => {
    const t = classicBench({ 'x-max-length': 3, 'x-max-length-bytes': 5 });
    offer(t, 'a', 'b', 'c', 'd');
    expect(labelsOf(t)).toEqual(['a']);
    offer(t, 'eeee');
    expect(labelsOf(t)).toEqual(['a', 'b', 'c']);
    expect(t.drain()).toEqual(['d', 'eeee']);
  });

  it('looks at ready messages only', () => {
    const t = classicBench({ 'x-max-length': 1 });
    for (const label of ['1', '2', '3']) {
      publish(t, label);
      expect(t.get()).toBeDefined();
    }
    publish(t, '4');
    expect(t.queue.counts()).toMatchObject({ ready: 1, unacked: 3 });
    expect(labelsOf(t)).toEqual([]);
  });

  it('drops nothing that a consumer takes: each message is handed out before the next is counted', () => {
    const t = classicBench({ 'x-max-length': 1 });
    t.subscribe('c', { capacity: 2 });
    offer(t, '1', '2', '3', '4', '5');
    expect(t.run()).toEqual(['c:1', 'c:2']);
    expect(labelsOf(t)).toEqual(['3', '4']);
    expect(t.drain()).toEqual(['5']);
  });

  it('lets a queue of length zero pass on what a consumer takes', () => {
    const t = classicBench({ 'x-max-length': 0 });
    offer(t, '1');
    t.subscribe('c', { capacity: 1 });
    offer(t, '2', '3');
    expect(t.run()).toEqual(['c:2']);
    expect(t.host.deadLetters).toEqual([
      ['1', 'maxlen'],
      ['3', 'maxlen'],
    ]);
  });

  it('makes room for what comes back by dropping the oldest, before anybody gets it', () => {
    const t = classicBench({ 'x-max-length': 1 });
    const holder = t.subscribe('a', { capacity: 3 });
    offer(t, '1', '2', '3');
    t.run();
    holder.capacity = 0;
    t.subscribe('b');
    for (const delivery of [...holder.unsettled]) holder.settle(t.queue, delivery, 'requeue');
    expect(t.run()).toEqual(['b:3*']);
    expect(labelsOf(t)).toEqual(['1', '2']);
  });

  it('calls a message that comes back too late and too many one too many', () => {
    const t = classicBench({ 'x-max-length': 1 });
    publish(t, 'old', { ttlMs: 10 });
    const got = t.get()!;
    publish(t, 'new');
    t.host.clock.advance(20);
    t.queue.requeue(got.position, got.sequence);
    expect(t.host.deadLetters).toEqual([['old', 'maxlen']]);
    expect(t.drain()).toEqual(['new']);
  });

  it('calls a message without time that does not fit one too many', () => {
    const t = classicBench({ 'x-max-length': 0, 'x-message-ttl': 0 });
    publish(t, '1');
    expect(t.host.deadLetters).toEqual([['1', 'maxlen']]);
  });

  it('watches the deadline of the message that becomes the head', () => {
    const t = classicBench({ 'x-max-length': 1 });
    publish(t, 'long', { ttlMs: 60_000 });
    publish(t, 'short', { ttlMs: 30 });
    t.host.clock.advance(29);
    expect(labelsOf(t)).toEqual(['long']);
    t.host.clock.advance(1);
    expect(t.host.deadLetters[1]).toEqual(['short', 'expired']);
  });

  it('drops from the highest priority first, however important', () => {
    const t = classicBench({ 'x-max-length': 2, 'x-max-priority': 5 });
    for (const [label, priority] of [
      ['low', 1],
      ['high', 5],
      ['mid', 2],
      ['high too', 5],
      ['lowest', 0],
    ] as const) {
      publish(t, label, { priority });
    }
    expect(labelsOf(t)).toEqual(['high', 'high too', 'mid']);
    expect(t.drain()).toEqual(['low', 'lowest']);
  });

  it('counts anew after a purge', () => {
    const t = classicBench({ 'x-max-length-bytes': 3 });
    offer(t, 'aaa');
    t.queue.purge();
    offer(t, 'bbb');
    expect(labelsOf(t)).toEqual([]);
    expect(t.drain()).toEqual(['bbb']);
  });
});

describe('x-overflow reject-publish', () => {
  const REJECT = { 'x-overflow': 'reject-publish' };

  it('refuses what would exceed the length, and lets it go', () => {
    const t = classicBench({ ...REJECT, 'x-max-length': 2 });
    expect(offer(t, '1', '2', '3', '4')).toEqual(['1', '2']);
    expect(t.host.deadLetters).toEqual([]);
    expect(t.drain()).toEqual(['1', '2']);
    expect(offer(t, '5')).toEqual(['5']);
    t.drain();
    expectNothingHeld(t.log);
  });

  it('refuses what would exceed the bytes, and takes a smaller one after it', () => {
    const t = classicBench({ ...REJECT, 'x-max-length-bytes': 4 });
    expect(offer(t, 'aa', 'bbb', 'cc', 'd', '')).toEqual(['aa', 'cc', '']);
  });

  it('takes what follows a message that a consumer took', () => {
    const t = classicBench({ ...REJECT, 'x-max-length': 1 });
    t.subscribe('c', { capacity: 2 });
    expect(offer(t, '1', '2', '3', '4')).toEqual(['1', '2', '3']);
    expect(t.run()).toEqual(['c:1', 'c:2']);
  });

  it('has room again as soon as a consumer has acknowledged, though its next delivery waits for the turn', () => {
    const t = classicBench({ ...REJECT, 'x-max-length': 1 });
    const consumer = t.subscribe('c', { capacity: 1 });
    expect(offer(t, '1', '2', '3')).toEqual(['1', '2']);
    consumer.settle(t.queue, consumer.unsettled[0]!, 'acknowledge');
    expect(offer(t, '4', '5')).toEqual(['4']);
    expect(t.run()).toEqual(['c:1', 'c:2']);
    expect(t.drain()).toEqual(['4']);
  });

  it('refuses everything at length zero: it counts before it looks for a consumer', () => {
    const t = classicBench({ ...REJECT, 'x-max-length': 0 });
    t.subscribe('c');
    expect(offer(t, '1')).toEqual([]);
    expect(t.run()).toEqual([]);
  });

  it('drops nothing when messages come back', () => {
    const t = classicBench({ ...REJECT, 'x-max-length': 1 });
    publish(t, '1');
    const got = t.get()!;
    publish(t, '2');
    t.queue.requeue(got.position, got.sequence);
    expect(t.queue.counts().ready).toBe(2);
    expect(offer(t, '3')).toEqual([]);
    expect(t.drain()).toEqual(['1*', '2']);
    expect(t.host.deadLetters).toEqual([]);
  });

  it('has room again when the head expires', () => {
    const t = classicBench({ ...REJECT, 'x-max-length': 1 });
    publish(t, '1', { ttlMs: 10 });
    expect(offer(t, '2')).toEqual([]);
    t.host.clock.advance(10);
    expect(offer(t, '3')).toEqual(['3']);
  });

  it('dead-letters what it refuses, as reject-publish-dlx', () => {
    const t = classicBench({ 'x-overflow': 'reject-publish-dlx', 'x-max-length': 1 });
    expect(offer(t, '1', '2', '3')).toEqual(['1']);
    expect(t.host.deadLetters).toEqual([
      ['2', 'maxlen'],
      ['3', 'maxlen'],
    ]);
    t.drain();
    expectNothingHeld(t.log);
  });
});

const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish-dlx'] as const;

const step = fc.record({
  kind: fc.constantFrom(
    'publish',
    'publish',
    'publish',
    'get',
    'acknowledge',
    'requeue',
    'reject',
    'capacity',
  ),
  pick: fc.nat(100),
});

/** A queue beside a list of what is ready, in order, that is cut to its limits. */
class Model {
  private readonly t: QueueBench;
  private readonly consumer;
  private readonly ready: { readonly sequence: number; readonly label: string }[] = [];
  private readonly got: Pick<Delivery, 'position' | 'sequence'>[] = [];
  private readonly dead: (readonly [label: string, reason: string])[] = [];
  private heldCount = 0;
  private acceptedCount = 0;
  private offeredCount = 0;

  constructor(
    private readonly maxLength: number,
    private readonly maxBytes: number,
    private readonly overflow: (typeof OVERFLOWS)[number],
  ) {
    this.t = classicBench({
      'x-max-length': maxLength,
      'x-max-length-bytes': maxBytes,
      'x-overflow': overflow,
    });
    this.consumer = this.t.subscribe('c', { capacity: 0 });
  }

  step(kind: string, pick: number): void {
    if (kind === 'publish') this.publish('x'.repeat(pick % 5));
    else if (kind === 'get') this.get();
    else if (kind === 'capacity') {
      this.consumer.capacity = pick % 3;
      this.consumer.wake(this.t.queue);
    } else this.settle(kind as 'acknowledge' | 'requeue' | 'reject', pick);
    this.deliver();
    expect(this.t.host.deadLetters).toEqual(this.dead);
    expect(this.t.queue.counts().ready).toBe(this.ready.length);
  }

  private publish(filler: string): void {
    const label = `${this.offeredCount++}${filler}`;
    const isFull = this.exceeds(this.ready.length + 1, this.readyBytes() + label.length);
    const isRejected = isFull && this.overflow !== 'drop-head';
    expect(publish(this.t, label)).toBe(!isRejected);
    if (isRejected) {
      if (this.overflow === 'reject-publish-dlx') this.dead.push([label, 'maxlen']);
      return;
    }
    this.ready.push({ sequence: this.acceptedCount++, label });
    this.deliver();
    this.cut();
  }

  private get(): void {
    const expected = this.ready.shift();
    const got = this.t.get();
    expect(got?.sequence).toBe(expected?.sequence);
    if (got !== undefined) this.got.push(got);
  }

  private settle(kind: 'acknowledge' | 'requeue' | 'reject', pick: number): void {
    const { t, consumer, got } = this;
    const isOfConsumer = pick % 2 === 0;
    const from = isOfConsumer ? consumer.unsettled : got;
    const settled = from[pick % (from.length || 1)];
    if (settled === undefined) return;
    const label = labelAt(t.log, settled.position);
    if (kind === 'reject') this.dead.push([label, 'rejected']);
    if (kind === 'requeue') {
      this.ready.push({ sequence: settled.sequence, label });
      this.ready.sort((a, b) => a.sequence - b.sequence);
      if (this.overflow === 'drop-head') this.cut();
    }
    if (isOfConsumer) {
      this.heldCount--;
      consumer.settle(t.queue, settled as Delivery, kind);
    } else {
      got.splice(got.indexOf(settled), 1);
      t.queue[kind](settled.position, settled.sequence);
    }
  }

  private deliver(): void {
    const expected: string[] = [];
    while (this.ready.length > 0 && this.heldCount < this.consumer.capacity) {
      expected.push(`c:${this.ready.shift()!.label}`);
      this.heldCount++;
    }
    expect(this.t.run().map((line) => line.replace('*', ''))).toEqual(expected);
  }

  private cut(): void {
    while (this.exceeds(this.ready.length, this.readyBytes())) {
      this.dead.push([this.ready.shift()!.label, 'maxlen']);
    }
  }

  private exceeds(length: number, bytes: number): boolean {
    return length > this.maxLength || bytes > this.maxBytes;
  }

  private readyBytes(): number {
    return this.ready.reduce((sum, { label }) => sum + label.length, 0);
  }

  end(): void {
    const { t, consumer } = this;
    t.queue.unsubscribe(consumer);
    const labels = this.ready.map(({ label }) => label);
    expect(t.drain().map((label) => label.replace('*', ''))).toEqual(labels);
    for (const { position, sequence } of [...this.got, ...consumer.unsettled]) {
      t.queue.acknowledge(position, sequence);
    }
    expectNothingHeld(t.log);
  }
}

describe('a queue with limits', () => {
  it('behaves as a list that is cut to them, whatever happens to it', () => {
    const limits = [fc.nat(5), fc.nat(20), fc.constantFrom(...OVERFLOWS)] as const;
    fc.assert(
      fc.property(...limits, fc.array(step, { maxLength: 60 }), (maxLength, maxBytes, overflow, steps) => {
        const model = new Model(maxLength, maxBytes, overflow);
        for (const { kind, pick } of steps) model.step(kind, pick);
        model.end();
      }),
      { numRuns: 300 },
    );
  });
});
