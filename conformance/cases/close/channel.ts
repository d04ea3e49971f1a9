/** The orderly end of a channel, from either side, with work under way, and the number it leaves. */
import { type Case, section } from '../../case.js';
import { expectChannelClose, expectConnectionClose, expectEqual, expectSilence } from '../../expect.js';
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD } from '../../wire/raw-client.js';
import { decodeMethod, encodeContentHeader } from '../../wire/raw-codec.js';

const close = section({
  area: 'close',
  source: 'AMQP 0-9-1, channel.close and channel.close-ok',
  tags: ['core'],
});

/** Answers to what the broker never asks on an open channel. */
const UNASKED = ['channel.close-ok', 'channel.flow-ok', 'basic.recover-ok', 'basic.qos-ok'];

export const cases: readonly Case[] = [
  close(
    'channel-keeps-publishes',
    'what was published before channel.close arrives',
    'Messages in flight when channel.close comes behind them are not lost, and close-ok comes behind their returns.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      for (let i = 1; i <= 200; i++) client.publish(1, { routingKey: queue, body: String(i) });
      client.publish(1, { routingKey: t.name('nowhere'), mandatory: true, body: 'back' });
      client.send(1, 'channel.close');
      expectEqual('returned', String((await client.message(1, 'basic.return')).body), 'back');
      await client.method(1, 'channel.close-ok');
      await t.expectCounts(client, queue, { messageCount: 200 });
    },
  ),
  close(
    'channel-begins-anew',
    'a channel of the same number begins anew',
    'Nothing of the channel before is left: no prefetch, no confirms, no transaction, no consumer, and tags from one.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'confirm.select');
      await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      await t.publish(client, queue, 3);
      const tags: (number | undefined)[] = [];
      for (let i = 0; i < 3; i++) tags.push((await client.delivery()).method.deliveryTag);
      expectEqual('tags', tags, [1, 2, 3]);
      await client.call(1, 'tx.select');
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      await client.call(1, 'confirm.select');
    },
  ),
  close(
    'channel-forgets-tags',
    'the delivery tags of a channel are nothing to its successor',
    'What was out on the channel before is back in the queue: its tag is unknown, the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 1);
      await client.get(1, queue, false);
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      await expectChannelClose(client, 'basic.ack', 406, 'PRECONDITION_FAILED - unknown delivery tag 1');
      await t.expectReady(client, queue, ['1*']);
    },
  ),
  close(
    'channel-forgets-queue',
    'the queue declared last is that of a channel',
    'A channel of the same number knows of no queue, though the queue of the one before is there.',
    async (t) => {
      const client = await t.openChannel();
      await t.declareQueue(client);
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      client.send(1, 'queue.purge');
      await expectChannelClose(client, 'queue.purge', 404, 'NOT_FOUND - no previously declared queue');
    },
  ),
  close(
    'channel-keeps-exclusive',
    'exclusive queues stay when the channel that declared them ends',
    'An exclusive queue is that of its connection: another channel goes on with it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'channel.close');
      await client.openChannel(2);
      await client.call(2, 'queue.declare', { queue, passive: true });
    },
  ),
  close(
    'channel-spares-others',
    'the end of a channel leaves the deliveries of others alone',
    'Consumers and unacknowledged messages of another channel stay as they are.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await t.publish(client, queue, 2);
      await client.get(1, queue, false);
      await client.get(2, queue, false);
      await client.call(2, 'channel.close');
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      await expectSilence(client);
      await t.expectReady(client, queue, ['2*']);
    },
  ),
  close(
    'channel-deliveries-end',
    'close-ok is the last frame of a channel',
    'Deliveries under way when a channel is closed come before close-ok or not at all.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      for (let i = 0; i < 300; i++) client.publish(1, { routingKey: queue, body: 'm' });
      await client.call(2, 'basic.consume', { queue, noAck: true });
      client.send(2, 'channel.close');
      for (let isClosed = false; !isClosed; ) {
        const { type, payload } = await client.nextFrame(2, 'close-ok');
        isClosed = type === FRAME_METHOD && decodeMethod(payload).name === 'channel.close-ok';
      }
      await t.expectCounts(client, queue, { consumerCount: 0 });
      expectEqual('frames behind close-ok', client.pendingFrames(2).length, 0);
    },
  ),
  close(
    'channel-by-broker-returns',
    'a channel that the broker closes has given its messages back',
    'What its consumers had is ready again when the client reads channel.close, though it has not agreed yet.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 2);
      await t.expectDeliveries(client, ['1', '2'], 2);
      client.send(2, 'queue.purge', { queue: 'nowhere' });
      await client.method(2, 'channel.close');
      await t.expectReady(client, queue, ['1*', '2*']);
    },
  ),
  close(
    'channel-by-broker-amid-content',
    'a content that is under way when the broker closes its channel is discarded whole',
    'Its frames are read and dropped until close-ok, and the next content on the channel is a new one.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'queue.purge', { queue: 'nowhere' });
      client.send(1, 'basic.publish', { routingKey: queue });
      await client.method(1, 'channel.close');
      client.frame(FRAME_HEADER, 1, encodeContentHeader(4, {}));
      client.frame(FRAME_BODY, 1, 'late');
      client.send(1, 'channel.close-ok');
      await client.openChannel(1);
      client.publish(1, { routingKey: queue, body: 'new' });
      await t.expectReady(client, queue, ['new']);
    },
  ),
  close(
    'channel-by-broker-counts',
    'a channel that the broker has closed counts until the client has agreed',
    'With channel-max 1 another number can be opened after close-ok.',
    async (t) => {
      const client = await t.open({ channelMax: 1 });
      await client.openChannel(1);
      client.send(1, 'queue.purge', { queue: 'nowhere' });
      await client.method(1, 'channel.close');
      client.send(1, 'channel.close-ok');
      await client.openChannel(2);
      await client.sync(2);
    },
  ),
  close(
    'channel-by-broker-reopened-early',
    'a channel that the broker has closed cannot be opened before the client has agreed',
    'Until close-ok the channel is there, so that channel.open is the connection error 504.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'queue.purge', { queue: 'nowhere' });
      await client.method(1, 'channel.close');
      client.send(1, 'channel.open');
      await expectConnectionClose(client, 'channel.open', 504, "CHANNEL_ERROR - second 'channel.open' seen");
    },
    ['rabbitmq'],
  ),
  ...UNASKED.map((method) =>
    close(
      `channel-unasked-${method.replace('.', '-')}`,
      `${method} that answers nothing ends the connection`,
      'A method that only answers is none a client may begin with: the connection error 503.',
      async (t) => {
        const client = await t.openChannel();
        client.send(1, method);
        await expectConnectionClose(client, method, 503, 'COMMAND_INVALID - unimplemented method');
      },
      ['rabbitmq'],
    ),
  ),
];
