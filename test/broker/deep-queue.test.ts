/** Queues whose middle has left memory: its bodies, then its positions. */
import { describe, expect, it } from 'vitest';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import type { QueueIndex } from '../../src/queues/queue-index.js';
import {
  DATA_DIRECTORY,
  type DurableBroker,
  declareQueue,
  drain,
  drainTexts,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';
import { FakeConsumer } from '../helpers/fake-consumer.js';

const SEGMENTS = { segmentBytes: 65_536, residentBytesMax: 131_072 };

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `message ${from + i}`);

async function publishNumbered(
  durable: DurableBroker,
  name: string,
  from: number,
  to: number,
): Promise<void> {
  for (let i = from; i < to; i++) {
    publish(durable, name, Buffer.from(`message ${i}`));
    if (i % 500 === 499) await durable.settle();
  }
  await durable.settle();
}

function hasRuns(queue: Queue): boolean {
  const { index } = queue as unknown as { readonly index: QueueIndex };
  return index.nextRun !== undefined;
}

/** Ends the broker in order. */
async function close(durable: DurableBroker): Promise<SimulatedFileSystem> {
  await durable.settle();
  await durable.persistence.close();
  expect(durable.fatal).toEqual([]);
  return durable.disk.crash();
}

/** Kills its process. */
async function crash(durable: DurableBroker): Promise<SimulatedFileSystem> {
  await durable.settle();
  return durable.disk.crash();
}

const messageFiles = async (disk: SimulatedFileSystem, ending: string): Promise<string[]> =>
  (await disk.list(`${DATA_DIRECTORY}/messages`)).filter((name) => name.endsWith(ending));

/** How many files are open, each as often as it is. */
function openCount(disk: SimulatedFileSystem): number {
  const { names } = disk as unknown as { readonly names: Map<string, { readonly openHandles: number }> };
  return [...names.values()].reduce((count, { openHandles }) => count + openHandles, 0);
}

/** How many logs were read, and not only their headers, by one of the last operations. */
function logsRead(disk: SimulatedFileSystem): number {
  const reads = disk.operationLog.map((line) => /read .*\/\d{12}\.log \d+\+(\d+)/.exec(line));
  return reads.filter((read) => read !== null && Number(read[1]) > 64).length;
}

describe('a queue of twenty thousand', () => {
  it('keeps runs of its middle only, and gives every message in order', async () => {
    const durable = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    const queue = declareQueue(durable.virtualHost, 'q');
    declareQueue(durable.virtualHost, 'other');
    for (let from = 0; from < 20_000; from += 1_000) {
      await publishNumbered(durable, 'q', from, from + 1_000);
      await publishNumbered(durable, 'other', from / 100, from / 100 + 10);
    }
    expect(hasRuns(queue)).toBe(true);
    // However deep a queue is, few files are open.
    expect((await messageFiles(durable.disk, '.log')).length).toBeGreaterThan(20);
    expect(openCount(durable.disk)).toBeLessThan(12);
    const taken: string[] = [];
    const onDelivery = ({ position }: { readonly position: number }): number =>
      taken.push(textAt(durable, position));
    queue.subscribe(new FakeConsumer({ noAck: true, onDelivery }));
    for (let i = 0; i < 2_000 && taken.length < 20_000; i++) await durable.settle();
    expect(taken).toEqual(numbered(0, 20_000));
    expect(await drainTexts(durable, 'other')).toEqual(numbered(0, 200));
    expect(durable.fatal).toEqual([]);
  });

  it('is purged and deleted with a record for a run, not for a message, also while one is out', async () => {
    const first = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    const queue = declareQueue(first.virtualHost, 'q');
    await publishNumbered(first, 'q', 0, 20_000);
    const held = await getMessage(first, queue);
    expect(hasRuns(queue)).toBe(true);
    expect(queue.purge()).toBe(19_999);
    first.broker.log.journal!.syncAcks();
    await first.settle();
    queue.requeue(held!.position, held!.sequence);
    await publishNumbered(first, 'q', 20_000, 20_003);
    const second = await openDurable(await crash(first), SEGMENTS);
    expect(await drainTexts(second, 'q')).toEqual(['message 0', ...numbered(20_000, 20_003)]);
    second.virtualHost.deleteQueue(second.virtualHost.queues.get('q')!);
    await second.settle();
    expect((await messageFiles(second.disk, '.log')).length).toBeLessThan(3);
  });

  it('is there after a crash, and after another, without reading the logs again', async () => {
    const first = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    declareQueue(first.virtualHost, 'q');
    await publishNumbered(first, 'q', 0, 20_000);
    const second = await openDurable(await crash(first), SEGMENTS);
    const logs = (await messageFiles(second.disk, '.log')).length;
    expect(logs).toBeGreaterThan(20);
    const third = await openDurable(await crash(second), SEGMENTS);
    // Those that had not left memory.
    expect(logsRead(third.disk)).toBeLessThan(4);
    expect(hasRuns(third.virtualHost.queues.get('q')!)).toBe(true);
    const found = await drain(third, third.virtualHost.queues.get('q')!);
    expect(found.map(({ body }) => body.toString())).toEqual(numbered(0, 20_000));
    expect(found.every(({ isRedelivered }) => isRedelivered)).toBe(true);
    expect(third.complaints).toEqual([]);
  });

  it('is read where memory has room for hardly more than is written: nothing pushes out what is being read', async () => {
    const tight = { segmentBytes: 65_536, residentBytesMax: 2 * 65_536, readBlockBytes: 65_536 };
    const first = await openDurable(new SimulatedFileSystem(), tight);
    declareQueue(first.virtualHost, 'q');
    await publishNumbered(first, 'q', 0, 6_000);
    const second = await openDurable(await close(first), tight);
    await publishNumbered(second, 'q', 6_000, 6_100);
    expect(await drainTexts(second, 'q')).toEqual(numbered(0, 6_100));
  });

  it('has lost what a damaged log has lost, says so, and nothing else', async () => {
    const first = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    declareQueue(first.virtualHost, 'q');
    await publishNumbered(first, 'q', 0, 20_000);
    const disk = await close(first);
    const [, , log] = await messageFiles(disk, '.log');
    disk.flipBit(`${DATA_DIRECTORY}/messages/${log}`, 30_000 * 8);
    const second = await openDurable(disk, SEGMENTS);
    const found = await drainTexts(second, 'q');
    expect(found.length).toBeGreaterThan(19_000);
    expect(found.length).toBeLessThan(20_000);
    const all = new Set(found);
    expect(numbered(0, 20_000).filter((text) => all.has(text))).toEqual(found);
    expect(second.complaints.filter((text) => text.includes('damaged'))).toHaveLength(1);
  });
});

