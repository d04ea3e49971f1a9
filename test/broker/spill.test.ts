/** Transient messages that memory has no room for. */
import { describe, expect, it } from 'vitest';
import { signedint } from '../../src/amqp/field-value.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import {
  DATA_DIRECTORY,
  type DurableBroker,
  declareQueue,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';

const MIB = 1_048_576;
const LIMIT = { memoryLimitBytes: 8 * MIB, residentBytesMax: 2 * MIB };
/** Large enough that a segment of 1 MiB holds a few hundred. */
const BODY_BYTES = 2_500;

const spilled = (disk: SimulatedFileSystem): Promise<string[]> => disk.list(`${DATA_DIRECTORY}/spill`);

const bodyOf = (i: number): Buffer => Buffer.alloc(BODY_BYTES, `${i} `);

async function publishTransient(
  durable: DurableBroker,
  name: string,
  from: number,
  to: number,
): Promise<void> {
  for (let i = from; i < to; i++) {
    publish(durable, name, bodyOf(i), { isPersistent: false });
    if (i % 100 === 99) await durable.settle();
  }
  await durable.settle();
}

describe('transient messages beyond half the memory limit', () => {
  it('go to the disk before publishers are blocked, and come back in order', async () => {
    const durable = await openDurable(new SimulatedFileSystem(), LIMIT);
    const { broker, virtualHost, disk } = durable;
    const queue = declareQueue(virtualHost, 'q', [], false);
    const count = 12_000;
    await publishTransient(durable, 'q', 0, count);
    expect(broker.log.bytesHeld).toBeLessThan(6 * MIB);
    expect(broker.alarms.isActive).toBe(false);
    expect((await spilled(disk)).length).toBeGreaterThan(20);
    for (let i = 0; i < count; i++) {
      const got = await getMessage(durable, queue);
      if (got === undefined || !got.body.equals(bodyOf(i))) expect.unreachable(`message ${i}`);
      if (i % 500 === 0) {
        // It may be handed back, whatever has left memory meanwhile.
        queue.requeue(got.position, got.sequence);
        const again = await getMessage(durable, queue);
        expect([again?.body.equals(bodyOf(i)), again?.isRedelivered]).toEqual([true, true]);
      }
      queue.acknowledge(got.position, got.sequence);
    }
    await durable.settle();
    expect(queue.counts().ready).toBe(0);
    expect(await spilled(disk)).toEqual([]);
    expect([durable.fatal, durable.complaints]).toEqual([[], []]);
  }, 60_000);

  it('stay where they are when the disk takes nothing; publishers are blocked then', async () => {
    const disk = new SimulatedFileSystem();
    const durable = await openDurable(disk, LIMIT);
    const queue = declareQueue(durable.virtualHost, 'q', [], false);
    disk.failOperation(disk.operations + 1, 'ENOSPC', 'lasting');
    await publishTransient(durable, 'q', 0, 4_000);
    expect(durable.broker.alarms.isActive).toBe(true);
    expect(durable.complaints[0]).toContain('could not be moved to the disk');
    expect((await getMessage(durable, queue))?.body).toEqual(bodyOf(0));
    expect(queue.counts().ready).toBe(3_999);
    expect(durable.fatal).toEqual([]);
  });

  it("that were damaged on the disk are lost and reported, and stand in nobody's way", async () => {
    const durable = await openDurable(new SimulatedFileSystem(), LIMIT);
    const queue = declareQueue(durable.virtualHost, 'q', [], false);
    await publishTransient(durable, 'q', 0, 6_000);
    const [first] = await spilled(durable.disk);
    durable.disk.flipBit(`${DATA_DIRECTORY}/spill/${first}`, 4_000);
    const got = await getMessage(durable, queue);
    const label = Number(got!.body.toString().split(' ')[0]);
    expect(label).toBeGreaterThan(100);
    expect(got!.body).toEqual(bodyOf(label));
    expect(queue.counts().ready).toBe(6_000 - label - 1);
    expect(durable.complaints).toEqual(['transient messages on the disk are damaged, and lost']);
  });

  it('are limited and expire as in memory', async () => {
    const durable = await openDurable(new SimulatedFileSystem(), LIMIT);
    const limited = declareQueue(durable.virtualHost, 'limited', [['x-max-length', signedint(5_000)]], false);
    await publishTransient(durable, 'limited', 0, 6_000);
    for (let i = 0; i < 5; i++) await durable.settle();
    expect(limited.counts().ready).toBe(5_000);
    expect((await getMessage(durable, limited))?.body).toEqual(bodyOf(1_000));
    const aging = declareQueue(durable.virtualHost, 'aging', [['x-message-ttl', signedint(1_000)]], false);
    await publishTransient(durable, 'aging', 0, 3_000);
    durable.clock.advance(1_001);
    for (let i = 0; i < 40; i++) await durable.settle();
    expect(aging.counts().ready).toBe(0);
  });

  it("leave no file behind: not at a close, and a crash's are removed at the next start", async () => {
    const first = await openDurable(new SimulatedFileSystem(), LIMIT);
    declareQueue(first.virtualHost, 'q', [], false);
    await publishTransient(first, 'q', 0, 4_000);
    const disk = first.disk.crash();
    expect((await spilled(disk)).length).toBeGreaterThan(0);
    const second = await openDurable(disk, LIMIT);
    expect(await spilled(disk)).toEqual([]);
    declareQueue(second.virtualHost, 'q', [], false);
    await publishTransient(second, 'q', 0, 4_000);
    expect((await spilled(disk)).length).toBeGreaterThan(0);
    await second.persistence.close();
    expect(await spilled(disk)).toEqual([]);
  });
});
