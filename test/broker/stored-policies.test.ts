/** Policies in a data directory, and on queues whose middle is not in memory. */
import { describe, expect, it } from 'vitest';
import { longstr } from '../../src/amqp/field-value.js';
import type { BrokerConfig, PolicyConfig } from '../../src/broker/broker-config.js';
import { UnknownNameError } from '../../src/broker/configured-definitions.js';
import { PolicyError, type PolicyKind } from '../../src/broker/policy.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import type { QueueIndex } from '../../src/queues/queue-index.js';
import {
  bodyAt,
  type DurableBroker,
  declareQueue,
  drainTexts,
  microtasks,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';
import { FakeConsumer } from '../helpers/fake-consumer.js';

const SEGMENTS = { segmentBytes: 65_536, residentBytesMax: 131_072 };
/** Bytes of each body of `deepQueue`. */
const BODY_BYTES = 10;
const DEPTH = 20_000;

function set(durable: DurableBroker, name: string, definition: object, kind: PolicyKind = 'policy'): void {
  durable.virtualHost.policies.set(kind, { name, pattern: '^q', definition });
}

async function restart(durable: DurableBroker): Promise<DurableBroker> {
  await durable.settle();
  expect(durable.fatal).toEqual([]);
  return openDurable(durable.disk.powerCut(), SEGMENTS);
}

const bodyOf = (i: number): string => String(i).padStart(BODY_BYTES, '0');
const bodies = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => bodyOf(from + i));

/** A queue of twenty thousand messages, most of which have left memory with their positions. */
async function deepQueue(): Promise<{ durable: DurableBroker; queue: Queue }> {
  const durable = await openDurable(new SimulatedFileSystem(), SEGMENTS);
  const queue = declareQueue(durable.virtualHost, 'q');
  for (let i = 0; i < DEPTH; i++) {
    publish(durable, 'q', Buffer.from(bodyOf(i)));
    if (i % 500 === 499) await durable.settle();
  }
  const { index } = queue as unknown as { readonly index: QueueIndex };
  expect([...index.stretches()].some((stretch) => !(stretch instanceof Float64Array))).toBe(true);
  return { durable, queue };
}

/** Runs everything that is due, however many reads it takes. */
async function settle(durable: DurableBroker): Promise<void> {
  for (let i = 0; i < 50; i++) await durable.settle();
}

/** What a consumer gets. */
async function consume(durable: DurableBroker, queue: Queue): Promise<string[]> {
  const taken: string[] = [];
  const onDelivery = ({ position }: { readonly position: number }): number =>
    taken.push(bodyAt(durable, position).toString());
  queue.subscribe(new FakeConsumer({ noAck: true, onDelivery }));
  for (let i = 0; i < 20; i++) await settle(durable);
  return taken;
}

