/**
 * Many workers, and yet the events of one customer are handled one after the other: an x-consistent-hash exchange
 * sends all events of a customer to one queue, and only one consumer of that queue is active. When it crashes,
 * another goes on where its acks ended. (RabbitMQ needs the plugin rabbitmq_consistent_hash_exchange for this.)
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { connectAmqplib, openChannel } from './amqplib.js';
import { useBroker } from './broker.js';
import { type Handed, type HangingWorker, PREFETCH, WORKERS } from './hanging-worker.js';
import { requirePika } from './programs.js';
import { scratch } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const QUEUE_COUNT = 4;
const ACKED_BEFORE_CRASH = 60;
const HELD_AT_CRASH = 3;
const CUSTOMERS = Array.from({ length: 80 }, (_, number) => `customer ${number}`);
const EVENTS_EACH = 8;

describe.each(WORKERS)('events in the order of each customer, with %s workers', (_client, startWorker) => {
  it('stay in order when an active worker crashes and its standby takes over', async () => {
    const { exchange, queues } = await declareQueues();
    const [first, second] = [queues.slice(0, QUEUE_COUNT / 2), queues.slice(QUEUE_COUNT / 2)];
    const crashing = await startWorker(brokerUrl(), {
      queues: first,
      acks: 'manual',
      hangsAfter: ACKED_BEFORE_CRASH,
    });
    const standby = await startWorker(brokerUrl(), { queues: [...second, ...first], acks: 'manual' });
    await publishEvents(exchange, 0, EVENTS_EACH / 2);
    const before = await crashing.handed.take(ACKED_BEFORE_CRASH + HELD_AT_CRASH);
    await crashing.crash();
    await publishEvents(exchange, EVENTS_EACH / 2, EVENTS_EACH);

    const acked = before.filter(({ handled }) => handled);
    const after = await standby.handed.take(CUSTOMERS.length * EVENTS_EACH - acked.length);
    // Everything in order, without a gap: what was not acked comes again, and nothing else does.
    const all = [...acked, ...after];
    expectEventsInOrder(all);
    expectOneQueueForEachCustomer(all, queues);
    // The standby had nothing of the other's queues before: what the other one held is the first to come of each.
    for (const queue of first) {
      const flags = after.filter((event) => event.queue === queue).map(({ redelivered }) => redelivered);
      expect(flags).toEqual([...flags].sort((a, b) => Number(b) - Number(a)));
    }
    const again = after.filter(({ redelivered }) => redelivered);
    expect(again.map(({ body }) => body)).toEqual(expect.arrayContaining(heldOf(before)));
    for (const { queue } of again) expect(first).toContain(queue);
    expect(again.length).toBeLessThanOrEqual(PREFETCH * first.length);
    expect(standby.handed.pending).toBe(0);
  });

  it('stay in order through one crash after another', async () => {
    const { exchange, queues } = await declareQueues();
    const options = { queues, acks: 'manual', hangsAfter: ACKED_BEFORE_CRASH } as const;
    const crashing: HangingWorker[] = [];
    while (crashing.length < 3) crashing.push(await startWorker(brokerUrl(), options));
    const last = await startWorker(brokerUrl(), { queues, acks: 'manual' });
    await publishEvents(exchange, 0, EVENTS_EACH);

    const all: Handed[] = [];
    for (const worker of crashing) {
      const handed = await worker.handed.take(ACKED_BEFORE_CRASH + HELD_AT_CRASH);
      all.push(...handed.filter(({ handled }) => handled));
      await worker.crash();
    }
    all.push(...(await last.handed.take(CUSTOMERS.length * EVENTS_EACH - all.length)));
    expectEventsInOrder(all);
    expect(last.handed.pending).toBe(0);
  });
});

async function declareQueues() {
  const names = scratch(brokerUrl());
  const exchange = names.exchange('events');
  const queues = range(0, QUEUE_COUNT).map((number) => names.queue(`events.${number}`));
  const channel = await openChannel(brokerUrl());
  await channel.assertExchange(exchange, 'x-consistent-hash');
  for (const queue of queues) {
    await channel.assertQueue(queue, { arguments: { 'x-single-active-consumer': true } });
    // The binding key is the queue's weight.
    await channel.bindQueue(queue, exchange, '10');
  }
  return { exchange, queues };
}

/** The events with these numbers of all customers, taking turns. */
async function publishEvents(exchange: string, from: number, to: number): Promise<void> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  for (const number of range(from, to)) {
    for (const customer of CUSTOMERS) {
      channel.publish(exchange, customer, Buffer.from(`${customer}: ${number}`), { persistent: true });
    }
  }
  await channel.waitForConfirms();
}

/** Each event of each customer once, in the order in which they were published. */
function expectEventsInOrder(all: readonly Handed[]): void {
  for (const customer of CUSTOMERS) {
    expect([customer, numbersOf(customer, all)]).toEqual([customer, range(0, EVENTS_EACH)]);
  }
}

function expectOneQueueForEachCustomer(all: readonly Handed[], queues: readonly string[]): void {
  const queuesOf = (customer: string) =>
    new Set(all.filter(({ body }) => body.startsWith(`${customer}:`)).map(({ queue }) => queue));
  expect(CUSTOMERS.map((customer) => queuesOf(customer).size)).toEqual(CUSTOMERS.map(() => 1));
  expect(new Set(all.map(({ queue }) => queue))).toEqual(new Set(queues));
}

function heldOf(before: readonly Handed[]): string[] {
  const held = before.filter(({ handled }) => !handled).map(({ body }) => body);
  expect(held).toHaveLength(HELD_AT_CRASH);
  return held;
}

function numbersOf(customer: string, all: readonly Handed[]): number[] {
  const prefix = `${customer}: `;
  return all
    .filter(({ body }) => body.startsWith(prefix))
    .map(({ body }) => Number(body.slice(prefix.length)));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
