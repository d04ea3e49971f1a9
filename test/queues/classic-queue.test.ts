import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldEntry } from '../../src/amqp/field-table.js';
import { bool, signedint } from '../../src/amqp/field-value.js';
import type { Delivery, FakeConsumer } from '../helpers/fake-consumer.js';
import { expectNothingHeld, labelAt, writeLabelled } from '../helpers/messages.js';
import { makeClassic } from './classic-bench.js';
import { describeQueueContract, type MakeQueue, QueueBench, type QueueTraits } from './queue-contract.js';
import { describeRestartContract } from './queue-restart-contract.js';

/** The same queue with arguments that make no difference to the contract's messages. */
const withArguments =
  (...more: readonly FieldEntry[]): MakeQueue =>
  (log, host, args) =>
    makeClassic(log, host, [...more, ...args]);

const CLASSIC: QueueTraits = { returnsTo: 'original place', hasExclusiveConsumers: true };

describeQueueContract('classic', makeClassic, CLASSIC);
describeQueueContract('classic, with priorities', withArguments(['x-max-priority', signedint(5)]), CLASSIC);
describeQueueContract(
  'classic, with limits it does not reach',
  withArguments(['x-max-length', signedint(100_000)], ['x-max-length-bytes', signedint(100_000)]),
  CLASSIC,
);
describeQueueContract(
  'classic, with times it does not reach',
  withArguments(['x-message-ttl', signedint(100_000)], ['x-expires', signedint(100_000)]),
  CLASSIC,
);
describeRestartContract('classic', [], CLASSIC);
describeRestartContract('classic, with priorities', [['x-max-priority', signedint(5)]], CLASSIC);
describeRestartContract('classic, with a limit', [['x-max-length', signedint(100_000)]], CLASSIC);

const SINGLE_ACTIVE: readonly FieldEntry[] = [['x-single-active-consumer', bool(true)]];

describe('a classic queue with a single active consumer', () => {
  const bench = (): QueueBench => new QueueBench(makeClassic, SINGLE_ACTIVE);

  it('serves the first subscriber only, also while that cannot take', () => {
    const t = bench();
    const a = t.subscribe('a', { capacity: 2 });
    t.subscribe('b');
    t.publish('1', '2', '3');
    expect(t.run()).toEqual(['a:1', 'a:2']);
    expect(t.run()).toEqual([]);
    a.settle(t.queue, a.unsettled[0]!, 'acknowledge');
    expect(t.run()).toEqual(['a:3']);
    expect(t.queue.counts().consumers).toBe(2);
  });

  it('goes over to the next one when the active one leaves, and the unsettled come first', () => {
    const t = bench();
    const a = t.subscribe('a', { capacity: 2 });
    t.subscribe('b');
    t.subscribe('c');
    t.publish('1', '2', '3');
    expect(t.run()).toEqual(['a:1', 'a:2']);
    t.queue.unsubscribe(a);
    for (const delivery of [...a.unsettled]) a.settle(t.queue, delivery, 'requeue');
    expect(t.run()).toEqual(['b:1*', 'b:2*', 'b:3']);
  });

  it('elects the highest priority and does not pre-empt', () => {
    const t = bench();
    const low = t.subscribe('low');
    t.publish('1');
    expect(t.run()).toEqual(['low:1']);
    t.subscribe('mid', { priority: 1 });
    t.subscribe('high', { priority: 5 });
    t.publish('2');
    expect(t.run()).toEqual(['low:2']);
    t.queue.unsubscribe(low);
    t.publish('3');
    expect(t.run()).toEqual(['high:3']);
  });

  it('elects the first that comes and, when that goes, one of those that are there: not at the next message', () => {
    const t = bench();
    const first = t.subscribe('first');
    const heir = t.subscribe('heir', { priority: 1 });
    t.publish('1');
    expect(t.run()).toEqual(['first:1']);
    t.queue.unsubscribe(first);
    t.subscribe('late', { priority: 9 });
    t.publish('2');
    expect(t.run()).toEqual(['heir:2']);
    t.queue.unsubscribe(heir);
    t.publish('3');
    expect(t.run()).toEqual(['late:3']);
  });

  it('keeps its active consumer when another leaves', () => {
    const t = bench();
    t.subscribe('a');
    const b = t.subscribe('b');
    t.publish('1');
    t.run();
    t.queue.unsubscribe(b);
    t.publish('2');
    expect(t.run()).toEqual(['a:2']);
  });

  it('takes no exclusive consumer', () => {
    const t = bench();
    expect(() => t.subscribe('a', { isExclusive: true })).toThrow(
      "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
    );
  });
});