describe('policies in a data directory', () => {
  it('are there after a restart, as they were last, and apply', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    set(first, 'kept', { 'max-length': 3, 'dead-letter-exchange': '' });
    set(first, 'kept', { 'max-length': 5, 'dead-letter-exchange': 'dlx' });
    set(first, 'gone', { expires: 5 });
    first.virtualHost.policies.set('operator-policy', {
      name: 'op',
      pattern: '^q\\d',
      definition: { 'max-length': 2 },
      priority: 7,
      applyTo: 'queues',
    });
    set(first, 'op gone', { expires: 5 }, 'operator-policy');
    first.virtualHost.policies.delete('policy', 'gone');
    first.virtualHost.policies.delete('operator-policy', 'op gone');
    declareQueue(first.virtualHost, 'q');
    declareQueue(first.virtualHost, 'q1');
    let last = await restart(first);
    // The second reads the snapshot that the first wrote.
    for (let round = 0; round < 2; round++) {
      const { policies, queues } = last.virtualHost;
      const listed = [...policies.list('policy'), ...policies.list('operator-policy')];
      expect(listed.map(({ pattern, ...rest }) => ({ ...rest, pattern: pattern.source }))).toEqual([
        {
          name: 'kept',
          pattern: '^q',
          priority: 0,
          applyTo: 'all',
          definition: new Map<string, string | number>([
            ['max-length', 5],
            ['dead-letter-exchange', 'dlx'],
          ]),
        },
        {
          name: 'op',
          pattern: '^q\\d',
          priority: 7,
          applyTo: 'queues',
          definition: new Map([['max-length', 2]]),
        },
      ]);
      expect(queues.get('q')!.settings).toMatchObject({ maxLength: 5, deadLetterExchange: 'dlx' });
      expect(queues.get('q1')!.settings).toMatchObject({ maxLength: 2 });
      last = await restart(last);
    }
  });

  it('end with their virtual host', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    first.broker.addVirtualHost('v');
    first.broker
      .virtualHost('v')!
      .policies.set('policy', { name: 'p', pattern: '', definition: { expires: 1 } });
    first.broker.deleteVirtualHost('v');
    first.broker.addVirtualHost('v');
    const second = await restart(first);
    expect(second.broker.virtualHost('v')!.policies.list('policy')).toEqual([]);
  });

  it('leave messages the time to live they came with, over restarts', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'q');
    publish(first, 'q', Buffer.from('for ever'), { publishedMs: first.clock.nowMs() });
    first.clock.advance(10);
    set(first, 'p', { 'message-ttl': 1000 });
    first.clock.advance(10);
    publish(first, 'q', Buffer.from('a second'), { publishedMs: first.clock.nowMs() });
    let last = await restart(first);
    for (let round = 0; round < 2; round++) last = await restart(last);
    last.clock.advance(5000);
    await settle(last);
    expect(await drainTexts(last, 'q')).toEqual(['for ever']);
    expect(last.virtualHost.queues.get('q')!.counts().ready).toBe(0);
  });
});

