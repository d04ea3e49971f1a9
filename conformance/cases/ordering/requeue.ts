/** The order of what comes back: a message that is requeued goes to its place. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Fields } from '../../wire/raw-methods.js';

const requeue = section({
  area: 'ordering',
  source: 'https://www.rabbitmq.com/docs/queues#message-ordering',
  tags: ['rabbitmq'],
});

/** A queue with five messages of which that many are out on channel 1. */
async function taken(t: CaseContext, takenCount: number): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  await t.publish(client, queue, 5);
  for (let i = 0; i < takenCount; i++) await client.get(1, queue, false);
  return { client, queue };
}

/** How four of five messages come back, and what is ready then. */
const RETURNS: readonly (readonly [
  name: string,
  title: string,
  settlements: readonly (readonly [method: string, fields: Fields])[],
  ready: readonly string[],
])[] = [
  [
    'first',
    'the first goes back to the front',
    [['basic.nack', { deliveryTag: 1, requeue: true }]],
    ['1*', '5'],
  ],
  [
    'last',
    'the last one out goes back before what was never out',
    [['basic.reject', { deliveryTag: 4, requeue: true }]],
    ['4*', '5'],
  ],
  [
    'backwards',
    'what is given back from the last to the first is in its order',
    [4, 3, 2, 1].map((deliveryTag) => ['basic.reject', { deliveryTag, requeue: true }] as const),
    ['1*', '2*', '3*', '4*', '5'],
  ],
  [
    'mixed',
    'what is given back in any order is in its order',
    [2, 4, 1].map((deliveryTag) => ['basic.nack', { deliveryTag, requeue: true }] as const),
    ['1*', '2*', '4*', '5'],
  ],
  [
    'together',
    'what is given back together is in its order',
    [['basic.nack', { deliveryTag: 3, multiple: true, requeue: true }]],
    ['1*', '2*', '3*', '5'],
  ],
  [
    'between-acks',
    'what is acknowledged in between leaves no gap',
    [
      ['basic.ack', { deliveryTag: 2 }],
      ['basic.nack', { deliveryTag: 0, multiple: true, requeue: true }],
    ],
    ['1*', '3*', '4*', '5'],
  ],
  [
    'recovered',
    'what is recovered is in its order',
    [['basic.recover-async', { requeue: true }]],
    ['1*', '2*', '3*', '4*', '5'],
  ],
];

export const cases: readonly Case[] = [
  ...RETURNS.map(([name, title, settlements, ready]) =>
    requeue(
      `requeue-${name}`,
      title,
      'A message that is requeued goes to its original position where possible, marked as redelivered.',
      async (t) => {
        const { client, queue } = await taken(t, 4);
        for (const [method, fields] of settlements) client.send(1, method, fields);
        await t.expectReady(client, queue, ready);
      },
    ),
  ),
  requeue(
    'requeue-two-channels',
    'what two channels give back is in its order',
    'The position of a message is that in its queue, whoever had it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await t.publish(client, queue, 6);
      for (const channel of [1, 2, 2, 1]) await client.get(channel, queue, false);
      await client.call(2, 'channel.close');
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      await t.expectReady(client, queue, ['1*', '2*', '3*', '4*', '5', '6']);
    },
  ),
  requeue(
    'requeue-connection',
    'what a lost connection had is in its place again',
    'The end of TCP gives back what was not acknowledged, before what was never delivered.',
    async (t) => {
      const lost = await t.openChannel();
      const client = await t.openChannel();
      const queue = t.name('shared');
      await client.call(1, 'queue.declare', { queue });
      await t.publish(client, queue, 4);
      for (let i = 0; i < 3; i++) await lost.get(1, queue, false);
      lost.send(1, 'basic.ack', { deliveryTag: 2 });
      await lost.sync();
      lost.destroy();
      await t.expectCounts(client, queue, { messageCount: 3 });
      await t.expectReady(client, queue, ['1*', '3*', '4']);
    },
  ),
  requeue(
    'requeue-before-new',
    'what comes back is before what was published meanwhile',
    'A new message goes to the end, and one that is requeued to its place among the older ones.',
    async (t) => {
      const { client, queue } = await taken(t, 5);
      for (const body of ['6', '7']) client.publish(1, { routingKey: queue, body });
      client.send(1, 'basic.nack', { deliveryTag: 5, multiple: true, requeue: true });
      await t.expectReady(client, queue, ['1*', '2*', '3*', '4*', '5*', '6', '7']);
    },
  ),
  requeue(
    'requeue-again',
    'a message keeps its place however often it comes back',
    'Being delivered again does not make a message younger.',
    async (t) => {
      const { client, queue } = await taken(t, 3);
      for (let round = 0; round < 5; round++) {
        client.send(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
        for (const expected of ['1', '2', '3']) {
          expectEqual('body', String((await client.get(1, queue, false)).body), expected);
        }
      }
      client.send(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
      await t.expectReady(client, queue, ['1*', '2*', '3*', '4', '5']);
    },
  ),
  requeue(
    'requeue-to-consumer',
    'a consumer gets what came back before what follows',
    'With a prefetch of one, the message that was given back is the next delivery, not the one behind it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue });
      await t.publish(client, queue, 3);
      await t.expectDeliveries(client, ['1']);
      for (let deliveryTag = 1; deliveryTag <= 3; deliveryTag++) {
        client.send(1, 'basic.reject', { deliveryTag, requeue: true });
        await t.expectDeliveries(client, ['1*']);
      }
      client.send(1, 'basic.ack', { deliveryTag: 4 });
      await t.expectDeliveries(client, ['2']);
    },
  ),
  requeue(
    'requeue-to-other',
    'what a closed channel had comes to the next consumer first',
    'A consumer that takes over sees the messages in their order, those that were delivered before with their mark.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 3 });
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 5);
      await t.expectDeliveries(client, ['1', '2', '3'], 2);
      await client.call(2, 'channel.close');
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['1*', '2*', '3*', '4', '5']);
    },
  ),
];
