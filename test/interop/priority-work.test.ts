/**
 * Work with priorities: urgent jobs overtake the others that wait. A worker takes one job at a time (prefetch 1),
 * as a job that a worker has in hand is overtaken no more. https://www.rabbitmq.com/docs/priority
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { requirePika, runPika } from './programs.js';
import { scratch, uniqueName } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const HIGHEST = 10;

describe('work with priorities', () => {
  it('takes urgent jobs first, and equals in the order in which they came', async () => {
    const { queue, publish } = await declareJobs();
    await publish([['one'], ['two', 1], ['three', 0], ['four']]);
    const worker = await openChannel(brokerUrl());
    await worker.prefetch(1);
    const { messages } = await consume(worker, queue);

    const order: string[] = [];
    for (let count = 0; count < 9; count++) {
      const job = await messages.next();
      order.push(text(job));
      expect(job.fields.redelivered).toBe(false);
      // While the worker is busy with its first job, the urgent ones come.
      if (count === 0) {
        await publish([
          ['soon', 5],
          ['urgent', 9],
          ['urgent too', 9],
          ['beyond the highest', 200],
          ['highest', HIGHEST],
        ]);
      }
      worker.ack(job);
    }
    expect(order).toEqual([
      'two',
      // A priority above the queue's highest counts as the highest.
      'beyond the highest',
      'highest',
      'urgent',
      'urgent too',
      'soon',
      // No priority is the lowest.
      'one',
      'three',
      'four',
    ]);
    expect(messages.pending).toBe(0);
  });

  it('puts a job that is given back before its equals, and behind urgent ones', async () => {
    const { queue, publish } = await declareJobs();
    await publish([
      ['one', 1],
      ['two', 1],
    ]);
    const worker = await openChannel(brokerUrl());
    await worker.prefetch(1);
    const { messages } = await consume(worker, queue);
    const first = await messages.next();
    await publish([['urgent', 2]]);
    worker.nack(first);

    const order: Array<readonly [job: string, redelivered: boolean]> = [];
    for (let count = 0; count < 3; count++) {
      const job = await messages.next();
      order.push([text(job), job.fields.redelivered]);
      worker.ack(job);
    }
    expect(order).toEqual([
      ['urgent', false],
      ['one', true],
      ['two', false],
    ]);
  });

  it('lets urgent jobs overtake in a pika program, but for those that a worker has fetched', async () => {
    const fetching = (count: number) =>
      runPika('priority_worker', brokerUrl(), uniqueName('priority'), String(count));
    const [one, three] = await Promise.all([fetching(1), fetching(3)]);
    const urgent = ['urgent 0', 'urgent 1'];
    expect(one).toEqual([
      { event: 'done', jobs: ['routine 0', ...urgent, 'routine 1', 'routine 2', 'routine 3'] },
      { event: 'left', messages: 0 },
    ]);
    expect(three).toEqual([
      { event: 'done', jobs: ['routine 0', 'routine 1', 'routine 2', ...urgent, 'routine 3'] },
      { event: 'left', messages: 0 },
    ]);
  });
});

type Job = readonly [name: string, priority?: number];

/** A queue for jobs, and what publishes to it and waits until the broker has them. */
async function declareJobs() {
  const queue = scratch(brokerUrl()).queue('jobs');
  const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
  await channel.assertQueue(queue, { maxPriority: HIGHEST });
  const publish = async (jobs: readonly Job[]) => {
    for (const [name, priority] of jobs) {
      channel.sendToQueue(queue, Buffer.from(name), priority === undefined ? {} : { priority });
    }
    await channel.waitForConfirms();
  };
  return { queue, publish };
}
