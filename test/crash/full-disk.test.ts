/**
 * A volume that is filled to the last byte, again and again, under a broker that publishers use at full rate.
 *
 * Rounds take turns: with a limit the broker stops publishers before the volume is full, without one its writes find
 * it full; room is made from outside, or by consumers.
 *
 * LEVERET_CRASH_ROUNDS   how many rounds; 10 by default, and 10 at most
 */

import { join } from 'node:path';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BrokerChild } from './broker-child.js';
import { Choices, chooseBody } from './choices.js';
import { Ledger } from './ledger.js';
import { arrivalOf, checksumOf, propertiesOf } from './messages.js';
import { SmallVolume } from './small-volume.js';

const ROUNDS = Math.min(10, Number(process.env['LEVERET_CRASH_ROUNDS'] ?? 10));
const SEED = Number(process.env['LEVERET_CRASH_SEED'] ?? 1);
const MIB = 1_048_576;
const VOLUME_BYTES = 64 * MIB;
/** As good as none. */
const LIMIT_BYTES_MIN = 1;
const LIMIT_BYTES = 8 * MIB;
/** What is left of the volume for the messages of a round, at most. */
const ROOM_BYTES = 30 * MIB;
const BACK_LIMIT_MS = 5_000;
const ANSWER_LIMIT_MS = 5_000;
const WINDOW_MAX = 300;
const NUDGE_MS = 20;
const SHORT_LIVED_QUEUES = 40;
const QUEUE = 'load';

/** Publishes as fast as it is confirmed, until it is stopped. */
class FullRatePublisher {
  isStopped = false;
  isBlocked = false;
  /** Called with each confirm. */
  onConfirm: () => void = () => {};
  private unconfirmed = 0;
  private wake = (): void => {};

  constructor(
    private readonly name: string,
    private readonly channel: ConfirmChannel,
    private readonly ledger: Ledger,
    private readonly choices: Choices,
  ) {}

  /** Resolves when it has been stopped and everything is confirmed. */
  async run(): Promise<void> {
    while (!this.isStopped || this.unconfirmed > 0) {
      if (this.isStopped || this.unconfirmed >= WINDOW_MAX) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
          timer = setTimeout(resolve, NUDGE_MS);
        });
        clearTimeout(timer);
        // Who does not publish is not told that publishers are blocked.
        if (!this.isStopped && !this.isBlocked) this.publish();
      } else {
        for (let i = 0; i < 20; i++) this.publish();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  private publish(): void {
    const body = chooseBody(this.choices);
    const entry = this.ledger.published(this.name, [QUEUE], checksumOf(body));
    this.unconfirmed++;
    this.channel.publish('', QUEUE, body, propertiesOf(entry), (error) => {
      this.unconfirmed--;
      if (error === null) {
        this.ledger.confirmed(entry);
        this.onConfirm();
      }
      this.wake();
    });
  }
}

