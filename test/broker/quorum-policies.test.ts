/** Policies that come to quorum queues and go again: with dead letters on their way, on deep queues, over restarts. */
import { describe, expect, it } from 'vitest';
import type { FieldEntry } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import { DEFAULT_GENERATION } from '../../src/broker/generations/default.js';
import type { Generation } from '../../src/broker/generations/generation.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { type Queue, Return } from '../../src/queues/queue.js';
import { deliveryCountOf } from '../../src/queues/return-counts.js';
import {
  bodyAt,
  type DurableBroker,
  declareQueue,
  drainTexts,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';
import { FakeConsumer } from '../helpers/fake-consumer.js';

const SEGMENTS = { segmentBytes: 65_536, residentBytesMax: 131_072 };
const RETRY_MS = 180_000;
const KEEPING = {
  'dead-letter-exchange': '',
  'dead-letter-routing-key': 'dead',
  'dead-letter-strategy': 'at-least-once',
  overflow: 'reject-publish',
};

const open = (disk: SimulatedFileSystem, generation: Generation = DEFAULT_GENERATION) =>
  openDurable(disk, { ...SEGMENTS, config: { users: [], generation } });

async function start(args: readonly FieldEntry[] = [], generation?: Generation) {
  const durable = await open(new SimulatedFileSystem(), generation);
  const queue = declareQueue(durable.virtualHost, 'q', [['x-queue-type', longstr('quorum')], ...args]);
  return { durable, queue };
}

/** Ends the broker by a power cut when all is quiet, and opens its data directory again. */
async function restart(durable: DurableBroker, generation?: Generation) {
  await settle(durable);
  durable.clock.advance(1_000);
  await settle(durable);
  expect(durable.fatal).toEqual([]);
  const again = await open(durable.disk.powerCut(), generation);
  await settle(again);
  return { durable: again, queue: again.virtualHost.queues.get('q')! };
}

/** Runs everything that is due, however many reads it takes. */
async function settle(durable: DurableBroker): Promise<void> {
  for (let i = 0; i < 50; i++) await durable.settle();
}

function set(durable: DurableBroker, definition: object): void {
  durable.virtualHost.policies.set('policy', { name: 'p', pattern: '^q$', definition });
}

function unset(durable: DurableBroker): void {
  durable.virtualHost.policies.delete('policy', 'p');
}

function offer(durable: DurableBroker, queue: Queue, ...texts: readonly string[]): void {
  for (const text of texts) publish(durable, queue.name, Buffer.from(text));
}

/** Lets messages fail: each of `times` is how often it was, for the next one. */
async function fail(durable: DurableBroker, queue: Queue, ...times: readonly number[]): Promise<void> {
  for (const count of times) {
    const { position, sequence } = (await getMessage(durable, queue))!;
    // Without a look at what else is ready.
    queue.requeue(position, sequence + count - 1, Return.Failed);
  }
}

/** Takes messages and gives them up. */
async function reject(durable: DurableBroker, queue: Queue, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { position, sequence } = (await getMessage(durable, queue))!;
    queue.reject(position, sequence);
  }
  await durable.settle();
}

describe('max-length on a quorum queue', () => {
  it('drops what came back, then the oldest', async () => {
    const { durable, queue } = await start();
    offer(durable, queue, '1', '2', '3', '4', '5');
    const [first, second] = [await getMessage(durable, queue), await getMessage(durable, queue)];
    queue.requeue(second!.position, second!.sequence);
    set(durable, { 'max-length': 3 });
    expect(queue.counts()).toMatchObject({ ready: 3, unacked: 1 });
    queue.requeue(first!.position, first!.sequence);
    expect(await drainTexts(durable, 'q')).toEqual(['3', '4', '5']);
  });

  it('becomes reject-publish and back while the queue is full', async () => {
    const { durable, queue } = await start();
    offer(durable, queue, '1', '2', '3', '4', '5', '6');
    set(durable, { 'max-length': 5, overflow: 'reject-publish' });
    offer(durable, queue, 'refused');
    expect(queue.counts().ready).toBe(6);
    // Still over: what comes is taken, and the head makes room.
    set(durable, { 'max-length': 5 });
    offer(durable, queue, '7');
    expect(queue.counts().ready).toBe(5);
    // Not over, so nothing is refused until it is.
    set(durable, { 'max-length': 5, overflow: 'reject-publish' });
    offer(durable, queue, '8', 'refused');
    expect(await drainTexts(durable, 'q')).toEqual(['3', '4', '5', '6', '7', '8']);
  });

  it('raised far enough ends refusing at once', async () => {
    const { durable, queue } = await start();
    offer(durable, queue, '1', '2', '3');
    set(durable, { 'max-length': 2, overflow: 'reject-publish' });
    offer(durable, queue, 'refused');
    set(durable, { 'max-length': 10, overflow: 'reject-publish' });
    offer(durable, queue, '4');
    expect(await drainTexts(durable, 'q')).toEqual(['1', '2', '3', '4']);
  });

  it('has the overflow of the policy, not of the argument', async () => {
    const { durable, queue } = await start([
      ['x-overflow', longstr('reject-publish')],
      ['x-max-length', signedint(2)],
    ]);
    offer(durable, queue, '1', '2', '3', 'refused');
    set(durable, { overflow: 'drop-head' });
    expect(queue.counts().ready).toBe(2);
    offer(durable, queue, '4');
    expect(queue.counts().ready).toBe(2);
    unset(durable);
    offer(durable, queue, '5', 'refused');
    expect(await drainTexts(durable, 'q')).toEqual(['3', '4', '5']);
  });
});

