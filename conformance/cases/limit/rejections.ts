/** Full queues that reject what is published to them, with and without dead letters. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual, expectFields, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const reject = section({
  area: 'limit',
  source: 'https://www.rabbitmq.com/docs/maxlength#overflow-behaviour',
  tags: ['rabbitmq'],
});

const REJECT: Table = [['x-overflow', 'S', 'reject-publish']];
const ONE: Table = [['x-max-length', 'I', 1], ...REJECT];
const FOUR_BYTES: Table = [['x-max-length-bytes', 'I', 4], ...REJECT];

/** A queue with those arguments, and a channel 1 that confirms. */
async function confirming(t: CaseContext, args: Table): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client, args);
  await client.call(1, 'confirm.select');
  return { client, queue };
}

/** Publishes one after the other; true for each that is acknowledged. */
async function areTaken(client: RawClient, queue: string, bodies: readonly string[]): Promise<boolean[]> {
  const taken: boolean[] = [];
  for (const body of bodies) {
    client.publish(1, { routingKey: queue, body });
    taken.push((await client.anyMethod(1, 'a confirm')).name === 'basic.ack');
  }
  return taken;
}

export const cases: readonly Case[] = [
  reject(
    'reject-nack',
    'a full queue that rejects nacks what is published, and keeps what it has',
    'x-overflow reject-publish makes the confirm of a message that does not fit negative.',
    async (t) => {
      const { client, queue } = await confirming(t, ONE);
      client.publish(1, { routingKey: queue, body: '1' });
      await client.method(1, 'basic.ack');
      client.publish(1, { routingKey: queue, body: '2' });
      const nack = await client.method(1, 'basic.nack');
      expectFields('nack', nack, { deliveryTag: 2 });
      await t.expectReady(client, queue, ['1']);
    },
  ),
  reject(
    'reject-until-room',
    'a queue that rejects takes messages again when there is room',
    'Whatever makes the room: what was taken need not be acknowledged.',
    async (t) => {
      const { client, queue } = await confirming(t, ONE);
      expectEqual('taken', await areTaken(client, queue, ['1', '2']), [true, false]);
      await client.openChannel(2);
      await client.get(2, queue, false);
      expectEqual('taken', await areTaken(client, queue, ['3', '4']), [true, false]);
      await client.call(2, 'queue.purge', { queue });
      expectEqual('taken', await areTaken(client, queue, ['5', '6']), [true, false]);
    },
  ),
  reject(
    'reject-bytes',
    'a message is rejected when its bytes would be too many',
    'One that still fits is taken, though a larger one before it was not.',
    async (t) => {
      const { client, queue } = await confirming(t, FOUR_BYTES);
      const bodies = ['aa', 'bbb', 'cc', '', 'd'];
      const expected = [true, false, true, true, false];
      expectEqual('taken', await areTaken(client, queue, bodies), expected);
      await t.expectReady(client, queue, ['aa', 'cc', '']);
    },
  ),
  reject(
    'reject-bytes-large',
    'a message above the limit of bytes is rejected by an empty queue',
    'It would be too long on its own.',
    async (t) => {
      const { client, queue } = await confirming(t, FOUR_BYTES);
      expectEqual('taken', await areTaken(client, queue, ['aaaaa', 'bbbb']), [false, true]);
      await t.expectReady(client, queue, ['bbbb']);
    },
  ),
  reject(
    'reject-in-silence',
    'without confirms what is rejected is dropped in silence',
    'It was routed, so mandatory does not return it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, ONE);
      for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body, mandatory: true });
      await expectSilence(client);
      await t.expectReady(client, queue, ['1']);
    },
  ),
  reject(
    'reject-before-delivery',
    'a queue with the limit 0 rejects even what a consumer waits for',
    'The limit is looked at before consumers are.',
    async (t) => {
      const { client, queue } = await confirming(t, [['x-max-length', 'I', 0], ...REJECT]);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      expectEqual('taken', await areTaken(client, queue, ['1']), [false]);
      await expectSilence(client, 2);
    },
  ),
  reject(
    'reject-of-several',
    'a message that one of several queues rejects is nacked, and in the others',
    'A negative confirm does not say that nobody has the message.',
    async (t) => {
      const { client, queue } = await confirming(t, ONE);
      const free = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout');
      for (const bound of [queue, free]) await client.call(1, 'queue.bind', { queue: bound, exchange });
      client.publish(1, { exchange, body: '1' });
      await client.method(1, 'basic.ack');
      client.publish(1, { exchange, body: '2' });
      expectFields('nack', await client.method(1, 'basic.nack'), { deliveryTag: 2 });
      await t.expectReady(client, queue, ['1']);
      await t.expectReady(client, free, ['1', '2']);
    },
  ),
  reject(
    'reject-not-returned',
    'what is returned to a full queue that rejects is not dropped',
    'Only what is published is rejected.',
    async (t) => {
      const { client, queue } = await confirming(t, ONE);
      expectEqual('taken', await areTaken(client, queue, ['1']), [true]);
      await client.get(1, queue, false);
      expectEqual('taken', await areTaken(client, queue, ['2']), [true]);
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
      await client.sync();
      await t.expectCounts(client, queue, { messageCount: 2 });
      expectEqual('taken', await areTaken(client, queue, ['3']), [false]);
      await t.expectReady(client, queue, ['1*', '2']);
    },
  ),
  reject(
    'reject-dead-letter-none',
    'reject-publish makes no dead letters',
    'The queue never had the message; reject-publish-dlx is for those who want it.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, [
        ...ONE,
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', graves],
      ]);
      await client.call(1, 'confirm.select');
      expectEqual('taken', await areTaken(client, queue, ['1', '2']), [true, false]);
      await t.expectReady(client, graves, []);
    },
  ),
  reject(
    'reject-dlx-bytes',
    'reject-publish-dlx nacks what has too many bytes, and dead-letters it',
    'The dead letter is the new message; without a dead-letter exchange it is nacked all the same.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const args: Table = [
        ['x-max-length-bytes', 'I', 4],
        ['x-overflow', 'S', 'reject-publish-dlx'],
      ];
      const lost = await t.declareQueue(client, args);
      const kept = await t.declareQueue(client, [
        ...args,
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', graves],
      ]);
      await client.call(1, 'confirm.select');
      for (const queue of [lost, kept]) {
        const expected = [true, false, true];
        expectEqual('taken', await areTaken(client, queue, ['aa', 'bbb', 'cc']), expected);
        await t.expectReady(client, queue, ['aa', 'cc']);
      }
      await t.expectReady(client, graves, ['bbb']);
    },
  ),
];
