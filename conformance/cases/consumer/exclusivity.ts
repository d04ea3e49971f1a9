/** Queues that serve one consumer at a time: single active consumers, and consumers that are exclusive. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { changedArguments, refusedArguments } from '../../declarations.js';
import { expectEqual, expectRefusal, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const single = section({
  area: 'consumer',
  source: 'https://www.rabbitmq.com/docs/consumers#single-active-consumer',
  tags: ['rabbitmq'],
});
const exclusive = section({
  area: 'consumer',
  source: 'https://www.rabbitmq.com/docs/consumers#exclusivity',
  tags: ['rabbitmq'],
});

const SINGLE: Table = [['x-single-active-consumer', 't', true]];

/** A queue with a single active consumer, and consumers of those tags on channel 1, the first of which is active. */
async function withConsumers(
  t: CaseContext,
  tags: readonly string[],
): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client, SINGLE);
  for (const consumerTag of tags) await client.call(1, 'basic.consume', { queue, consumerTag });
  return { client, queue };
}

/** The next message goes to that consumer of channel 1. */
async function expectActive(t: CaseContext, client: RawClient, queue: string, tag: string): Promise<void> {
  await t.publish(client, queue, 1);
  expectEqual('active', (await client.delivery()).method.consumerTag, tag);
}

