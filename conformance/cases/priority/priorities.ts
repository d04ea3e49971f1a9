/** Priorities of messages: the order they make, what counts as which, and what they do not touch. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { changedArguments, refusedArguments, type WrongArgument } from '../../declarations.js';
import { expectEqual, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Properties, Table } from '../../wire/raw-codec.js';

const priority = section({
  area: 'priority',
  source: 'https://www.rabbitmq.com/docs/priority',
  tags: ['rabbitmq'],
});

function levels(max: number): Table {
  return [['x-max-priority', 'I', max]];
}

function propertiesOf(level: number | undefined): Properties {
  return level === undefined ? {} : { priority: level };
}

/** Publishes bodies with their priorities, and waits until the queue has them. */
async function publishAll(
  t: CaseContext,
  client: RawClient,
  queue: string,
  messages: readonly (readonly [body: string, level?: number])[],
): Promise<void> {
  for (const [body, level] of messages) {
    client.publish(1, { routingKey: queue, body, properties: propertiesOf(level) });
  }
  await client.sync();
  await t.readyCount(client, queue, messages.length);
}

/** A client with a queue of ten levels. */
async function withLevels(t: CaseContext, args: Table = []): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  return { client, queue: await t.declareQueue(client, [...levels(10), ...args]) };
}

/** Wrong values of x-max-priority. */
const WRONG: readonly WrongArgument[] = [
  ['negative', ['x-max-priority', 'I', -1], "invalid arg 'x-max-priority' for $: {value_negative,-1}"],
  ['large', ['x-max-priority', 'I', 256], "invalid arg 'x-max-priority' for $: {max_value_exceeded,256}"],
  [
    'text',
    ['x-max-priority', 'S', '5'],
    `invalid arg 'x-max-priority' for $: "expected integer, got longstr"`,
  ],
  [
    'double',
    ['x-max-priority', 'd', 5],
    `invalid arg 'x-max-priority' for $: "expected integer, got double"`,
  ],
  [
    'boolean',
    ['x-max-priority', 't', true],
    `invalid arg 'x-max-priority' for $: "expected integer, got bool"`,
  ],
];

