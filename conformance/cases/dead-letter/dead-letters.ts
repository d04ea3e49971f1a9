/** Dead letters: why a message dies, where it goes, and what is written on it. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual, expectFields } from '../../expect.js';
import type { RawClient, Received } from '../../wire/raw-client.js';
import type { Properties, Table } from '../../wire/raw-codec.js';

const dead = section({
  area: 'dead-letter',
  source: 'https://www.rabbitmq.com/docs/dlx',
  tags: ['rabbitmq'],
});

/** Arguments of a queue whose dead letters go to another queue. */
function to(queue: string): Table {
  return [
    ['x-dead-letter-exchange', 'S', ''],
    ['x-dead-letter-routing-key', 'S', queue],
  ];
}

/** The values of a table by their names; arrays and inner tables stay as they are written. */
function valuesOf(table: Table = []): Map<string, unknown> {
  return new Map(table.map(([key, , value]) => [key, value]));
}

/** The entries of x-death, the newest first: `queue reason count exchange key,key`. */
function historyOf({ headers }: Properties): string[] {
  const deaths = (valuesOf(headers).get('x-death') ?? []) as [string, Table][];
  return deaths.map(([, entry]) => {
    const values = valuesOf(entry);
    const keys = (values.get('routing-keys') as [string, string][]).map(([, key]) => key);
    const names = ['queue', 'reason', 'count', 'exchange'].map((name) => String(values.get(name)));
    return [...names, keys.join(',')].join(' ');
  });
}

interface Grave {
  readonly client: RawClient;
  /** Its dead letters are delivered on channel 2. */
  readonly work: string;
  readonly grave: string;
}

/** A queue with those arguments, and a consumer on channel 2 of what dies in it. */
async function withGrave(t: CaseContext, args: Table = []): Promise<Grave> {
  const client = await t.openChannel();
  const grave = await t.declareQueue(client);
  const work = await t.declareQueue(client, [...to(grave), ...args]);
  await client.openChannel(2);
  await client.call(2, 'basic.consume', { queue: grave, noAck: true });
  return { client, work, grave };
}

async function rejectOne(client: RawClient, queue: string): Promise<Received> {
  const received = await client.get(1, queue, false);
  client.send(1, 'basic.reject', { deliveryTag: received.method.deliveryTag!, requeue: false });
  return received;
}

