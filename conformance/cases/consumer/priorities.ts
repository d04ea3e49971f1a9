/** Consumers of different priority: who is served, and what the argument may be. */
import { type Case, section } from '../../case.js';
import { expectEqual, expectRefusal } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const priority = section({
  area: 'consumer',
  source: 'https://www.rabbitmq.com/docs/consumer-priority',
  tags: ['rabbitmq'],
});

function ranked(level: number): Table {
  return [['x-priority', 'I', level]];
}

/** The tags of the consumers that get the next deliveries of channel 1. */
async function tagsOf(client: RawClient, count: number): Promise<(string | undefined)[]> {
  const tags: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) tags.push((await client.delivery()).method.consumerTag);
  return tags;
}

const WRONG = [
  ['text', ['x-priority', 'S', '9'], '"expected integer, got longstr"'],
  ['double', ['x-priority', 'd', 9], '"expected integer, got double"'],
  ['boolean', ['x-priority', 't', true], '"expected integer, got bool"'],
] as const;

export const cases: readonly Case[] = [
  priority(
    'priority-default',
    'a consumer without x-priority has the priority 0',
    'One of a negative priority is served after it, one of a positive before.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'below', arguments: ranked(-1) });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'default' });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'above', arguments: ranked(1) });
      await t.publish(client, queue, 3);
      expectEqual('tags', await tagsOf(client, 3), ['above', 'default', 'below']);
    },
  ),
  priority(
    'priority-turns',
    'consumers of the same priority take turns, those below get nothing meanwhile',
    'Lower ones are served only when none of the higher ones can take more.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'low' });
      for (const consumerTag of ['a', 'b']) {
        await client.call(1, 'basic.consume', { queue, consumerTag, arguments: ranked(5) });
      }
      await t.publish(client, queue, 4);
      expectEqual('tags', await tagsOf(client, 4), ['a', 'b', 'a', 'b']);
    },
  ),
  priority(
    'priority-room-again',
    'a consumer of higher priority is served first again as soon as it has room',
    'What was delivered to the lower one meanwhile stays there.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'low' });
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'high', arguments: ranked(9) });
      await t.publish(client, queue, 2);
      expectEqual('tags', await tagsOf(client, 2), ['high', 'low']);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      await client.sync();
      await t.publish(client, queue, 2);
      expectEqual('tags', await tagsOf(client, 2), ['high', 'low']);
    },
  ),
  priority(
    'priority-requeue',
    'what a consumer returns may come back to it when it has the highest priority',
    'A return is like a new message for the choice of the consumer.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'low' });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'high', arguments: ranked(1) });
      await t.publish(client, queue, 1);
      expectEqual('tags', await tagsOf(client, 1), ['high']);
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
      expectEqual('tags', await tagsOf(client, 1), ['high']);
    },
  ),
  priority(
    'priority-gone',
    'when the consumer of the highest priority goes, the next is served',
    'Also across connections.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'low' });
      const other = await t.openChannel();
      await other.call(1, 'basic.consume', { queue, arguments: ranked(1) });
      await t.publish(client, queue, 1);
      await t.expectDeliveries(other, ['1']);
      await other.call(0, 'connection.close', { replyCode: 200 });
      expectEqual('tags', await tagsOf(client, 1), ['low']);
    },
  ),
  ...(['b', 's', 'l'] as const).map((tag) =>
    priority(
      `priority-integer-${tag}`,
      `x-priority may be an integer of type ${tag}`,
      'Any integer of a field table will do.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client);
        await client.call(1, 'basic.consume', { queue, consumerTag: 'low' });
        const value = tag === 'l' ? 100n : 100;
        const args: Table = [['x-priority', tag, value]];
        await client.call(1, 'basic.consume', { queue, consumerTag: 'high', arguments: args });
        await t.publish(client, queue, 2);
        expectEqual('tags', await tagsOf(client, 2), ['high', 'high']);
      },
    ),
  ),
  ...WRONG.map(([name, argument, why]) =>
    priority(
      `priority-wrong-${name}`,
      `an x-priority that is no integer is refused (${name})`,
      'It is the channel error 406, and nothing is consumed.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client);
        const text = `PRECONDITION_FAILED - invalid arg 'x-priority' for ${t.inVhost('queue', queue)}: ${why}`;
        await expectRefusal(client, 'basic.consume', { queue, arguments: [argument] }, 406, text);
        await t.expectCounts(client, queue, { consumerCount: 0 });
      },
    ),
  ),
  priority(
    'unknown-arguments',
    'arguments of a consumer that nobody knows are ignored',
    'Whatever their value.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const args: Table = [
        ['x-none', 'I', -1],
        ['priority', 'S', 'high'],
      ];
      await client.call(1, 'basic.consume', { queue, arguments: args });
      await t.publish(client, queue, 1);
      await t.expectDeliveries(client, ['1']);
    },
  ),
  priority(
    'cancel-on-failover-type',
    'x-cancel-on-ha-failover that is no boolean is refused',
    'RabbitMQ 3 knows it, for queues that are mirrored: the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const args: Table = [['x-cancel-on-ha-failover', 'S', 'yes']];
      const text = `PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for ${t.inVhost('queue', queue)}: `;
      await expectRefusal(
        client,
        'basic.consume',
        { queue, arguments: args },
        406,
        `${text}{unacceptable_type,longstr}`,
      );
    },
    ['rabbitmq', 'rabbitmq-3'],
  ),
];