describe('max-length-bytes on a quorum queue', () => {
  it('refuses for what was there before it, until it is well below', async () => {
    const { durable, queue } = await start();
    offer(durable, queue, 'aaaaaa', 'bbbbbb');
    set(durable, { 'max-length-bytes': 10, overflow: 'reject-publish' });
    offer(durable, queue, 'refused');
    expect(queue.counts().ready).toBe(2);
    await getMessage(durable, queue);
    offer(durable, queue, 'c');
    expect(queue.counts().ready).toBe(2);
  });

  it('counts what is out when it comes back', async () => {
    const { durable, queue } = await start();
    offer(durable, queue, 'aaaaaa', 'bbbbbb');
    const out = (await getMessage(durable, queue))!;
    set(durable, { 'max-length-bytes': 10, overflow: 'reject-publish' });
    queue.requeue(out.position, out.sequence);
    offer(durable, queue, 'refused', 'refused');
    expect(queue.counts().ready).toBe(2);
  });

  it('counts what died before it, while that waits', async () => {
    const { durable, queue } = await start();
    set(durable, KEEPING);
    offer(durable, queue, 'aaaaaa', 'bbbbbb', 'c');
    await reject(durable, queue, 2);
    set(durable, { ...KEEPING, 'max-length-bytes': 10 });
    offer(durable, queue, 'refused');
    expect(queue.counts().ready).toBe(1);
    declareQueue(durable.virtualHost, 'dead');
    durable.clock.advance(RETRY_MS);
    await durable.settle();
    offer(durable, queue, 'd');
    expect(await drainTexts(durable, 'q')).toEqual(['c', 'd']);
  });
});

