/**
 * What holds for queues of every type whose consumers compete. A new type runs this suite, and
 * `queue-restart-contract.ts`; see `classic-queue.test.ts`.
 */
import { describe, expect, it } from 'vitest';
import type { FieldEntry } from '../../src/amqp/field-table.js';
import { QUEUE_RUN_MESSAGES_MAX } from '../../src/lib/limits.js';
import type { Queue, QueueHost } from '../../src/queues/queue.js';
import type { MessageLog } from '../../src/store/message-log.js';
import { type Delivery, FakeConsumer, type FakeConsumerOptions } from '../helpers/fake-consumer.js';
import { expectNothingHeld, labelAt, smallLog, writeLabelled } from '../helpers/messages.js';
import { RecordingHost } from '../helpers/recording-host.js';

/** Makes the queue `q` of the virtual host `/` with the arguments given. */
export type MakeQueue = (log: MessageLog, host: QueueHost, args: readonly FieldEntry[]) => Queue;

/** Where the types differ. */
export interface QueueTraits {
  /** What comes back goes to its original place, or before all that is fresh in the order in which it comes back. */
  readonly returnsTo: 'original place' | 'front, in turn';
  readonly hasExclusiveConsumers: boolean;
}

/** A queue with its log and its host, and what was delivered from it. */
export class QueueBench {
  readonly log = smallLog();
  readonly host = new RecordingHost(this.log);
  readonly queue: Queue;
  /** In order, whoever the consumer was: its tag and the message, with `*` when it was redelivered. */
  readonly delivered: string[] = [];

  constructor(make: MakeQueue, args: readonly FieldEntry[] = []) {
    this.queue = make(this.log, this.host, args);
  }

  publish(...labels: readonly string[]): void {
    for (const label of labels) {
      const position = writeLabelled(this.log, label);
      this.log.retain(position, 1);
      this.queue.publish(position);
    }
  }

  consumer(tag: string, options: FakeConsumerOptions = {}): FakeConsumer {
    const onDelivery = (delivery: Delivery): void => {
      this.delivered.push(`${tag}:${this.label(delivery)}`);
      options.onDelivery?.(delivery);
    };
    return new FakeConsumer({ ...options, tag, onDelivery });
  }

  subscribe(tag: string, options: FakeConsumerOptions = {}): FakeConsumer {
    const consumer = this.consumer(tag, options);
    this.queue.subscribe(consumer);
    return consumer;
  }

  label({ position, redelivered }: Pick<Delivery, 'position' | 'redelivered'>): string {
    return `${labelAt(this.log, position)}${redelivered ? '*' : ''}`;
  }

  /** Runs the queue and returns what that delivered. */
  run(): string[] {
    this.host.runAll();
    return this.delivered.splice(0);
  }

  /** Takes a message as basic.get does, or undefined when there is none. */
  get(): Pick<Delivery, 'position' | 'sequence' | 'redelivered'> | undefined {
    const position = this.queue.get();
    const { lastSequence, lastRedelivered } = this.queue;
    return position < 0 ? undefined : { position, sequence: lastSequence, redelivered: lastRedelivered };
  }

  /** Takes all ready messages, acknowledged at once. */
  drain(): string[] {
    const labels: string[] = [];
    for (let got = this.get(); got !== undefined; got = this.get()) {
      labels.push(this.label(got));
      this.queue.acknowledge(got.position, got.sequence);
    }
    return labels;
  }
}

function replyTextOf(action: () => void): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

export function describeQueueContract(typeName: string, make: MakeQueue, traits: QueueTraits): void {
  const bench = (args: readonly FieldEntry[] = []): QueueBench => new QueueBench(make, args);

  describe(`a queue of type ${typeName}`, () => {
    describeOrder(bench, traits);
    describeSettling(bench);
    describeConsumers(bench, traits);
    describePeeking(bench);
    describeEnd(bench);
  });
}

type Bench = (args?: readonly FieldEntry[]) => QueueBench;

