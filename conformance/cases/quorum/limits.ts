/** Quorum queues: expiry, length limits and dead letters. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Case, section } from '../../case.js';
import { expectEqual } from '../../expect.js';
import {
  deadLettersTo,
  declareQuorum,
  expectEmpty,
  expectTaken,
  publishConfirmed,
  withQuorum,
} from '../../quorum-queue.js';
import type { Properties, Table } from '../../wire/raw-codec.js';

const expiry = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/ttl',
  tags: ['rabbitmq'],
});
const limit = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/maxlength',
  tags: ['rabbitmq'],
});
const dead = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/quorum-queues#dead-lettering',
  tags: ['rabbitmq'],
});

const AT_LEAST_ONCE: Table = [
  ['x-dead-letter-strategy', 'S', 'at-least-once'],
  ['x-overflow', 'S', 'reject-publish'],
];
/** After so many publishes a full queue must have begun to reject: it does a while after it is full. */
const PUBLISHES_MAX = 1000;

/** The reason of the first death. */
function reasonOf({ headers }: Properties): unknown {
  return headers?.find(([key]) => key === 'x-first-death-reason')?.[2];
}

/** Arguments, properties, and what they make expire. */
const EXPIRING: readonly (readonly [name: string, args: Table, properties: Properties])[] = [
  ['ttl', [['x-message-ttl', 'I', 1]], {}],
  ['ttl-zero', [['x-message-ttl', 'I', 0]], {}],
  ['expiration', [], { expiration: '1' }],
  ['smaller-queue', [['x-message-ttl', 'I', 1]], { expiration: '600000' }],
  ['smaller-own', [['x-message-ttl', 'I', 600_000]], { expiration: '1' }],
];

