import { describe, expect, it } from 'vitest';
import { signedint } from '../../src/amqp/field-value.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { Return } from '../../src/queues/queue.js';
import {
  declareQueue,
  getMessage,
  openDurable,
  publish as publishDurably,
} from '../helpers/durable-broker.js';
import { expectNothingHeld } from '../helpers/messages.js';
import {
  describeQueueContract,
  type MakeQueue,
  type QueueBench,
  type QueueTraits,
} from './queue-contract.js';
import {
  describeRestartContract,
  drainMarked,
  type End,
  MEMORY,
  publishTexts,
  queueOf,
  restart,
  take,
} from './queue-restart-contract.js';
import { entriesOf, makeQuorum, publish, QUORUM_TYPE, quorumBench } from './quorum-bench.js';

const QUORUM: QueueTraits = { returnsTo: 'front, in turn', hasExclusiveConsumers: false };

const withArguments =
  (args: Readonly<Record<string, number | string>>): MakeQueue =>
  (log, host, more) =>
    makeQuorum(log, host, [...entriesOf(args), ...more]);

const LIMITS = { 'x-max-length': 100_000, 'x-max-length-bytes': 100_000 };
const REFUSING = { ...LIMITS, 'x-overflow': 'reject-publish' };

describeQueueContract('quorum', makeQuorum, QUORUM);
describeQueueContract('quorum, with limits it does not reach', withArguments(LIMITS), QUORUM);
describeQueueContract(
  'quorum that keeps its dead, with limits it does not reach',
  withArguments({ ...REFUSING, 'x-dead-letter-exchange': 'x', 'x-dead-letter-strategy': 'at-least-once' }),
  QUORUM,
);
describeQueueContract(
  'quorum, with times it does not reach',
  withArguments({ 'x-message-ttl': 100_000, 'x-expires': 100_000 }),
  QUORUM,
);
describeRestartContract('quorum', [QUORUM_TYPE], QUORUM);
describeRestartContract('quorum, with a limit', [QUORUM_TYPE, ['x-max-length', signedint(100_000)]], QUORUM);

/** Takes the next message and gives it back. @returns how often it had been handed out */
function bounce(t: QueueBench): number | undefined {
  const got = t.get();
  if (got === undefined) return undefined;
  const { lastCounts } = t.queue;
  t.queue.requeue(got.position, got.sequence);
  return lastCounts;
}