function describeOrder(bench: Bench, { returnsTo }: QueueTraits): void {
  it('gives messages in the order they came', () => {
    const t = bench();
    t.publish('1', '2', '3');
    expect(t.queue.counts()).toEqual({ ready: 3, unacked: 0, consumers: 0 });
    expect(t.drain()).toEqual(['1', '2', '3']);
    expect(t.queue.get()).toBe(-1);
    expectNothingHeld(t.log);
  });

  it('counts what basic.get took as unacked until it is settled', () => {
    const t = bench();
    t.publish('1', '2');
    const got = t.get()!;
    expect(t.queue.counts()).toMatchObject({ ready: 1, unacked: 1 });
    t.queue.acknowledge(got.position, got.sequence);
    expect(t.queue.counts()).toMatchObject({ ready: 1, unacked: 0 });
  });

  it(`puts what comes back to its ${returnsTo}, in whatever order it comes`, () => {
    const t = bench();
    t.publish('1', '2', '3', '4', '5', '6');
    const taken = [t.get()!, t.get()!, t.get()!, t.get()!];
    for (const i of [2, 0, 3]) t.queue.requeue(taken[i]!.position, taken[i]!.sequence);
    t.publish('7');
    const returned = returnsTo === 'original place' ? ['1*', '3*', '4*'] : ['3*', '1*', '4*'];
    expect(t.drain()).toEqual([...returned, '5', '6', '7']);
    t.queue.requeue(taken[1]!.position, taken[1]!.sequence);
    t.publish('8');
    expect(t.drain()).toEqual(['2*', '8']);
    expectNothingHeld(t.log);
  });

  it('marks a message redelivered when it was handed out before, and only then', () => {
    const t = bench();
    t.publish('1', '2');
    for (let round = 0; round < 3; round++) {
      const got = t.get()!;
      expect(got.redelivered).toBe(round > 0);
      t.queue.requeue(got.position, got.sequence);
    }
    expect(t.drain()).toEqual(['1*', '2']);
  });

  it('keeps its order through a deep backlog', () => {
    const t = bench();
    const labels = Array.from({ length: 3_000 }, (_, i) => String(i));
    t.publish(...labels);
    t.subscribe('c', { noAck: true });
    expect(t.run()).toEqual(labels.map((label) => `c:${label}`));
    expectNothingHeld(t.log);
  });
}

function describeSettling(bench: Bench): void {
  it('holds a delivery until it is acknowledged', () => {
    const t = bench();
    t.publish('1', '2');
    const consumer = t.subscribe('c');
    expect(t.run()).toEqual(['c:1', 'c:2']);
    expect(t.queue.counts()).toEqual({ ready: 0, unacked: 2, consumers: 1 });
    for (const delivery of [...consumer.unsettled].reverse())
      consumer.settle(t.queue, delivery, 'acknowledge');
    expect(t.queue.counts()).toMatchObject({ ready: 0, unacked: 0 });
    expectNothingHeld(t.log);
  });

  it('lets go of what a consumer with automatic acknowledgement gets, once it is written', () => {
    const t = bench();
    let liveWhenDelivered = 0;
    t.subscribe('c', {
      noAck: true,
      onDelivery: ({ position }) => {
        liveWhenDelivered = t.log.segmentOf(position).live;
      },
    });
    t.publish('1');
    expect(t.run()).toEqual(['c:1']);
    expect(liveWhenDelivered).toBe(1);
    expect(t.queue.counts()).toMatchObject({ ready: 0, unacked: 0 });
    expectNothingHeld(t.log);
  });

  it('delivers again what a consumer gave back', () => {
    const t = bench();
    const first = t.subscribe('a', { capacity: 1 });
    t.publish('1', '2');
    expect(t.run()).toEqual(['a:1']);
    t.subscribe('b');
    expect(t.run()).toEqual(['b:2']);
    first.capacity = 0;
    first.settle(t.queue, first.unsettled[0]!, 'requeue');
    expect(t.run()).toEqual(['b:1*']);
  });

  it('dead-letters what is rejected, then lets it go', () => {
    const t = bench();
    t.publish('1', '2');
    const got = t.get()!;
    t.queue.reject(got.position, got.sequence);
    expect(t.host.deadLetters).toEqual([['1', 'rejected']]);
    expect(t.queue.counts()).toMatchObject({ ready: 1, unacked: 0 });
    t.drain();
    expectNothingHeld(t.log);
  });
}

