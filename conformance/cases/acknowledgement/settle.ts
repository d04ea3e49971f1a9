/** Acknowledgement, rejection and redelivery. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import {
  expectChannelClose,
  expectConnectionClose,
  expectEqual,
  expectRefusal,
  expectSilence,
} from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const settle = section({
  area: 'acknowledgement',
  source: 'https://www.rabbitmq.com/docs/confirms#acknowledgement-modes',
  tags: ['core'],
});
const recover = section({ area: 'acknowledgement', source: 'AMQP 0-9-1, basic.recover', tags: ['core'] });

/** A client with a queue, of whose messages that many are out on channel 1. */
async function taken(
  t: CaseContext,
  published: number,
  takenCount = published,
): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  await t.publish(client, queue, published);
  for (let i = 0; i < takenCount; i++) await client.get(1, queue, false);
  return { client, queue };
}

const UNKNOWN = [
  ['ack-zero', 'basic.ack', { deliveryTag: 0 }],
  ['ack', 'basic.ack', { deliveryTag: 2 }],
  ['ack-multiple', 'basic.ack', { deliveryTag: 2, multiple: true }],
  ['nack-multiple', 'basic.nack', { deliveryTag: 9_007_199_254_740_991, multiple: true }],
  ['reject-zero', 'basic.reject', { deliveryTag: 0 }],
] as const;

