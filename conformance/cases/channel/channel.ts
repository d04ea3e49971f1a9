/** Opening and closing channels, and what is refused on them. */
import { type Case, section } from '../../case.js';
import {
  expectChannelClose,
  expectConnectionClose,
  expectEqual,
  expectFields,
  expectSilence,
} from '../../expect.js';

const channel = section({ area: 'channel', source: 'AMQP 0-9-1, class channel', tags: ['core'] });
const NOT_OPEN = "CHANNEL_ERROR - expected 'channel.open'";

export const cases: readonly Case[] = [
  ...[1, 2, 2047, 2048, 65_535].map((number) =>
    channel(
      `open-${number}`,
      `channel ${number} can be opened`,
      'Any channel number from 1 to 65535 may be used; what is limited is how many are open.',
      async (t) => {
        const client = await t.open();
        expectEqual('channel.open-ok', await client.call(number, 'channel.open'), { channelId: '' });
        await client.sync(number);
      },
    ),
  ),
  channel(
    'open-twice',
    'a channel cannot be opened twice',
    'channel.open on an open channel is the connection error 504.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'channel.open');
      await expectConnectionClose(client, 'channel.open', 504, "CHANNEL_ERROR - second 'channel.open' seen");
    },
  ),
  ...['queue.declare', 'basic.ack', 'channel.close', 'channel.flow', 'tx.select', 'confirm.select'].map(
    (method) =>
      channel(
        `closed-${method.replace('.', '-')}`,
        `${method} needs an open channel`,
        'A method on a channel that is not open is the connection error 504.',
        async (t) => {
          const client = await t.open();
          client.send(7, method);
          await expectConnectionClose(client, method, 504, NOT_OPEN);
        },
      ),
  ),
  channel(
    'closed-publish',
    'basic.publish needs an open channel',
    'A content on a channel that is not open is the connection error 504.',
    async (t) => {
      const client = await t.open();
      client.publish(7, { routingKey: 'q' });
      await expectConnectionClose(client, 'basic.publish', 504, NOT_OPEN);
    },
  ),
  channel(
    'max',
    'as many channels can be open as was agreed, whatever their numbers',
    'One channel more than channel-max is the connection error 530; a closed one makes room.',
    async (t) => {
      const client = await t.open({ channelMax: 3 });
      for (const number of [10, 20, 30]) await client.openChannel(number);
      await client.call(20, 'channel.close');
      await client.openChannel(40);
      client.send(50, 'channel.open');
      await expectConnectionClose(
        client,
        undefined,
        530,
        'NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)',
      );
    },
  ),
  channel(
    'close-frees-number',
    'a closed channel can be opened again at once',
    'After close-ok the number of a channel is free, and may be opened again at once.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'channel.close', { replyCode: 200, replyText: 'bye' });
      await client.openChannel(1);
      await client.sync();
    },
  ),
  channel(
    'close-leaves-nothing',
    'a closed channel is not there',
    'A method after channel.close-ok is the connection error 504.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'channel.close');
      client.send(1, 'basic.get', { queue: 'q' });
      await expectConnectionClose(client, 'basic.get', 504, NOT_OPEN);
    },
  ),
  channel(
    'close-returns-unacked',
    'the end of a channel returns its messages and ends its consumers',
    'Unacknowledged messages go back to their place, marked as redelivered.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 3);
      await t.expectDeliveries(client, ['1', '2', '3'], 2);
      await client.call(2, 'channel.close');
      await t.expectCounts(client, queue, { messageCount: 3, consumerCount: 0 });
      await t.expectReady(client, queue, ['1*', '2*', '3*']);
    },
  ),
  channel(
    'close-amid-content',
    'channel.close may not interrupt a content',
    'A method where a content header is due is the connection error 505.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'basic.publish', { routingKey: 'q' });
      client.send(1, 'channel.close');
      const close = await client.method(0, 'connection.close');
      expectFields('connection.close', close, { replyCode: 505, classId: 60, methodId: 40 });
    },
  ),
  channel(
    'error-skips-pipelined',
    'after a channel error nothing but the close is looked at',
    'Until close-ok the broker discards what comes on the channel.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'queue.purge', { queue: 'nowhere' });
      client.publish(1, { routingKey: queue, body: 'lost' });
      client.send(1, 'queue.delete', { queue });
      await expectChannelClose(client, 'queue.purge', 404, t.noQueue('nowhere'));
      await t.expectCounts(client, queue, { messageCount: 0 });
    },
  ),
  channel(
    'error-crossing-closes',
    'a close by the client that crosses one by the broker is agreed to',
    'channel.close is answered even while the broker waits for its own close-ok.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'queue.purge', { queue: 'nowhere' });
      await client.method(1, 'channel.close');
      client.send(1, 'channel.close');
      await client.method(1, 'channel.close-ok');
      client.send(1, 'channel.close-ok');
      await client.openChannel(1);
      await client.sync();
    },
  ),
  channel(
    'error-spares-others',
    'an error of one channel leaves others alone',
    'A channel error closes that channel only, and the others of the connection go on.',
    async (t) => {
      const client = await t.openChannel();
      await client.openChannel(2);
      client.send(1, 'queue.purge', { queue: 'nowhere' });
      await expectChannelClose(client, 'queue.purge', 404, t.noQueue('nowhere'));
      await expectSilence(client, 2);
    },
  ),
  channel(
    'flow-on',
    'channel.flow is agreed to when it asks to go on',
    'RabbitMQ answers channel.flow with active set by flow-ok that confirms the state.',
    async (t) => {
      const client = await t.openChannel();
      expectEqual('flow-ok', await client.call(1, 'channel.flow', { active: true }), { active: true });
    },
  ),
  channel(
    'flow-off',
    'channel.flow cannot stop deliveries',
    'RabbitMQ does not implement active=false: the connection error 540.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'channel.flow', { active: false });
      await expectConnectionClose(client, 'channel.flow', 540, 'NOT_IMPLEMENTED - active=false');
    },
    ['rabbitmq'],
  ),
  channel(
    'access-request',
    'access.request is answered with a ticket',
    'RabbitMQ keeps the obsolete class access: request-ok with ticket 1.',
    async (t) => {
      const client = await t.openChannel();
      expectEqual('request-ok', await client.call(1, 'access.request', { realm: '/data' }), { ticket: 1 });
    },
    ['rabbitmq'],
  ),
];
