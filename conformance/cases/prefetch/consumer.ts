/** basic.qos without global: a limit of its own for every consumer that comes after it. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectConnectionClose, expectEqual } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Fields } from '../../wire/raw-methods.js';

const prefetch = section({
  area: 'prefetch',
  source: 'https://www.rabbitmq.com/docs/consumer-prefetch',
  tags: ['rabbitmq'],
});
const size = section({ area: 'prefetch', source: 'AMQP 0-9-1, basic.qos', tags: ['rabbitmq'] });

interface Limited {
  readonly client: RawClient;
  readonly queue: string;
}

/** A queue with four messages and a consumer with a prefetch of two, which has got the first two. */
async function withTwoOut(t: CaseContext): Promise<Limited> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  await client.call(1, 'basic.qos', { prefetchCount: 2 });
  await client.call(1, 'basic.consume', { queue });
  await t.publish(client, queue, 4);
  await t.expectDeliveries(client, ['1', '2']);
  await t.expectNothingFrom(client, queue);
  return { client, queue };
}

/** How deliveries can be settled, and what comes next to a consumer with room for two that had 1 and 2. */
const SETTLEMENTS: readonly (readonly [
  name: string,
  method: string,
  fields: Fields,
  next: readonly string[],
])[] = [
  ['ack', 'basic.ack', { deliveryTag: 1 }, ['3']],
  ['ack-second', 'basic.ack', { deliveryTag: 2 }, ['3']],
  ['ack-multiple', 'basic.ack', { deliveryTag: 2, multiple: true }, ['3', '4']],
  ['ack-all', 'basic.ack', { deliveryTag: 0, multiple: true }, ['3', '4']],
  ['nack', 'basic.nack', { deliveryTag: 1 }, ['3']],
  ['nack-multiple', 'basic.nack', { deliveryTag: 2, multiple: true }, ['3', '4']],
  ['nack-requeue', 'basic.nack', { deliveryTag: 1, requeue: true }, ['1*']],
  ['nack-requeue-all', 'basic.nack', { deliveryTag: 2, multiple: true, requeue: true }, ['1*', '2*']],
  ['reject', 'basic.reject', { deliveryTag: 1 }, ['3']],
  ['reject-requeue', 'basic.reject', { deliveryTag: 2, requeue: true }, ['2*']],
  ['recover', 'basic.recover-async', { requeue: true }, ['1*', '2*']],
];

