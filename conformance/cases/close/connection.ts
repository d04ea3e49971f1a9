/** The orderly end of a connection, from either side, with work under way. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual, expectRefusal } from '../../expect.js';
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD, type RawClient } from '../../wire/raw-client.js';
import { encodeContentHeader } from '../../wire/raw-codec.js';

const close = section({
  area: 'close',
  source: 'AMQP 0-9-1, connection.close and connection.close-ok',
  tags: ['core'],
});
const tcp = section({
  area: 'close',
  source: 'AMQP 0-9-1, 2.2.4 the connection class',
  tags: ['core'],
});

const BYE = { replyCode: 200, replyText: 'bye' };

/** A queue that outlives its connections, declared by a connection that looks on. */
async function watched(t: CaseContext): Promise<{ client: RawClient; watcher: RawClient; queue: string }> {
  const watcher = await t.openChannel();
  const queue = t.name('shared');
  await watcher.call(1, 'queue.declare', { queue });
  return { client: await t.openChannel(), watcher, queue };
}

/** The broker ends the connection for something refused on channel 1; its close is read. */
async function refused(client: RawClient): Promise<void> {
  client.send(1, 'basic.qos', { prefetchSize: 1 });
  await client.method(0, 'connection.close');
}

export const cases: readonly Case[] = [
  close(
    'connection-with-channels',
    'a connection may be closed with its channels open',
    'The end of a connection is the end of its channels; the broker sends close-ok and no channel.close.',
    async (t) => {
      const client = await t.open();
      for (const channel of [1, 2, 3]) await client.openChannel(channel);
      expectEqual('close-ok', await client.call(0, 'connection.close', BYE), {});
      const late = [1, 2, 3].map((channel) => client.pendingFrames(channel).length);
      expectEqual('frames on channels 1 to 3', late, [0, 0, 0]);
    },
  ),
  close(
    'connection-any-reason',
    'a client may give any reason for its close',
    'reply-code and reply-text of a client are for the log; whatever they are, the answer is close-ok.',
    async (t) => {
      for (const reason of [{}, { replyCode: 541, replyText: 'ü'.repeat(100), classId: 60, methodId: 40 }]) {
        const client = await t.openChannel();
        await client.call(0, 'connection.close', reason);
      }
    },
  ),
  close(
    'connection-returns-all',
    'what all channels of a closed connection had is ready again, in its order',
    'When close-ok comes, every unacknowledged message is on its way back to its queue, marked as redelivered.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 2 });
      await client.call(2, 'basic.consume', { queue });
      await t.publish(watcher, queue, 5);
      await t.expectDeliveries(client, ['1', '2'], 2);
      for (const channel of [1, 2]) await client.get(channel, queue, false);
      await client.call(0, 'connection.close', BYE);
      await t.expectCounts(watcher, queue, { messageCount: 5, consumerCount: 0 });
      await t.expectReady(watcher, queue, ['1*', '2*', '3*', '4*', '5']);
    },
  ),
  close(
    'connection-keeps-acks',
    'what was acknowledged before a close is gone',
    'Frames before connection.close count: an acknowledgement right before it is kept.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await t.publish(watcher, queue, 3);
      for (let i = 0; i < 3; i++) await client.get(1, queue, false);
      client.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
      await client.call(0, 'connection.close', BYE);
      await t.expectReady(watcher, queue, ['3*']);
    },
  ),
  close(
    'connection-keeps-publishes',
    'what was published before a close arrives',
    'Messages in flight when connection.close comes behind them are not lost.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      for (let i = 1; i <= 300; i++) client.publish(1, { routingKey: queue, body: String(i) });
      await client.call(0, 'connection.close', BYE);
      await t.expectCounts(watcher, queue, { messageCount: 300 });
    },
  ),
  close(
    'connection-drops-later',
    'what comes behind a close is not looked at',
    'After connection.close only close and close-ok are: publishes, acknowledgements and rubbish are discarded.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await t.publish(watcher, queue, 1);
      await client.get(1, queue, false);
      client.send(0, 'connection.close', BYE);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      client.publish(1, { routingKey: queue, body: 'late' });
      client.send(1, 'basic.qos', { prefetchSize: 1 });
      client.send(9, 'queue.delete', { queue });
      await client.method(0, 'connection.close-ok');
      expectEqual('frames on channel 0', client.pendingFrames(0).length, 0);
      await t.expectReady(watcher, queue, ['1*']);
    },
  ),
  close(
    'connection-amid-content',
    'a connection may be closed in the middle of a content',
    'connection.close is on channel 0 and waits for no content of another; the message that is not complete is dropped.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      client.publish(1, { routingKey: queue, body: 'whole' });
      client.send(1, 'basic.publish', { routingKey: queue });
      client.frame(FRAME_HEADER, 1, encodeContentHeader(10, {}));
      client.frame(FRAME_BODY, 1, 'half');
      await client.call(0, 'connection.close', BYE);
      await t.expectReady(watcher, queue, ['whole']);
    },
  ),
  close(
    'connection-rolls-back',
    'a transaction that is not committed ends with its connection',
    'What was published and acknowledged in it is not done.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await t.publish(watcher, queue, 1);
      await client.call(1, 'tx.select');
      await client.get(1, queue, false);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      client.publish(1, { routingKey: queue, body: 'never' });
      await client.call(0, 'connection.close', BYE);
      await t.expectReady(watcher, queue, ['1*']);
    },
  ),
  close(
    'connection-auto-delete',
    'the last consumer that ends with its connection takes an auto-delete queue with it',
    'The end of a connection cancels its consumers, and an auto-delete queue goes with its last.',
    async (t) => {
      const client = await t.openChannel();
      const watcher = await t.openChannel();
      const queue = t.name('q');
      await watcher.call(1, 'queue.declare', { queue, autoDelete: true });
      await client.call(1, 'basic.consume', { queue });
      await client.call(0, 'connection.close', BYE);
      await t.expectNoQueue(watcher, queue);
    },
  ),
  close(
    'connection-by-broker-returns',
    'a connection that the broker closes has given its messages back',
    'By the time the client reads connection.close its channels are gone, though it has not agreed yet.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await t.publish(watcher, queue, 2);
      await client.get(1, queue, false);
      await client.openChannel(2);
      await client.get(2, queue, false);
      await refused(client);
      await t.expectReady(watcher, queue, ['1*', '2*']);
      client.send(0, 'connection.close-ok');
      await client.closed();
    },
  ),
  close(
    'connection-by-broker-exclusive',
    'a connection that the broker closes has lost its exclusive queues',
    'They are deleted before connection.close is sent.',
    async (t) => {
      const client = await t.openChannel();
      const watcher = await t.openChannel();
      const queue = await t.declareQueue(client);
      await refused(client);
      await expectRefusal(watcher, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
    },
  ),
  close(
    'connection-by-broker-waits',
    'the broker waits for close-ok, and reads on until it comes',
    'After its connection.close the broker keeps TCP open for the answer, and discards everything before it.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await refused(client);
      // Each round trip of another connection gives the broker time to hang up, had it not to wait.
      for (let i = 0; i < 20; i++) {
        client.publish(1, { routingKey: queue, body: 'late' });
        await watcher.sync();
      }
      expectEqual('TCP is closed', client.isClosed, false);
      client.send(0, 'connection.close-ok');
      await client.closed();
      await t.expectReady(watcher, queue, []);
    },
  ),
  close(
    'connection-by-broker-once',
    'an error behind another is not told',
    'A connection is closed once: what else is wrong until close-ok is discarded.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'basic.qos', { prefetchSize: 1 });
      client.send(1, 'channel.open');
      client.send(0, 'connection.open');
      await client.method(0, 'connection.close');
      client.send(0, 'connection.close-ok');
      await client.closed();
      expectEqual('frames on channel 0', client.pendingFrames(0).length, 0);
    },
  ),
  close(
    'connection-close-ok-alone',
    'a close-ok that answers nothing ends the connection',
    'Channel 0 takes close-ok only while a close is under way; otherwise it is the connection error 504.',
    async (t) => {
      const client = await t.openChannel();
      client.send(0, 'connection.close-ok');
      const { replyCode, replyText } = await client.method(0, 'connection.close');
      const text = 'CHANNEL_ERROR - unexpected method in connection state running';
      expectEqual('close', [replyCode, replyText], [504, text]);
    },
    ['rabbitmq'],
  ),
  tcp(
    'tcp-half-closed',
    'a client that has said all may close its side of TCP',
    'The end of what a client sends is the end of the connection; what came before it counts.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      await t.publish(watcher, queue, 2);
      await client.get(1, queue, false);
      client.publish(1, { routingKey: queue, body: 'last' });
      client.end();
      await client.closed();
      await t.expectCounts(watcher, queue, { messageCount: 3 });
      await t.expectReady(watcher, queue, ['1*', '2', 'last']);
    },
  ),
  tcp(
    'tcp-dropped',
    'a lost connection ends as one that was closed, but for the answer',
    'Consumers are gone, messages are back and exclusive queues deleted when TCP ends without a close.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      const own = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue });
      await t.publish(watcher, queue, 2);
      await t.expectDeliveries(client, ['1', '2']);
      client.destroy();
      await t.expectCounts(watcher, queue, { messageCount: 2, consumerCount: 0 });
      await t.expectReady(watcher, queue, ['1*', '2*']);
      await t.expectNoQueue(watcher, own);
    },
  ),
  tcp(
    'tcp-amid-frame',
    'a connection that is lost in the middle of a frame publishes nothing of it',
    'A content counts when it is complete.',
    async (t) => {
      const { client, watcher, queue } = await watched(t);
      client.publish(1, { routingKey: queue, body: 'whole' });
      client.send(1, 'basic.publish', { routingKey: queue });
      client.frame(FRAME_HEADER, 1, encodeContentHeader(4, {}));
      client.write(Buffer.from([FRAME_BODY, 0, 1, 0, 0, 0, 4, 0x68, 0x61]));
      client.end();
      await client.closed();
      await t.expectReady(watcher, queue, ['whole']);
    },
  ),
  tcp(
    'tcp-amid-handshake',
    'a connection may be lost at any point of the handshake',
    'The broker goes on serving others, whoever leaves when.',
    async (t) => {
      const header = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
      const method = Buffer.from([FRAME_METHOD, 0, 0, 0, 0, 0, 200, 0, 10, 0, 11]);
      for (const bytes of [Buffer.alloc(0), header.subarray(0, 5), header, Buffer.concat([header, method])]) {
        const client = await t.connect();
        client.write(bytes);
        client.end();
        await client.closed();
      }
      await (await t.openChannel()).sync();
    },
  ),
];
