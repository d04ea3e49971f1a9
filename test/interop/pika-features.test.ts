/**
 * What pika programs use beyond the tutorials and beyond those of conformance/clients/python. The scripts report; what
 * they must report stands here.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { useBroker } from './broker.js';
import { requirePika, runPika } from './programs.js';
import { scratch, uniqueName } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();

describe('pika with BlockingConnection', () => {
  it('polls a queue, and sees redelivered messages as such', async () => {
    expect(await runPika('basic_get', brokerUrl(), uniqueName('get'))).toEqual([
      { event: 'empty queue', empty: true },
      { event: 'first time', body: 'first', redelivered: false, left: 1 },
      { event: 'after nack', body: 'first', redelivered: true, left: 1 },
      { event: 'after reject', body: 'first', redelivered: true, left: 1 },
      { event: 'after recover', body: 'first', redelivered: true, left: 1 },
      { event: 'automatic ack', body: 'second', redelivered: false, left: 0 },
      { event: 'nothing left', empty: true },
      { event: 'unacked', body: 'a', redelivered: false, left: 2 },
      { event: 'unacked', body: 'b', redelivered: false, left: 1 },
      { event: 'unacked', body: 'c', redelivered: false, left: 0 },
      { event: 'after closing', body: 'c', redelivered: true, left: 0 },
      { event: 'purged', messages: 0 },
    ]);
  });

  it('retries by dead-lettering and parks what keeps failing', async () => {
    expect(await runPika('dead_letter_worker', brokerUrl(), uniqueName('dead'))).toEqual([
      { event: 'attempt', job: 'good', rejections: 0 },
      { event: 'attempt', job: 'bad', rejections: 0 },
      { event: 'attempt', job: 'bad', rejections: 1 },
      { event: 'attempt', job: 'bad', rejections: 2 },
      { event: 'attempt', job: 'bad', rejections: 3 },
      {
        event: 'parked',
        job: 'bad',
        rejections: 3,
        first_queue_is_work: true,
        first_reason: 'rejected',
        newest_queue_is_retry: true,
        routing_keys: ['job'],
      },
      { event: 'left', messages: [0, 0, 0] },
    ]);
  });
});

describe('pika with SelectConnection', () => {
  it('publishes with confirms in one process and consumes in another', async () => {
    const queue = scratch(brokerUrl()).queue('select');
    expect(await runPika('select_publisher', brokerUrl(), queue)).toEqual([
      { event: 'published', count: 100 },
      { event: 'confirmed', acked: 100, nacked: 0 },
      { event: 'closed', code: 200 },
    ]);
    expect(await runPika('select_consumer', brokerUrl(), queue)).toEqual([
      { event: 'received', count: 100, in_order: true },
      { event: 'deleted', messages: 0 },
      { event: 'closed', code: 200 },
    ]);
  });
});
