/** Consumers: order, tags, cancellation, exclusivity. */
import { type Case, section } from '../../case.js';
import { expectConnectionClose, expectEqual, expectMatch, expectRefusal } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const consume = section({ area: 'basic', source: 'AMQP 0-9-1, basic.consume', tags: ['core'] });
const cancel = section({ area: 'basic', source: 'AMQP 0-9-1, basic.cancel', tags: ['core'] });
const notify = section({
  area: 'basic',
  source: 'https://www.rabbitmq.com/docs/consumer-cancel',
  tags: ['rabbitmq'],
});
const singleActive = section({
  area: 'basic',
  source: 'https://www.rabbitmq.com/docs/consumers#single-active-consumer',
  tags: ['rabbitmq'],
});
const priority = section({
  area: 'basic',
  source: 'https://www.rabbitmq.com/docs/consumer-priority',
  tags: ['rabbitmq'],
});

async function tagsOf(client: RawClient, count: number): Promise<(string | undefined)[]> {
  const tags: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) tags.push((await client.delivery()).method.consumerTag);
  return tags;
}

export const cases: readonly Case[] = [
  consume(
    'consume-order',
    'deliveries come in order, what was there first',
    'A consumer gets the messages of its queue from the oldest on, each with its tag, number, exchange and key.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 2);
      const answer = await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      expectEqual('consume-ok', answer, { consumerTag: 'c' });
      client.publish(1, { routingKey: queue, body: '3' });
      const { method, body } = await client.delivery();
      const names = { consumerTag: 'c', deliveryTag: 1, redelivered: false, exchange: '', routingKey: queue };
      expectEqual('deliver', [method, String(body)], [names, '1']);
      await t.expectDeliveries(client, ['2', '3']);
    },
  ),
  consume(
    'consume-tag-invented',
    'an empty tag is replaced',
    'For an empty consumer tag the broker invents one: RabbitMQ’s begin with amq.ctag-.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const { consumerTag } = await client.call(1, 'basic.consume', { queue });
      expectMatch('tag', consumerTag, /^amq\.ctag-[A-Za-z0-9_-]{22}$/);
    },
  ),
  consume(
    'consume-tag-reused',
    'a tag in use on the channel ends the connection, on another it is free',
    'Consumer tags are those of a channel: one in use there is the connection error 530, on another channel it is free.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue, consumerTag: 'c' });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      client.send(1, 'basic.consume', { queue: 'nowhere', consumerTag: 'c' });
      const text = "NOT_ALLOWED - attempt to reuse consumer tag 'c'";
      await expectConnectionClose(client, 'basic.consume', 530, text);
    },
  ),
  consume(
    'consume-missing',
    'a queue that is not there is refused',
    'Consuming from a queue that does not exist is the channel error 404.',
    async (t) => {
      const client = await t.openChannel();
      await expectRefusal(client, 'basic.consume', { queue: 'nowhere' }, 404, t.noQueue('nowhere'));
    },
  ),
  consume(
    'consume-no-wait',
    'no-wait is not answered',
    'With no-wait consume-ok does not come, and deliveries come all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'basic.consume', { queue, consumerTag: 'c', noWait: true });
      await t.publish(client, queue, 1);
      await t.expectDeliveries(client, ['1']);
    },
  ),
  consume(
    'consume-no-ack',
    'without acknowledgement there is nothing to settle',
    'Deliveries to a consumer without acknowledgement are settled when they are sent: acknowledging one is the error 406.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, noAck: true });
      await t.publish(client, queue, 1);
      await t.expectDeliveries(client, ['1']);
      const text = 'PRECONDITION_FAILED - unknown delivery tag 1';
      await expectRefusal(client, 'basic.ack', { deliveryTag: 1 }, 406, text);
      await t.expectReady(client, queue, []);
    },
  ),
  consume(
    'consume-in-turn',
    'consumers are served in turn',
    'Consumers of a queue that have room get its messages in turn, in the order in which they came.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      for (const consumerTag of ['a', 'b', 'c'])
        await client.call(1, 'basic.consume', { queue, consumerTag });
      await t.publish(client, queue, 6);
      expectEqual('tags', await tagsOf(client, 6), ['a', 'b', 'c', 'a', 'b', 'c']);
    },
  ),
  consume(
    'consume-exclusive',
    'an exclusive consumer keeps others out',
    'While an exclusive consumer is there, or any other if exclusive is asked for, it is the channel error 403.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue, exclusive: true, consumerTag: 'c' });
      const text = `ACCESS_REFUSED - ${t.inVhost('queue', queue)} in exclusive use`;
      await expectRefusal(client, 'basic.consume', { queue }, 403, text);
      await expectRefusal(client, 'basic.consume', { queue, exclusive: true }, 403, text);
      await client.call(2, 'basic.cancel', { consumerTag: 'c' });
      await client.call(1, 'basic.consume', { queue });
      client.send(2, 'basic.consume', { queue, exclusive: true });
      expectEqual('refusal', (await client.method(2, 'channel.close')).replyText, text);
    },
  ),
  cancel(
    'cancel',
    'a cancel ends deliveries and leaves unacknowledged ones to settle',
    'After cancel-ok nothing more is delivered, what is out may still be settled, and the tag is free again.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      await t.publish(client, queue, 1);
      await t.expectDeliveries(client, ['1']);
      const answer = await client.call(1, 'basic.cancel', { consumerTag: 'c' });
      expectEqual('cancel-ok', answer, { consumerTag: 'c' });
      await t.publish(client, queue, 1);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      await t.expectNothingFrom(client, queue);
      await t.expectCounts(client, queue, { messageCount: 1, consumerCount: 0 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
    },
  ),
  cancel(
    'cancel-unknown',
    'an unknown tag can be cancelled',
    'Cancelling a consumer that is not there succeeds: cancel-ok names the tag.',
    async (t) => {
      const client = await t.openChannel();
      const answer = await client.call(1, 'basic.cancel', { consumerTag: 'nobody' });
      expectEqual('cancel-ok', answer, { consumerTag: 'nobody' });
    },
  ),
  notify(
    'cancel-notify',
    'a consumer whose queue goes is told',
    'Clients with the capability consumer_cancel_notify get basic.cancel, which wants no answer, when a queue is deleted.',
    async (t) => {
      const client = await t.openChannel();
      const consumer = await t.openChannel();
      const queue = t.name('shared');
      await client.call(1, 'queue.declare', { queue });
      await consumer.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      await client.call(1, 'queue.delete', { queue });
      expectEqual('cancel', await consumer.method(1, 'basic.cancel'), { consumerTag: 'c', noWait: true });
    },
  ),
  singleActive(
    'single-active',
    'one consumer is active until it goes',
    'With x-single-active-consumer one consumer gets everything until it is cancelled, then the next in the order they came.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, [['x-single-active-consumer', 't', true]]);
      for (const consumerTag of ['1', '2']) await client.call(1, 'basic.consume', { queue, consumerTag });
      await t.publish(client, queue, 2);
      expectEqual('tags', await tagsOf(client, 2), ['1', '1']);
      await client.call(1, 'basic.cancel', { consumerTag: '1' });
      await t.publish(client, queue, 1);
      expectEqual('tags', await tagsOf(client, 1), ['2']);
    },
  ),
  priority(
    'priority',
    'a consumer of higher priority is served first',
    'Consumers of a higher priority get the messages as long as they have room, then those of a lower one.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 2 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'low' });
      const high = { queue, consumerTag: 'high', arguments: [['x-priority', 'I', 9]] } as const;
      await client.call(1, 'basic.consume', high);
      await t.publish(client, queue, 4);
      expectEqual('tags', await tagsOf(client, 4), ['high', 'high', 'low', 'low']);
    },
  ),
];
