/** Quorum queues: the order of deliveries, what comes back, how often it may, and who gets it. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual, expectFields, expectSilence } from '../../expect.js';
import { deadLettersTo, expectEmpty, expectTaken, publishConfirmed, withQuorum } from '../../quorum-queue.js';
import type { RawClient, Received } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const quorum = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/quorum-queues',
  tags: ['rabbitmq'],
});
const poison = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling',
  tags: ['rabbitmq'],
});
const priorities = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/quorum-queues#priorities',
  tags: ['rabbitmq'],
});
const single = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/consumers#single-active-consumer',
  tags: ['rabbitmq'],
});

const SINGLE: Table = [['x-single-active-consumer', 't', true]];
/** Of RabbitMQ 4, for a queue that says none. */
const DELIVERY_LIMIT_DEFAULT = 20;
/** So many messages go to a consumer without a prefetch before it has to acknowledge some. */
const UNACKED_MAX = 2000;

function limited(count: number): Table {
  return [['x-delivery-limit', 'I', count]];
}

/** x-delivery-count with its type, `none` when the message has no such header. */
function countOf({ properties }: Received): string {
  const header = properties.headers?.find(([key]) => key === 'x-delivery-count');
  return header === undefined ? 'none' : `${header[1]} ${header[2]}`;
}

/** Takes a message with basic.get and returns it to its queue, that many times. */
async function takeAndReturn(client: RawClient, queue: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { method } = await client.get(1, queue, false);
    client.send(1, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: true });
  }
}

/** Consumers of those tags on channel 1. */
async function consumeAll(client: RawClient, queue: string, tags: readonly string[]): Promise<void> {
  for (const consumerTag of tags) await client.call(1, 'basic.consume', { queue, consumerTag });
}

/** The next message goes to that consumer of channel 1, which acknowledges it. */
async function expectActive(client: RawClient, queue: string, tag: string): Promise<void> {
  await publishConfirmed(client, queue, ['m']);
  const { consumerTag, deliveryTag } = (await client.delivery()).method;
  expectEqual('active', consumerTag, tag);
  client.send(1, 'basic.ack', { deliveryTag: deliveryTag! });
}

