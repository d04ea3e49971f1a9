/** Binding, purging and deleting queues, and the queues that are exclusive or delete themselves. */
import { type Case, section } from '../../case.js';
import { expectEqual, expectRefusal, expectSilence } from '../../expect.js';
import type { Fields } from '../../wire/raw-methods.js';

const bind = section({ area: 'queue', source: 'AMQP 0-9-1, queue.bind and queue.unbind', tags: ['core'] });
const purge = section({ area: 'queue', source: 'AMQP 0-9-1, queue.purge', tags: ['core'] });
const remove = section({ area: 'queue', source: 'AMQP 0-9-1, queue.delete', tags: ['core'] });
const exclusive = section({
  area: 'queue',
  source: 'https://www.rabbitmq.com/docs/queues#exclusive-queues',
  tags: ['core'],
});

const LOCKED: readonly (readonly [method: string, fields: Fields])[] = [
  ['queue.declare', { passive: true }],
  ['queue.declare', {}],
  ['queue.declare', { exclusive: true }],
  ['queue.bind', { exchange: 'amq.direct' }],
  ['queue.purge', {}],
  ['queue.delete', {}],
  ['basic.get', {}],
  ['basic.consume', {}],
];

function lockedText(queueInVhost: string): string {
  return (
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked ${queueInVhost}. It could be originally declared on ` +
    'another connection or the exclusive property value does not match that of the original declaration.'
  );
}

export const cases: readonly Case[] = [
  bind(
    'bind-once',
    'the same binding again is the same',
    'Bindings with the same key and arguments, in whatever order those are written, are one binding.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'direct');
      const binding = { queue, exchange, routingKey: 'k' };
      const a = ['a', 'I', 1] as const;
      const b = ['b', 'S', 'x'] as const;
      await client.call(1, 'queue.bind', { ...binding, arguments: [a, b] });
      await client.call(1, 'queue.bind', { ...binding, arguments: [b, a] });
      client.publish(1, { exchange, routingKey: 'k', body: '1' });
      await t.expectReady(client, queue, ['1']);
      await client.call(1, 'queue.unbind', { ...binding, arguments: [b, a] });
      client.publish(1, { exchange, routingKey: 'k', body: '2' });
      await t.expectReady(client, queue, []);
    },
  ),
  bind(
    'bind-named-keeps-empty-key',
    'a queue that is named is bound with the empty key it was given',
    'The name of the queue replaces the key only where the queue is left out too.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'queue.bind', { queue, exchange: 'amq.direct' });
      client.publish(1, { exchange: 'amq.direct', routingKey: queue });
      await t.expectReady(client, queue, []);
    },
  ),
  ...['queue.bind', 'queue.unbind'].map((method) =>
    bind(
      `${method.replace('queue.', '')}-default`,
      `${method} refuses the default exchange`,
      'Every queue is bound to the default exchange by its name; binding or unbinding it there is the channel error 403.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client);
        const text = 'ACCESS_REFUSED - operation not permitted on the default exchange';
        await expectRefusal(client, method, { queue, exchange: '', routingKey: 'x' }, 403, text);
      },
      ['rabbitmq'],
    ),
  ),
  bind(
    'bind-missing',
    'a binding needs an exchange and a queue, the exchange first',
    'Binding needs both ends: an exchange, looked for first, or a queue that is not there is the channel error 404.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const refused = (fields: Fields, text: string): Promise<void> =>
        expectRefusal(client, 'queue.bind', fields, 404, text);
      await refused({ queue, exchange: 'nowhere' }, t.noExchange('nowhere'));
      await refused({ queue: 'none', exchange: 'nowhere' }, t.noExchange('nowhere'));
      await refused({ queue: 'none', exchange: 'amq.direct' }, t.noQueue('none'));
    },
  ),
  bind(
    'bind-no-wait',
    'no-wait says nothing',
    'With no-wait bind-ok does not come, and the binding is made all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: queue, noWait: true });
      client.publish(1, { exchange: 'amq.direct', routingKey: queue, body: 'bound' });
      await expectSilence(client);
      await t.expectReady(client, queue, ['bound']);
    },
  ),
  bind(
    'unbind-missing',
    'unbinding succeeds without a binding, a queue or an exchange',
    'RabbitMQ answers unbind-ok when there is nothing to unbind.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'never' });
      await client.call(1, 'queue.unbind', { queue: 'none', exchange: 'amq.direct' });
      await client.call(1, 'queue.unbind', { queue, exchange: 'nowhere' });
    },
    ['rabbitmq'],
  ),
  purge(
    'purge',
    'a purge drops what is ready and leaves what is unacknowledged',
    'A purge drops and counts the messages that are ready, and leaves those that are unacknowledged.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 3);
      await client.get(1, queue, false);
      expectEqual('purge-ok', await client.call(1, 'queue.purge', { queue }), { messageCount: 2 });
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
      await t.expectReady(client, queue, ['1*']);
    },
  ),
  purge(
    'purge-no-wait',
    'no-wait says nothing',
    'With no-wait purge-ok does not come, and the queue is empty all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 3);
      client.send(1, 'queue.purge', { queue, noWait: true });
      await expectSilence(client);
      await t.expectReady(client, queue, []);
    },
  ),
  purge(
    'purge-missing',
    'what is not there cannot be purged',
    'Purging a queue that does not exist is the channel error 404.',
    async (t) => {
      const client = await t.openChannel();
      await expectRefusal(client, 'queue.purge', { queue: 'none' }, 404, t.noQueue('none'));
    },
  ),
  remove(
    'delete-missing',
    'what is not there can be deleted',
    'Deleting a queue that does not exist succeeds: RabbitMQ answers with delete-ok and no messages.',
    async (t) => {
      const client = await t.openChannel();
      const answer = await client.call(1, 'queue.delete', { queue: t.name('q') });
      expectEqual('delete-ok', answer, { messageCount: 0 });
    },
    ['rabbitmq'],
  ),
  remove(
    'delete-counts',
    'delete-ok counts what was ready',
    'What is unacknowledged may be settled afterwards, to no effect.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue });
      await t.publish(client, queue, 3);
      await client.get(1, queue, false);
      expectEqual('delete-ok', await client.call(1, 'queue.delete', { queue }), { messageCount: 2 });
      client.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
      await expectSilence(client);
    },
  ),
  remove(
    'delete-if-empty',
    'if-empty spares a queue with messages, if-unused one with consumers',
    'if-empty refuses to delete a queue with messages that are ready, and if-unused one with consumers: 406.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue });
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 1 });
      await client.call(2, 'basic.consume', { queue });
      await t.publish(client, queue, 2);
      await client.delivery(2);
      const refused = (fields: Fields, why: string): Promise<void> =>
        expectRefusal(
          client,
          'queue.delete',
          { queue, ...fields },
          406,
          `PRECONDITION_FAILED - ${t.inVhost('queue', queue)} ${why}`,
        );
      await refused({ ifEmpty: true, ifUnused: true }, 'not empty');
      await refused({ ifUnused: true }, 'in use');
      await client.call(1, 'queue.delete', { queue });
    },
  ),
  remove(
    'delete-no-wait',
    'no-wait says nothing',
    'With no-wait delete-ok does not come, and the queue is gone all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'queue.delete', { queue, noWait: true });
      await expectSilence(client);
      await expectRefusal(client, 'queue.purge', { queue }, 404, t.noQueue(queue));
    },
  ),
  ...LOCKED.map(([method, fields], i) =>
    exclusive(
      `exclusive-locked-${i + 1}-${method.replace('.', '-')}`,
      `${method} ${JSON.stringify(fields)} by another connection is refused`,
      'An exclusive queue is for its connection alone: the channel error 405.',
      async (t) => {
        const owner = await t.openChannel();
        const queue = await t.declareQueue(owner);
        const client = await t.openChannel();
        const text = lockedText(t.inVhost('queue', queue));
        await expectRefusal(client, method, { queue, ...fields }, 405, text);
      },
    ),
  ),
  exclusive(
    'exclusive-mismatch',
    'exclusive and shared queues cannot be declared as the other',
    'Declaring an exclusive queue as shared, or the other way round, is the channel error 405, and not 406.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await expectRefusal(client, 'queue.declare', { queue }, 405, lockedText(t.inVhost('queue', queue)));
      const shared = t.name('shared');
      await client.call(1, 'queue.declare', { queue: shared });
      const text = lockedText(t.inVhost('queue', shared));
      await expectRefusal(client, 'queue.declare', { queue: shared, exclusive: true }, 405, text);
    },
    ['rabbitmq'],
  ),
  exclusive(
    'exclusive-takes-publishes',
    'an exclusive queue takes what others publish',
    'An exclusive queue is used by its connection alone, but messages of anybody are routed to it.',
    async (t) => {
      const owner = await t.openChannel();
      const queue = await t.declareQueue(owner);
      const client = await t.openChannel();
      client.publish(1, { routingKey: queue, body: 'hello' });
      await client.sync();
      await t.expectReady(owner, queue, ['hello']);
    },
  ),
  remove(
    'auto-delete',
    'an auto-delete queue goes with its last consumer, and not before it had one',
    'An auto-delete queue is deleted when its last consumer ends, and not as long as it never had one.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue, autoDelete: true });
      await t.publish(client, queue, 1);
      await t.expectReady(client, queue, ['1']);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'b' });
      await client.call(1, 'basic.cancel', { consumerTag: 'a' });
      await t.expectCounts(client, queue, { consumerCount: 1 });
      await client.call(1, 'basic.cancel', { consumerTag: 'b' });
      await expectRefusal(client, 'queue.purge', { queue }, 404, t.noQueue(queue));
    },
  ),
];