export const cases: readonly Case[] = [
  single(
    'single-order',
    'the next active consumer is the one that subscribed next',
    'Consumers of a queue with x-single-active-consumer wait in the order in which they came.',
    async (t) => {
      const { client, queue } = await withConsumers(t, ['a', 'b', 'c']);
      for (const consumerTag of ['a', 'b', 'c']) {
        await expectActive(t, client, queue, consumerTag);
        await client.call(1, 'basic.cancel', { consumerTag });
      }
    },
  ),
  single(
    'single-counts',
    'consumers that are not active count as consumers',
    'They are registered, and each was answered with consume-ok.',
    async (t) => {
      const { client, queue } = await withConsumers(t, ['a', 'b', 'c']);
      await t.expectCounts(client, queue, { consumerCount: 3 });
      await client.call(1, 'basic.cancel', { consumerTag: 'b' });
      await t.expectCounts(client, queue, { consumerCount: 2 });
      await expectActive(t, client, queue, 'a');
    },
  ),
  single(
    'single-back-of-line',
    'an active consumer that comes back waits behind the others',
    'It has lost its place with its cancel.',
    async (t) => {
      const { client, queue } = await withConsumers(t, ['a', 'b']);
      await client.call(1, 'basic.cancel', { consumerTag: 'a' });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
      await expectActive(t, client, queue, 'b');
      await client.call(1, 'basic.cancel', { consumerTag: 'b' });
      await expectActive(t, client, queue, 'a');
    },
  ),
  single(
    'single-full',
    'while the active consumer is full nobody gets anything',
    'The others do not help out.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, SINGLE);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
      await t.publish(client, queue, 2);
      await t.expectDeliveries(client, ['1']);
      await t.expectCounts(client, queue, { messageCount: 1 });
      await expectSilence(client);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      const { method, body } = await client.delivery();
      expectEqual('second', [method.consumerTag, String(body)], ['a', '2']);
    },
  ),
  ...(['channel', 'connection'] as const).map((end) =>
    single(
      `single-takeover-${end}`,
      `when the ${end} of the active consumer ends, the next gets what it had not settled`,
      'Its unacknowledged messages come first and are marked as redelivered, then those that waited.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        await client.call(1, 'queue.declare', { queue, arguments: SINGLE });
        const active = await t.openChannel();
        await active.call(1, 'basic.qos', { prefetchCount: 2 });
        await active.call(1, 'basic.consume', { queue });
        await client.call(1, 'basic.consume', { queue });
        await t.publish(client, queue, 4);
        await t.expectDeliveries(active, ['1', '2']);
        active.send(1, 'basic.ack', { deliveryTag: 1 });
        await t.expectDeliveries(active, ['3']);
        await expectSilence(client);
        if (end === 'channel') await active.call(1, 'channel.close');
        else await active.call(0, 'connection.close', { replyCode: 200 });
        await t.expectDeliveries(client, ['2*', '3*', '4']);
      },
    ),
  ),
  single(
    'single-cancelled-keeps',
    'what the active consumer has stays with it when it is cancelled',
    'The next one goes on with what was ready; what the first returns comes to it then.',
    async (t) => {
      const { client, queue } = await withConsumers(t, ['a', 'b']);
      await t.publish(client, queue, 2);
      await t.expectDeliveries(client, ['1', '2']);
      await client.call(1, 'basic.cancel', { consumerTag: 'a' });
      await expectSilence(client);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      client.send(1, 'basic.reject', { deliveryTag: 2, requeue: true });
      const { method, body } = await client.delivery();
      expectEqual('returned', [method.consumerTag, String(body), method.redelivered], ['b', '2', true]);
    },
  ),
  single(
    'single-priority',
    'a consumer of higher priority does not take over, but is the next',
    'In a classic queue x-priority decides who follows, and leaves alone who is active.',
    async (t) => {
      const { client, queue } = await withConsumers(t, ['a', 'b']);
      const high = { queue, consumerTag: 'high', arguments: [['x-priority', 'I', 9]] } as const;
      await client.call(1, 'basic.consume', high);
      await expectActive(t, client, queue, 'a');
      await client.call(1, 'basic.cancel', { consumerTag: 'a' });
      await expectActive(t, client, queue, 'high');
      await client.call(1, 'basic.cancel', { consumerTag: 'high' });
      await expectActive(t, client, queue, 'b');
    },
  ),
  single(
    'single-get',
    'basic.get takes messages beside a single active consumer',
    'In a classic queue; only consumers are one at a time.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, SINGLE);
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 1 });
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 2);
      await t.expectDeliveries(client, ['1'], 2);
      await t.expectReady(client, queue, ['2']);
    },
  ),
  single(
    'single-not-exclusive',
    'no consumer of a queue with a single active one can be exclusive',
    'The channel error 403, also when it would be the first.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, SINGLE);
      const text = `ACCESS_REFUSED - ${t.inVhost('queue', queue)} in exclusive use`;
      await expectRefusal(client, 'basic.consume', { queue, exclusive: true }, 403, text);
      await client.call(1, 'basic.consume', { queue });
    },
  ),
  single(
    'single-false',
    'x-single-active-consumer false is as if it were not said',
    'Consumers take turns.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, [['x-single-active-consumer', 't', false]]);
      for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
      for (const tag of ['a', 'b', 'a']) await expectActive(t, client, queue, tag);
    },
  ),
  ...refusedArguments(single, [
    [
      'single-text',
      ['x-single-active-consumer', 'S', 'true'],
      "invalid arg 'x-single-active-consumer' for $: {unacceptable_type,longstr}",
    ],
    [
      'single-number',
      ['x-single-active-consumer', 'I', 1],
      "invalid arg 'x-single-active-consumer' for $: {unacceptable_type,signedint}",
    ],
  ]),
  ...changedArguments(single, [
    [
      'single',
      SINGLE,
      [['x-single-active-consumer', 't', false]],
      "inequivalent arg 'x-single-active-consumer' for $: received 'false' but current is 'true'",
    ],
  ]),
  exclusive(
    'exclusive-elsewhere',
    'an exclusive consumer keeps out those of other connections',
    'The channel error 403; when its channel closes, the queue is free again.',
    async (t) => {
      const owner = await t.openChannel();
      const queue = t.name('q');
      await owner.call(1, 'queue.declare', { queue });
      await owner.call(1, 'basic.consume', { queue, exclusive: true });
      const client = await t.openChannel();
      const text = `ACCESS_REFUSED - ${t.inVhost('queue', queue)} in exclusive use`;
      await expectRefusal(client, 'basic.consume', { queue }, 403, text);
      await owner.call(1, 'channel.close');
      await client.call(1, 'basic.consume', { queue, exclusive: true });
      await owner.openChannel(1);
      await expectRefusal(owner, 'basic.consume', { queue }, 403, text);
    },
  ),
  exclusive(
    'exclusive-get',
    'basic.get is free beside an exclusive consumer, and so is all else',
    'Being exclusive is about consumers.',
    async (t) => {
      const owner = await t.openChannel();
      const queue = t.name('q');
      await owner.call(1, 'queue.declare', { queue });
      await owner.call(1, 'basic.qos', { prefetchCount: 1 });
      await owner.call(1, 'basic.consume', { queue, exclusive: true });
      const client = await t.openChannel();
      await t.publish(client, queue, 3);
      await t.expectDeliveries(owner, ['1']);
      expectEqual('got', String((await client.get(1, queue)).body), '2');
      expectEqual('purge-ok', await client.call(1, 'queue.purge', { queue }), { messageCount: 1 });
    },
  ),
  exclusive(
    'exclusive-connection-end',
    'an exclusive consumer that is lost with its connection leaves the queue to others',
    'With what it had not acknowledged.',
    async (t) => {
      const owner = await t.openChannel();
      const queue = t.name('q');
      await owner.call(1, 'queue.declare', { queue });
      await owner.call(1, 'basic.consume', { queue, exclusive: true });
      const client = await t.openChannel();
      await t.publish(client, queue, 1);
      await t.expectDeliveries(owner, ['1']);
      owner.destroy();
      await t.expectCounts(client, queue, { messageCount: 1, consumerCount: 0 });
      await client.call(1, 'basic.consume', { queue, exclusive: true });
      await t.expectDeliveries(client, ['1*']);
    },
  ),
];