describe('message-ttl on a quorum queue', () => {
  it('is that of the moment a message came, also of one that comes back', async () => {
    const { durable, queue } = await start();
    declareQueue(durable.virtualHost, 'dead');
    publish(durable, 'q', Buffer.from('old'), { publishedMs: durable.clock.nowMs() });
    durable.clock.advance(1);
    set(durable, { 'message-ttl': 50, 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' });
    const old = (await getMessage(durable, queue))!;
    durable.clock.advance(1);
    for (const text of ['1', '2']) {
      publish(durable, 'q', Buffer.from(text), { publishedMs: durable.clock.nowMs() });
    }
    durable.clock.advance(20);
    const first = (await getMessage(durable, queue))!;
    durable.clock.advance(30);
    await durable.settle();
    expect(queue.counts().ready).toBe(0);
    queue.requeue(first.position, first.sequence);
    queue.requeue(old.position, old.sequence);
    durable.clock.advance(1_000);
    await durable.settle();
    expect(await drainTexts(durable, 'dead')).toEqual(['2', '1']);
    expect(await drainTexts(durable, 'q')).toEqual(['old']);
  });
});

describe('delivery-limit on a quorum queue', () => {
  const LIMIT = { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' };

  it('lower than what messages have already ends them the next time they come back, for whatever reason', async () => {
    const { durable, queue } = await start([], RABBITMQ_4_3);
    declareQueue(durable.virtualHost, 'dead');
    offer(durable, queue, '1', '2');
    await fail(durable, queue, 3, 1);
    set(durable, { ...LIMIT, 'delivery-limit': 2 });
    expect(queue.counts().ready).toBe(2);
    const got = [await getMessage(durable, queue), await getMessage(durable, queue)];
    // Not a failure: but the first is over the limit, and the second is not.
    for (const message of got) queue.requeue(message!.position, message!.sequence, Return.GivenBack);
    await durable.settle();
    expect(await drainTexts(durable, 'dead')).toEqual(['1']);
    expect(await drainTexts(durable, 'q')).toEqual(['2']);
  });

  it('raised, or gone, lets them live', async () => {
    const { durable, queue } = await start();
    set(durable, { 'delivery-limit': 1 });
    offer(durable, queue, '1');
    await fail(durable, queue, 1);
    set(durable, { 'delivery-limit': 2 });
    await fail(durable, queue, 1);
    unset(durable);
    for (let i = 3; i <= 20; i++) await fail(durable, queue, 1);
    expect(queue.counts().ready).toBe(1);
    await fail(durable, queue, 1);
    expect(queue.counts().ready).toBe(0);
  });

  it('counts with the argument: the lower one, or the one that is a limit', async () => {
    for (const [argument, policy, limit] of [
      [2, 1, 1],
      [1, 2, 1],
      [-1, 1, 1],
      [1, -1, 1],
    ] as const) {
      const { durable, queue } = await start([['x-delivery-limit', signedint(argument)]]);
      set(durable, { 'delivery-limit': policy });
      offer(durable, queue, '1');
      let returns = 0;
      for (; queue.counts().ready > 0; returns++) await fail(durable, queue, 1);
      expect(returns).toBe(limit + 1);
    }
  });

  it('that is negative is none, and sends what comes back to the back in 4.3', async () => {
    const { durable, queue } = await start([], RABBITMQ_4_3);
    set(durable, { 'delivery-limit': -1 });
    offer(durable, queue, '1', '2');
    const { position, sequence } = (await getMessage(durable, queue))!;
    queue.requeue(position, sequence, Return.GivenBack);
    expect(queue.peek(2).map((seen) => bodyAt(durable, seen.position).toString())).toEqual(['2', '1']);
    await fail(durable, queue, 1);
    for (let i = 0; i < 100; i++) await fail(durable, queue, 1);
    expect(queue.counts().ready).toBe(2);
  });

  it('holds over a restart, with the counts', async () => {
    const first = await start([], RABBITMQ_4_3);
    declareQueue(first.durable.virtualHost, 'dead');
    set(first.durable, { ...LIMIT, 'delivery-limit': 2 });
    offer(first.durable, first.queue, '1');
    await fail(first.durable, first.queue, 1);
    await fail(first.durable, first.queue, 1);
    const { durable, queue } = await restart(first.durable, RABBITMQ_4_3);
    const { position, sequence } = (await getMessage(durable, queue))!;
    expect(deliveryCountOf(queue.lastCounts)).toBe(2);
    queue.requeue(position, sequence, Return.Failed);
    await settle(durable);
    expect(await drainTexts(durable, 'dead')).toEqual(['1']);
  });
});

describe('at-least-once dead lettering', () => {
  it('that goes while messages wait tries each once more, and drops what gets nowhere', async () => {
    const { durable, queue } = await start();
    set(durable, KEEPING);
    const texts = Array.from({ length: 40 }, (_, i) => String(i));
    offer(durable, queue, ...texts);
    await reject(durable, queue, 40);
    declareQueue(durable.virtualHost, 'other');
    set(durable, { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'other' });
    await settle(durable);
    expect(await drainTexts(durable, 'other')).toEqual(texts);
    offer(durable, queue, 'x');
    set(durable, KEEPING);
    await reject(durable, queue, 1);
    unset(durable);
    await settle(durable);
    // Gone for good: one that still waited would be ready again.
    const again = await restart(durable);
    expect(again.queue.counts().ready).toBe(0);
  });

  it('that changes its exchange takes what waits there the next time', async () => {
    const { durable, queue } = await start();
    set(durable, KEEPING);
    offer(durable, queue, '1');
    await reject(durable, queue, 1);
    declareQueue(durable.virtualHost, 'other');
    set(durable, { ...KEEPING, 'dead-letter-routing-key': 'other' });
    durable.clock.advance(RETRY_MS);
    await durable.settle();
    expect(await drainTexts(durable, 'other')).toEqual(['1']);
  });

  it('that comes holds for what dies from then on', async () => {
    const { durable, queue } = await start();
    offer(durable, queue, '1', '2');
    await reject(durable, queue, 1);
    set(durable, KEEPING);
    await reject(durable, queue, 1);
    declareQueue(durable.virtualHost, 'dead');
    durable.clock.advance(RETRY_MS);
    await durable.settle();
    expect(await drainTexts(durable, 'dead')).toEqual(['2']);
  });
});

describe('a policy on a deep quorum queue', () => {
  const DEPTH = 20_000;
  const BODY_BYTES = 10;
  const bodyOf = (i: number): string => String(i).padStart(BODY_BYTES, '0');
  const bodies = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => bodyOf(from + i));

  async function deep(generation?: Generation) {
    const started = await start([], generation);
    const { durable, queue } = started;
    for (let i = 0; i < DEPTH; i++) {
      publish(durable, 'q', Buffer.from(bodyOf(i)), { publishedMs: durable.clock.nowMs() });
      if (i % 500 === 499) await durable.settle();
    }
    expect(queue.counts().ready).toBe(DEPTH);
    return started;
  }

  async function consume(durable: DurableBroker, queue: Queue): Promise<string[]> {
    const taken: string[] = [];
    const onDelivery = ({ position }: { readonly position: number }): number =>
      taken.push(bodyAt(durable, position).toString());
    queue.subscribe(new FakeConsumer({ noAck: true, onDelivery }));
    for (let i = 0; i < 20; i++) await settle(durable);
    return taken;
  }

  it.each([
    ['4.2', DEFAULT_GENERATION],
    ['4.3', RABBITMQ_4_3],
  ])('drops by length and by bytes, with what came back (%s)', async (_, generation) => {
    const { durable, queue } = await deep(generation);
    await fail(durable, queue, 1);
    set(durable, { 'max-length': 10_000 });
    await settle(durable);
    expect(queue.counts().ready).toBe(10_000);
    set(durable, { 'max-length-bytes': BODY_BYTES * 30 });
    await settle(durable);
    expect(await consume(durable, queue)).toEqual(bodies(DEPTH - 30, DEPTH));
  });

  it('refuses once it has counted the bytes of what was there, until it is well below', async () => {
    const { durable, queue } = await deep();
    set(durable, { 'max-length-bytes': BODY_BYTES * 1_000, overflow: 'reject-publish' });
    await settle(durable);
    offer(durable, queue, 'refused');
    expect(queue.counts().ready).toBe(DEPTH);
    const consumer = new FakeConsumer({ capacity: DEPTH - 900 });
    queue.subscribe(consumer);
    for (let i = 0; i < 20; i++) await settle(durable);
    offer(durable, queue, 'refused');
    expect(queue.counts().ready).toBe(900);
    queue.unsubscribe(consumer);
    for (const { position, sequence } of consumer.unsettled) queue.acknowledge(position, sequence);
    for (let i = 0; i < 100; i++) {
      const got = (await getMessage(durable, queue))!;
      queue.acknowledge(got.position, got.sequence);
    }
    offer(durable, queue, 'taken');
    expect(queue.counts().ready).toBe(801);
    expect((await drainTexts(durable, 'q')).at(-1)).toBe('taken');
  });

  it('takes back what is requeued while it counts bytes, and lets it die', async () => {
    const { durable, queue } = await deep();
    const got = [(await getMessage(durable, queue))!, (await getMessage(durable, queue))!];
    set(durable, { 'max-length-bytes': BODY_BYTES * DEPTH, 'delivery-limit': 0 });
    queue.requeue(got[0]!.position, got[0]!.sequence);
    set(durable, { 'max-length-bytes': BODY_BYTES * DEPTH });
    queue.requeue(got[1]!.position, got[1]!.sequence);
    await settle(durable);
    expect(queue.counts()).toMatchObject({ ready: DEPTH - 1, unacked: 0 });
    offer(durable, queue, bodyOf(DEPTH), 'x');
    await settle(durable);
    expect((await drainTexts(durable, 'q')).slice(0, 2)).toEqual(bodies(2, 4));
  });

  it('leaves old messages without a time to live, also after a restart', async () => {
    const first = await deep();
    first.durable.clock.advance(1);
    set(first.durable, { 'message-ttl': 100 });
    first.durable.clock.advance(1);
    publish(first.durable, 'q', Buffer.from('new'), { publishedMs: first.durable.clock.nowMs() });
    first.durable.clock.advance(200);
    await settle(first.durable);
    const { durable, queue } = await restart(first.durable);
    durable.clock.advance(2_000);
    await settle(durable);
    expect((await drainTexts(durable, 'q')).slice(-2)).toEqual(bodies(DEPTH - 2, DEPTH));
    expect(queue.counts().ready).toBe(0);
  });

  it.each([
    ['4.2', DEFAULT_GENERATION],
    ['4.3', RABBITMQ_4_3],
  ])('without a delivery limit keeps everything in turn, also over a restart (%s)', async (_, generation) => {
    const first = await deep(generation);
    set(first.durable, { 'delivery-limit': -1 });
    await fail(first.durable, first.queue, 1, 1);
    const { durable, queue } = await restart(first.durable, generation);
    const got = (await getMessage(durable, queue))!;
    expect([got.body.toString(), deliveryCountOf(queue.lastCounts)]).toEqual([bodyOf(0), 2]);
    queue.requeue(got.position, got.sequence, Return.GivenBack);
    expect((await drainTexts(durable, 'q')).sort()).toEqual(bodies(0, DEPTH));
  });
});
