/** Transactions: what is held back until the commit, and what a rollback leaves. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectChannelClose, expectEqual, expectFields, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const tx = section({
  area: 'tx',
  source: 'https://www.rabbitmq.com/docs/semantics#tx',
  tags: ['core'],
});

/** A client with a queue on channel 1 and a transaction on channel 2. */
async function begin(t: CaseContext): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  await client.openChannel(2);
  await client.call(2, 'tx.select');
  return { client, queue };
}

export const cases: readonly Case[] = [
  ...['tx.commit', 'tx.rollback'].map((method) =>
    tx(
      `needs-select-${method.replace('tx.', '')}`,
      `${method} needs tx.select`,
      'Committing or rolling back on a channel that is not transactional is the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        client.send(1, method);
        const text = 'PRECONDITION_FAILED - channel is not transactional';
        await expectChannelClose(client, method, 406, text);
      },
    ),
  ),
  tx(
    'publish-commit',
    'publishes are held back until the commit',
    'Messages published in a transaction go to their queues at the commit, in the order they were published.',
    async (t) => {
      const { client, queue } = await begin(t);
      await client.call(2, 'tx.select');
      for (const body of ['1', '2']) client.publish(2, { routingKey: queue, body });
      await client.sync(2);
      await t.expectCounts(client, queue, { messageCount: 0 });
      await client.call(2, 'tx.commit');
      await t.expectReady(client, queue, ['1', '2']);
    },
  ),
  tx(
    'publish-rollback',
    'a rollback drops publishes and begins anew',
    'A rollback drops what was published in the transaction, and the next one begins at once.',
    async (t) => {
      const { client, queue } = await begin(t);
      client.publish(2, { routingKey: queue, body: 'dropped' });
      await client.call(2, 'tx.rollback');
      client.publish(2, { routingKey: queue, body: 'kept' });
      await client.call(2, 'tx.commit');
      await client.call(2, 'tx.commit');
      await t.expectReady(client, queue, ['kept']);
    },
  ),
  tx(
    'return-at-commit',
    'what goes nowhere is returned before commit-ok',
    'A mandatory message that goes nowhere is returned when the transaction is committed, before commit-ok.',
    async (t) => {
      const { client } = await begin(t);
      client.publish(2, { routingKey: t.name('nowhere'), mandatory: true, body: 'back' });
      await expectSilence(client, 2);
      client.send(2, 'tx.commit');
      expectEqual('returned', String((await client.message(2, 'basic.return')).body), 'back');
      await client.method(2, 'tx.commit-ok');
    },
  ),
  tx(
    'publish-error',
    'an error of a publish is found at once',
    'What is wrong with a publish in a transaction is found at once, and not at the commit: the channel error 404.',
    async (t) => {
      const { client } = await begin(t);
      client.publish(2, { exchange: 'nowhere' });
      await expectChannelClose(client, 'basic.publish', 404, t.noExchange('nowhere'), 2);
    },
  ),
  tx(
    'settle-commit',
    'settlements are held back until the commit',
    'Acknowledging, requeueing and rejecting in a transaction take effect at its commit.',
    async (t) => {
      const { client, queue } = await begin(t);
      await t.publish(client, queue, 3);
      for (let i = 0; i < 3; i++) await client.get(2, queue, false);
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      client.send(2, 'basic.nack', { deliveryTag: 2, requeue: true });
      client.send(2, 'basic.reject', { deliveryTag: 3, requeue: false });
      await client.sync(2);
      await t.expectCounts(client, queue, { messageCount: 0 });
      await client.call(2, 'tx.commit');
      await t.expectReady(client, queue, ['2*']);
    },
  ),
  tx(
    'settle-unknown',
    'a delivery tag is looked at when it is settled',
    'Delivery tags are checked when they are settled, not at the commit: one that is not out is the channel error 406.',
    async (t) => {
      const { client, queue } = await begin(t);
      await t.publish(client, queue, 1);
      await client.get(2, queue, false);
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      const text = 'PRECONDITION_FAILED - unknown delivery tag 1';
      await expectChannelClose(client, 'basic.ack', 406, text, 2);
      // The end of the channel is a rollback.
      await t.expectReady(client, queue, ['1*']);
    },
  ),
  tx(
    'settle-rollback',
    'a rollback makes what was acknowledged outstanding again',
    'A rollback makes what was settled in the transaction unacknowledged again: not redelivered, and to be settled anew.',
    async (t) => {
      const { client, queue } = await begin(t);
      await t.publish(client, queue, 2);
      for (let i = 0; i < 2; i++) await client.get(2, queue, false);
      client.send(2, 'basic.ack', { deliveryTag: 2, multiple: true });
      await client.call(2, 'tx.rollback');
      await t.expectCounts(client, queue, { messageCount: 0 });
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      await client.call(2, 'tx.commit');
      await client.call(2, 'channel.close');
      await t.expectReady(client, queue, ['2*']);
    },
  ),
  tx(
    'prefetch',
    'what is acknowledged but not committed counts for the prefetch',
    'What is acknowledged in a transaction counts as unacknowledged for the prefetch until the commit.',
    async (t) => {
      const { client, queue } = await begin(t);
      await t.publish(client, queue, 2);
      await client.call(2, 'basic.qos', { prefetchCount: 1 });
      await client.call(2, 'basic.consume', { queue });
      await client.delivery(2);
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      await t.expectNothingFrom(client, queue, 2);
      await client.call(2, 'tx.commit');
      await t.expectDeliveries(client, ['2'], 2);
    },
  ),
  tx(
    'partial',
    'a commit of which a queue rejects a part is not complete',
    'When a full queue with reject-publish rejects a part of a commit it is the channel error 406; the rest is done.',
    async (t) => {
      const { client, queue } = await begin(t);
      const full = await t.declareQueue(client, [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish'],
      ]);
      for (const routingKey of [full, full, queue]) client.publish(2, { routingKey });
      client.send(2, 'tx.commit');
      const text = 'PRECONDITION_FAILED - partial tx completion';
      await expectChannelClose(client, 'tx.commit', 406, text, 2);
      await t.expectCounts(client, queue, { messageCount: 1 });
    },
    ['rabbitmq'],
  ),
  tx(
    'queue-gone',
    'a commit survives the end of a queue',
    'A message whose queue is deleted before the commit goes nowhere, and the commit succeeds.',
    async (t) => {
      const { client, queue } = await begin(t);
      client.publish(2, { routingKey: queue });
      await client.sync(2);
      await client.call(1, 'queue.delete', { queue });
      await client.call(2, 'tx.commit');
    },
  ),
  tx(
    'connection-error',
    'a transaction ends with its connection',
    'A transaction that was not committed when its connection ends is rolled back: nothing in it is done.',
    async (t) => {
      const { client } = await begin(t);
      const watcher = await t.openChannel();
      const queue = t.name('shared');
      await watcher.call(1, 'queue.declare', { queue });
      client.publish(2, { routingKey: queue });
      client.publish(2, { routingKey: queue, immediate: true });
      expectFields('close', await client.method(0, 'connection.close'), { replyCode: 540 });
      await t.expectCounts(watcher, queue, { messageCount: 0 });
    },
  ),
];