describe('max-length on a deep queue', () => {
  it('drops all but the newest, and stays dropped', async () => {
    const { durable, queue } = await deepQueue();
    set(durable, 'p', { 'max-length': 100 });
    await settle(durable);
    expect(queue.counts().ready).toBe(100);
    publish(durable, 'q', Buffer.from(bodyOf(DEPTH)));
    expect(await drainTexts(durable, 'q')).toEqual(bodies(DEPTH - 99, DEPTH + 1));
    const second = await restart(durable);
    expect(await drainTexts(second, 'q')).toEqual(bodies(DEPTH - 99, DEPTH + 1));
  });

  it('delivers nothing that is to be dropped while it is found', async () => {
    const { durable, queue } = await deepQueue();
    set(durable, 'p', { 'max-length': 50 });
    expect(await consume(durable, queue)).toEqual(bodies(DEPTH - 50, DEPTH));
  });

  it('dead-letters what it drops, in order', async () => {
    const { durable } = await deepQueue();
    declareQueue(durable.virtualHost, 'dead');
    set(durable, 'p', { 'max-length': 100, 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' });
    await settle(durable);
    expect(await consume(durable, durable.virtualHost.queues.get('dead')!)).toEqual(bodies(0, DEPTH - 100));
  });

  it('holds after a restart for a queue that was deep when it was set', async () => {
    const { durable } = await deepQueue();
    set(durable, 'p', { 'max-length': DEPTH + 5 });
    const second = await restart(durable);
    const queue = second.virtualHost.queues.get('q')!;
    expect(queue.counts().ready).toBe(DEPTH);
    second.virtualHost.policies.set('policy', { name: 'p', pattern: '', definition: { 'max-length': 10 } });
    await settle(second);
    expect(await drainTexts(second, 'q')).toEqual(bodies(DEPTH - 10, DEPTH));
  });
});

describe('max-length-bytes on a deep queue', () => {
  it('counts what nobody counted when it came, then drops', async () => {
    const { durable, queue } = await deepQueue();
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 5_000 });
    // Nothing can be told yet: nothing goes, and what comes is taken.
    expect(queue.counts().ready).toBe(DEPTH);
    publish(durable, 'q', Buffer.from(bodyOf(DEPTH)));
    expect(queue.counts().ready).toBe(DEPTH + 1);
    await settle(durable);
    expect(queue.counts().ready).toBe(5_000);
    publish(durable, 'q', Buffer.from(bodyOf(DEPTH + 1)));
    await settle(durable);
    expect(await drainTexts(durable, 'q')).toEqual(bodies(DEPTH - 4_998, DEPTH + 2));
    // Exactly: the room is there again.
    for (let i = 0; i < 5_001; i++) publish(durable, 'q', Buffer.from(bodyOf(i)));
    expect(queue.counts().ready).toBe(5_000);
  });

  it('keeps everything when everything fits, and counts on from there', async () => {
    const { durable, queue } = await deepQueue();
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * DEPTH });
    await settle(durable);
    expect(queue.counts().ready).toBe(DEPTH);
    publish(durable, 'q', Buffer.from('12345'));
    await settle(durable);
    expect(queue.counts().ready).toBe(DEPTH);
    publish(durable, 'q', Buffer.from('12345'));
    await settle(durable);
    expect(queue.counts().ready).toBe(DEPTH + 1);
  });

  it('gives consumers and getters nothing that is to be dropped', async () => {
    const { durable, queue } = await deepQueue();
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 30 });
    expect(queue.isHeadReadable()).toBe(false);
    let canGet = false;
    queue.fetchHead(() => {
      canGet = true;
    });
    expect(await consume(durable, queue)).toEqual(bodies(DEPTH - 30, DEPTH));
    expect(canGet).toBe(true);
  });

  it('gives nothing out while it counts, also of what is in memory', async () => {
    const { durable, queue } = await deepQueue();
    const first = new FakeConsumer({ capacity: 3 });
    queue.subscribe(first);
    await settle(durable);
    queue.unsubscribe(first);
    expect(queue.isHeadReadable()).toBe(true);
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 30 });
    expect(queue.isHeadReadable()).toBe(false);
    expect(await consume(durable, queue)).toEqual(bodies(DEPTH - 30, DEPTH));
  });

  it('takes back what is requeued while it counts', async () => {
    const { durable, queue } = await deepQueue();
    const consumer = new FakeConsumer({ capacity: 3 });
    queue.subscribe(consumer);
    await settle(durable);
    queue.unsubscribe(consumer);
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * DEPTH });
    for (const { position, sequence } of consumer.unsettled) queue.requeue(position, sequence);
    await settle(durable);
    expect(queue.counts().ready).toBe(DEPTH);
    publish(durable, 'q', Buffer.from('x'));
    await settle(durable);
    expect((await drainTexts(durable, 'q')).slice(0, 2)).toEqual(bodies(1, 3));
  });

  it.each<[string, (durable: DurableBroker, queue: Queue) => void, number]>([
    ['purged', (_, queue) => queue.purge(), 0],
    ['deleted', ({ virtualHost }, queue) => virtualHost.deleteQueue(queue), 0],
    ['without a limit again', ({ virtualHost }) => virtualHost.policies.delete('policy', 'p'), DEPTH],
    ['limited by length', (durable) => set(durable, 'p', { 'max-length': 77 }), 77],
    ['given another limit', (durable) => set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 88 }), 88],
    [
      'given another limit, by a detour',
      (durable) => {
        set(durable, 'p', { 'max-length': 10_000 });
        set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 88 });
      },
      88,
    ],
  ])('is %s while it counts', async (_, change, ready) => {
    const { durable, queue } = await deepQueue();
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 30 });
    await microtasks(10);
    expect([queue.isHeadReadable(), queue.counts().ready]).toEqual([false, DEPTH]);
    change(durable, queue);
    await settle(durable);
    expect(queue.counts().ready).toBe(ready);
    expect(durable.fatal).toEqual([]);
    if (queue.isDeleted) return;
    publish(durable, 'q', Buffer.from(bodyOf(DEPTH)));
    await settle(durable);
    const texts = await drainTexts(durable, 'q');
    expect(texts.at(-1)).toBe(bodyOf(DEPTH));
    expect(texts.length).toBe(ready === 0 || ready === DEPTH ? ready + 1 : ready);
  });

  it('holds after a restart, read message by message', async () => {
    const { durable } = await deepQueue();
    set(durable, 'p', { 'max-length-bytes': BODY_BYTES * 5_000 });
    await settle(durable);
    const second = await restart(durable);
    const queue = second.virtualHost.queues.get('q')!;
    await settle(second);
    expect(queue.counts().ready).toBe(5_000);
    publish(second, 'q', Buffer.from(bodyOf(DEPTH)));
    await settle(second);
    expect(queue.counts().ready).toBe(5_000);
  });
});

