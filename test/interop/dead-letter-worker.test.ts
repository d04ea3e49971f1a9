/**
 * A worker that retries what fails and gives up after a number of attempts: the pattern nearly every RabbitMQ
 * application has. https://www.rabbitmq.com/docs/dlx
 *
 *   jobs exchange --> work queue --reject--> retry exchange --> retry queue --reject--> jobs exchange
 *                          |
 *                          +-- after MAX_RETRIES rejections --> parking queue
 */
import type { ConfirmChannel, ConsumeMessage, XDeath } from 'amqplib';
import { beforeAll, describe, expect, it } from 'vitest';
import { ackOnceConfirmed, connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { requirePika, startPika } from './programs.js';
import { type Scratch, scratch } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const MAX_RETRIES = 3;

describe('a dead-lettering worker with a retry counter', () => {
  it('counts rejections by the x-death header and parks a job after the last retry', async () => {
    const topology = await declareTopology();
    const retrying = await openChannel(brokerUrl());
    // Rejected here too, so the broker itself returns the job and keeps its history of deaths.
    await retrying.consume(topology.retryQueue, (job) => retrying.reject(job as ConsumeMessage, false));
    const attempts = new Inbox<readonly [job: string, rejections: number]>();
    const worker = await startWorker(topology, attempts, (job) => rejections(job, topology.workQueue));

    const parked = (await consume(await openChannel(brokerUrl()), topology.parkingQueue, { noAck: true }))
      .messages;
    await publishJobs(topology, ['good 1', 'bad', 'good 2']);

    const seen = await attempts.take(2 + 1 + MAX_RETRIES);
    expect(seen.filter(([job]) => job === 'bad').map(([, count]) => count)).toEqual([0, 1, 2, 3]);
    expect(seen.filter(([job]) => job !== 'bad')).toEqual([
      ['good 1', 0],
      ['good 2', 0],
    ]);
    const job = await parked.next();
    expect(text(job)).toBe('bad');
    expectDeathHistory(job, topology);
    expect(job.properties.headers?.['tenant']).toBe('acme');
    await expectEmpty(worker, [topology.workQueue, topology.retryQueue, topology.parkingQueue]);
    expect(parked.pending).toBe(0);
  });

  it('keeps its own count when a program republishes the job', async () => {
    // A message a client publishes starts a new history of deaths (RabbitMQ 4 ignores an x-death header from
    // outside), so a program that republishes carries the count in a header of its own.
    const topology = await declareTopology();
    const retrying = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
    await retrying.consume(topology.retryQueue, (delivery) => {
      const job = delivery as ConsumeMessage;
      const headers = { 'x-retry-count': retryCount(job) + 1 };
      const options = { headers, messageId: job.properties.messageId };
      retrying.publish(topology.jobs, 'job', job.content, options, ackOnceConfirmed(retrying, job));
    });
    const attempts = new Inbox<readonly [job: string, rejections: number]>();
    const worker = await startWorker(topology, attempts, retryCount);

    const parked = (await consume(await openChannel(brokerUrl()), topology.parkingQueue, { noAck: true }))
      .messages;
    await publishJobs(topology, ['bad']);

    expect((await attempts.take(1 + MAX_RETRIES)).map(([, count]) => count)).toEqual([0, 1, 2, 3]);
    const job = await parked.next();
    expect(text(job)).toBe('bad');
    expect(retryCount(job)).toBe(MAX_RETRIES);
    await retrying.waitForConfirms();
    await expectEmpty(worker, [topology.workQueue]);
  });

  it('keeps the count when a pika worker crashes with the job in hand, and another goes on', async () => {
    const topology = await declareTopology({ retryAfterMs: 20 });
    const { workQueue, parkingQueue } = topology;
    const startWorker = async (hangsAt: number) => {
      const more = [parkingQueue, String(MAX_RETRIES), String(hangsAt)];
      const worker = startPika('job_worker', brokerUrl(), workQueue, ...more);
      expect(await worker.events.next()).toEqual({ event: 'ready' });
      return worker;
    };
    const attempt = (job: string, count: number, redelivered: boolean) => {
      return { event: 'attempt', job, rejections: count, redelivered };
    };
    const crashing = await startWorker(2);
    await publishJobs(topology, ['bad']);
    expect(await crashing.events.take(3)).toEqual([0, 1, 2].map((count) => attempt('bad', count, false)));
    const other = await startWorker(-1);
    await publishJobs(topology, ['good']);
    expect(await other.events.next()).toEqual(attempt('good', 0, false));
    await crashing.kill();

    // A crash is no rejection: the attempt is made again, not the next one.
    expect(await other.events.take(2)).toEqual([attempt('bad', 2, true), attempt('bad', 3, false)]);
    const parked = (await consume(await openChannel(brokerUrl()), parkingQueue, { noAck: true })).messages;
    const deaths = (await parked.next()).properties.headers?.['x-death'];
    expect(deaths?.map(({ queue, reason, count }) => [queue, reason, count])).toEqual([
      [topology.retryQueue, 'expired', MAX_RETRIES],
      [workQueue, 'rejected', MAX_RETRIES],
    ]);
    expect(other.events.pending).toBe(0);
  });

  it('dead-letters with a routing key of the queue, once for each message nacked together', async () => {
    const names = scratch(brokerUrl());
    const [deadLetters, queue] = [names.exchange('dead'), names.queue('source')];
    const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
    await channel.assertExchange(deadLetters, 'direct', { durable: false });
    await channel.assertQueue(queue, { deadLetterExchange: deadLetters, deadLetterRoutingKey: 'failed' });
    const { queue: deadQueue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(deadQueue, deadLetters, 'failed');
    for (const body of ['a', 'b', 'c'])
      channel.sendToQueue(queue, Buffer.from(body), { expiration: 600_000 });
    await channel.waitForConfirms();

    const { messages } = await consume(channel, queue);
    const deliveries = await messages.take(3);
    channel.nack(deliveries[2]!, true, false);

    const dead = await (await consume(channel, deadQueue, { noAck: true })).messages.take(3);
    expect(dead.map(text)).toEqual(['a', 'b', 'c']);
    for (const message of dead) {
      expect(message.fields).toMatchObject({
        exchange: deadLetters,
        routingKey: 'failed',
        redelivered: false,
      });
      // Its expiry would otherwise kill it again in the queue it was rescued to; the header keeps the record.
      expect(message.properties.expiration).toBeUndefined();
      expect(message.properties.headers?.['x-death']?.[0]).toMatchObject({
        'original-expiration': '600000',
        'routing-keys': [queue],
        exchange: '',
      });
    }
  });
});

interface Topology {
  readonly jobs: string;
  readonly retries: string;
  readonly workQueue: string;
  readonly retryQueue: string;
  readonly parkingQueue: string;
}

/** With a time after which jobs leave the retry queue by themselves, or without. */
async function declareTopology(options: { readonly retryAfterMs?: number } = {}): Promise<Topology> {
  const names: Scratch = scratch(brokerUrl());
  const topology = {
    jobs: names.exchange('jobs'),
    retries: names.exchange('retries'),
    workQueue: names.queue('work'),
    retryQueue: names.queue('retry'),
    parkingQueue: names.queue('parking'),
  };
  const connection = await connectAmqplib(brokerUrl());
  const channel = await connection.createChannel();
  await channel.assertExchange(topology.jobs, 'direct', { durable: true });
  await channel.assertExchange(topology.retries, 'fanout', { durable: true });
  await channel.assertQueue(topology.workQueue, { durable: true, deadLetterExchange: topology.retries });
  await channel.assertQueue(topology.retryQueue, {
    durable: true,
    deadLetterExchange: topology.jobs,
    ...(options.retryAfterMs === undefined ? {} : { messageTtl: options.retryAfterMs }),
  });
  await channel.assertQueue(topology.parkingQueue, { durable: true });
  await channel.bindQueue(topology.workQueue, topology.jobs, 'job');
  await channel.bindQueue(topology.retryQueue, topology.retries, '');
  await connection.close();
  return topology;
}

/** Handles jobs one by one. A job called `bad` always fails: retried, then moved to the parking queue. */
async function startWorker(
  topology: Topology,
  attempts: Inbox<readonly [job: string, rejections: number]>,
  countOf: (job: ConsumeMessage) => number,
): Promise<ConfirmChannel> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  await channel.prefetch(1);
  await channel.consume(topology.workQueue, (delivery) => {
    const job = delivery as ConsumeMessage;
    const count = countOf(job);
    attempts.push([text(job), count]);
    if (text(job) !== 'bad') {
      channel.ack(job);
    } else if (count < MAX_RETRIES) {
      channel.nack(job, false, false);
    } else {
      const options = { headers: job.properties.headers, persistent: true };
      channel.sendToQueue(topology.parkingQueue, job.content, options, ackOnceConfirmed(channel, job));
    }
  });
  return channel;
}

/** How often the queue rejected this message, by the entry the broker keeps for that queue and reason. */
function rejections(job: ConsumeMessage, queue: string): number {
  const deaths = job.properties.headers?.['x-death'] ?? [];
  return deaths.find((death) => death.queue === queue && death.reason === 'rejected')?.count ?? 0;
}

function retryCount(job: ConsumeMessage): number {
  return job.properties.headers?.['x-retry-count'] ?? 0;
}

async function publishJobs(topology: Topology, jobs: readonly string[]): Promise<void> {
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  for (const job of jobs) {
    const options = { persistent: true, mandatory: true, messageId: job, headers: { tenant: 'acme' } };
    channel.publish(topology.jobs, 'job', Buffer.from(job), options);
  }
  await channel.waitForConfirms();
}

/** One entry for each queue and reason, the newest death first; the first death stays on record. */
function expectDeathHistory(job: ConsumeMessage, topology: Topology): void {
  const headers = job.properties.headers ?? {};
  const time = { '!': 'timestamp', value: expect.any(Number) } as unknown as XDeath['time'];
  const expected: XDeath[] = [
    {
      count: MAX_RETRIES,
      reason: 'rejected',
      queue: topology.retryQueue,
      time,
      exchange: topology.retries,
      'routing-keys': ['job'],
    },
    {
      count: MAX_RETRIES,
      reason: 'rejected',
      queue: topology.workQueue,
      time,
      exchange: topology.jobs,
      'routing-keys': ['job'],
    },
  ];
  expect(headers['x-death']).toEqual(expected);
  expect(headers).toMatchObject({
    'x-first-death-exchange': topology.jobs,
    'x-first-death-queue': topology.workQueue,
    'x-first-death-reason': 'rejected',
  });
}

/**
 * The worker acks a parked job when it is confirmed. Acks themselves are not answered, but closing the channel
 * is, and the broker has handled its acks by then.
 */
async function expectEmpty(worker: ConfirmChannel, queues: readonly string[]): Promise<void> {
  await worker.waitForConfirms();
  await worker.close();
  const channel = await openChannel(brokerUrl());
  for (const queue of queues) expect((await channel.checkQueue(queue)).messageCount).toBe(0);
}
