/**
 * An order-processing application: every order passes payment, stock and shipping, each stage served by
 * workers that compete for its queue.
 */
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { beforeAll, describe, expect, it } from 'vitest';
import { ackOnceConfirmed, connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { Inbox, merge } from './inbox.js';
import { requirePika, type ScriptEvent, startPika } from './programs.js';
import { scratch } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const ORDER_COUNT = 300;
const WORKERS_PER_STAGE = 3;
const PIKA_WORKERS_PER_STAGE = 2;
const PREFETCH = 5;

const STAGES: readonly Stage[] = [
  { name: 'payment', takes: 'order.placed', emits: 'order.paid' },
  { name: 'stock', takes: 'order.paid', emits: 'order.reserved' },
  { name: 'shipping', takes: 'order.reserved', emits: 'order.shipped' },
];

interface Stage {
  readonly name: string;
  readonly takes: string;
  readonly emits: string;
}

interface Processed {
  readonly stage: string;
  readonly worker: number;
  readonly order: string;
}

describe('an order-processing pipeline', () => {
  it('takes every order through every stage exactly once, on a topic exchange', async () => {
    const { exchange, stageQueues, shippedQueue } = await declareStages('topic', 'order.shipped');
    const log: Processed[] = [];
    for (const stage of STAGES) {
      await startWorkers(stage, stageQueues.get(stage.name)!, exchange, log);
    }
    const shipped = (await consume(await openChannel(brokerUrl()), shippedQueue, { noAck: true })).messages;
    const orders = await placeOrders(exchange, 'order.placed');

    const arrived = (await shipped.take(ORDER_COUNT)).map(text);
    expect([...arrived].sort()).toEqual(orders);
    for (const stage of STAGES) {
      const done = log.filter((entry) => entry.stage === stage.name);
      expect(done.map((entry) => entry.order).sort()).toEqual(orders);
      // Competing consumers are served in turn: no worker of a stage is left out.
      expect(new Set(done.map((entry) => entry.worker)).size).toBe(WORKERS_PER_STAGE);
    }
    expect(shipped.pending).toBe(0);
  });

  it('is served by pika workers, between a shop and a collector that use amqplib', async () => {
    const { exchange, stageQueues, shippedQueue } = await declareStages('topic', 'order.shipped');
    const logs: Array<Inbox<ScriptEvent>> = [];
    for (const { name, emits } of STAGES) {
      const start = () => startPika('stage_worker', brokerUrl(), stageQueues.get(name)!, exchange, emits);
      const workers = Array.from({ length: PIKA_WORKERS_PER_STAGE }, start);
      for (const { events } of workers) expect(await events.next()).toEqual({ event: 'ready' });
      logs.push(merge(workers.map(({ events }) => events)));
    }
    const shipped = (await consume(await openChannel(brokerUrl()), shippedQueue, { noAck: true })).messages;
    const orders = await placeOrders(exchange, 'order.placed');

    expect((await shipped.take(ORDER_COUNT)).map(text).sort()).toEqual(orders);
    for (const log of logs) {
      const done = await log.take(ORDER_COUNT);
      expect(done.map(({ order }) => order).sort()).toEqual(orders);
      expect(done.filter(({ redelivered }) => redelivered)).toEqual([]);
      expect(log.pending).toBe(0);
    }
    expect(shipped.pending).toBe(0);
  });

  it('gives every stage its own copy of each order, on a direct exchange', async () => {
    const { exchange, stageQueues } = await declareStages('direct');
    const channel = await openChannel(brokerUrl());
    for (const queue of stageQueues.values()) await channel.bindQueue(queue, exchange, 'placed');
    const processed = new Inbox<Processed>();
    for (const [stage, queue] of stageQueues) {
      for (let worker = 0; worker < WORKERS_PER_STAGE; worker++) {
        const working = await openWorkerChannel();
        await working.consume(queue, (delivery) => {
          const order = delivery as ConsumeMessage;
          processed.push({ stage, worker, order: text(order) });
          working.ack(order);
        });
      }
    }
    const orders = await placeOrders(exchange, 'placed');

    const log = await processed.take(ORDER_COUNT * STAGES.length);
    for (const stage of STAGES) {
      const done = log.filter((entry) => entry.stage === stage.name);
      expect(done.map((entry) => entry.order).sort()).toEqual(orders);
    }
    expect(processed.pending).toBe(0);
  });

  it('loses and repeats no order when a worker that holds some of them goes away', async () => {
    const { exchange, stageQueues } = await declareStages('topic');
    const paymentQueue = stageQueues.get('payment')!;
    const dying = await connectAmqplib(brokerUrl());
    const dyingChannel = await dying.createChannel();
    await dyingChannel.prefetch(PREFETCH);
    const { messages: held } = await consume(dyingChannel, paymentQueue);
    const orders = await placeOrders(exchange, 'order.placed');
    const heldOrders = (await held.take(PREFETCH)).map(text);

    const paid = new Inbox<ConsumeMessage>();
    const working = await openWorkerChannel();
    await working.consume(paymentQueue, (delivery) => {
      working.ack(delivery as ConsumeMessage);
      paid.push(delivery as ConsumeMessage);
    });
    await dying.close();

    const done = await paid.take(ORDER_COUNT);
    expect(done.map(text).sort()).toEqual(orders);
    const redelivered = done.filter((message) => message.fields.redelivered).map(text);
    expect(redelivered.sort()).toEqual([...heldOrders].sort());
    expect(paid.pending).toBe(0);
  });
});

/** One durable queue for each stage, bound to what the stage takes; and one for what the last one emits. */
async function declareStages(type: 'direct' | 'topic', lastBindingKey?: string) {
  const names = scratch(brokerUrl());
  const [exchange, shippedQueue] = [names.exchange('orders'), names.queue('shipped')];
  const connection = await connectAmqplib(brokerUrl());
  const channel = await connection.createChannel();
  await channel.assertExchange(exchange, type, { durable: true });
  const stageQueues = new Map<string, string>();
  for (const stage of STAGES) {
    const queue = names.queue(stage.name);
    stageQueues.set(stage.name, queue);
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, exchange, stage.takes);
  }
  if (lastBindingKey !== undefined) {
    await channel.assertQueue(shippedQueue, { durable: true });
    await channel.bindQueue(shippedQueue, exchange, lastBindingKey);
  }
  await connection.close();
  return { exchange, stageQueues, shippedQueue };
}

/** Workers on connections of their own: each acks an order once the broker has confirmed the next event. */
async function startWorkers(stage: Stage, queue: string, exchange: string, log: Processed[]): Promise<void> {
  for (let worker = 0; worker < WORKERS_PER_STAGE; worker++) {
    const channel = await openWorkerChannel();
    await channel.consume(queue, (delivery) => {
      const order = delivery as ConsumeMessage;
      log.push({ stage: stage.name, worker, order: text(order) });
      const options = { persistent: true, mandatory: true };
      channel.publish(exchange, stage.emits, order.content, options, ackOnceConfirmed(channel, order));
    });
  }
}

async function openWorkerChannel(): Promise<ConfirmChannel> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  await channel.prefetch(PREFETCH);
  return channel;
}

/** Publishes the orders, waits until the broker has them, and returns them sorted. */
async function placeOrders(exchange: string, routingKey: string): Promise<string[]> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  const orders = Array.from(
    { length: ORDER_COUNT },
    (_, number) => `order ${String(number).padStart(4, '0')}`,
  );
  for (const order of orders) channel.publish(exchange, routingKey, Buffer.from(order), { persistent: true });
  await channel.waitForConfirms();
  return orders;
}
