/** Publisher confirms. */
import { type Case, section } from '../../case.js';
import { expectChannelClose, expectEqual, expectFields } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const confirm = section({
  area: 'confirm',
  source: 'https://www.rabbitmq.com/docs/confirms#publisher-confirms',
  tags: ['rabbitmq'],
});

/** Reads confirms until everything up to `last` is confirmed, each once. */
async function confirmsUpTo(client: RawClient, last: number): Promise<{ acked: number[]; nacked: number[] }> {
  const open = new Set(Array.from({ length: last }, (_, i) => i + 1));
  const acked: number[] = [];
  const nacked: number[] = [];
  while (open.size > 0) {
    const { name, fields } = await client.anyMethod(1, 'a confirm');
    const { deliveryTag = 0, multiple = false } = fields;
    const covered = multiple ? [...open].filter((tag) => tag <= deliveryTag) : [deliveryTag];
    for (const tag of covered) {
      if (!open.delete(tag)) throw new Error(`${tag} was confirmed twice, or never published`);
      (name === 'basic.ack' ? acked : nacked).push(tag);
    }
  }
  const ascending = (a: number, b: number): number => a - b;
  return { acked: acked.sort(ascending), nacked: nacked.sort(ascending) };
}

export const cases: readonly Case[] = [
  confirm(
    'begin-with-one',
    'confirms count from one after confirm.select, which may come twice',
    'Confirms number the publishes of a channel from confirm.select on, the first is 1; a second select changes nothing.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.publish(1, { routingKey: queue });
      await client.call(1, 'confirm.select');
      client.publish(1, { routingKey: queue });
      expectEqual('first', await client.method(1, 'basic.ack'), { deliveryTag: 1, multiple: false });
      await client.call(1, 'confirm.select');
      client.publish(1, { routingKey: queue });
      expectEqual('second', await client.method(1, 'basic.ack'), { deliveryTag: 2, multiple: false });
    },
  ),
  confirm(
    'no-wait',
    'confirm.select with no-wait is not answered',
    'With no-wait select-ok does not come, and confirms come all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'confirm.select', { noWait: true });
      client.publish(1, { routingKey: queue });
      expectEqual('first frame', await client.method(1, 'basic.ack'), { deliveryTag: 1, multiple: false });
    },
  ),
  confirm(
    'every-publish-once',
    'every publish is confirmed once: routed, unroutable, to several queues, persistent',
    'The broker confirms each publish once when it has dealt with it, wherever it went, in one ack or several.',
    async (t) => {
      const client = await t.openChannel();
      const first = await t.declareQueue(client);
      const second = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout');
      for (const queue of [first, second]) await client.call(1, 'queue.bind', { queue, exchange });
      await client.call(1, 'confirm.select');
      const nowhere = t.name('nowhere');
      for (let i = 0; i < 100; i++) {
        client.publish(1, { routingKey: first, properties: { deliveryMode: 2 } });
        client.publish(1, { routingKey: nowhere });
        client.publish(1, { exchange, body: Buffer.alloc(1000) });
      }
      expectEqual('acked', (await confirmsUpTo(client, 300)).acked.length, 300);
      await t.expectCounts(client, first, { messageCount: 200 });
    },
  ),
  confirm(
    'after-return',
    'a confirm comes after the return of its message',
    'The return of a mandatory message that goes nowhere comes before its confirm, which is positive.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'confirm.select');
      client.publish(1, { routingKey: t.name('nowhere'), mandatory: true, body: '1' });
      expectEqual('returned', String((await client.message(1, 'basic.return')).body), '1');
      expectFields('confirm', await client.method(1, 'basic.ack'), { deliveryTag: 1 });
    },
  ),
  confirm(
    'nack-of-full-queue',
    'what a full queue rejects is nacked',
    'A queue with x-overflow reject-publish makes the confirm negative.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const full = await t.declareQueue(client, [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish'],
      ]);
      await client.call(1, 'confirm.select');
      for (let i = 0; i < 3; i++) client.publish(1, { routingKey: full });
      client.publish(1, { routingKey: queue });
      expectEqual('confirms', await confirmsUpTo(client, 4), { acked: [1, 4], nacked: [2, 3] });
    },
  ),
  confirm(
    'own-channel',
    'confirms go to the channel that published',
    'Confirms go to the channel that published, and each channel numbers its own.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(1, 'confirm.select');
      await client.call(2, 'confirm.select');
      client.publish(2, { routingKey: queue });
      expectFields('confirm', await client.method(2, 'basic.ack'), { deliveryTag: 1 });
      await t.expectNothingFrom(client, queue);
    },
  ),
  confirm(
    'end-with-channel',
    'a new channel does not confirm',
    'Confirms are a mode of a channel: another channel of the same number does not confirm until it asks for it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'confirm.select');
      await client.call(1, 'channel.close');
      await client.openChannel(1);
      client.publish(1, { routingKey: queue });
      await t.expectNothingFrom(client, queue);
    },
  ),
  confirm(
    'not-with-tx',
    'confirms and transactions exclude each other',
    'A channel confirms or is transactional; the one on top of the other is the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'confirm.select');
      client.send(1, 'tx.select');
      const toTx = 'PRECONDITION_FAILED - cannot switch from confirm to tx mode';
      await expectChannelClose(client, 'tx.select', 406, toTx);
      await client.call(1, 'tx.select');
      client.send(1, 'confirm.select');
      const toConfirm = 'PRECONDITION_FAILED - cannot switch from tx to confirm mode';
      await expectChannelClose(client, 'confirm.select', 406, toConfirm);
    },
  ),
  confirm(
    'amqplib',
    'amqplib’s waitForConfirms ends',
    'A client library that counts its publishes gets a confirm for each of them.',
    async (t) => {
      const channel = await (await t.amqplib()).createConfirmChannel();
      const { queue } = await channel.assertQueue(t.name('q'), { exclusive: true });
      for (let i = 0; i < 10; i++) channel.sendToQueue(queue, Buffer.from(String(i)));
      await channel.waitForConfirms();
      expectEqual('messages', (await channel.checkQueue(queue)).messageCount, 10);
    },
  ),
];
