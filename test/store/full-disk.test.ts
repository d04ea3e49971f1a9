/** A full disk, met at every place that needs room: it is waited for, and everything else goes on. */
import { describe, expect, it } from 'vitest';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import {
  type DurableBroker,
  declareQueue,
  drain,
  drainTexts,
  getMessage,
  openDurable,
  publish,
  SMALL_SEGMENT_BYTES,
} from '../helpers/durable-broker.js';

const TICK_MS = 1_000;
const MESSAGES = '/data/messages';

async function letTimePass(durable: DurableBroker): Promise<void> {
  for (let i = 0; i < 3; i++) {
    durable.clock.advance(TICK_MS);
    await durable.settle();
  }
}

/** A broker with a message in `q`. */
async function openWithMessage(): Promise<DurableBroker> {
  const durable = await openDurable(new SimulatedFileSystem(1));
  declareQueue(durable.virtualHost, 'q');
  declareQueue(durable.virtualHost, 'other');
  publish(durable, 'q', Buffer.from('first'));
  await durable.settle();
  return durable;
}

/** What needs room: a publish, an acknowledgement that is promised, a declaration. */
async function askForRoom(durable: DurableBroker): Promise<() => boolean> {
  const { broker, virtualHost } = durable;
  const queue = virtualHost.queues.get('q')!;
  const got = await getMessage(durable, queue);
  publish(durable, 'other', Buffer.from('second'));
  queue.acknowledge(got!.position, got!.sequence);
  const journal = broker.log.journal!;
  journal.syncAcks();
  const commit = journal.nextCommit;
  declareQueue(virtualHost, 'new');
  const definitions = broker.definitions!;
  const { sequence } = definitions;
  return () => journal.durable.value >= commit && definitions.durable.value >= sequence;
}

const PLACES: readonly (readonly [string, RegExp])[] = [
  ['a write of messages', /^write .*\.log \d/],
  ['a write of acks', /^write .*\.ack /],
  ['a file of acks that is made', /^open .*\.ack create/],
  ['the sync of the directory behind it', /^syncDirectory .*messages/],
  ['a write of definitions', /^write .*definitions/],
  ['any write or creation', /^(write|open .* create|syncDirectory|rename)/],
];

describe.each(PLACES)('a disk that is full at %s', (_place, kind) => {
  it.each(['ENOSPC', 'EDQUOT'] as const)('with %s is waited for', async (fault) => {
    const durable = await openWithMessage();
    const { broker, disk, fatal, virtualHost } = durable;
    disk.failEvery(kind, fault);
    const isSafe = await askForRoom(durable);
    await letTimePass(durable);
    expect([isSafe(), broker.alarms.isActive, fatal]).toEqual([false, true, []]);
    // Who takes messages is served meanwhile, also with those that are not safe yet.
    expect((await getMessage(durable, virtualHost.queues.get('other')!))?.body.toString()).toBe('second');
    expect(virtualHost.queues.get('new')!.purge()).toBe(0);

    disk.heal();
    await letTimePass(durable);
    expect([isSafe(), broker.alarms.isActive, fatal]).toEqual([true, false, []]);
    const after = await openDurable(disk.powerCut());
    expect(await drainTexts(after, 'q')).toEqual([]);
    expect(await drainTexts(after, 'other')).toEqual(['second']);
    expect(await drainTexts(after, 'new')).toEqual([]);
  });

  it('does not keep the broker from ending', async () => {
    const durable = await openWithMessage();
    durable.disk.failEvery(kind, 'ENOSPC');
    const isSafe = await askForRoom(durable);
    await durable.settle();
    await durable.persistence.close();
    expect([isSafe(), durable.fatal.length > 0]).toEqual([false, true]);
    expect(await drainTexts(await openDurable(durable.disk.powerCut()), 'new')).not.toContain('second');
  });
});

describe('an fdatasync that finds the disk full', () => {
  it.each([/^dataSync .*\.log$/, /^dataSync .*\.ack/, /^dataSync .*definitions/])(
    'is final: %s',
    async (kind) => {
      const durable = await openWithMessage();
      durable.disk.failEvery(kind, 'ENOSPC');
      const isSafe = await askForRoom(durable);
      await durable.settle();
      expect(durable.fatal.length).toBeGreaterThan(0);
      durable.disk.heal();
      await letTimePass(durable);
      expect(isSafe()).toBe(false);
    },
  );
});

describe('a disk without any room left', () => {
  /** Publishes to `q` until a commit waits. @returns how many messages */
  async function fill(durable: DurableBroker, roomBytes: number): Promise<number> {
    const { disk, broker } = durable;
    disk.capacityBytes -= (await disk.freeBytes('/data')) - roomBytes;
    let count = 0;
    while (!broker.alarms.isActive) {
      publish(durable, 'q', Buffer.alloc(500, count++));
      await durable.settle();
    }
    return count;
  }

  // The last two: all there is, is the file that is being written to.
  it.each([40_000, 9_000, 3_000, 100])(
    'gets some when consumers have taken everything, %i bytes of messages',
    async (roomBytes) => {
      const durable = await openDurable(new SimulatedFileSystem(1));
      const { broker, disk, fatal, virtualHost } = durable;
      const queue = declareQueue(virtualHost, 'q');
      await durable.settle();
      const count = await fill(durable, roomBytes);
      // These came in before their publishers were stopped.
      for (let i = 0; i < 5; i++) publish(durable, 'q', Buffer.alloc(500, 7));
      const commit = broker.log.journal!.nextCommit;
      await letTimePass(durable);
      expect(broker.alarms.isActive).toBe(true);

      const got = await drain(durable, queue);
      for (const { position, sequence } of got) queue.acknowledge(position, sequence);
      await letTimePass(durable);
      expect([got.length, broker.alarms.isActive, fatal]).toEqual([count + 5, false, []]);
      expect(broker.log.journal!.durable.value).toBeGreaterThanOrEqual(commit);
      expect(await disk.list(MESSAGES)).toEqual([]);
      expect(await disk.freeBytes('/data')).toBe(roomBytes);

      publish(durable, 'q', Buffer.from('x'));
      const { nextCommit } = broker.log.journal!;
      disk.capacityBytes += 1_000;
      await letTimePass(durable);
      expect(broker.log.journal!.durable.value).toBeGreaterThanOrEqual(nextCommit);
      const after = await openDurable(disk.powerCut());
      expect([await drainTexts(after, 'q'), after.complaints]).toEqual([['x'], []]);
    },
  );

  it('keeps what somebody still needs of the segment that goes when it is full', async () => {
    const durable = await openDurable(new SimulatedFileSystem(1));
    const { broker, disk, virtualHost } = durable;
    const queue = declareQueue(virtualHost, 'q');
    await durable.settle();
    const count = await fill(durable, 3 * SMALL_SEGMENT_BYTES);
    const got = await drain(durable, queue);
    for (const { position, sequence } of got.slice(0, -1)) queue.acknowledge(position, sequence);
    await letTimePass(durable);
    expect(broker.alarms.isActive).toBe(false);
    const after = await openDurable(disk.powerCut());
    const found = await drain(after, after.virtualHost.queues.get('q')!);
    expect(found.at(-1)?.body.equals(Buffer.alloc(500, count - 1))).toBe(true);
  });
});