function describeConsumers(bench: Bench, { hasExclusiveConsumers }: QueueTraits): void {
  it('asks for a run only when there is somebody to deliver to and something to deliver', () => {
    const t = bench();
    t.publish('1');
    expect(t.host.isRunDue).toBe(false);
    const consumer = t.subscribe('c', { capacity: 1 });
    expect(t.host.isRunDue).toBe(true);
    expect(t.run()).toEqual(['c:1']);
    consumer.settle(t.queue, consumer.unsettled[0]!, 'acknowledge');
    t.publish('2');
    expect(t.run()).toEqual(['c:2']);
  });

  it('takes turns', () => {
    const t = bench();
    t.subscribe('a');
    t.subscribe('b');
    t.publish('1', '2', '3');
    expect(t.run()).toEqual(['a:1', 'b:2', 'a:3']);
    t.publish('4');
    expect(t.run()).toEqual(['b:4']);
  });

  it('passes over whoever cannot take, and comes back when told', () => {
    const t = bench();
    const a = t.subscribe('a', { capacity: 1 });
    t.subscribe('b', { capacity: 2 });
    t.publish('1', '2', '3', '4', '5');
    expect(t.run()).toEqual(['a:1', 'b:2', 'b:3']);
    expect(t.queue.counts()).toMatchObject({ ready: 2, unacked: 3 });
    expect(t.run()).toEqual([]);
    a.settle(t.queue, a.unsettled[0]!, 'acknowledge');
    expect(t.run()).toEqual(['a:4']);
  });

  it('serves higher priorities first', () => {
    const t = bench();
    t.subscribe('low');
    t.subscribe('high', { priority: 1, capacity: 2 });
    t.publish('1', '2', '3');
    expect(t.run()).toEqual(['high:1', 'high:2', 'low:3']);
  });

  it('stops after its budget and says that it has more', () => {
    const t = bench();
    const labels = Array.from({ length: QUEUE_RUN_MESSAGES_MAX + 1 }, (_, i) => String(i));
    t.publish(...labels);
    t.subscribe('c', { noAck: true });
    expect(t.queue.run()).toBe(true);
    expect(t.delivered).toHaveLength(QUEUE_RUN_MESSAGES_MAX);
    expect(t.queue.run()).toBe(false);
    expect(t.delivered).toEqual(labels.map((label) => `c:${label}`));
    expect(t.queue.run()).toBe(false);
  });

  it('makes the deliveries that are due before it lets anybody look', () => {
    const looks: ((t: QueueBench) => unknown)[] = [
      ({ queue }) => queue.get(),
      ({ queue }) => queue.purge(),
      ({ queue }) => queue.counts().ready,
      ({ queue }) => queue.delete(),
    ];
    for (const look of looks) {
      const t = bench();
      t.subscribe('c');
      t.publish('1', '2');
      expect(look(t)).toBe(look === looks[0] ? -1 : 0);
      expect(t.delivered).toEqual(['c:1', 'c:2']);
    }
  });

  it('serves those that are there before somebody joins', () => {
    const t = bench();
    t.subscribe('a');
    t.publish('1');
    t.subscribe('b', { priority: 1 });
    t.publish('2');
    expect(t.run()).toEqual(['a:1', 'b:2']);
  });

  it('lets an exclusive consumer be alone, or knows no exclusive consumers', () => {
    const t = bench();
    if (!hasExclusiveConsumers) {
      t.subscribe('a', { isExclusive: true });
      t.subscribe('b');
      t.subscribe('c', { isExclusive: true });
      t.publish('1', '2', '3');
      expect(t.run()).toEqual(['a:1', 'b:2', 'c:3']);
      return;
    }
    const refused = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use";
    const exclusive = t.subscribe('a', { isExclusive: true });
    expect(replyTextOf(() => t.subscribe('b'))).toBe(refused);
    expect(replyTextOf(() => t.subscribe('c', { isExclusive: true }))).toBe(refused);
    t.queue.unsubscribe(exclusive);
    t.subscribe('d');
    expect(replyTextOf(() => t.subscribe('e', { isExclusive: true }))).toBe(refused);
    expect(t.queue.counts().consumers).toBe(1);
  });

  it('delivers nothing to a consumer that left, and keeps what it has not settled', () => {
    const t = bench();
    const consumer = t.subscribe('c', { capacity: 1 });
    t.publish('1', '2');
    expect(t.run()).toEqual(['c:1']);
    t.queue.unsubscribe(consumer);
    expect(t.queue.counts()).toEqual({ ready: 1, unacked: 1, consumers: 0 });
    consumer.settle(t.queue, consumer.unsettled[0]!, 'requeue');
    expect(t.run()).toEqual([]);
    expect(t.drain()).toEqual(['1*', '2']);
  });

  it('tells its host when the last consumer went, and nobody else', () => {
    const t = bench();
    const [a, b] = [t.subscribe('a'), t.subscribe('b')];
    t.queue.unsubscribe(t.consumer('stranger'));
    t.queue.unsubscribe(a);
    t.queue.unsubscribe(a);
    expect(t.host.lastConsumerGoneCount).toBe(0);
    t.queue.unsubscribe(b);
    expect(t.host.lastConsumerGoneCount).toBe(1);
  });
}

