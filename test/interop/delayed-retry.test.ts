/**
 * Retries after a delay that doubles. There is a waiting queue for each delay, in which nobody consumes: what
 * waits there expires and is dead-lettered back to the work queue. https://www.rabbitmq.com/docs/ttl
 *
 *   work queue --the k-th failure--> retries exchange --k--> waiting queue k --expired--> work queue
 *        |
 *        +-- when no delay is left --> parking queue
 */
import type { ConsumeMessage } from 'amqplib';
import { beforeAll, describe, expect, it } from 'vitest';
import { ackOnceConfirmed, connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { requirePika, runPika } from './programs.js';
import { scratch, uniqueName } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const DELAYS_MS = [50, 100, 200];
// How often each job fails. More than there are delays: it never succeeds.
const FAILURES = new Map([
  ['good', 0],
  ['flaky', 2],
  ['bad', Number.POSITIVE_INFINITY],
]);
// Brokers count whole milliseconds, so a wait can seem shorter than its delay by a part of one.
const ROUNDING_MS = 1;

interface Attempt {
  readonly job: string;
  readonly retries: number;
  /** Since the job was handed to the waiting queue, by this program's clock. */
  readonly waitedMs: number;
}

describe('retries after a delay that doubles', () => {
  it('brings a job back after each delay, in order, until it succeeds or no delay is left', async () => {
    const topology = await declareTopology();
    await publishJobs(topology.workQueue);
    const attempts = await startWorker(topology);
    const parked = (await consume(await openChannel(brokerUrl()), topology.parkingQueue, { noAck: true }))
      .messages;

    const all = await attempts.take(1 + 3 + 4);
    expectDelayedAttempts(all);
    const job = await parked.next();
    expect(text(job)).toBe('bad');
    // Published anew by the worker each time, so its history is the last wait only.
    expect(job.properties.headers?.['x-retry-count']).toBe(DELAYS_MS.length);
    expect([attempts.pending, parked.pending]).toEqual([0, 0]);
  });

  it('tells by the history of deaths where a job has waited', async () => {
    const topology = await declareTopology();
    const channel = await openChannel(brokerUrl());
    channel.publish(topology.retries, '0', Buffer.from('job'), { headers: { tenant: 'acme' } });

    const { messages } = await consume(channel, topology.workQueue, { noAck: true });
    const { fields, properties } = await messages.next();
    expect(fields).toMatchObject({ exchange: '', routingKey: topology.workQueue, redelivered: false });
    expect(properties.headers).toMatchObject({
      tenant: 'acme',
      'x-first-death-queue': topology.waitingQueues[0],
      'x-first-death-reason': 'expired',
      'x-death': [
        {
          count: 1,
          reason: 'expired',
          queue: topology.waitingQueues[0],
          exchange: topology.retries,
          'routing-keys': ['0'],
        },
      ],
    });
  });

  it('needs a waiting queue for each delay: one that expires sooner waits behind one that does later', async () => {
    const names = scratch(brokerUrl());
    const [workQueue, waitingQueue] = [names.queue('work'), names.queue('waiting')];
    const channel = await openChannel(brokerUrl());
    await channel.assertQueue(workQueue);
    await channel.assertQueue(waitingQueue, { deadLetterExchange: '', deadLetterRoutingKey: workQueue });
    const { messages } = await consume(channel, workQueue, { noAck: true });
    const sentAtMs = performance.now();
    channel.sendToQueue(waitingQueue, Buffer.from('later'), { expiration: 200 });
    channel.sendToQueue(waitingQueue, Buffer.from('sooner'), { expiration: 50 });

    const arrived = await messages.take(2);
    expect(arrived.map(text)).toEqual(['later', 'sooner']);
    expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(200 - ROUNDING_MS);
    for (const [index, expiration] of ['200', '50'].entries()) {
      const { properties } = arrived[index]!;
      // It would expire in the work queue otherwise.
      expect(properties.expiration).toBeUndefined();
      expect(properties.headers?.['x-death']?.[0]).toMatchObject({ 'original-expiration': expiration });
    }
  });

  it('does the same in a pika program, with the delay on the message', async () => {
    const log = await runPika('delayed_retry', brokerUrl(), uniqueName('retry'), DELAYS_MS.join());
    const attempts = log
      .filter(({ event }) => event === 'attempt')
      .map(({ event: _event, ...attempt }) => attempt as unknown as Attempt);
    expectDelayedAttempts(attempts);
    expect(log.slice(-2)).toEqual([
      { event: 'parked', job: 'bad', retries: 3, expiration: null },
      { event: 'left', messages: [0, 0, 0, 0, 0] },
    ]);
  });
});

/** Everything that must hold of the attempts, whatever the speed of the machine. */
function expectDelayedAttempts(attempts: readonly Attempt[]): void {
  const retriesOf = (job: string) => attempts.filter((a) => a.job === job).map((a) => a.retries);
  expect(retriesOf('good')).toEqual([0]);
  expect(retriesOf('flaky')).toEqual([0, 1, 2]);
  expect(retriesOf('bad')).toEqual([0, 1, 2, 3]);
  // All were there before the worker; what fails earlier waits in the same queue and comes back earlier.
  expect(attempts.slice(0, 3).map((a) => a.job)).toEqual(['good', 'flaky', 'bad']);
  for (const retries of [1, 2]) {
    const jobs = attempts.filter((a) => a.retries === retries).map((a) => a.job);
    expect(jobs).toEqual(['flaky', 'bad']);
  }
  for (const { retries, waitedMs } of attempts) {
    if (retries > 0) expect(waitedMs).toBeGreaterThanOrEqual(DELAYS_MS[retries - 1]! - ROUNDING_MS);
  }
}

interface Topology {
  readonly retries: string;
  readonly workQueue: string;
  readonly waitingQueues: readonly string[];
  readonly parkingQueue: string;
}

async function declareTopology(): Promise<Topology> {
  const names = scratch(brokerUrl());
  const [retries, workQueue, parkingQueue] = [
    names.exchange('retries'),
    names.queue('work'),
    names.queue('parking'),
  ];
  const channel = await openChannel(brokerUrl());
  await channel.assertExchange(retries, 'direct');
  for (const queue of [workQueue, parkingQueue]) await channel.assertQueue(queue);
  const waitingQueues: string[] = [];
  for (const [retry, messageTtl] of DELAYS_MS.entries()) {
    const queue = names.queue(`waiting.${messageTtl}`);
    await channel.assertQueue(queue, {
      messageTtl,
      deadLetterExchange: '',
      deadLetterRoutingKey: workQueue,
    });
    await channel.bindQueue(queue, retries, String(retry));
    waitingQueues.push(queue);
  }
  return { retries, workQueue, waitingQueues, parkingQueue };
}

async function publishJobs(queue: string): Promise<void> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  for (const job of FAILURES.keys()) channel.sendToQueue(queue, Buffer.from(job), { persistent: true });
  await channel.waitForConfirms();
}

async function startWorker({ retries, workQueue, parkingQueue }: Topology): Promise<Inbox<Attempt>> {
  const attempts = new Inbox<Attempt>();
  const waitingSinceMs = new Map<string, number>();
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  await channel.prefetch(1);
  await channel.consume(workQueue, (delivery) => {
    const message = delivery as ConsumeMessage;
    const job = text(message);
    const count = message.properties.headers?.['x-retry-count'] ?? 0;
    const waitedMs = performance.now() - (waitingSinceMs.get(job) ?? Number.NaN);
    attempts.push({ job, retries: count, waitedMs });
    if (count >= FAILURES.get(job)!) return channel.ack(message);
    const ack = ackOnceConfirmed(channel, message);
    if (count === DELAYS_MS.length) {
      channel.sendToQueue(parkingQueue, message.content, { headers: { 'x-retry-count': count } }, ack);
      return;
    }
    waitingSinceMs.set(job, performance.now());
    const options = { persistent: true, headers: { 'x-retry-count': count + 1 } };
    channel.publish(retries, String(count), message.content, options, ack);
  });
  return attempts;
}