export const cases: readonly Case[] = [
  quorum(
    'order',
    'a quorum queue delivers first in, first out, to consumers and to basic.get',
    'With the names the messages were published with.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['1', '2', '3', '4']);
      const { method, body } = await client.get(1, queue);
      expectEqual('body', String(body), '1');
      expectFields('get-ok', method, {
        redelivered: false,
        exchange: '',
        routingKey: queue,
        messageCount: 3,
      });
      await client.call(1, 'basic.consume', { queue, noAck: true });
      await t.expectDeliveries(client, ['2', '3', '4']);
    },
  ),
  quorum(
    'counts',
    'declare-ok counts what is ready in a quorum queue, and its consumers',
    'Within a while: the counts are those of a moment ago.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['1', '2', '3']);
      await client.get(1, queue, false);
      await t.expectCounts(client, queue, { messageCount: 2 });
    },
  ),
  quorum(
    'transient-kept',
    'the delivery mode of a message stays as it was published',
    'Though a quorum queue keeps messages of any mode on the disk.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      for (const deliveryMode of [1, 2]) {
        await publishConfirmed(client, queue, [{ properties: { deliveryMode } }]);
        expectEqual('mode', (await client.get(1, queue)).properties.deliveryMode, deliveryMode);
      }
    },
  ),
  quorum(
    'confirms',
    'what is published to a quorum queue is confirmed, once, beside what is published elsewhere',
    'When the queue has it, whatever its delivery mode.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      const classic = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout');
      for (const bound of [queue, classic]) await client.call(1, 'queue.bind', { queue: bound, exchange });
      const messages = [{ exchange, body: '1' }, { body: '2' }, { routingKey: classic, body: '3' }];
      expectEqual('acknowledged', await publishConfirmed(client, queue, messages), [true, true, true]);
      await t.expectReady(client, classic, ['1', '3']);
      await expectTaken(client, queue, ['1', '2']);
    },
  ),
  quorum(
    'transaction',
    'a transaction may publish to a quorum queue, and acknowledge to it',
    'Both happen with the commit, and not with a rollback.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await client.openChannel(2);
      await client.call(2, 'tx.select');
      client.publish(2, { routingKey: queue, body: 'dropped' });
      await client.call(2, 'tx.rollback');
      client.publish(2, { routingKey: queue, body: 'kept' });
      await client.call(2, 'tx.commit');
      await t.readyCount(client, queue, 1);
      await expectTaken(client, queue, ['kept']);
    },
  ),
  quorum(
    'prefetch',
    'prefetch limits what a consumer of a quorum queue has to acknowledge',
    'For each consumer.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['1', '2', '3']);
      await client.call(1, 'basic.qos', { prefetchCount: 2 });
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['1', '2']);
      await t.expectCounts(client, queue, { messageCount: 1 });
      await expectSilence(client);
      client.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
      await t.expectDeliveries(client, ['3']);
    },
  ),
  quorum(
    'prefetch-unlimited',
    `without a prefetch a consumer of a quorum queue gets ${UNACKED_MAX} messages before it acknowledges some`,
    'There is a limit for those who set none.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      const unconfirmed = 2;
      await client.openChannel(unconfirmed);
      for (let i = 0; i < UNACKED_MAX; i++) client.publish(unconfirmed, { routingKey: queue });
      await client.sync(unconfirmed);
      await t.readyCount(client, queue, UNACKED_MAX);
      await publishConfirmed(client, queue, ['last']);
      await client.call(1, 'basic.consume', { queue });
      for (let i = 0; i < UNACKED_MAX; i++) await client.delivery();
      await t.expectCounts(client, queue, { messageCount: 1 });
      await expectSilence(client);
      client.send(1, 'basic.ack', { deliveryTag: UNACKED_MAX, multiple: true });
      await t.expectDeliveries(client, ['last']);
    },
  ),
  quorum(
    'consumer-priority',
    'a consumer of higher priority is served first by a quorum queue too',
    'While it has room.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await consumeAll(client, queue, ['low']);
      const high = { queue, consumerTag: 'high', arguments: [['x-priority', 'I', 9]] } as const;
      await client.call(1, 'basic.consume', high);
      await publishConfirmed(client, queue, ['1', '2']);
      const tags: string[] = [];
      for (let i = 0; i < 2; i++) tags.push((await client.delivery()).method.consumerTag!);
      expectEqual('tags', tags, ['high', 'low']);
    },
  ),
  poison(
    'delivery-count',
    'a message that comes back says how often it was delivered before',
    'In the header x-delivery-count, which the first delivery does not have.',
    async (t) => {
      const { client, queue } = await withQuorum(t, limited(5));
      await client.call(1, 'basic.consume', { queue });
      await publishConfirmed(client, queue, ['m']);
      for (const expected of ['none', 'l 1', 'l 2', 'l 3']) {
        const received = await client.delivery();
        const { redelivered, deliveryTag = 0 } = received.method;
        expectEqual('delivery', [countOf(received), redelivered], [expected, expected !== 'none']);
        client.send(1, 'basic.reject', { deliveryTag, requeue: true });
      }
    },
  ),
  poison(
    'delivery-count-beside-headers',
    'x-delivery-count is added to the headers a message has',
    'And replaces one that the publisher wrote.',
    async (t) => {
      const { client, queue } = await withQuorum(t, limited(5));
      const headers: Table = [['a', 'S', 'b']];
      await publishConfirmed(client, queue, [{ properties: { headers, messageId: 'id' } }]);
      await takeAndReturn(client, queue, 1);
      const { properties } = await client.get(1, queue);
      const found = new Map(properties.headers?.map(([key, , value]) => [key, value]));
      const expected = ['b', 1n, 'id'];
      expectEqual(
        'headers',
        [found.get('a'), BigInt(found.get('x-delivery-count') as number), properties.messageId],
        expected,
      );
    },
  ),
  ...(['channel', 'connection'] as const).map((end) =>
    poison(
      `delivery-count-${end}-end`,
      `what a lost ${end} gives back has been delivered once more`,
      'Only what was delivered, and in the order of its deliveries.',
      async (t) => {
        const { client, queue } = await withQuorum(t, limited(5));
        await publishConfirmed(client, queue, ['1', '2', '3']);
        const other = await t.openChannel();
        await other.call(1, 'basic.qos', { prefetchCount: 2 });
        await other.call(1, 'basic.consume', { queue });
        await t.expectDeliveries(other, ['1', '2']);
        if (end === 'channel') await other.call(1, 'channel.close');
        else other.destroy();
        await t.readyCount(client, queue, 3);
        await client.call(1, 'basic.consume', { queue });
        const counts: string[] = [];
        for (let i = 0; i < 3; i++) {
          const received = await client.delivery();
          counts.push(`${received.body} ${countOf(received)}`);
        }
        expectEqual('returned', counts, ['1 l 1', '2 l 1', '3 none']);
      },
    ),
  ),
  ...(['basic.nack', 'basic.recover'] as const).map((method) =>
    poison(
      `delivery-count-${method.replace('basic.', '')}`,
      `${method} counts as a failed delivery`,
      'As whatever brings a message back, until 4.2.',
      async (t) => {
        const { client, queue } = await withQuorum(t, limited(5));
        await publishConfirmed(client, queue, ['m']);
        await client.get(1, queue, false);
        client.send(1, method, { deliveryTag: 1, requeue: true });
        if (method === 'basic.recover') await client.method(1, 'basic.recover-ok');
        expectEqual('count', countOf(await client.get(1, queue)), 'l 1');
      },
      ['rabbitmq', 'rabbitmq-3'],
    ),
  ),
  poison(
    'returned-first',
    'what comes back goes before what was never delivered, in the order in which it came back',
    'And not to the place it had.',
    async (t) => {
      const { client, queue } = await withQuorum(t, limited(5));
      await publishConfirmed(client, queue, ['1', '2', '3', '4']);
      for (let i = 0; i < 3; i++) await client.get(1, queue, false);
      for (const deliveryTag of [2, 3, 1]) client.send(1, 'basic.reject', { deliveryTag, requeue: true });
      await expectTaken(client, queue, ['2*', '3*', '1*', '4']);
    },
  ),
  poison(
    'returned-last',
    'without a delivery limit what comes back goes behind what waits',
    'RabbitMQ 3 has no limit when none is set, and lets nothing that cannot be processed block the queue.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['1', '2', '3']);
      await client.get(1, queue, false);
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
      await expectTaken(client, queue, ['2', '3', '1*']);
    },
    ['rabbitmq', 'rabbitmq-3'],
  ),
  ...[0, 1, 3].map((limit) =>
    poison(
      `delivery-limit-${limit}`,
      `with x-delivery-limit ${limit} a message is delivered ${limit + 1} times and no more`,
      'Without a dead-letter exchange it is dropped when it comes back too often.',
      async (t) => {
        const { client, queue } = await withQuorum(t, limited(limit));
        await publishConfirmed(client, queue, ['poison', 'next']);
        await takeAndReturn(client, queue, limit + 1);
        await expectTaken(client, queue, ['next']);
      },
    ),
  ),
  poison(
    'delivery-limit-default',
    `without x-delivery-limit RabbitMQ 4 delivers a message ${DELIVERY_LIMIT_DEFAULT + 1} times, RabbitMQ 3 for ever`,
    'The limit is 20 since 4.0.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['poison']);
      await takeAndReturn(client, queue, DELIVERY_LIMIT_DEFAULT + 1);
      if (t.dialect === 'rabbitmq-4') return expectEmpty(client, queue);
      await takeAndReturn(client, queue, DELIVERY_LIMIT_DEFAULT);
      await expectTaken(client, queue, ['poison*']);
    },
  ),
  poison(
    'delivery-limit-dead-letter',
    'a message that came back too often is dead-lettered, and those rejected before are no part of it',
    'The reason is delivery_limit; other messages go on.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const { client: worker, queue } = await withQuorum(t, [...limited(1), ...deadLettersTo(graves)]);
      await client.call(1, 'basic.consume', { queue: graves, noAck: true });
      await publishConfirmed(worker, queue, ['rejected', 'poison', 'good']);
      await worker.get(1, queue, false);
      worker.send(1, 'basic.reject', { deliveryTag: 1, requeue: false });
      await takeAndReturn(worker, queue, 2);
      const deaths: string[] = [];
      for (let i = 0; i < 2; i++) {
        const { properties, body } = await client.delivery();
        const reason = properties.headers?.find(([key]) => key === 'x-first-death-reason');
        deaths.push(`${body} ${reason?.[2]}`);
      }
      expectEqual('deaths', deaths, ['rejected rejected', 'poison delivery_limit']);
      await expectTaken(worker, queue, ['good']);
    },
  ),
  priorities(
    'priority',
    'RabbitMQ 3 does not look at priorities in a quorum queue, RabbitMQ 4 delivers a high one first',
    'There are two levels or more since 4.0, without an argument; 5 and above is high.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      const messages = (
        [
          ['1', 0],
          ['2', 4],
          ['high', 9],
        ] as const
      ).map(([body, priority]) => ({
        body,
        properties: { priority },
      }));
      await publishConfirmed(client, queue, messages);
      const { body, properties } = await client.get(1, queue);
      expectEqual('first', [String(body), properties.priority], t.byDialect(['high', 9], ['1', 0]));
    },
  ),
  single(
    'single-order',
    'a quorum queue with a single active consumer serves them in the order in which they came',
    'The next takes over when the active one is cancelled.',
    async (t) => {
      const { client, queue } = await withQuorum(t, SINGLE);
      await consumeAll(client, queue, ['a', 'b', 'c']);
      for (const consumerTag of ['a', 'b', 'c']) {
        await expectActive(client, queue, consumerTag);
        await client.call(1, 'basic.cancel', { consumerTag });
      }
    },
  ),
  single(
    'single-takeover',
    'when the channel of the active consumer ends, the next gets what it had not settled',
    'What was delivered before comes first.',
    async (t) => {
      const { client, queue } = await withQuorum(t, [...SINGLE, ...limited(5)]);
      const active = await t.openChannel();
      await active.call(1, 'basic.qos', { prefetchCount: 2 });
      await active.call(1, 'basic.consume', { queue });
      await client.call(1, 'basic.consume', { queue });
      await publishConfirmed(client, queue, ['1', '2', '3']);
      await t.expectDeliveries(active, ['1', '2']);
      await expectSilence(client);
      await active.call(1, 'channel.close');
      await t.expectDeliveries(client, ['1*', '2*', '3']);
    },
  ),
  single(
    'single-priority',
    'RabbitMQ 4 lets a consumer of higher priority take over, RabbitMQ 3 does not',
    'Since 4.0 the active consumer of a quorum queue is one of the highest priority.',
    async (t: CaseContext) => {
      const { client, queue } = await withQuorum(t, SINGLE);
      await consumeAll(client, queue, ['first']);
      await expectActive(client, queue, 'first');
      const high = { queue, consumerTag: 'high', arguments: [['x-priority', 'I', 9]] } as const;
      await client.call(1, 'basic.consume', high);
      await expectActive(client, queue, t.byDialect('high', 'first'));
    },
  ),
];