describe('after a clean close', () => {
  it('no log is read, and only what was handed out is marked redelivered', async () => {
    const first = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    const queue = declareQueue(first.virtualHost, 'q');
    await publishNumbered(first, 'q', 0, 3_000);
    const held = [await getMessage(first, queue), await getMessage(first, queue)];
    queue.acknowledge(held[0]!.position, held[0]!.sequence);
    queue.requeue(held[1]!.position, held[1]!.sequence);
    let disk = await close(first);
    // Twice: what was noted once stays noted.
    for (let round = 0; round < 2; round++) {
      const again = await openDurable(disk, SEGMENTS);
      expect([logsRead(again.disk), again.disk.operations < 200]).toEqual([0, true]);
      expect(again.virtualHost.queues.get('q')!.counts().ready).toBe(2_999);
      disk = await close(again);
    }
    const last = await openDurable(disk, SEGMENTS);
    const found = await drain(last, last.virtualHost.queues.get('q')!);
    expect(found.map(({ body }) => body.toString())).toEqual(numbered(1, 3_000));
    expect(found.filter(({ isRedelivered }) => isRedelivered).map(({ body }) => body.toString())).toEqual([
      'message 1',
    ]);
  });

  it('what was acknowledged between messages that were not stays away, although a run spans it', async () => {
    const first = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    const queue = declareQueue(first.virtualHost, 'q');
    await publishNumbered(first, 'q', 0, 1_000);
    for (let i = 0; i < 10; i++) {
      const got = await getMessage(first, queue);
      if (i % 2 === 1) queue.acknowledge(got!.position, got!.sequence);
    }
    first.broker.log.journal!.syncAcks();
    // A crash: the others were out, and no note tells of it. Then a clean end, for a hint of every segment.
    const second = await openDurable(await crash(first), SEGMENTS);
    const third = await openDurable(await close(second), SEGMENTS);
    expect(hasRuns(third.virtualHost.queues.get('q')!)).toBe(true);
    const acknowledged = new Set([1, 3, 5, 7, 9].map((i) => `message ${i}`));
    const expected = numbered(0, 1_000).filter((text) => !acknowledged.has(text));
    expect(await drainTexts(third, 'q')).toEqual(expected);
  });

  it('queues that have to look at their messages still do: priorities, limits, expirations', async () => {
    const first = await openDurable(new SimulatedFileSystem(), SEGMENTS);
    declareQueue(first.virtualHost, 'priorities', [['x-max-priority', signedint(5)]]);
    declareQueue(first.virtualHost, 'bytes', [['x-max-length-bytes', signedint(1_000)]]);
    declareQueue(first.virtualHost, 'ttl', [
      ['x-message-ttl', signedint(10_000)],
      ['x-dead-letter-exchange', longstr('')],
      ['x-dead-letter-routing-key', longstr('dead')],
    ]);
    declareQueue(first.virtualHost, 'dead');
    publish(first, 'priorities', Buffer.from('low'), { priority: 1 });
    publish(first, 'priorities', Buffer.from('high'), { priority: 5 });
    publish(first, 'bytes', Buffer.alloc(600, 'a'));
    publish(first, 'ttl', Buffer.from('expires'));
    const second = await openDurable(await close(first), SEGMENTS);
    expect(await drainTexts(second, 'priorities')).toEqual(['high', 'low']);
    publish(second, 'bytes', Buffer.alloc(600, 'b'));
    expect(second.virtualHost.queues.get('bytes')!.counts().ready).toBe(1);
    second.clock.advance(10_001);
    for (let i = 0; i < 3; i++) await second.settle();
    expect(second.virtualHost.queues.get('ttl')!.counts().ready).toBe(0);
    expect(await drainTexts(second, 'dead')).toEqual(['expires']);
  });
});

function textAt(durable: DurableBroker, position: number): string {
  const { log } = durable.broker;
  const { bytes } = log.segmentOf(position);
  const start = log.payloadOffset(position);
  return /message \d+/.exec(bytes.toString('latin1', start, start + log.payloadLength(position)))![0];
}
