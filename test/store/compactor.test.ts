import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { IMAGE_PERSISTENT, readImage } from '../../src/amqp/message-image.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import { openPersistence, type Persistence } from '../../src/broker/persistence.js';
import type { FileSystem } from '../../src/lib/file-system.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import { COMPACTION_INTERVAL_MS } from '../../src/store/compactor.js';
import { contentHeader } from '../helpers/frames.js';
import { NO_NOTES } from '../helpers/messages.js';
import { type TestBroker, testBroker } from '../helpers/test-broker.js';

const SEGMENT_BYTES = 16_384;
const MESSAGES = 1000;

/** A broker on a simulated disk, with one durable queue `q`. */
class Bench {
  private constructor(
    readonly broker: TestBroker,
    readonly persistence: Persistence,
    readonly queue: Queue,
    readonly fatalErrors: readonly unknown[],
  ) {}

  static async open(fileSystem: FileSystem): Promise<Bench> {
    const broker = testBroker();
    const fatalErrors: unknown[] = [];
    const persistence = await openPersistence(broker.broker, {
      fileSystem,
      directory: '/data',
      syncMode: 'always',
      segmentBytes: SEGMENT_BYTES,
      residentBytesMax: 2 * SEGMENT_BYTES,
      onFatal: (error) => fatalErrors.push(error),
    });
    const virtualHost = broker.broker.virtualHost('/')!;
    const queue =
      virtualHost.queues.get('q') ??
      virtualHost.addQueue({
        name: 'q',
        durable: true,
        autoDelete: false,
        exclusiveOwner: undefined,
        arguments: FieldTable.EMPTY,
      });
    return new Bench(broker, persistence, queue, fatalErrors);
  }

  publish(label: string): void {
    const { log } = this.broker.broker;
    const body = Buffer.from(label);
    const notes = { ...NO_NOTES, flags: IMAGE_PERSISTENT };
    const message = {
      exchange: '',
      routingKey: 'q',
      contentHeader: contentHeader(body.length),
      body,
      ...notes,
    };
    const position = writeMessage(log, message, [this.queue]);
    log.retain(position, 1);
    this.queue.publish(position);
  }

  /** Lets the disk and the turns do what they have to do. */
  async settle(): Promise<void> {
    for (let i = 0; i < 50; i++) {
      this.broker.turn();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Gets the first message, waiting for the disk if need be. */
  async get(): Promise<{ readonly label: string; readonly position: number } | undefined> {
    if (!this.queue.isHeadReadable()) {
      await new Promise<void>((resolve) => this.queue.fetchHead(resolve));
    }
    const position = this.queue.get();
    if (position < 0) return undefined;
    const { log } = this.broker.broker;
    const { body } = readImage(log.segmentOf(position).block, log.payloadOffset(position));
    return { label: body.toString(), position };
  }

  /** Acknowledges every message but each fiftieth, which goes back. */
  async consumeMost(): Promise<void> {
    const kept: { readonly position: number; readonly sequence: number }[] = [];
    for (let i = 0; i < MESSAGES; i++) {
      const got = await this.get();
      const { lastSequence } = this.queue;
      if (i % 50 === 0) kept.push({ position: got!.position, sequence: lastSequence });
      else this.queue.acknowledge(got!.position, lastSequence);
    }
    for (const { position, sequence } of kept) this.queue.requeue(position, sequence);
  }

  async letTimePass(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      this.broker.clock.advance(COMPACTION_INTERVAL_MS);
      await this.settle();
    }
  }

  async drain(): Promise<string[]> {
    const labels: string[] = [];
    for (let got = await this.get(); got !== undefined; got = await this.get()) {
      labels.push(got.label);
      this.queue.acknowledge(got.position, this.queue.lastSequence);
    }
    return labels;
  }
}

async function sizeOf(fileSystem: FileSystem): Promise<number> {
  let size = 0;
  for (const name of await fileSystem.list('/data/messages')) {
    if (!name.endsWith('.log')) continue;
    const file = await fileSystem.open(`/data/messages/${name}`, 'read');
    size += await file.size();
    await file.close();
  }
  return size;
}

const KEPT = Array.from({ length: MESSAGES / 50 }, (_, i) => `message ${i * 50}`);

describe('a segment that is mostly dead', () => {
  it('is written anew with what is needed, once its acks have come to rest; nobody notices', async () => {
    const disk = new SimulatedFileSystem(1);
    const t = await Bench.open(disk);
    for (let i = 0; i < MESSAGES; i++) t.publish(`message ${i}`);
    await t.settle();
    const before = await sizeOf(disk);
    await t.consumeMost();
    await t.letTimePass();
    const after = await sizeOf(disk);
    // The open segment stays as it is; the sealed ones hold a fiftieth each.
    expect(before).toBeGreaterThan(3 * SEGMENT_BYTES);
    expect(after).toBeLessThan(SEGMENT_BYTES + before / 5);
    expect(await t.drain()).toEqual(KEPT);
    await t.persistence.close();
    expect(t.fatalErrors).toEqual([]);
  });

  it('is the same after a restart, and after the power was cut at any moment of it', async () => {
    const disk = new SimulatedFileSystem(2);
    const t = await Bench.open(disk);
    for (let i = 0; i < MESSAGES; i++) t.publish(`message ${i}`);
    await t.settle();
    await t.consumeMost();
    t.broker.clock.advance(1_000);
    await t.settle();
    for (let operation = 1; operation <= 60; operation++) {
      const copy = disk.snapshot(operation);
      const second = await Bench.open(copy);
      copy.cutAt(copy.operations + operation);
      await second.letTimePass().catch(() => {});
      const next = copy.powerCut();
      const third = await Bench.open(next);
      expect(await third.drain(), `cut at operation ${operation}`).toEqual(KEPT);
      await third.persistence.close();
    }
  });

  it('stays as it is on a full disk, with nothing left beside it, until there is room', async () => {
    const disk = new SimulatedFileSystem(3);
    const t = await Bench.open(disk);
    for (let i = 0; i < MESSAGES; i++) t.publish(`message ${i}`);
    await t.settle();
    await t.consumeMost();
    t.broker.clock.advance(1_000);
    await t.settle();
    const before = await sizeOf(disk);
    const names = await disk.list('/data/messages');
    // Less than what is needed of a segment.
    disk.capacityBytes -= (await disk.freeBytes('/data')) - 200;
    await t.letTimePass();
    expect([await sizeOf(disk), await disk.list('/data/messages')]).toEqual([before, names]);
    expect(await disk.freeBytes('/data')).toBe(200);
    disk.capacityBytes += SEGMENT_BYTES;
    await t.letTimePass();
    expect(await sizeOf(disk)).toBeLessThan(SEGMENT_BYTES + before / 5);
    expect(await t.drain()).toEqual(KEPT);
    await t.persistence.close();
    expect(t.fatalErrors).toEqual([]);
  });
});