describe('the delivery count of a quorum queue', () => {
  it('says how often a message was handed out before', () => {
    const t = quorumBench();
    publish(t, '1');
    publish(t, '2');
    expect([bounce(t), bounce(t), bounce(t)]).toEqual([0, 1, 2]);
    expect(t.queue.peek(2)).toMatchObject([
      { redelivered: true, counts: 3 },
      { redelivered: false, counts: 0 },
    ]);
    const counts: number[] = [];
    t.subscribe('c', { onDelivery: (delivery) => counts.push(delivery.counts) });
    expect(t.run()).toEqual(['c:1*', 'c:2']);
    expect(counts).toEqual([3, 0]);
  });

  it.each([
    ['the limit of 4.x', {}, 21],
    ['a limit of its own', { 'x-delivery-limit': 2 }, 3],
    ['a limit of zero', { 'x-delivery-limit': 0 }, 1],
    ['a limit that is no number', { 'x-delivery-limit': 'many' }, 21],
  ] as const)('lets a message die after %s', (_, args, deliveries) => {
    const t = quorumBench(args);
    publish(t, 'm');
    publish(t, 'next');
    for (let i = 0; i < deliveries; i++) {
      expect(t.host.deadLetters).toEqual([]);
      expect(bounce(t)).toBe(i);
    }
    expect(t.host.deadLetters).toEqual([['m', 'delivery_limit']]);
    expect(t.queue.counts()).toEqual({ ready: 1, unacked: 0, consumers: 0 });
    expect(t.drain()).toEqual(['next']);
    expectNothingHeld(t.log);
  });

  it('has no end when the limit is negative', () => {
    const t = quorumBench({ 'x-delivery-limit': -1 });
    publish(t, 'm');
    for (let i = 0; i < 100; i++) expect(bounce(t)).toBe(i);
    expect(t.host.deadLetters).toEqual([]);
    expect(t.drain()).toEqual(['m*']);
    expectNothingHeld(t.log);
  });

  it('sends what is given back to the back when there is no limit, but not what was abandoned', () => {
    const t = quorumBench({ 'x-delivery-limit': -1 });
    for (const label of ['1', '2', '3', '4']) publish(t, label);
    const [first, second, third] = [t.get()!, t.get()!, t.get()!];
    t.queue.requeue(second.position, second.sequence);
    t.queue.requeue(first.position, first.sequence);
    t.queue.requeue(third.position, third.sequence, Return.Abandoned);
    publish(t, '5');
    expect(t.queue.peek(9).map((seen) => `${t.label(seen)}${seen.counts}`)).toEqual([
      '3*1',
      '40',
      '2*1',
      '1*1',
      '50',
    ]);
    expect(t.drain()).toEqual(['3*', '4', '2*', '1*', '5']);
    expectNothingHeld(t.log);
  });

  it('starts anew when a queue without a limit is purged', () => {
    const t = quorumBench({ 'x-delivery-limit': -1 });
    publish(t, '1');
    bounce(t);
    expect(t.queue.purge()).toBe(1);
    publish(t, '2');
    expect(bounce(t)).toBe(0);
    expect(bounce(t)).toBe(1);
  });

  it.each<End>(['in order', 'by a power cut'])('survives a broker that ends %s', async (end) => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'q', [QUORUM_TYPE, ['x-delivery-limit', signedint(3)]]);
    publishTexts(first, '1', '2', '3');
    for (let i = 0; i < 2; i++) {
      const taken = await take(first, 2);
      for (const { position, sequence } of taken) queueOf(first).requeue(position, sequence);
    }
    const again = await restart(first, end);
    const counts: number[] = [];
    for (const { position, sequence } of await take(again, 2)) {
      counts.push(sequence);
      queueOf(again).requeue(position, sequence);
    }
    expect(counts).toEqual([2, 2]);
    const last = await restart(again, end);
    const [got] = await take(last, 1);
    expect([got!.body.toString(), queueOf(last).lastCounts]).toEqual(['1', 3]);
    queueOf(last).requeue(got!.position, got!.sequence);
    expect((await drainMarked(last)).map((text) => text.replace('*', ''))).toEqual(['2', '3']);
  });

  it.each<End>(['in order', 'by a power cut'])('keeps high messages high when it ends %s', async (end) => {
    const first = await openDurable(new SimulatedFileSystem(), MEMORY);
    declareQueue(first.virtualHost, 'q', [QUORUM_TYPE]);
    const isHigh = (i: number): boolean => i % 4 === 3;
    for (let i = 0; i < 2_000; i++) {
      const text = Buffer.from(`${isHigh(i) ? 'high' : 'normal'} ${i}`);
      publishDurably(first, 'q', text, isHigh(i) ? { priority: 9 } : {});
      if (i % 100 === 99) await first.settle();
    }
    const again = await restart(first, end);
    const texts = (await drainMarked(again)).map((text) => text.replace('*', ''));
    expect(texts.slice(0, 6)).toEqual(['high 3', 'high 7', 'normal 0', 'high 11', 'high 15', 'normal 1']);
    const numbers = Array.from({ length: 2_000 }, (_, i) => i);
    const inLevel = (level: string): string[] => texts.filter((text) => text.startsWith(level));
    expect(inLevel('high')).toEqual(numbers.filter(isHigh).map((i) => `high ${i}`));
    expect(inLevel('normal')).toEqual(numbers.filter((i) => !isHigh(i)).map((i) => `normal ${i}`));
  });

  it('gives every message once from a queue so deep that its order leaves memory', async () => {
    for (const every of [Number.POSITIVE_INFINITY, 5_000, 7]) {
      const options = { segmentBytes: 65_536, residentBytesMax: 262_144 };
      const durable = await openDurable(new SimulatedFileSystem(), options);
      declareQueue(durable.virtualHost, 'q', [QUORUM_TYPE]);
      for (let i = 0; i < 20_000; i++) {
        const isHigh = i % every === every - 1;
        publishDurably(durable, 'q', Buffer.from(String(i)), isHigh ? { priority: 9 } : {});
        if (i % 500 === 499) await durable.settle();
      }
      const numbers = (await drainMarked(durable)).map(Number);
      expect(numbers).toHaveLength(20_000);
      const normal = numbers.filter((i) => i % every !== every - 1);
      expect(normal).toEqual([...normal].sort((a, b) => a - b));
      expect(new Set(numbers).size).toBe(20_000);
    }
  });
});