function describePeeking(bench: Bench): void {
  const peek = (t: QueueBench, count: number): string[] => t.queue.peek(count).map((seen) => t.label(seen));

  it('lets one look at what waits, in the order of its delivery, and stays as it is', () => {
    const t = bench();
    expect(peek(t, 3)).toEqual([]);
    t.publish('1', '2', '3', '4', '5', '6');
    const taken = [t.get()!, t.get()!, t.get()!];
    for (const i of [1, 0]) t.queue.requeue(taken[i]!.position, taken[i]!.sequence);
    const before = t.queue.counts();
    const all = peek(t, 10);
    expect(all).toHaveLength(5);
    for (let count = 0; count < 5; count++) expect(peek(t, count)).toEqual(all.slice(0, count));
    expect(t.queue.counts()).toEqual(before);
    expect(t.drain()).toEqual(all);
  });

  it('shows nothing that is due to somebody', () => {
    const t = bench();
    t.subscribe('c', { capacity: 1 });
    t.publish('1', '2');
    expect(peek(t, 2)).toEqual(['2']);
    expect(t.delivered).toEqual(['c:1']);
  });

  it('lets one look deep', () => {
    const t = bench();
    const labels = Array.from({ length: 12_000 }, (_, i) => String(i));
    t.publish(...labels);
    expect(peek(t, 11_000)).toEqual(labels.slice(0, 11_000));
    expect(t.drain()).toEqual(labels);
  });
}

function describeEnd(bench: Bench): void {
  it('purges what is ready and leaves what is out', () => {
    const t = bench();
    t.publish('1', '2', '3', '4');
    const [first, second] = [t.get()!, t.get()!];
    t.queue.requeue(second.position, second.sequence);
    expect(t.queue.purge()).toBe(3);
    expect(t.queue.purge()).toBe(0);
    expect(t.queue.counts()).toMatchObject({ ready: 0, unacked: 1 });
    t.publish('5');
    t.queue.requeue(first.position, first.sequence);
    expect(t.drain()).toEqual(['1*', '5']);
    expect(t.host.deadLetters).toEqual([]);
    expectNothingHeld(t.log);
  });

  it('when deleted drops what is ready, cancels consumers, and lets the rest be settled in any way', () => {
    const t = bench();
    const consumer = t.subscribe('a', { capacity: 3 });
    const other = t.subscribe('b', { capacity: 0 });
    t.publish('1', '2', '3', '4', '5');
    expect(t.run()).toEqual(['a:1', 'a:2', 'a:3']);
    expect(t.queue.delete()).toBe(2);
    expect([t.queue.isDeleted, consumer.isCancelled, other.isCancelled]).toEqual([true, true, true]);
    expect(t.queue.counts()).toEqual({ ready: 0, unacked: 3, consumers: 0 });
    expect(t.host.lastConsumerGoneCount).toBe(0);
    const [first, second, third] = [...consumer.unsettled];
    consumer.settle(t.queue, first!, 'acknowledge');
    consumer.settle(t.queue, second!, 'requeue');
    consumer.settle(t.queue, third!, 'reject');
    expect(t.run()).toEqual([]);
    expect(t.queue.counts()).toEqual({ ready: 0, unacked: 0, consumers: 0 });
    expect(t.host.deadLetters).toEqual([]);
    expectNothingHeld(t.log);
  });
}