/** What one step of the model test does; `pick` chooses among what there is to choose from. */
const step = fc.record({
  kind: fc.constantFrom(
    'publish',
    'publish',
    'publish',
    'run',
    'run',
    'acknowledge',
    'requeue',
    'reject',
    'get',
    'subscribe',
    'unsubscribe',
    'capacity',
    'purge',
    'counts',
  ),
  pick: fc.nat(1_000),
});

interface Ready {
  readonly sequence: number;
  readonly label: string;
}

/** A queue beside a model of it: the ready messages as a sorted list, and who holds the others. */
class Model {
  readonly deliveries: Delivery[] = [];
  readonly bench = new QueueBench(makeClassic);
  readonly consumers: FakeConsumer[] = [];
  /** Consumers that left with deliveries they have not settled count too. */
  readonly everyone: FakeConsumer[] = [];
  ready: Ready[] = [];
  readonly got: Delivery[] = [];
  deadCount = 0;
  private published = 0;

  step(kind: string, pick: number): void {
    const { queue } = this.bench;
    if (kind === 'publish') {
      for (let i = 0; i <= pick % 7; i++) this.publish();
    } else if (kind === 'run') this.run();
    else if (kind === 'get') this.get();
    else if (kind === 'purge') {
      const count = this.caughtUp(() => queue.purge());
      expect(count).toBe(this.ready.length);
      this.ready = [];
    } else if (kind === 'counts') this.expectCounts();
    else if (kind === 'subscribe') this.subscribe(pick);
    else if (kind === 'unsubscribe') this.unsubscribe(pick);
    else if (kind === 'capacity') {
      const consumer = this.consumers[pick % (this.consumers.length || 1)];
      if (consumer === undefined) return;
      consumer.capacity = pick % 5;
      consumer.wake(queue);
    } else this.settle(kind as 'acknowledge' | 'requeue' | 'reject', pick);
  }

  publish(): void {
    const label = String(this.published);
    this.bench.publish(label);
    this.ready.push({ sequence: this.published++, label });
  }

  subscribe(pick: number): void {
    const consumer = this.bench.consumer(`c${this.everyone.length}`, {
      noAck: pick % 4 === 0,
      capacity: 1 + (pick % 5),
      priority: pick % 3,
      onDelivery: (delivery) => this.deliveries.push(delivery),
    });
    this.caughtUp(() => this.bench.queue.subscribe(consumer));
    this.consumers.push(consumer);
    this.everyone.push(consumer);
  }

  unsubscribe(pick: number): void {
    const [consumer] = this.consumers.splice(pick % (this.consumers.length || 1), 1);
    if (consumer !== undefined) this.bench.queue.unsubscribe(consumer);
  }

  get(): void {
    const got = this.caughtUp(() => this.bench.get());
    const expected = this.ready.shift();
    expect(got === undefined ? undefined : got.sequence).toBe(expected?.sequence);
    if (got === undefined) return;
    expect(labelAt(this.bench.log, got.position)).toBe(expected?.label);
    this.got.push({ ...got, consumer: this.bench.consumer('get'), counts: 0 });
  }

  /** Whatever can be delivered is, in order: nobody who can take is left waiting beside a ready message. */
  run(): void {
    const expected = this.takeDeliverable();
    this.bench.host.runAll();
    this.expectDelivered(expected);
  }

