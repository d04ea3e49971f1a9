/**
 * A queue too deep for memory, in a broker that is killed while it is filled and while it is drained: what is left is
 * one unbroken stretch, from what was acknowledged (or a moment before) to what was confirmed (or a little beyond).
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { BrokerChild } from './broker-child.js';
import { Choices } from './choices.js';
import { ACK_WINDOW_MS } from './ledger.js';

const ROUNDS = Math.ceil(Number(process.env['LEVERET_CRASH_ROUNDS'] ?? 20) / 10);
const SEED = Number(process.env['LEVERET_CRASH_SEED'] ?? randomInt(1_000_000));
const QUEUE = 'deep';
const BODY_BYTES = 300;
/** Several times what stays in memory. */
const DEEP_MESSAGES = 300_000;
const OUTSTANDING_MAX = 5_000;
const PREFETCH = 2_000;

interface Acked {
  readonly number: number;
  readonly atMs: number;
}

class DeepQueue {
  /** Numbers of the next message to publish, and of the last one confirmed. */
  next = 0;
  confirmed = -1;
  readonly acks: Acked[] = [];
  private isOver = false;

  stop(): void {
    this.isOver = true;
  }

  async publish(connection: ChannelModel, until: number): Promise<void> {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    await channel.assertQueue(QUEUE, { durable: true });
    const gone = new Promise<void>((resolve) => channel.once('close', resolve));
    while (this.next < until && !this.isOver) {
      await Promise.race([gone, this.publishSome(channel, Math.min(until, this.next + OUTSTANDING_MAX))]);
    }
  }

  private publishSome(channel: ConfirmChannel, until: number): Promise<void> {
    return new Promise((resolve) => {
      while (this.next < until) {
        const number = this.next++;
        const body = Buffer.alloc(BODY_BYTES, number & 0xff);
        body.writeUInt32BE(number, 0);
        channel.sendToQueue(QUEUE, body, { persistent: true }, (error) => {
          if (error === null && number > this.confirmed) this.confirmed = number;
          if (number === until - 1) resolve();
        });
      }
    });
  }

  /** Consumes from `from` on, acknowledging in groups, until `until` or the end of the connection. */
  async consume(connection: ChannelModel, until: number): Promise<readonly number[]> {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(PREFETCH);
    const numbers: number[] = [];
    await new Promise<void>((resolve) => {
      channel.once('close', resolve);
      void channel.consume(QUEUE, (message) => {
        if (message === null) return resolve();
        const number = message.content.readUInt32BE(0);
        if (!message.content.subarray(4).every((byte) => byte === (number & 0xff))) numbers.push(Number.NaN);
        numbers.push(number);
        if (numbers.length % 500 === 0 || number >= until) {
          channel.ack(message, true);
          this.acks.push({ number, atMs: performance.now() });
        }
        if (number >= until) resolve();
      });
    });
    return numbers;
  }

  /** The last message whose ack had reached the disk for sure when the broker was killed. */
  ackedForSure(killedAtMs: number): number {
    return Math.max(
      -1,
      ...this.acks.filter(({ atMs }) => atMs < killedAtMs - ACK_WINDOW_MS).map((a) => a.number),
    );
  }
}

async function withBroker<T>(
  directory: string,
  use: (broker: BrokerChild, connection: ChannelModel) => Promise<T>,
): Promise<T> {
  const broker = await BrokerChild.start(directory);
  try {
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${broker.port}`);
    connection.on('error', () => {});
    return await use(broker, connection);
  } finally {
    if (broker.isRunning) await broker.end('SIGKILL');
    expect(broker.errorLines).toEqual([]);
  }
}

function expectUnbroken(numbers: readonly number[]): void {
  const broken = numbers.findIndex((number, i) => i > 0 && number !== numbers[i - 1]! + 1);
  expect(broken, `after ${numbers[broken - 1]} comes ${numbers[broken]}`).toBe(-1);
}

describe('a queue too deep for memory', () => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED + round;
    it(`is whole after kills, LEVERET_CRASH_SEED=${seed}`, { timeout: 120_000 }, async () => {
      const choices = new Choices(seed);
      const parent = mkdtempSync(join(tmpdir(), 'leveret-deep-'));
      const directory = join(parent, 'data');
      const deep = new DeepQueue();
      // Killed while it is filled.
      await withBroker(directory, async (broker, connection) => {
        const filling = deep.publish(connection, DEEP_MESSAGES);
        const least = choices.between(DEEP_MESSAGES / 2, DEEP_MESSAGES - OUTSTANDING_MAX);
        while (deep.confirmed < least) await new Promise((resolve) => setTimeout(resolve, 5));
        deep.stop();
        await broker.end(choices.chance(20) ? 'SIGTERM' : 'SIGKILL');
        await filling;
      });
      // Killed while it is drained.
      const drainUntil = choices.between(50_000, deep.confirmed - 50_000);
      let killedAtMs = 0;
      await withBroker(directory, async (broker, connection) => {
        expectUnbroken(await deep.consume(connection, drainUntil));
        killedAtMs = performance.now();
        await broker.end('SIGKILL');
      });
      const [left, count] = await withBroker(directory, async (broker, connection) => {
        const channel = await connection.createChannel();
        const { messageCount } = await channel.checkQueue(QUEUE);
        const numbers = await deep.consume(connection, deep.confirmed);
        await broker.end('SIGTERM');
        return [numbers, messageCount] as const;
      });
      expectUnbroken(left);
      expect(left[0]).toBeGreaterThan(deep.ackedForSure(killedAtMs));
      expect(left[0]).toBeLessThanOrEqual(
        deep.acks.filter(({ atMs }) => atMs < killedAtMs).at(-1)!.number + 1,
      );
      expect(left.at(-1)).toBeGreaterThanOrEqual(deep.confirmed);
      expect(count).toBeGreaterThanOrEqual(deep.confirmed - left[0]! + 1);
      expect(count).toBeLessThanOrEqual(deep.next - left[0]!);
      rmSync(parent, { recursive: true });
    });
  }
});