export const cases: readonly Case[] = [
  settle(
    'tags-count',
    'delivery tags count deliveries and gets of a channel',
    'Delivery tags count from one what a channel gets, deliveries and answers to basic.get alike, acknowledged or not.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 2);
      const tags = [(await client.get(1, queue, true)).method.deliveryTag];
      tags.push((await client.get(1, queue, false)).method.deliveryTag);
      await client.call(1, 'basic.consume', { queue, noAck: true });
      await t.publish(client, queue, 2);
      tags.push((await client.delivery()).method.deliveryTag, (await client.delivery()).method.deliveryTag);
      expectEqual('tags', tags, [1, 2, 3, 4]);
    },
  ),
  ...['basic.ack', 'basic.nack', 'basic.reject'].map((method) =>
    settle(
      `once-${method.replace('basic.', '')}`,
      `a delivery tag is good for one ${method}`,
      'A delivery is settled once; settling it again is the channel error 406, since its tag is not out.',
      async (t) => {
        const { client } = await taken(t, 1);
        client.send(1, method, { deliveryTag: 1 });
        const text = 'PRECONDITION_FAILED - unknown delivery tag 1';
        await expectRefusal(client, method, { deliveryTag: 1 }, 406, text);
      },
    ),
  ),
  ...UNKNOWN.map(([name, method, fields]) =>
    settle(
      `unknown-${name}`,
      `a tag that is not out is unknown: ${method} ${JSON.stringify(fields)}`,
      'It is the channel error 406, and what was out is ready again.',
      async (t) => {
        const { client, queue } = await taken(t, 1);
        const text = `PRECONDITION_FAILED - unknown delivery tag ${fields.deliveryTag}`;
        await expectRefusal(client, method, fields, 406, text);
        await t.expectReady(client, queue, ['1*']);
      },
    ),
  ),
  settle(
    'other-channel',
    'the tags of another channel are unknown',
    'Delivery tags are those of a channel: on another one they are unknown, the channel error 406.',
    async (t) => {
      const { client } = await taken(t, 1);
      await client.openChannel(2);
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      await expectChannelClose(client, 'basic.ack', 406, 'PRECONDITION_FAILED - unknown delivery tag 1', 2);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      await expectSilence(client);
    },
  ),
  settle(
    'multiple-out',
    'a tag must be out itself to settle those below',
    'With multiple the named tag must be out itself: otherwise it is the channel error 406, though lower ones are.',
    async (t) => {
      const { client, queue } = await taken(t, 3);
      client.send(1, 'basic.ack', { deliveryTag: 2 });
      const text = 'PRECONDITION_FAILED - unknown delivery tag 2';
      await expectRefusal(client, 'basic.ack', { deliveryTag: 2, multiple: true }, 406, text);
      await t.expectReady(client, queue, ['1*', '3*']);
    },
  ),
  settle(
    'multiple-below',
    'multiple settles all tags up to its own',
    'With multiple a tag settles itself and every lower one that is out on the channel, and none above it.',
    async (t) => {
      const { client, queue } = await taken(t, 4);
      client.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      await t.expectReady(client, queue, ['4*']);
    },
  ),
  settle(
    'zero-multiple',
    'zero with multiple settles all there are',
    'Tag zero with multiple settles everything that is out on the channel, and is no error when nothing is.',
    async (t) => {
      const { client, queue } = await taken(t, 3, 0);
      client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
      client.send(1, 'basic.nack', { deliveryTag: 0, multiple: true });
      for (let i = 0; i < 3; i++) await client.get(1, queue, false);
      client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      await t.expectReady(client, queue, []);
    },
  ),
  settle(
    'requeue-place',
    'what is returned goes back to its place, marked',
    'A message that is requeued goes back to its place among those that wait, marked as redelivered.',
    async (t) => {
      const { client, queue } = await taken(t, 5, 4);
      for (const deliveryTag of [3, 1]) client.send(1, 'basic.nack', { deliveryTag, requeue: true });
      await t.expectReady(client, queue, ['1*', '3*', '5']);
    },
  ),
  settle(
    'requeue-delivered',
    'what is returned is delivered again, marked',
    'A message that is requeued is delivered again with a new delivery tag, marked as redelivered.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue });
      await t.publish(client, queue, 2);
      await t.expectDeliveries(client, ['1', '2']);
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
      await t.expectDeliveries(client, ['1*']);
      client.send(1, 'basic.ack', { deliveryTag: 3 });
      await t.expectNothingFrom(client, queue);
    },
  ),
  settle(
    'dropped',
    'what is rejected without requeue is gone',
    'basic.reject and basic.nack without requeue discard messages; without a dead-letter exchange they are gone.',
    async (t) => {
      const { client, queue } = await taken(t, 3);
      client.send(1, 'basic.reject', { deliveryTag: 2, requeue: false });
      client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: false });
      await t.expectReady(client, queue, []);
    },
  ),
  settle(
    'channel-end',
    'only what was delivered is marked when a channel ends',
    'When a channel ends, what it had not acknowledged is ready again in its place, and only that is marked as redelivered.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 2 });
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 3);
      await t.expectDeliveries(client, ['1', '2'], 2);
      await client.call(2, 'channel.close');
      await t.expectReady(client, queue, ['1*', '2*', '3']);
    },
  ),
  recover(
    'recover',
    'recover returns what is unacknowledged, and is answered',
    'basic.recover requeues every unacknowledged message of the channel, marked as redelivered, and is answered.',
    async (t) => {
      const { client, queue } = await taken(t, 2);
      await client.call(1, 'basic.recover', { requeue: true });
      await t.expectReady(client, queue, ['1*', '2*']);
    },
  ),
  recover(
    'recover-async',
    'recover-async does the same without an answer',
    'The deprecated basic.recover-async requeues as basic.recover does, but is not answered.',
    async (t) => {
      const { client, queue } = await taken(t, 2);
      client.send(1, 'basic.recover-async', { requeue: true });
      await expectSilence(client);
      await t.expectReady(client, queue, ['1*', '2*']);
    },
  ),
  ...['basic.recover', 'basic.recover-async'].map((method) =>
    recover(
      `no-requeue-${method.replace('basic.', '')}`,
      `${method} cannot but requeue`,
      'RabbitMQ does not implement requeue=false: the connection error 540.',
      async (t) => {
        const client = await t.openChannel();
        client.send(1, method, { requeue: false });
        await expectConnectionClose(client, method, 540, 'NOT_IMPLEMENTED - requeue=false');
      },
      ['rabbitmq'],
    ),
  ),
];