  /** Deliveries that are due are made before a queue is looked into, as if they had never waited for the turn. */
  caughtUp<T>(look: () => T): T {
    const expected = this.bench.host.isRunDue ? this.takeDeliverable() : [];
    const result = look();
    this.expectDelivered(expected);
    return result;
  }

  takeDeliverable(): Ready[] {
    let free = 0;
    for (const { noAck, capacity, unsettled } of this.consumers) {
      if (capacity > unsettled.length) free += noAck ? Number.POSITIVE_INFINITY : capacity - unsettled.length;
    }
    return this.ready.splice(0, Math.min(free, this.ready.length));
  }

  expectDelivered(expected: readonly Ready[]): void {
    const labels = this.bench.delivered.splice(0).map((line) => line.replace(/^.*:/, '').replace('*', ''));
    expect(labels).toEqual(expected.map(({ label }) => label));
    expect(this.deliveries.splice(0).map(({ sequence }) => sequence)).toEqual(
      expected.map(({ sequence }) => sequence),
    );
  }

  settle(kind: 'acknowledge' | 'requeue' | 'reject', pick: number): void {
    const out = [...this.got, ...this.everyone.flatMap(({ unsettled }) => unsettled)];
    const delivery = out[pick % (out.length || 1)];
    if (delivery === undefined) return;
    const label = labelAt(this.bench.log, delivery.position);
    const { queue } = this.bench;
    if (this.got.includes(delivery)) {
      this.got.splice(this.got.indexOf(delivery), 1);
      queue[kind](delivery.position, delivery.sequence);
    } else delivery.consumer.settle(queue, delivery, kind);
    if (kind === 'reject') expect(this.bench.host.deadLetters.at(-1)).toEqual([label, 'rejected']);
    if (kind !== 'requeue') return;
    this.ready.push({ sequence: delivery.sequence, label });
    this.ready.sort((a, b) => a.sequence - b.sequence);
  }

  expectCounts(): void {
    const counts = this.caughtUp(() => this.bench.queue.counts());
    const out = this.got.length + this.everyone.reduce((sum, { unsettled }) => sum + unsettled.length, 0);
    expect(counts).toEqual({
      ready: this.ready.length,
      unacked: out,
      consumers: this.consumers.length,
    });
  }

  /** Deletes the queue, settles what is out, and finds the log empty. */
  end(): void {
    const { queue, log } = this.bench;
    expect(queue.delete()).toBe(this.ready.length);
    const kinds = ['acknowledge', 'requeue', 'reject'] as const;
    for (const [i, { position, sequence }] of this.got.entries()) queue[kinds[i % 3]!](position, sequence);
    for (const { unsettled } of this.everyone) {
      for (const { position, sequence } of unsettled) queue.requeue(position, sequence);
    }
    expect(queue.counts()).toEqual({ ready: 0, unacked: 0, consumers: 0 });
    expectNothingHeld(log);
  }
}

describe('a classic queue', () => {
  it('behaves as a sorted list of messages, whatever happens to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const model = new Model();
        for (const { kind, pick } of steps) {
          model.step(kind, pick);
        }
        model.run();
        model.expectCounts();
        model.end();
      }),
      { numRuns: 200 },
    );
  });
});

describe('basic.get of a classic queue whose messages expire', () => {
  it('tells the sequence number of the message it gave, so that it can go back to its place', () => {
    const t = new QueueBench(makeClassic);
    const publish = (label: string, ttlMs: number): void => {
      const deadlineMs = t.host.clock.nowMs() + ttlMs;
      const position = writeLabelled(t.log, label, { deadlineMs });
      t.log.retain(position, 1);
      t.queue.publish(position, deadlineMs);
    };
    publish('stays', 1_000);
    publish('expires', 10);
    publish('next', 1_000);
    t.host.clock.advance(20);
    const got = t.get()!;
    expect(t.label(got)).toBe('stays');
    expect(got.sequence).toBe(0);
    expect(t.host.deadLetters).toEqual([['expires', 'expired']]);
    t.queue.requeue(got.position, got.sequence);
    expect(t.drain()).toEqual(['stays*', 'next']);
  });
});
