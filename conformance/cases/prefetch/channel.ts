/** basic.qos with global: one limit for all consumers of the channel, those that are there included. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Fields } from '../../wire/raw-methods.js';

const shared = section({
  area: 'prefetch',
  source: 'https://www.rabbitmq.com/docs/consumer-prefetch#overview',
  tags: ['rabbitmq'],
});

interface Consumed {
  readonly client: RawClient;
  readonly queue: string;
}

/** A queue with a consumer on channel 1, and with those messages after the channel got that limit. */
async function consumed(t: CaseContext, prefetchCount: number, messageCount: number): Promise<Consumed> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  await client.call(1, 'basic.consume', { queue });
  await client.call(1, 'basic.qos', { prefetchCount, global: true });
  await t.publish(client, queue, messageCount);
  return { client, queue };
}

/**
 * How the first two of four deliveries can be settled, and what comes next where the limit is two. Where something is
 * given back it is only how many: in RabbitMQ the news that the channel has room may overtake the message.
 */
const SETTLEMENTS: readonly (readonly [
  name: string,
  method: string,
  fields: Fields,
  next: readonly string[] | number,
])[] = [
  ['ack', 'basic.ack', { deliveryTag: 1 }, ['3']],
  ['ack-multiple', 'basic.ack', { deliveryTag: 2, multiple: true }, ['3', '4']],
  ['nack', 'basic.nack', { deliveryTag: 2, multiple: true }, ['3', '4']],
  ['nack-requeue', 'basic.nack', { deliveryTag: 1, requeue: true }, 1],
  ['reject', 'basic.reject', { deliveryTag: 2 }, ['3']],
  ['reject-requeue', 'basic.reject', { deliveryTag: 2, requeue: true }, 1],
  ['recover', 'basic.recover-async', { requeue: true }, 2],
];