async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs} ms: ${what}`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A broker on a small volume, and its clients. */
class FullDisk {
  readonly ledger = new Ledger({ rejectingQueue: '', deadLetterQueue: '' });
  readonly backMs: number[] = [];
  private readonly directory: string;
  private readonly choices = new Choices(SEED);
  private broker: BrokerChild | undefined;
  private publishing!: ChannelModel;
  private consuming!: ChannelModel;

  constructor(private readonly volume: SmallVolume) {
    this.directory = join(volume.directory, 'data');
  }

  async start(limitBytes: number): Promise<void> {
    this.ledger.beginLife();
    this.broker = await BrokerChild.start(this.directory, ['--disk-free-limit', String(limitBytes)]);
    const url = `amqp://guest:guest@127.0.0.1:${this.broker.port}`;
    this.publishing = await connect(url, { noDelay: true });
    this.consuming = await connect(url, { noDelay: true });
    for (const connection of [this.publishing, this.consuming]) connection.on('error', () => {});
  }

  async kill(): Promise<void> {
    await this.broker!.end('SIGKILL');
    for (const line of this.broker!.errorLines) this.ledger.violate('broker error', line);
  }

  async dispose(): Promise<void> {
    if (this.broker?.isRunning === true) await this.broker.end('SIGKILL');
  }

  async declare(): Promise<void> {
    const channel = await this.consuming.createConfirmChannel();
    await channel.assertQueue(QUEUE, { durable: true });
    await channel.close();
  }

  /** Fills, looks what still goes, makes room, and sees that everything is as before. */
  async round(number: number, isFreedByConsumers: boolean): Promise<void> {
    const name = `round ${number}`;
    // What the round before has left, also over a kill: the volume is to be filled by the filler as well.
    await this.drain();
    await this.makeQueues(number);
    this.volume.fill(ROOM_BYTES);
    const publishers = await this.publish(number);
    const blocked = new Promise<void>((resolve) => {
      this.publishing.once('blocked', () => {
        for (const publisher of publishers) publisher.isBlocked = true;
        resolve();
      });
    });
    const done = Promise.all(publishers.map((publisher) => publisher.run()));
    await within(20_000, `${name}: connection.blocked`, blocked);
    this.volume.fill(0);
    await this.useWhileFull(number);
    this.volume.fill(0);
    if (isFreedByConsumers) await this.drain();
    const freedAtMs = performance.now();
    if (!isFreedByConsumers) this.volume.empty();
    const back = new Promise<number>((resolve) => {
      for (const publisher of publishers) publisher.onConfirm = () => resolve(performance.now() - freedAtMs);
    });
    this.backMs.push(Math.round(await within(BACK_LIMIT_MS, `${name}: a confirm after there is room`, back)));
    for (const publisher of publishers) publisher.isStopped = true;
    await within(20_000, `${name}: the rest of the confirms`, done);
    this.volume.empty();
    // Answered once the connection is read again.
    const channel = await within(BACK_LIMIT_MS, `${name}: the end`, this.publishing.createChannel());
    await channel.close();
  }

  /** Takes every message there is. */
  async drain(): Promise<void> {
    const channel = await this.consuming.createChannel();
    await channel.prefetch(500);
    let count = (await channel.checkQueue(QUEUE)).messageCount;
    await within(
      20_000,
      `the rest of ${count} messages`,
      new Promise<void>((resolve) => {
        if (count === 0) {
          resolve();
          return;
        }
        void channel.consume(QUEUE, (message) => {
          if (message === null) return;
          const copy = this.ledger.delivered(arrivalOf(QUEUE, message));
          channel.ack(message);
          if (copy !== undefined) this.ledger.acked(copy);
          if (--count === 0) resolve();
        });
      }),
    );
    await channel.close();
  }

  private async makeQueues(number: number): Promise<void> {
    const channel = await this.consuming.createConfirmChannel();
    for (const queue of ['purged', 'deleted']) {
      await channel.assertQueue(`${queue} ${number}`, { durable: true });
      for (let i = 0; i < 50; i++)
        channel.sendToQueue(`${queue} ${number}`, Buffer.alloc(100), { persistent: true });
    }
    await channel.waitForConfirms();
    await channel.close();
  }

  private async publish(number: number): Promise<FullRatePublisher[]> {
    const publishers: FullRatePublisher[] = [];
    for (let i = 0; i < 2; i++) {
      const channel = await this.publishing.createConfirmChannel();
      publishers.push(
        new FullRatePublisher(
          `${this.ledger.life}.${number}.${i}`,
          channel,
          this.ledger,
          this.choices.fork(),
        ),
      );
    }
    return publishers;
  }

  private async useWhileFull(number: number): Promise<void> {
    const channel = await this.consuming.createChannel();
    const use = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        const message = await channel.get(QUEUE);
        if (message === false) throw new Error('no message');
        const copy = this.ledger.delivered(arrivalOf(QUEUE, message));
        channel.ack(message);
        if (copy !== undefined) this.ledger.acked(copy);
      }
      expect((await channel.purgeQueue(`purged ${number}`)).messageCount).toBe(50);
      expect((await channel.deleteQueue(`deleted ${number}`)).messageCount).toBe(50);
      // More records than a page of the definitions has room for.
      for (let i = 0; i < SHORT_LIVED_QUEUES; i++) {
        await channel.assertQueue(`short-lived ${i}`, { durable: true });
        await channel.deleteQueue(`short-lived ${i}`);
      }
      await channel.close();
    };
    await within(
      ANSWER_LIMIT_MS,
      `round ${number}: get and ack, purge, delete, declare on a full disk`,
      use(),
    );
  }
}

describe('a volume that is full to the last byte', () => {
  it(`costs nothing that was confirmed, ${ROUNDS} times`, { timeout: 120_000 }, async (context) => {
    const volume = await SmallVolume.mount(VOLUME_BYTES);
    if (typeof volume === 'string') {
      if (process.env['CI'] !== undefined) throw new Error(volume);
      context.skip(volume);
      return;
    }
    onTestFinished(() => volume.unmount());
    const disk = new FullDisk(volume);
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        if (round === 1) {
          await disk.start(LIMIT_BYTES_MIN);
          await disk.declare();
        } else if (round === Math.ceil(ROUNDS / 2) + 1) {
          await disk.kill();
          await disk.start(LIMIT_BYTES);
        }
        await disk.round(round, round % 2 === 0);
      }
      // It starts on a full disk, too: only consumers can make room.
      volume.fill(0);
      await disk.kill();
      await disk.start(LIMIT_BYTES_MIN);
      await disk.drain();
      await disk.kill();
      disk.ledger.checkDrained();
    } finally {
      await disk.dispose();
    }
    console.log(`from room to the first confirm: ${disk.backMs.join(', ')} ms`);
    expect(disk.ledger.violations.slice(0, 12)).toEqual([]);
    expect(disk.ledger.counts.confirmed).toBeGreaterThan(1000);
  });
});
