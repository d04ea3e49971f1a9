/** How connections end, from either side, and connection.update-secret. */
import { type Case, section } from '../../case.js';
import { expectConnectionClose, expectEqual } from '../../expect.js';

const close = section({ area: 'connection', source: 'AMQP 0-9-1, 2.2.4 connection close', tags: ['core'] });

export const cases: readonly Case[] = [
  close(
    'close-deletes-exclusive',
    'close-ok comes when exclusive queues are gone',
    'Exclusive queues are deleted with their connection, before connection.close is answered.',
    async (t) => {
      const client = await t.openChannel();
      const another = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(0, 'connection.close', { replyCode: 200, replyText: 'bye' });
      await another.call(1, 'queue.declare', { queue, exclusive: true });
    },
  ),
  close(
    'close-returns-unacked',
    'the end of a connection returns its messages',
    'What was not acknowledged is delivered again, marked as redelivered.',
    async (t) => {
      const client = await t.openChannel();
      const another = await t.openChannel();
      const queue = t.name('shared');
      await another.call(1, 'queue.declare', { queue });
      await t.publish(another, queue, 1);
      await client.get(1, queue, false);
      await client.call(0, 'connection.close');
      await t.expectReady(another, queue, ['1*']);
    },
  ),
  close(
    'close-ends-conversation',
    'frames behind a close are not answered, another close is',
    'After connection.close only close and close-ok are looked at.',
    async (t) => {
      const client = await t.openChannel();
      client.send(0, 'connection.close');
      client.send(1, 'channel.flow', { active: true });
      client.send(0, 'connection.start-ok');
      client.send(0, 'connection.close');
      await client.method(0, 'connection.close-ok');
      await client.method(0, 'connection.close-ok');
      expectEqual('frames on channel 1', client.pendingFrames(1).length, 0);
    },
  ),
  close(
    'server-close-crossing',
    'a close by the client that crosses one by the broker is agreed to',
    'connection.close is answered while the broker waits for its own close-ok.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'basic.qos', { prefetchSize: 5 });
      await client.method(0, 'connection.close');
      await client.call(0, 'connection.close');
      client.send(0, 'connection.close-ok');
      await client.closed();
    },
  ),
  close(
    'server-close-discards',
    'after a close by the broker nothing but the answer is looked at',
    'Until close-ok the broker discards what comes, whatever it is.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'basic.qos', { prefetchSize: 5 });
      await client.method(0, 'connection.close');
      client.send(1, 'channel.flow', { active: true });
      client.send(2, 'channel.open');
      client.send(0, 'connection.open');
      client.frame(2, 0, 'rubbish on channel 0');
      client.send(0, 'connection.close-ok');
      await client.closed();
      const late = [0, 1, 2].map((channel) => client.pendingFrames(channel).length);
      expectEqual('frames on channels 0 to 2', late, [0, 0, 0]);
    },
  ),
  close(
    'unexpected-method',
    'a method of a broker on channel 0 ends the connection',
    'A method that does not belong to the state of the connection is the error 504.',
    async (t) => {
      const client = await t.openChannel();
      client.send(0, 'connection.tune-ok');
      await expectConnectionClose(
        client,
        'connection.tune-ok',
        504,
        'CHANNEL_ERROR - unexpected method in connection state running',
      );
    },
  ),
  close(
    'update-secret',
    'connection.update-secret is agreed to',
    'connection.update-secret lets a client renew its credentials while connected, and is answered.',
    async (t) => {
      const client = await t.open();
      await client.call(0, 'connection.update-secret', { newSecret: t.broker.password, reason: 'rotation' });
      await client.openChannel(1);
    },
    ['rabbitmq'],
  ),
  close(
    'amqplib',
    'amqplib connects, works and closes',
    'A client library shakes hands, declares, publishes, consumes and closes without anything special.',
    async (t) => {
      const model = await t.amqplib();
      const channel = await model.createChannel();
      const { queue } = await channel.assertQueue(t.name('q'), { exclusive: true });
      channel.sendToQueue(queue, Buffer.from('hello'), { persistent: true, headers: { a: 1 } });
      const message = await new Promise<string>((resolve) => {
        void channel.consume(queue, (found) => resolve(String(found?.content)), { noAck: true });
      });
      expectEqual('body', message, 'hello');
      await channel.close();
    },
  ),
];