describe('the priorities of a quorum queue', () => {
  const send = (t: QueueBench, ...labels: readonly string[]): void => {
    for (const label of labels) publish(t, label, label.startsWith('h') ? { priority: 5 } : {});
  };

  it('are two: two high messages go for each normal one', () => {
    const t = quorumBench();
    send(t, 'n1', 'n2', 'n3', 'h1', 'h2', 'h3', 'h4', 'h5');
    expect(t.drain()).toEqual(['h1', 'h2', 'n1', 'h3', 'h4', 'n2', 'h5', 'n3']);
  });

  it('never let a normal message go before a high one that came first', () => {
    const t = quorumBench();
    send(t, 'h1', 'h2', 'h3', 'h4', 'n1', 'n2');
    expect(t.drain()).toEqual(['h1', 'h2', 'h3', 'h4', 'n1', 'n2']);
  });

  it.each([
    [undefined, 'normal'],
    [0, 'normal'],
    [4, 'normal'],
    [5, 'high'],
    [255, 'high'],
  ] as const)('%s is %s', (priority, level) => {
    const t = quorumBench();
    publish(t, 'first', { priority: 1 });
    publish(t, 'it', priority === undefined ? {} : { priority });
    expect(t.drain()).toEqual(level === 'high' ? ['it', 'first'] : ['first', 'it']);
  });

  it('do not let a message overtake what could be delivered before it came', () => {
    const t = quorumBench();
    t.subscribe('c');
    send(t, 'n1', 'h1');
    expect(t.run()).toEqual(['c:n1', 'c:h1']);
  });

  it('mean nothing for what came back', () => {
    const t = quorumBench();
    send(t, 'n1', 'n2');
    const [first, second] = [t.get()!, t.get()!];
    t.queue.requeue(second.position, second.sequence);
    send(t, 'h1');
    t.queue.requeue(first.position, first.sequence);
    expect(t.drain()).toEqual(['n2*', 'n1*', 'h1']);
    expectNothingHeld(t.log);
  });
});