export const cases: readonly Case[] = [
  ...SETTLEMENTS.map(([name, method, fields, next]) =>
    shared(
      `channel-refill-${name}`,
      `${method} ${JSON.stringify(fields)} makes room in the limit of the channel`,
      'However deliveries are settled, the channel gets as many new ones as are settled and no more.',
      async (t) => {
        const { client, queue } = await consumed(t, 2, 4);
        await t.expectDeliveries(client, ['1', '2']);
        await t.expectNothingFrom(client, queue);
        client.send(1, method, fields);
        if (typeof next !== 'number') await t.expectDeliveries(client, next);
        else for (let i = 0; i < next; i++) await client.delivery();
        await t.expectNothingFrom(client, queue);
      },
    ),
  ),
  shared(
    'channel-consumers',
    'all consumers of a channel share its limit, whatever their queues',
    'With global the prefetch counts what is unacknowledged on the channel.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'basic.qos', { prefetchCount: 3, global: true });
      const queues: string[] = [];
      for (let i = 0; i < 3; i++) {
        const queue = await t.declareQueue(client);
        queues.push(queue);
        await client.call(1, 'basic.consume', { queue });
        await client.call(1, 'basic.consume', { queue });
      }
      await t.publish(client, queues[0]!, 2);
      await t.expectDeliveries(client, ['1', '2']);
      await t.publish(client, queues[1]!, 2);
      await t.expectDeliveries(client, ['1']);
      await t.publish(client, queues[2]!, 2);
      for (const queue of queues) await t.expectNothingFrom(client, queue);
    },
  ),
  shared(
    'channel-raise',
    'a higher limit counts at once',
    'basic.qos with global changes the limit for the consumers that are there.',
    async (t) => {
      const { client, queue } = await consumed(t, 1, 5);
      await t.expectDeliveries(client, ['1']);
      await t.expectNothingFrom(client, queue);
      client.send(1, 'basic.qos', { prefetchCount: 3, global: true });
      await client.method(1, 'basic.qos-ok');
      await t.expectDeliveries(client, ['2', '3']);
      await t.expectNothingFrom(client, queue);
    },
  ),
  shared(
    'channel-lower',
    'a lower limit takes nothing back',
    'What is out above a new limit stays out; nothing more comes until fewer are out than it permits.',
    async (t) => {
      const { client, queue } = await consumed(t, 3, 5);
      await t.expectDeliveries(client, ['1', '2', '3']);
      await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
      client.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
      await t.expectNothingFrom(client, queue);
      client.send(1, 'basic.ack', { deliveryTag: 3 });
      await t.expectDeliveries(client, ['4']);
      await t.expectNothingFrom(client, queue);
    },
  ),
  shared(
    'channel-zero',
    'zero takes the limit of the channel away at once',
    'basic.qos with global and 0 is no limit, for the consumers that are there as well.',
    async (t) => {
      const { client } = await consumed(t, 1, 3);
      await t.expectDeliveries(client, ['1']);
      await client.call(1, 'basic.qos', { prefetchCount: 0, global: true });
      await t.expectDeliveries(client, ['2', '3']);
    },
  ),
  shared(
    'channel-other',
    'another channel is not limited, nor does it count',
    'The limit is that of a channel, not of its connection.',
    async (t) => {
      const { client, queue } = await consumed(t, 1, 1);
      await t.expectDeliveries(client, ['1']);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 3);
      await t.expectDeliveries(client, ['1', '2', '3'], 2);
      await t.expectNothingFrom(client, queue);
    },
  ),
  shared(
    'channel-and-consumer',
    'the limit of the channel and that of the consumer both count',
    'A consumer gets as many as the smaller of the two permits.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 2 });
      await client.call(1, 'basic.qos', { prefetchCount: 3, global: true });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
      await t.publish(client, queue, 5);
      await t.expectDeliveries(client, ['1', '2']);
      await t.expectNothingFrom(client, queue);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'b' });
      await t.expectDeliveries(client, ['3']);
      await t.expectNothingFrom(client, queue);
    },
  ),
  shared(
    'channel-no-ack',
    'consumers without acknowledgement wait while the channel is full, and do not fill it',
    'What needs no acknowledgement does not count; but RabbitMQ sends nothing to a channel that is at its limit.',
    async (t) => {
      const client = await t.openChannel();
      const plain = await t.declareQueue(client);
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
      await client.call(1, 'basic.consume', { queue: plain, noAck: true });
      await client.call(1, 'basic.consume', { queue });
      await t.publish(client, plain, 3);
      await t.expectDeliveries(client, ['1', '2', '3']);
      await t.publish(client, queue, 1);
      await t.expectDeliveries(client, ['1']);
      await t.publish(client, plain, 2);
      await t.expectNothingFrom(client, plain);
      client.send(1, 'basic.ack', { deliveryTag: 4 });
      await t.expectDeliveries(client, ['1', '2']);
    },
  ),
  shared(
    'channel-replies',
    'direct replies are not limited',
    'Replies to amq.rabbitmq.reply-to come to the channel without a queue, and pass a limit that is reached.',
    async (t) => {
      const { client } = await consumed(t, 1, 1);
      await t.expectDeliveries(client, ['1']);
      const replies = 'amq.rabbitmq.reply-to';
      await client.call(1, 'basic.consume', { queue: replies, noAck: true });
      const requests = await t.declareQueue(client);
      client.publish(1, { routingKey: requests, properties: { replyTo: replies } });
      await client.sync();
      const { replyTo = '' } = (await client.get(1, requests)).properties;
      await client.openChannel(2);
      client.publish(2, { routingKey: replyTo, body: 'reply' });
      await t.expectDeliveries(client, ['reply']);
    },
  ),
  shared(
    'channel-get',
    'basic.get is not limited',
    'A client that asks for a message gets it, however full the channel is.',
    async (t) => {
      const { client, queue } = await consumed(t, 1, 3);
      await t.expectDeliveries(client, ['1']);
      await client.get(1, queue, false);
      await client.get(1, queue, true);
    },
  ),
  shared(
    'channel-get-before',
    'what basic.get took before counts',
    'A limit that is set counts what is unacknowledged on the channel by then, however it came.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 4);
      await client.get(1, queue, false);
      await client.call(1, 'basic.qos', { prefetchCount: 2, global: true });
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['2']);
      await t.expectNothingFrom(client, queue);
    },
  ),
  shared(
    'channel-cancelled',
    'what a cancelled consumer has not acknowledged counts for the channel',
    'The limit counts what is unacknowledged, though its consumer is gone.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'gone' });
      await t.publish(client, queue, 2);
      await t.expectDeliveries(client, ['1']);
      await client.call(1, 'basic.cancel', { consumerTag: 'gone' });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'next' });
      await t.expectNothingFrom(client, queue);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      await t.expectDeliveries(client, ['2']);
    },
  ),
  shared(
    'channel-then-consumer',
    'a prefetch for consumers takes that of the channel away',
    'basic.qos without global ends the limit that was set with it.',
    async (t) => {
      const { client } = await consumed(t, 1, 3);
      await t.expectDeliveries(client, ['1']);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await t.expectDeliveries(client, ['2', '3']);
    },
  ),
];
