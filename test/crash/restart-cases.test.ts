/** Restarts that need a certain history, which rounds of chance seldom have. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BrokerChild } from './broker-child.js';

const QUEUE = 'history';

function newDirectory(): string {
  const parent = mkdtempSync(join(tmpdir(), 'leveret-restart-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  return join(parent, 'data');
}

/** One life of a broker: what `use` does with it, then a kill. */
async function live<T>(directory: string, use: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const broker = await BrokerChild.start(directory);
  try {
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${broker.port}`);
    const channel = await connection.createConfirmChannel();
    const result = await use(channel);
    await connection.close();
    return result;
  } finally {
    await broker.end('SIGKILL');
  }
}

async function publish(channel: ConfirmChannel, count: number): Promise<void> {
  for (let i = 0; i < count; i++) channel.sendToQueue(QUEUE, Buffer.from(String(i)), { persistent: true });
  await channel.waitForConfirms();
}

const declare = async (channel: ConfirmChannel): Promise<void> => {
  await channel.assertQueue(QUEUE, { durable: true });
};

const countReady = async (channel: ConfirmChannel): Promise<number> =>
  (await channel.checkQueue(QUEUE)).messageCount;

describe('a data directory without messages', () => {
  it('keeps what is published after a purge and a restart', async () => {
    const directory = newDirectory();
    await live(directory, async (channel) => {
      await declare(channel);
      await publish(channel, 1500);
    });
    await live(directory, async (channel) => {
      expect((await channel.purgeQueue(QUEUE)).messageCount).toBe(1500);
    });
    // The purge is remembered as a place in the log: what comes now must come behind it.
    await live(directory, async (channel) => {
      expect(await countReady(channel)).toBe(0);
      await publish(channel, 10);
    });
    expect(await live(directory, countReady)).toBe(10);
  });

  it('never takes the acks of a segment that is gone for those of a new one', async () => {
    const directory = newDirectory();
    await live(directory, async (channel) => {
      await declare(channel);
      await publish(channel, 10);
      for (let i = 0; i < 10; i++) channel.ack((await channel.get(QUEUE)) as GetMessage);
      // Acks are written with the next commit.
      await publish(channel, 1);
    });
    const messages = join(directory, 'messages');
    const endings = readdirSync(messages).map((name) => name.slice(-4));
    expect(endings.sort()).toEqual(['.ack', '.log']);
    // As if the last message had been taken too, and the kill had come between the removal of the log and of its acks.
    for (const name of readdirSync(messages)) if (name.endsWith('.log')) rmSync(join(messages, name));
    await live(directory, async (channel) => {
      expect(await countReady(channel)).toBe(0);
      await publish(channel, 10);
    });
    expect(await live(directory, countReady)).toBe(10);
  });
});