describe('an argument', () => {
  it('and a policy together', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'q', [['x-overflow', longstr('reject-publish')]]);
    set(first, 'p', { 'max-length': 1, overflow: 'drop-head' });
    const second = await restart(first);
    publish(second, 'q', Buffer.from('1'));
    publish(second, 'q', Buffer.from('2'));
    expect(await drainTexts(second, 'q')).toEqual(['1']);
  });
});

describe('policies of the options', () => {
  const policy = (definition: object, rest: Partial<PolicyConfig> = {}): PolicyConfig => ({
    virtualHost: '/',
    name: 'p',
    pattern: '^q',
    definition,
    ...rest,
  });
  const start = (config: Partial<BrokerConfig>, disk = new SimulatedFileSystem()): Promise<DurableBroker> =>
    openDurable(disk, { config });

  async function startAgain(durable: DurableBroker, config: Partial<BrokerConfig>): Promise<DurableBroker> {
    await durable.settle();
    return start(config, durable.disk.powerCut());
  }

  it('are stored, changed at a later start, and not deleted for not being said', async () => {
    const first = await start({ policies: [policy({ 'max-length': 1 })] });
    declareQueue(first.virtualHost, 'q');
    const second = await startAgain(first, {
      policies: [policy({ 'max-length': 2 }), policy({ expires: 9_000 }, { name: 'other', priority: -1 })],
      operatorPolicies: [policy({ 'message-ttl': 7 })],
    });
    expect(second.virtualHost.queues.get('q')!.settings).toMatchObject({ maxLength: 2, messageTtlMs: 7 });
    const third = await startAgain(second, {});
    expect(third.virtualHost.policies.list('policy').map(({ name }) => name)).toEqual(['p', 'other']);
    expect(third.virtualHost.queues.get('q')!.settings).toMatchObject({ maxLength: 2, messageTtlMs: 7 });
  });

  it('said again, change nothing', async () => {
    const policies = [policy({ 'max-length': 1, overflow: 'drop-head' })];
    const first = await start({ policies });
    await first.settle();
    const second = await startAgain(first, { policies });
    expect(second.broker.definitions!.sequence).toBe(0);
  });

  it('leave what is in the data directory the time to live that it came with', async () => {
    const first = await start({});
    declareQueue(first.virtualHost, 'q');
    publish(first, 'q', Buffer.from('for ever'));
    let last = await startAgain(first, { policies: [policy({ 'message-ttl': 10 })] });
    last = await startAgain(last, {});
    last.clock.advance(5_000);
    await settle(last);
    expect(await drainTexts(last, 'q')).toEqual(['for ever']);
  });

  it('drop what is too much in the data directory', async () => {
    const first = await start({});
    declareQueue(first.virtualHost, 'q');
    for (let i = 0; i < 5; i++) publish(first, 'q', Buffer.from(bodyOf(i)));
    const second = await startAgain(first, { policies: [policy({ 'max-length-bytes': 3 * BODY_BYTES })] });
    await settle(second);
    expect(await drainTexts(second, 'q')).toEqual(bodies(2, 5));
  });

  it.each<[Partial<BrokerConfig>, string]>([
    [
      { policies: [policy({ expires: 1 }, { virtualHost: 'x' })] },
      "--policy has the policy 'p' for the virtual host 'x', but there is no such virtual host; add it (--vhost)",
    ],
    [
      { virtualHostLimits: [{ virtualHost: 'x', limits: {} }] },
      "--vhost-limits names the virtual host 'x', but there is no such virtual host; add it (--vhost)",
    ],
    [
      { userLimits: [{ user: 'x', limits: {} }] },
      "--user-limits names the user 'x', but there is no such user; add the user (--user)",
    ],
    [
      { topicPermissions: [{ user: 'guest', virtualHost: 'x', exchange: 'x', write: '', read: '' }] },
      "a topic permission names the user 'guest' and the virtual host 'x', but there is no such virtual host; add it (--vhost)",
    ],
  ])('stop the start when they name what is not there: %j', async (config, text) => {
    await expect(start(config)).rejects.toThrow(new UnknownNameError(text));
  });

  it('stop the start when they are wrong', async () => {
    await expect(start({ policies: [policy({ 'max-length': -1 })] })).rejects.toThrow(
      new PolicyError('-1 is not a valid maximum length'),
    );
  });
});