export const cases: readonly Case[] = [
  dead(
    'rejected',
    'a message rejected without requeue dies',
    'A rejected message goes to the dead-letter exchange as it was; x-death says where, why and how often it died.',
    async (t) => {
      const { client, work } = await withGrave(t);
      client.publish(1, { routingKey: work, body: 'm', properties: { messageId: 'id', deliveryMode: 2 } });
      await client.sync();
      await rejectOne(client, work);
      const { method, properties, body } = await client.delivery(2);
      expectEqual('message', [String(body), properties.messageId, properties.deliveryMode], ['m', 'id', 2]);
      expectFields('deliver', method, { exchange: '', redelivered: false });
      expectEqual('x-death', historyOf(properties), [`${work} rejected 1  ${work}`]);
      const values = valuesOf(properties.headers);
      const first = ['queue', 'reason', 'exchange'].map((name) => values.get(`x-first-death-${name}`));
      expectEqual('x-first-death', first, [work, 'rejected', '']);
    },
  ),
  dead(
    'nacked-together',
    'messages nacked together die in their order',
    'Messages rejected by one basic.nack become dead letters one by one, in the order of their delivery tags.',
    async (t) => {
      const { client, work } = await withGrave(t);
      await t.publish(client, work, 3);
      for (let i = 0; i < 3; i++) await client.get(1, work, false);
      client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: false });
      await t.expectDeliveries(client, ['1', '2', '3'], 2);
    },
  ),
  dead(
    'expired-queue',
    'a message dies when the time to live of its queue is over',
    'A message that was longer in a queue than its x-message-ttl permits dies with the reason expired.',
    async (t) => {
      const { client, work } = await withGrave(t, [['x-message-ttl', 'I', 1]]);
      client.publish(1, { routingKey: work, body: 'm' });
      const { properties } = await client.delivery(2);
      expectEqual('x-death', historyOf(properties), [`${work} expired 1  ${work}`]);
    },
  ),
  dead(
    'expired-message',
    'a message dies when its expiration is over, which is taken from it',
    'A message that dies of its expiration loses it; its entry in x-death has it as original-expiration.',
    async (t) => {
      const { client, work } = await withGrave(t);
      client.publish(1, { routingKey: work, properties: { expiration: '1' } });
      const { properties } = await client.delivery(2);
      expectEqual('expiration', properties.expiration, undefined);
      const [[, entry]] = valuesOf(properties.headers).get('x-death') as [[string, Table]];
      expectEqual('original-expiration', valuesOf(entry).get('original-expiration'), '1');
    },
  ),
  dead(
    'maxlen',
    'the oldest message dies when a queue is full',
    'When a queue has more messages than x-max-length permits the oldest dies, with the reason maxlen.',
    async (t) => {
      const { client, work } = await withGrave(t, [['x-max-length', 'I', 2]]);
      for (const body of ['1', '2', '3']) client.publish(1, { routingKey: work, body });
      const { properties, body } = await client.delivery(2);
      expectEqual('body', String(body), '1');
      expectEqual('x-death', historyOf(properties), [`${work} maxlen 1  ${work}`]);
      await t.expectReady(client, work, ['2', '3']);
    },
  ),
  dead(
    'maxlen-reject',
    'the newest message dies when a full queue rejects',
    'x-overflow reject-publish-dlx nacks the publish and dead-letters the message.',
    async (t) => {
      const { client, work } = await withGrave(t, [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish-dlx'],
      ]);
      await client.call(1, 'confirm.select');
      client.publish(1, { routingKey: work, body: '1' });
      await client.method(1, 'basic.ack');
      client.publish(1, { routingKey: work, body: '2' });
      await client.method(1, 'basic.nack');
      const { properties, body } = await client.delivery(2);
      expectEqual('body', String(body), '2');
      expectEqual('x-death', historyOf(properties), [`${work} maxlen 1  ${work}`]);
      await t.expectReady(client, work, ['1']);
    },
  ),
  dead(
    'delivery-limit',
    'a message of a quorum queue dies when it came back too often',
    'x-delivery-limit counts returns; the reason is delivery_limit.',
    async (t) => {
      const client = await t.openChannel();
      const grave = await t.declareQueue(client);
      const work = t.name('quorum');
      await client.call(1, 'queue.declare', {
        queue: work,
        durable: true,
        arguments: [['x-queue-type', 'S', 'quorum'], ['x-delivery-limit', 'I', 1], ...to(grave)],
      });
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue: grave, noAck: true });
      await client.call(1, 'basic.consume', { queue: work });
      client.publish(1, { routingKey: work, body: 'm' });
      for (let i = 1; i <= 2; i++) {
        const { method } = await client.delivery(1);
        client.send(1, 'basic.nack', { deliveryTag: method.deliveryTag!, requeue: true });
      }
      const { properties } = await client.delivery(2);
      expectEqual('x-death', historyOf(properties), [`${work} delivery_limit 1  ${work}`]);
    },
  ),
  dead(
    'own-key',
    'without a key of the queue a dead letter keeps its own',
    'The exchange is the dead-letter exchange, x-death has the one it was published to.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'topic');
      const graves = await t.declareExchange(client, 'topic');
      const work = await t.declareQueue(client, [['x-dead-letter-exchange', 'S', graves]]);
      const grave = await t.declareQueue(client);
      await client.call(1, 'queue.bind', { queue: work, exchange, routingKey: '#' });
      await client.call(1, 'queue.bind', { queue: grave, exchange: graves, routingKey: 'a.*' });
      await client.call(1, 'basic.consume', { queue: grave, noAck: true });
      client.publish(1, { exchange, routingKey: 'a.b', body: 'm' });
      await client.sync();
      await rejectOne(client, work);
      const { method, properties } = await client.delivery();
      expectFields('deliver', method, { exchange: graves, routingKey: 'a.b' });
      expectEqual('x-death', historyOf(properties), [`${work} rejected 1 ${exchange} a.b`]);
    },
  ),
  dead(
    'again',
    'what happens again is counted',
    'For a queue and a reason there is one entry in x-death, whose count says how often the message died there so.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: to(queue) });
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue });
      client.publish(1, { routingKey: queue, body: 'm' });
      for (let round = 0; round <= 5; round++) {
        const { method, properties } = await client.delivery(2);
        const expected = round === 0 ? [] : [`${queue} rejected ${round}  ${queue}`];
        expectEqual(`x-death in round ${round}`, historyOf(properties), expected);
        client.send(2, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: false });
      }
    },
  ),
  dead(
    'newest-first',
    'x-death lists the deaths newest first',
    'x-death has the latest death first, and x-first-death-queue names the queue of the first.',
    async (t) => {
      const client = await t.openChannel();
      const end = await t.declareQueue(client);
      const second = await t.declareQueue(client, to(end));
      const first = await t.declareQueue(client, [...to(second), ['x-max-length', 'I', 0]]);
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue: second });
      await client.call(1, 'basic.consume', { queue: end, noAck: true });
      client.publish(1, { routingKey: first, body: 'm' });
      const { method } = await client.delivery(2);
      client.send(2, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: false });
      const { properties } = await client.delivery(1);
      expectEqual('x-death', historyOf(properties), [
        `${second} rejected 1  ${second}`,
        `${first} maxlen 1  ${first}`,
      ]);
      expectEqual('first', valuesOf(properties.headers).get('x-first-death-queue'), first);
    },
  ),
  dead(
    'missing-exchange',
    'without its exchange a dead letter is lost',
    'A dead letter whose exchange does not exist is dropped; once the exchange is there later ones get to it.',
    async (t) => {
      const client = await t.openChannel();
      const graves = t.name('graves');
      const work = await t.declareQueue(client, [['x-dead-letter-exchange', 'S', graves]]);
      const grave = await t.declareQueue(client);
      await t.publish(client, work, 2);
      await rejectOne(client, work);
      // The queue has dealt with it before the exchange is there.
      await client.sync();
      await t.counts(client, work);
      await client.call(1, 'exchange.declare', { exchange: graves, type: 'fanout' });
      await client.call(1, 'queue.bind', { queue: grave, exchange: graves });
      await client.call(1, 'basic.consume', { queue: grave, noAck: true });
      await rejectOne(client, work);
      expectEqual('body', String((await client.delivery()).body), '2');
    },
  ),
  dead(
    'not-purged',
    'what is purged or deleted with its queue makes no dead letters',
    'Purging and deleting a queue discards its messages: none of them becomes a dead letter.',
    async (t) => {
      const { client, work, grave } = await withGrave(t);
      await t.publish(client, work, 2);
      await client.call(1, 'queue.purge', { queue: work });
      await t.publish(client, work, 2);
      // One that dies shows that those before it did not.
      await rejectOne(client, work);
      await client.call(1, 'queue.delete', { queue: work });
      await t.expectDeliveries(client, ['1'], 2);
      await t.expectNothingFrom(client, grave, 2);
    },
  ),
];
