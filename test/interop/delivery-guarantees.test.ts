/**
 * What becomes of messages when their consumer crashes: at most once, at least once, and what a consumer adds for
 * each to take effect once. https://www.rabbitmq.com/docs/reliability
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectAmqplib, consume, crash, openChannel } from './amqplib.js';
import { useBroker } from './broker.js';
import { PREFETCH, WORKERS } from './hanging-worker.js';
import { requirePika, startPika } from './programs.js';
import { scratch } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const HANDLED = 4;
// Enough that the first consumer is handed all of them when it does not ack, and not all when it does.
const ORDERS = Array.from({ length: 20 }, (_, number) => `order ${number}`);

describe.each(WORKERS)('a consumer that crashes, with %s', (_client, startWorker) => {
  it('automatic acks: handles each order at most once, and loses what it had not got round to', async () => {
    const queue = await declareQueue();
    await publishOrders(queue, ORDERS);
    const crashing = await startWorker(brokerUrl(), {
      queues: [queue],
      acks: 'automatic',
      hangsAfter: HANDLED,
    });
    const got = await crashing.handed.take(ORDERS.length);
    expect(got.map(({ body }) => body)).toEqual(ORDERS);
    expect(got.filter(({ handled }) => handled)).toHaveLength(HANDLED);
    await crashing.crash();

    // The rest is gone: a message that is published now is the first to come.
    const next = await startWorker(brokerUrl(), { queues: [queue], acks: 'automatic' });
    await publishOrders(queue, ['new order']);
    expect(await next.handed.next()).toMatchObject({ body: 'new order', redelivered: false });
    expect((await (await openChannel(brokerUrl())).checkQueue(queue)).messageCount).toBe(0);
  });

  it('manual acks: each order is handled at least once, those it held come again, marked', async () => {
    const queue = await declareQueue();
    await publishOrders(queue, ORDERS);
    const crashing = await startWorker(brokerUrl(), {
      queues: [queue],
      acks: 'manual',
      hangsAfter: HANDLED,
    });
    const got = await crashing.handed.take(HANDLED + PREFETCH);
    expect(got.map(({ body }) => body)).toEqual(ORDERS.slice(0, HANDLED + PREFETCH));
    expect(got.filter(({ redelivered }) => redelivered)).toEqual([]);
    await crashing.crash();

    const next = await startWorker(brokerUrl(), { queues: [queue], acks: 'manual' });
    const rest = await next.handed.take(ORDERS.length - HANDLED);
    const expected = ORDERS.slice(HANDLED).map((body, index) => ({ body, redelivered: index < PREFETCH }));
    expect(rest.map(({ body, redelivered }) => ({ body, redelivered }))).toEqual(expected);
    expect(next.handed.pending).toBe(0);
    await next.crash();
    await expectEmpty(queue);
  });
});

describe('a consumer that knows by message-id what it has handled', () => {
  const CRASHES_EVERY = 7;
  // The shop publishes these again, as it has not seen their confirms: they come twice and are not redelivered.
  const PUBLISHED_TWICE = ['order 3', 'order 11'];
  const PUBLISHED = ORDERS.flatMap((order) => (PUBLISHED_TWICE.includes(order) ? [order, order] : [order]));

  it('applies each order once, however often it comes', async () => {
    const queue = await declareQueue();
    await publishOrders(queue, PUBLISHED);
    const ledger: string[] = [];
    const repeated: Array<readonly [order: string, redelivered: boolean]> = [];
    let crashes = 0;
    while (!(await consumeUntilCrash(queue, ledger, repeated))) crashes += 1;

    expectEachOnce(ledger, repeated, crashes);
    await expectEmpty(queue);
  });

  it('does so in a pika program with a database', async () => {
    const queue = await declareQueue();
    await publishOrders(queue, PUBLISHED);
    const directory = mkdtempSync(join(tmpdir(), 'leveret-ledger-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const ledger: string[] = [];
    const repeated: Array<readonly [order: string, redelivered: boolean]> = [];
    let crashes = 0;
    for (let done = false; !done; ) {
      const script = startPika('idempotent_consumer', brokerUrl(), queue, join(directory, 'ledger.db'));
      for (let running = true; running; ) {
        const { event, order, redelivered } = await script.events.next();
        if (event === 'applied') ledger.push(order as string);
        if (event === 'repeated') repeated.push([order as string, redelivered as boolean]);
        done = event === 'done';
        running = !done && event !== 'hanging';
      }
      if (done) {
        expect((await script.finished()).at(-1)).toEqual({ event: 'done', ledger: [...ORDERS].sort() });
      } else {
        crashes += 1;
        await script.kill();
      }
    }

    expectEachOnce(ledger, repeated, crashes);
    await expectEmpty(queue);
  });

  function expectEachOnce(
    ledger: readonly string[],
    repeated: ReadonlyArray<readonly [order: string, redelivered: boolean]>,
    crashes: number,
  ): void {
    expect(ledger).toEqual(ORDERS);
    expect(crashes).toBe(Math.floor(ORDERS.length / CRASHES_EVERY));
    // The orders that were applied and not acked came again, and those that the shop published again. By the
    // flag alone the consumer would have applied the latter twice.
    const lastBeforeCrash = ORDERS.filter((_, index) => (index + 1) % CRASHES_EVERY === 0);
    expect(repeated.filter(([, redelivered]) => redelivered).map(([order]) => order)).toEqual(
      expect.arrayContaining(lastBeforeCrash),
    );
    expect(repeated).toContainEqual([PUBLISHED_TWICE[0], false]);
    expect(repeated.map(([order]) => order).sort()).toEqual([...lastBeforeCrash, ...PUBLISHED_TWICE].sort());
  }

  /** Applies and acks orders. Crashes between the two now and then; otherwise ends with the last order. */
  async function consumeUntilCrash(
    queue: string,
    ledger: string[],
    repeated: Array<readonly [order: string, redelivered: boolean]>,
  ): Promise<boolean> {
    const connection = await connectAmqplib(brokerUrl());
    const channel = await connection.createChannel();
    await channel.prefetch(PREFETCH);
    const { messages } = await consume(channel, queue);
    for (;;) {
      const message = await messages.next();
      const order = message.properties.messageId as string;
      if (ledger.includes(order)) {
        repeated.push([order, message.fields.redelivered]);
      } else {
        ledger.push(order);
        if (ledger.length % CRASHES_EVERY === 0) {
          await channel.checkQueue(queue);
          await crash(connection);
          return false;
        }
      }
      channel.ack(message);
      if (order !== ORDERS.at(-1)) continue;
      await channel.close();
      return true;
    }
  }
});

async function declareQueue(): Promise<string> {
  const queue = scratch(brokerUrl()).queue('orders');
  await (await openChannel(brokerUrl())).assertQueue(queue);
  return queue;
}

async function publishOrders(queue: string, orders: readonly string[]): Promise<void> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  for (const order of orders) {
    channel.sendToQueue(queue, Buffer.from(order), { persistent: true, messageId: order });
  }
  await channel.waitForConfirms();
}

/** Nothing is ready or held any more, once the broker has noticed that the consumers are gone. */
async function expectEmpty(queue: string): Promise<void> {
  const channel = await openChannel(brokerUrl());
  await vi.waitUntil(async () => (await channel.checkQueue(queue)).consumerCount === 0, { timeout: 10_000 });
  expect((await channel.checkQueue(queue)).messageCount).toBe(0);
}