describe('a full quorum queue', () => {
  it('drops its head: what came back, then the oldest', () => {
    const t = quorumBench({ 'x-max-length': 2 });
    for (const label of ['1', '2']) publish(t, label);
    t.get();
    const second = t.get()!;
    t.queue.requeue(second.position, second.sequence);
    for (const label of ['3', '4', '5']) expect(publish(t, label)).toBe(true);
    expect(t.host.deadLetters).toEqual([
      ['2', 'maxlen'],
      ['3', 'maxlen'],
    ]);
    expect(t.drain()).toEqual(['4', '5']);
  });

  it('drops its head too when told to dead-letter what it rejects', () => {
    const t = quorumBench({ 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx' });
    expect([publish(t, '1'), publish(t, '2')]).toEqual([true, true]);
    expect(t.drain()).toEqual(['2']);
  });

  it('that rejects does so once it is over its limit, until it is well below', () => {
    const t = quorumBench({ 'x-max-length': 10, 'x-overflow': 'reject-publish' });
    const offer = (count: number): boolean[] => Array.from({ length: count }, () => publish(t, 'm'));
    expect(offer(13)).toEqual([...new Array<boolean>(11).fill(true), false, false]);
    const taken = [t.get()!, t.get()!];
    expect(t.queue.counts().ready).toBe(9);
    expect(offer(1)).toEqual([false]);
    taken.push(t.get()!);
    expect(offer(4)).toEqual([true, true, true, false]);
    for (const { position, sequence } of taken) t.queue.requeue(position, sequence);
    expect(t.queue.counts().ready).toBe(14);
    expect(t.host.deadLetters).toEqual([]);
    t.queue.purge();
    expect(offer(1)).toEqual([true]);
    t.queue.purge();
    expectNothingHeld(t.log);
  });

  it('counts bytes of bodies in the same way', () => {
    const t = quorumBench({ 'x-max-length-bytes': 10, 'x-overflow': 'reject-publish' });
    expect(['aaaaa', 'bbbbb', 'c', 'd'].map((label) => publish(t, label))).toEqual([true, true, true, false]);
    t.queue.acknowledge(t.get()!.position, 0);
    expect(publish(t, 'e')).toBe(true);
  });

  it('gives to a consumer what would be too much, before it rejects', () => {
    const t = quorumBench({ 'x-max-length': 0, 'x-overflow': 'reject-publish' });
    t.subscribe('c', { capacity: 2 });
    expect(['1', '2', '3', '4'].map((label) => publish(t, label))).toEqual([true, true, true, false]);
    expect(t.delivered).toEqual(['c:1', 'c:2']);
  });
});

describe('the single active consumer of a quorum queue', () => {
  const bench = (): QueueBench => quorumBench({ 'x-single-active-consumer': true });

  it('makes room for a higher priority once it has settled what it holds, and gets nothing more until then', () => {
    const t = bench();
    const low = t.subscribe('low');
    t.publish('1', '2');
    expect(t.run()).toEqual(['low:1', 'low:2']);
    t.subscribe('mid', { priority: 1 });
    t.subscribe('high', { priority: 5 });
    t.publish('3');
    expect(t.run()).toEqual([]);
    low.settle(t.queue, low.unsettled[0]!, 'acknowledge');
    expect(t.run()).toEqual([]);
    low.settle(t.queue, low.unsettled[0]!, 'requeue');
    expect(t.run()).toEqual(['high:2*', 'high:3']);
  });

  it('makes room at once when it holds nothing', () => {
    const t = bench();
    t.subscribe('low');
    t.subscribe('high', { priority: 1 });
    t.publish('1');
    expect(t.run()).toEqual(['high:1']);
  });

  it('goes on when whoever should follow it leaves', () => {
    const t = bench();
    t.subscribe('low');
    t.publish('1');
    expect(t.run()).toEqual(['low:1']);
    const high = t.subscribe('high', { priority: 1 });
    t.publish('2');
    expect(t.run()).toEqual([]);
    t.queue.unsubscribe(high);
    expect(t.run()).toEqual(['low:2']);
  });

  it('is followed by the highest when it leaves, whatever it holds', () => {
    const t = bench();
    const first = t.subscribe('first', { priority: 1 });
    t.subscribe('low');
    t.subscribe('equal', { priority: 1 });
    t.publish('1');
    expect(t.run()).toEqual(['first:1']);
    t.queue.unsubscribe(first);
    t.publish('2');
    expect(t.run()).toEqual(['equal:2']);
  });
});

describe('time and a quorum queue', () => {
  it('expires messages at its head, also those that come back late', () => {
    const t = quorumBench({ 'x-message-ttl': 100 });
    publish(t, '1');
    publish(t, '2', { ttlMs: 50 });
    const got = t.get()!;
    t.host.clock.advance(50);
    expect(t.host.deadLetters).toEqual([['2', 'expired']]);
    t.host.clock.advance(50);
    t.queue.requeue(got.position, got.sequence);
    expect(t.host.deadLetters.slice(1)).toEqual([['1', 'expired']]);
    expectNothingHeld(t.log);
  });

  it('ends its lease unless somebody gets or consumes: declaring it again is not enough', () => {
    const t = quorumBench({ 'x-expires': 100 });
    t.host.clock.advance(60);
    t.queue.touch();
    t.host.clock.advance(39);
    expect(t.host.leaseExpiredCount).toBe(0);
    t.queue.get();
    t.host.clock.advance(99);
    expect(t.host.leaseExpiredCount).toBe(0);
    t.host.clock.advance(1);
    expect(t.host.leaseExpiredCount).toBe(1);
  });
});

describe('a message that is read from the disk again', () => {
  it('comes with its count', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'q', [QUORUM_TYPE]);
    const texts = Array.from({ length: 1_000 }, (_, i) => `${i} ${'x'.repeat(100)}`);
    publishTexts(first, ...texts);
    await first.settle();
    const taken = await take(first, 500);
    for (const { position, sequence } of taken) queueOf(first).requeue(position, sequence);
    for (const text of texts) {
      const got = await getMessage(first, queueOf(first));
      expect(got!.body.toString()).toBe(text);
    }
    expect(queueOf(first).counts()).toMatchObject({ ready: 0, unacked: 1_000 });
  });
});
