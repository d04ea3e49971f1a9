/** What pika programs use beyond the tutorials. The scripts report; what they must report stands here. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useBroker } from './broker.js';
import { requirePika, runPika } from './programs.js';
import { scratch, uniqueName } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();

describe('pika with BlockingConnection', () => {
  it('confirms deliveries: returns and nacks become exceptions', async () => {
    expect(await runPika('confirm_delivery', brokerUrl(), uniqueName('confirm'))).toEqual([
      { event: 'confirmed', messages: 20 },
      {
        event: 'returned',
        count: 1,
        reply_code: 312,
        reply_text: 'NO_ROUTE',
        exchange: '',
        body: 'nowhere to go',
      },
      { event: 'dropped' },
      { event: 'nacked' },
    ]);
  });

  it('commits and rolls back transactions', async () => {
    expect(await runPika('transactions', brokerUrl(), uniqueName('tx'))).toEqual([
      { event: 'before commit', messages: 0 },
      { event: 'after commit', messages: 3 },
      { event: 'after rollback', messages: 3 },
      { event: 'ack rolled back', body: 'message 0', redelivered: true, left: 2 },
      { event: 'ack committed', body: 'message 0', messages: 2 },
    ]);
  });

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

  it('cancels its consumer, and learns that the broker cancelled it', async () => {
    expect(await runPika('consumer_cancel', brokerUrl(), uniqueName('cancel'))).toEqual([
      { event: 'consuming', tag: 'my.tag', consumers: 1 },
      { event: 'received', body: 'before' },
      { event: 'cancelled', consumers: 0, body: 'after' },
      { event: 'cancelled by broker', tag: 'doomed' },
      { event: 'done', channel_open: true },
    ]);
  });

  it("reads the broker's reasons for closing a channel, and goes on", async () => {
    const name = uniqueName('errors');
    expect(await runPika('errors', brokerUrl(), name)).toEqual([
      { event: 'missing queue', code: 404, text: `NOT_FOUND - no queue '${name}' in vhost '/'` },
      { event: 'missing exchange', code: 404, text: `NOT_FOUND - no exchange '${name}' in vhost '/'` },
      {
        event: 'inequivalent queue',
        code: 406,
        text: expect.stringContaining(
          `PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '${name}' in vhost '/': ` +
            `received the value '5' of type 'signedint' but current is none`,
        ),
      },
      {
        event: 'reserved name',
        code: 403,
        text: `ACCESS_REFUSED - exchange name 'amq.${name}' contains reserved prefix 'amq.*'`,
      },
      { event: 'not empty', code: 406, text: `PRECONDITION_FAILED - queue '${name}' in vhost '/' not empty` },
      { event: 'usable', messages: 2, open: true },
      {
        event: 'wrong password',
        refused: true,
        text: expect.stringContaining('Login was refused using authentication mechanism PLAIN'),
      },
    ]);
  });

  it('gets back every property and header, and a body of 2 MiB', async () => {
    expect(await runPika('properties', brokerUrl(), uniqueName('properties'))).toEqual([
      { event: 'full', different: [] },
      { event: 'body', size: 2_097_152, same: true },
      { event: 'none', present: [], size: 0 },
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