export const cases: readonly Case[] = [
  priority(
    'order',
    'what has the higher priority comes first, what has the same in its order',
    'A queue with x-max-priority delivers by priority, and within one priority first in, first out.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [
        ['a', 1],
        ['b', 5],
        ['c', 3],
        ['d', 5],
        ['e', 1],
        ['f', 10],
      ]);
      await t.expectReady(client, queue, ['f', 'b', 'd', 'c', 'a', 'e']);
    },
  ),
  priority(
    'order-consumer',
    'a consumer gets what waits by priority',
    'Deliveries and basic.get take the same message first.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [
        ['a', 1],
        ['b', 2],
        ['c', 3],
        ['d', 2],
      ]);
      await client.call(1, 'basic.consume', { queue, noAck: true });
      await t.expectDeliveries(client, ['c', 'b', 'd', 'a']);
    },
  ),
  priority(
    'absent-is-zero',
    'a message without a priority has priority 0',
    'It keeps its place among those that say 0.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [['a'], ['b', 0], ['c'], ['d', 1]]);
      await t.expectReady(client, queue, ['d', 'a', 'b', 'c']);
    },
  ),
  priority(
    'capped',
    'a priority above x-max-priority counts as that',
    'It does not overtake what has the highest; the property itself stays as it was published.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, levels(5));
      await publishAll(t, client, queue, [
        ['a', 4],
        ['b', 6],
        ['c', 5],
        ['d', 255],
      ]);
      const { properties, body } = await client.get(1, queue);
      expectEqual('first', [String(body), properties.priority], ['b', 6]);
      await t.expectReady(client, queue, ['c', 'd', 'a']);
    },
  ),
  priority(
    'two-levels',
    'x-max-priority 1 tells 0 from all others',
    'There are x-max-priority and one levels.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, levels(1));
      await publishAll(t, client, queue, [
        ['a', 0],
        ['b', 9],
        ['c', 1],
      ]);
      await t.expectReady(client, queue, ['b', 'c', 'a']);
    },
  ),
  priority(
    'most-levels',
    'x-max-priority may be 255',
    'Every value of the property is a level of its own then.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, levels(255));
      await publishAll(t, client, queue, [
        ['a', 254],
        ['b', 255],
        ['c', 0],
        ['d', 1],
      ]);
      await t.expectReady(client, queue, ['b', 'a', 'd', 'c']);
    },
  ),
  ...(['b', 'B', 's', 'u', 'i', 'l'] as const).map((tag) =>
    priority(
      `integer-${tag === tag.toLowerCase() ? tag : `unsigned-${tag.toLowerCase()}`}`,
      `x-max-priority may be an integer of type ${tag}`,
      'Any integer of a field table will do for an argument, and is the same as one of another size.',
      async (t) => {
        const client = await t.openChannel();
        const wide = tag === 'l' ? 5n : 5;
        const queue = await t.declareQueue(client, [['x-max-priority', tag, wide]]);
        await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: levels(5) });
        await publishAll(t, client, queue, [
          ['a', 1],
          ['b', 2],
        ]);
        await t.expectReady(client, queue, ['b', 'a']);
      },
    ),
  ),
  priority(
    'none',
    'a queue without x-max-priority does not look at priorities',
    'It delivers first in, first out, and leaves the property alone.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await publishAll(t, client, queue, [
        ['a', 1],
        ['b', 9],
      ]);
      const { properties, body } = await client.get(1, queue);
      expectEqual('first', [String(body), properties.priority], ['a', 1]);
      await t.expectReady(client, queue, ['b']);
    },
  ),
  priority(
    'requeue',
    'what is returned goes back to its place in its own level',
    'Neither before what has a higher priority nor behind what came later with the same.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [
        ['a', 2],
        ['b', 1],
        ['c', 2],
        ['d', 1],
      ]);
      for (let i = 0; i < 3; i++) await client.get(1, queue, false);
      client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: true });
      await publishAll(t, client, queue, [
        ['e', 2],
        ['f', 1],
      ]);
      await t.readyCount(client, queue, 6);
      await t.expectReady(client, queue, ['a*', 'c*', 'e', 'b*', 'd', 'f']);
    },
  ),
  priority(
    'channel-end',
    'what a closed channel gives back is delivered by priority again',
    'Each message goes back to its level.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [
        ['a', 1],
        ['b', 9],
        ['c', 5],
      ]);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['b', 'c', 'a'], 2);
      await client.call(2, 'channel.close');
      await t.expectReady(client, queue, ['b*', 'c*', 'a*']);
    },
  ),
  priority(
    'prefetch',
    'prefetch keeps what is more urgent from waiting behind what was delivered',
    'What a consumer has is its own; when it has room again, it gets the most urgent message there is.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 1 });
      await client.call(2, 'basic.consume', { queue });
      client.publish(1, { routingKey: queue, body: 'a' });
      await t.expectDeliveries(client, ['a'], 2);
      await publishAll(t, client, queue, [
        ['b', 1],
        ['c', 9],
      ]);
      await expectSilence(client, 2);
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      await t.expectDeliveries(client, ['c'], 2);
      client.send(2, 'basic.ack', { deliveryTag: 2 });
      await t.expectDeliveries(client, ['b'], 2);
    },
  ),
  priority(
    'no-prefetch',
    'a consumer without a prefetch gets messages as they come',
    'Priorities order what waits in the queue, not what has left it.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      for (const [body, level] of [
        ['a', 1],
        ['b', 9],
      ] as const) {
        client.publish(1, { routingKey: queue, body, properties: { priority: level } });
        await t.expectDeliveries(client, [body], 2);
      }
    },
  ),
  priority(
    'counts',
    'messages of all levels are counted and purged together',
    'A queue with priorities is one queue.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [['a', 1], ['b', 9], ['c']]);
      const { method } = await client.get(1, queue);
      expectEqual('left', method.messageCount, 2);
      expectEqual('purge-ok', await client.call(1, 'queue.purge', { queue }), { messageCount: 2 });
      await t.expectReady(client, queue, []);
    },
  ),
  priority(
    'dead-letter',
    'a dead letter keeps its priority',
    'It has its place by priority in the queue it goes to.',
    async (t) => {
      const { client, queue: graves } = await withLevels(t);
      const work = await t.declareQueue(client, [
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', graves],
      ]);
      await publishAll(t, client, work, [
        ['a', 1],
        ['b', 9],
        ['c', 5],
      ]);
      for (let i = 0; i < 3; i++) await client.get(1, work, false);
      client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: false });
      await t.expectReady(client, graves, ['b', 'c', 'a']);
    },
  ),
  priority(
    'expired-behind',
    'what expired is not delivered, though it waited behind a higher priority',
    'A queue with priorities takes care of what expired when it comes to it.',
    async (t) => {
      const { client, queue } = await withLevels(t);
      await publishAll(t, client, queue, [['a', 9]]);
      client.publish(1, { routingKey: queue, body: 'b', properties: { priority: 1, expiration: '1' } });
      // Published later, with the same expiration, and alone: when it is gone, the other has expired.
      const other = await t.declareQueue(client);
      client.publish(1, { routingKey: other, properties: { expiration: '1' } });
      await client.sync();
      await t.expectCounts(client, other, { messageCount: 0 });
      expectEqual('first', String((await client.get(1, queue)).body), 'a');
      client.send(1, 'basic.get', { queue });
      await client.method(1, 'basic.get-empty');
    },
  ),
  priority(
    'max-length',
    'a full queue drops its head, which is what has the highest priority',
    'A high priority does not protect a message from a length limit: the next to be delivered is dropped.',
    async (t) => {
      const { client, queue } = await withLevels(t, [['x-max-length', 'I', 2]]);
      await client.call(1, 'confirm.select');
      for (const [i, [body, level]] of (
        [
          ['a', 1],
          ['b', 9],
          ['c', 5],
        ] as const
      ).entries()) {
        client.publish(1, { routingKey: queue, body, properties: { priority: level } });
        expectEqual('confirmed', (await client.method(1, 'basic.ack')).deliveryTag, i + 1);
      }
      await t.expectReady(client, queue, ['c', 'a']);
    },
  ),
  priority(
    'reject-publish',
    'a full queue that rejects does so whatever the priority',
    'What is there stays, however urgent the new message.',
    async (t) => {
      const { client, queue } = await withLevels(t, [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish'],
      ]);
      await client.call(1, 'confirm.select');
      client.publish(1, { routingKey: queue, body: 'a', properties: { priority: 1 } });
      await client.method(1, 'basic.ack');
      client.publish(1, { routingKey: queue, body: 'b', properties: { priority: 9 } });
      await client.method(1, 'basic.nack');
      await t.expectReady(client, queue, ['a']);
    },
  ),
  ...refusedArguments(priority, WRONG),
  ...changedArguments(priority, [
    ['max', levels(5), levels(6), "inequivalent arg 'x-max-priority' for $: received '6' but current is '5'"],
    [
      'none',
      levels(5),
      [],
      "inequivalent arg 'x-max-priority' for $: received none but current is the value '5' of type 'signedint'",
    ],
    [
      'new',
      [],
      levels(5),
      "inequivalent arg 'x-max-priority' for $: received the value '5' of type 'signedint' but current is none",
    ],
  ]),
];