/** Counts the next deliveries by their consumer. */
async function countsByConsumer(client: RawClient, count: number): Promise<Record<string, number>> {
  const counts = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { consumerTag = '' } = (await client.delivery()).method;
    counts.set(consumerTag, (counts.get(consumerTag) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort());
}

export const cases: readonly Case[] = [
  prefetch(
    'consumer-default',
    'without basic.qos a consumer gets everything',
    'A consumer has no limit of unacknowledged messages unless one was set before it came.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue });
      await t.publish(client, queue, 500);
      await t.expectDeliveries(
        client,
        Array.from({ length: 500 }, (_, i) => String(i + 1)),
      );
    },
  ),
  prefetch(
    'consumer-zero',
    'a prefetch of zero is no limit',
    'Zero takes the limit away for the consumers to come, and leaves it to those that have one.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'limited' });
      await client.call(1, 'basic.qos', { prefetchCount: 0 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'unlimited' });
      await t.publish(client, queue, 20);
      expectEqual('deliveries', await countsByConsumer(client, 20), { limited: 1, unlimited: 19 });
    },
  ),
  prefetch(
    'consumer-largest',
    'the largest prefetch is 65535',
    'prefetch-count is a short integer without a sign.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      expectEqual('qos-ok', await client.call(1, 'basic.qos', { prefetchCount: 65_535 }), {});
      await client.call(1, 'basic.consume', { queue });
      await t.publish(client, queue, 300);
      await t.expectDeliveries(
        client,
        Array.from({ length: 300 }, (_, i) => String(i + 1)),
      );
    },
  ),
  ...SETTLEMENTS.map(([name, method, fields, next]) =>
    prefetch(
      `consumer-refill-${name}`,
      `${method} ${JSON.stringify(fields)} makes room for what it settles`,
      'However a delivery is settled, its consumer gets as many new ones as are settled and no more.',
      async (t) => {
        const { client, queue } = await withTwoOut(t);
        client.send(1, method, fields);
        await t.expectDeliveries(client, next);
        await t.expectNothingFrom(client, queue);
      },
    ),
  ),
  prefetch(
    'consumer-each',
    'each consumer of a channel has the limit for itself',
    'A prefetch that is not global counts for every consumer apart.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 2 });
      for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
      await t.publish(client, queue, 6);
      expectEqual('deliveries', await countsByConsumer(client, 4), { a: 2, b: 2 });
      await t.expectNothingFrom(client, queue);
    },
  ),
  prefetch(
    'consumer-own-ack',
    'an acknowledgement makes room for the consumer that had the message',
    'What one consumer acknowledges is no room for another.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
      await t.publish(client, queue, 4);
      expectEqual('deliveries', await countsByConsumer(client, 2), { a: 1, b: 1 });
      client.send(1, 'basic.ack', { deliveryTag: 2 });
      expectEqual('deliveries after the ack of b', await countsByConsumer(client, 1), { b: 1 });
      await t.expectNothingFrom(client, queue);
    },
  ),
  prefetch(
    'consumer-changes',
    'each consumer keeps the limit that was set when it came',
    'basic.qos changes nothing for consumers that are there.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      for (const [consumerTag, prefetchCount] of [
        ['one', 1],
        ['three', 3],
        ['two', 2],
      ] as const) {
        await client.call(1, 'basic.qos', { prefetchCount });
        await client.call(1, 'basic.consume', { queue, consumerTag });
      }
      await t.publish(client, queue, 10);
      expectEqual('deliveries', await countsByConsumer(client, 6), { one: 1, three: 3, two: 2 });
      await client.call(1, 'basic.qos', { prefetchCount: 10 });
      await t.expectNothingFrom(client, queue);
    },
  ),
  prefetch(
    'consumer-other-channel',
    'the prefetch of a channel does not count for another',
    'basic.qos speaks of the channel it comes on.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const second = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue });
      await client.call(2, 'basic.consume', { queue: second });
      await t.publish(client, queue, 3);
      await t.publish(client, second, 3);
      await t.expectDeliveries(client, ['1', '2', '3'], 2);
      await t.expectDeliveries(client, ['1']);
      await t.expectNothingFrom(client, queue);
    },
  ),
  prefetch(
    'consumer-queues',
    'a consumer of each queue has a limit of its own',
    'What a consumer of one queue has not acknowledged does not count for one of another queue.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      for (const consumerTag of ['a', 'b', 'c']) {
        const queue = await t.declareQueue(client);
        await client.call(1, 'basic.consume', { queue, consumerTag });
        await t.publish(client, queue, 2);
        await t.expectDeliveries(client, ['1']);
        await t.expectNothingFrom(client, queue);
      }
    },
  ),
  prefetch(
    'consumer-no-ack',
    'a consumer without acknowledgement has no limit',
    'What needs no acknowledgement is settled when it is sent, so it never counts.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue, noAck: true });
      await t.publish(client, queue, 5);
      await t.expectDeliveries(client, ['1', '2', '3', '4', '5']);
    },
  ),
  prefetch(
    'consumer-get',
    'basic.get is not limited, and what it took does not count',
    'The prefetch is about deliveries to consumers.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await t.publish(client, queue, 5);
      for (let i = 0; i < 3; i++) await client.get(1, queue, false);
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['4']);
      client.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
      await t.expectNothingFrom(client, queue);
      client.send(1, 'basic.ack', { deliveryTag: 4 });
      await t.expectDeliveries(client, ['5']);
    },
  ),
  prefetch(
    'consumer-cancelled',
    'what a cancelled consumer has not acknowledged does not count for the next',
    'The limit is that of a consumer, and ends with it; the message stays unacknowledged.',
    async (t) => {
      const { client, queue } = await withTwoOut(t);
      const [consumerTag = ''] = [
        (await client.call(1, 'basic.consume', { queue, noAck: false })).consumerTag,
      ];
      await t.expectDeliveries(client, ['3', '4']);
      await client.call(1, 'basic.cancel', { consumerTag: consumerTag! });
      await t.publish(client, queue, 3);
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['1', '2']);
      await t.expectNothingFrom(client, queue);
    },
  ),
  prefetch(
    'consumer-elsewhere',
    'a consumer that is full leaves messages to other connections',
    'What does not fit one consumer goes to the next that has room, in the order of the queue.',
    async (t) => {
      const client = await t.openChannel();
      const other = await t.openChannel();
      const queue = t.name('shared');
      await client.call(1, 'queue.declare', { queue, autoDelete: true });
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue });
      await t.publish(client, queue, 3);
      await t.expectDeliveries(client, ['1']);
      await other.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(other, ['2', '3']);
    },
  ),
  ...[false, true].map((global) =>
    size(
      `size-${global ? 'global' : 'consumer'}`,
      `a prefetch by size is refused, ${global ? 'for a channel' : 'for consumers'}`,
      'RabbitMQ does not implement prefetch-size: another than 0 is the connection error 540.',
      async (t) => {
        const client = await t.openChannel();
        client.send(1, 'basic.qos', { prefetchSize: 4_294_967_295, prefetchCount: 1, global });
        const text = 'NOT_IMPLEMENTED - prefetch_size!=0 (4294967295)';
        await expectConnectionClose(client, 'basic.qos', 540, text);
      },
    ),
  ),
];