export const cases: readonly Case[] = [
  ...EXPIRING.map(([name, args, properties]) =>
    expiry(
      `expired-${name}`,
      `messages of a quorum queue expire (${name}), and die in their order`,
      'By the time to live of the queue or their own, whichever is shorter; the reason is expired.',
      async (t) => {
        const client = await t.openChannel();
        const graves = await t.declareQueue(client);
        const { client: publisher, queue } = await withQuorum(t, [...args, ...deadLettersTo(graves)]);
        await client.call(1, 'basic.consume', { queue: graves, noAck: true });
        const messages = ['1', '2'].map((body) => ({ body, properties }));
        expectEqual('taken', await publishConfirmed(publisher, queue, messages), [true, true]);
        for (const body of ['1', '2']) {
          const received = await client.delivery();
          const { expiration } = received.properties;
          const found = [String(received.body), reasonOf(received.properties), expiration];
          expectEqual('dead', found, [body, 'expired', undefined]);
        }
        await expectEmpty(publisher, queue);
      },
    ),
  ),
  expiry(
    'expires',
    'a quorum queue that nobody uses goes after x-expires milliseconds',
    'And a consumer keeps it.',
    async (t) => {
      const { client, queue } = await withQuorum(t, [['x-expires', 'I', 200]]);
      const kept = await declareQuorum(t, client, [['x-expires', 'I', 200]]);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue: kept });
      // Declaring it passively is no use of a quorum queue.
      await client.openChannel(3);
      const isThere = async (): Promise<boolean> => {
        client.send(3, 'queue.declare', { queue, passive: true });
        return (await client.anyMethod(3)).name === 'queue.declare-ok';
      };
      while (await isThere()) await pause(20);
      await publishConfirmed(client, kept, ['m']);
      await t.expectDeliveries(client, ['m'], 2);
    },
  ),
  limit(
    'drop-length',
    'a full quorum queue drops its oldest messages',
    'They die with the reason maxlen; publishes are confirmed all the same.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const args: Table = [['x-max-length', 'I', 2], ...deadLettersTo(graves)];
      const { client: publisher, queue } = await withQuorum(t, args);
      await client.call(1, 'basic.consume', { queue: graves, noAck: true });
      const taken = await publishConfirmed(publisher, queue, ['1', '2', '3', '4']);
      expectEqual('taken', taken, [true, true, true, true]);
      for (const body of ['1', '2']) {
        const received = await client.delivery();
        expectEqual('dead', [String(received.body), reasonOf(received.properties)], [body, 'maxlen']);
      }
      await expectTaken(publisher, queue, ['3', '4']);
    },
  ),
  limit(
    'drop-bytes',
    'a quorum queue with too many bytes drops its oldest messages',
    'x-max-length-bytes counts the bodies of what is ready.',
    async (t) => {
      const { client, queue } = await withQuorum(t, [['x-max-length-bytes', 'I', 4]]);
      await publishConfirmed(client, queue, ['aa', 'bb', 'cc', 'd']);
      await expectTaken(client, queue, ['cc', 'd']);
    },
  ),
  limit(
    'drop-dlx-too',
    'reject-publish-dlx is drop-head to a quorum queue',
    'It is taken, and nothing is rejected.',
    async (t) => {
      const { client, queue } = await withQuorum(t, [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish-dlx'],
      ]);
      expectEqual('taken', await publishConfirmed(client, queue, ['1', '2']), [true, true]);
      await expectTaken(client, queue, ['2']);
    },
  ),
  limit(
    'reject',
    'a full quorum queue that rejects nacks, a while after it is full, until there is room again',
    'The limit is not exact: publishers are told when it has been reached.',
    async (t) => {
      const { client, queue } = await withQuorum(t, [
        ['x-max-length', 'I', 2],
        ['x-overflow', 'S', 'reject-publish'],
      ]);
      expectEqual('first', await publishConfirmed(client, queue, ['1', '2']), [true, true]);
      const untilTaken = async (isTaken: boolean): Promise<void> => {
        for (let i = 0; i < PUBLISHES_MAX; i++) {
          const [found] = await publishConfirmed(client, queue, ['more']);
          if (found === isTaken) return;
        }
        throw new Error(`${PUBLISHES_MAX} publishes, and none was ${isTaken ? 'taken' : 'rejected'}`);
      };
      await untilTaken(false);
      expectEqual('first', String((await client.get(1, queue)).body), '1');
      await client.call(1, 'queue.purge', { queue });
      await untilTaken(true);
    },
  ),
  dead(
    'dead-rejected',
    'what is rejected by a consumer of a quorum queue dies',
    'As with a classic queue, with its properties.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const { client: worker, queue } = await withQuorum(t, deadLettersTo(graves));
      await client.call(1, 'basic.consume', { queue: graves, noAck: true });
      await publishConfirmed(worker, queue, [{ body: 'm', properties: { messageId: 'id' } }]);
      await worker.get(1, queue, false);
      worker.send(1, 'basic.nack', { deliveryTag: 1, requeue: false });
      const { properties, body } = await client.delivery();
      expectEqual(
        'dead',
        [String(body), properties.messageId, reasonOf(properties)],
        ['m', 'id', 'rejected'],
      );
      await expectEmpty(worker, queue);
    },
  ),
  dead(
    'dead-at-least-once',
    'with the strategy at-least-once dead letters arrive too',
    'It needs the overflow reject-publish; the message leaves its queue when the copy is safe.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const { client: worker, queue } = await withQuorum(t, [...AT_LEAST_ONCE, ...deadLettersTo(graves)]);
      await client.call(1, 'basic.consume', { queue: graves, noAck: true });
      await publishConfirmed(worker, queue, ['1', { body: '2', properties: { expiration: '1' } }]);
      await worker.get(1, queue, false);
      worker.send(1, 'basic.reject', { deliveryTag: 1, requeue: false });
      const deaths: string[] = [];
      for (let i = 0; i < 2; i++) {
        const { properties, body } = await client.delivery();
        deaths.push(`${body} ${reasonOf(properties)}`);
      }
      expectEqual('deaths', deaths.sort(), ['1 rejected', '2 expired']);
      await expectEmpty(worker, queue);
    },
  ),
  dead(
    'dead-to-quorum',
    'dead letters may go from one quorum queue to another',
    'There the count of deliveries begins anew.',
    async (t) => {
      const { client, queue: graves } = await withQuorum(t);
      const queue = await declareQuorum(t, client, [['x-delivery-limit', 'I', 1], ...deadLettersTo(graves)]);
      await publishConfirmed(client, queue, ['m']);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue: graves });
      for (let i = 0; i < 2; i++) {
        const { method } = await client.get(1, queue, false);
        client.send(1, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: true });
      }
      const { method, properties } = await client.delivery(2);
      expectEqual('redelivered', method.redelivered, false);
      expectEqual('reason', reasonOf(properties), 'delivery_limit');
    },
  ),
];