describe('limits and topic permissions', () => {
  const ROW = { user: 'guest', virtualHost: '/', exchange: 'x', write: '^{username}', read: 'r' };

  it('are there after a restart, as they were last', async () => {
    const first = await openDurable(new SimulatedFileSystem(), { config: {} });
    const { broker } = first;
    broker.setVirtualHostLimits('/', { 'max-connections': 5 });
    broker.setVirtualHostLimits('/', { 'max-queues': 7, 'max-connections': -1 });
    broker.setUserLimits('guest', { 'max-channels': 3 });
    broker.setUserLimits('guest', { 'max-connections': 4 });
    broker.setTopicPermissions({ ...ROW, write: 'w' });
    broker.setTopicPermissions(ROW);
    broker.setTopicPermissions({ ...ROW, exchange: 'gone' });
    broker.users.clearTopicPermissions('guest', '/', 'gone');
    // Another password is another matter.
    broker.users.addUser('guest', 'other');
    let last = first;
    for (let round = 0; round < 2; round++) {
      await last.settle();
      last = await openDurable(last.disk.powerCut(), { config: {} });
      expect([...last.virtualHost.limits]).toEqual([
        ['max-queues', 7],
        ['max-connections', -1],
      ]);
      expect([...last.broker.users.limitsOf('guest')]).toEqual([
        ['max-channels', 3],
        ['max-connections', 4],
      ]);
      expect([...last.broker.users.topicPermissions()]).toEqual([ROW]);
      expect(last.broker.users.isTopicAllowed('guest', '/', 'x', 'write', 'guest.a')).toBe(true);
    }
    last.broker.setVirtualHostLimits('/', {});
    last.broker.clearUserLimits('guest', 'all');
    await last.settle();
    last = await openDurable(last.disk.powerCut(), { config: {} });
    expect(last.virtualHost.limits.size + last.broker.users.limitsOf('guest').size).toBe(0);
  });

  it('of the options are stored; said again, they change nothing', async () => {
    const config = {
      virtualHostLimits: [{ virtualHost: '/', limits: { 'max-queues': 7 } }],
      userLimits: [{ user: 'guest', limits: { 'max-channels': 3 } }],
      topicPermissions: [ROW],
    };
    let last = await openDurable(new SimulatedFileSystem(), { config });
    for (let round = 0; round < 2; round++) {
      await last.settle();
      last = await openDurable(last.disk.powerCut(), { config: round === 0 ? config : {} });
      expect(last.broker.definitions!.sequence).toBe(0);
      expect(last.virtualHost.limits.get('max-queues')).toBe(7);
      expect(last.broker.users.limitsOf('guest').get('max-channels')).toBe(3);
      expect(last.broker.users.topicPermissionCount).toBe(1);
    }
  });

  it('go with the user and the virtual host', async () => {
    const first = await openDurable(new SimulatedFileSystem(), { config: {} });
    const { broker } = first;
    broker.addVirtualHost('v');
    broker.setVirtualHostLimits('v', { 'max-queues': 1 });
    broker.setTopicPermissions({ ...ROW, virtualHost: 'v' });
    broker.deleteVirtualHost('v');
    broker.addVirtualHost('v');
    broker.users.addUser('app', 'app');
    broker.setUserLimits('app', { 'max-channels': 1 });
    broker.setTopicPermissions({ ...ROW, user: 'app' });
    broker.users.deleteUser('app');
    broker.users.addUser('app', 'app');
    for (let at = first, round = 0; round < 3; round++) {
      expect(at.broker.virtualHost('v')!.limits.size).toBe(0);
      expect(at.broker.users.limitsOf('app').size).toBe(0);
      expect(at.broker.users.topicPermissionCount).toBe(0);
      await at.settle();
      at = await openDurable(at.disk.powerCut(), { config: {} });
    }
  });
});
