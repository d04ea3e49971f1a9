/** The order of messages: along one path, and among several consumers. */
import { type Case, section } from '../../case.js';
import { expectEqual } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const order = section({
  area: 'ordering',
  source: 'AMQP 0-9-1, 4.7 content ordering guarantees',
  tags: ['core'],
});
function numbers(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
}

/** The bodies of the next deliveries, by the tags of their consumers. */
async function bodiesByConsumer(client: RawClient, count: number): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const { method, body } = await client.delivery();
    const { consumerTag = '' } = method;
    found.set(consumerTag, [...(found.get(consumerTag) ?? []), Number(body)]);
  }
  return found;
}

function expectAscending(what: string, found: readonly number[]): void {
  expectEqual(
    what,
    found,
    [...found].sort((a, b) => a - b),
  );
}

export const cases: readonly Case[] = [
  order(
    'one-channel',
    'messages of a channel come in the order they were published in',
    'Contents that take one path, from a channel through an exchange to a queue, keep their order.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, noAck: true });
      for (let i = 1; i <= 2000; i++) client.publish(1, { routingKey: queue, body: String(i) });
      await t.expectDeliveries(client, numbers(1, 2000));
    },
  ),
  order(
    'mixed-kinds',
    'short and long, persistent and transient messages keep their order',
    'Neither the size of a message nor its delivery mode lets it overtake another.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('durable');
      await client.call(1, 'queue.declare', { queue, durable: true });
      for (let i = 1; i <= 60; i++) {
        const body = String(i).padEnd([1, 5000, 300_000][i % 3]!, ' ');
        client.publish(1, { routingKey: queue, body, properties: { deliveryMode: (i % 2) + 1 } });
      }
      await client.sync();
      await t.expectCounts(client, queue, { messageCount: 60 });
      const found: string[] = [];
      for (let i = 0; i < 60; i++) found.push(String((await client.get(1, queue)).body).trim());
      expectEqual('bodies', found, numbers(1, 60));
    },
  ),
  order(
    'waiting-and-new',
    'what waits comes before what is published meanwhile',
    'A consumer that comes gets the messages of the queue from the oldest on.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 500);
      client.send(1, 'basic.consume', { queue, noAck: true });
      for (let i = 501; i <= 1000; i++) client.publish(1, { routingKey: queue, body: String(i) });
      await client.method(1, 'basic.consume-ok');
      await t.expectDeliveries(client, numbers(1, 1000));
    },
  ),
  order(
    'two-channels',
    'the messages of each channel keep their order among those of others',
    'Nothing is said about the order of different channels, but each of them keeps its own.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.openChannel(3);
      await client.call(1, 'basic.consume', { queue, noAck: true });
      for (let i = 1; i <= 300; i++) {
        for (const channel of [2, 3]) {
          client.publish(channel, { routingKey: queue, body: String(i), properties: { priority: channel } });
        }
      }
      const found = new Map<number, number[]>([
        [2, []],
        [3, []],
      ]);
      for (let i = 0; i < 600; i++) {
        const { properties, body } = await client.delivery();
        found.get(properties.priority!)!.push(Number(body));
      }
      for (const [channel, bodies] of found) {
        expectEqual(`bodies of channel ${channel}`, bodies.map(String), numbers(1, 300));
      }
    },
  ),
  order(
    'each-consumer',
    'each of several consumers gets its messages in order',
    'Consumers share the messages of a queue, and every one of them sees its own in the order of the queue.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      for (const consumerTag of ['a', 'b', 'c'])
        await client.call(1, 'basic.consume', { queue, consumerTag });
      for (let i = 1; i <= 600; i++) client.publish(1, { routingKey: queue, body: String(i) });
      const found = await bodiesByConsumer(client, 600);
      for (const [tag, bodies] of found) expectAscending(`bodies of ${tag}`, bodies);
      expectEqual(
        'bodies',
        [...found.values()]
          .flat()
          .sort((a, b) => a - b)
          .map(String),
        numbers(1, 600),
      );
    },
  ),
  order(
    'one-delivery-sequence',
    'consumers of one channel get the messages of a queue in order between them',
    'Deliveries of a queue come to a channel in the order of the queue, and their tags ascend.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      for (let i = 0; i < 3; i++) await client.call(1, 'basic.consume', { queue });
      await t.publish(client, queue, 90);
      for (let i = 1; i <= 90; i++) {
        const { method, body } = await client.delivery();
        expectEqual('body and tag', [String(body), method.deliveryTag], [String(i), i]);
      }
    },
  ),
  order(
    'through-exchanges',
    'messages keep their order through a chain of exchanges, in every queue',
    'Exchanges bound to exchanges are part of the path, and every queue at its end sees the same order.',
    async (t) => {
      const client = await t.openChannel();
      const [first, last] = [
        await t.declareExchange(client, 'topic'),
        await t.declareExchange(client, 'fanout'),
      ];
      const queues = [await t.declareQueue(client), await t.declareQueue(client)];
      await client.call(1, 'exchange.bind', { source: first, destination: last, routingKey: '#' });
      for (const queue of queues) await client.call(1, 'queue.bind', { queue, exchange: last });
      for (let i = 1; i <= 200; i++)
        client.publish(1, { exchange: first, routingKey: `k.${i % 7}`, body: String(i) });
      for (const queue of queues) await t.expectReady(client, queue, numbers(1, 200));
    },
  ),
  order(
    'two-exchanges',
    'messages of one channel keep their order though their exchanges differ',
    'RabbitMQ hands the messages of a channel to a queue in the order they come in, whichever way they are routed.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchanges = [
        '',
        await t.declareExchange(client, 'direct'),
        await t.declareExchange(client, 'headers'),
      ];
      for (const exchange of exchanges.slice(1)) {
        await client.call(1, 'queue.bind', { queue, exchange, routingKey: queue });
      }
      for (let i = 1; i <= 90; i++) {
        client.publish(1, { exchange: exchanges[i % 3]!, routingKey: queue, body: String(i) });
      }
      await t.expectReady(client, queue, numbers(1, 90));
    },
    ['rabbitmq'],
  ),
  order(
    'alternate',
    'messages keep their order though an alternate exchange takes some of them',
    'What goes to the alternate exchange is routed at its turn, not later.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const fallback = await t.declareExchange(client, 'fanout');
      await client.call(1, 'queue.bind', { queue, exchange: fallback });
      const args = { arguments: [['alternate-exchange', 'S', fallback]] } as const;
      const exchange = await t.declareExchange(client, 'direct', args);
      await client.call(1, 'queue.bind', { queue, exchange, routingKey: '0' });
      for (let i = 1; i <= 60; i++)
        client.publish(1, { exchange, routingKey: String(i % 2), body: String(i) });
      await t.expectReady(client, queue, numbers(1, 60));
    },
    ['rabbitmq'],
  ),
  order(
    'returned',
    'what is returned comes in the order it was published in',
    'basic.return keeps the order of the publishes, and so do the confirms behind it.',
    async (t) => {
      const client = await t.openChannel();
      const routingKey = t.name('nowhere');
      for (let i = 1; i <= 100; i++) client.publish(1, { routingKey, mandatory: true, body: String(i) });
      const found: string[] = [];
      for (let i = 0; i < 100; i++) found.push(String((await client.message(1, 'basic.return')).body));
      expectEqual('bodies', found, numbers(1, 100));
    },
  ),
  order(
    'committed',
    'a transaction takes its place when it is committed',
    'Messages of a transaction are one behind the other, after what came before the commit.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      await client.call(2, 'tx.select');
      for (const body of ['3', '4', '5']) client.publish(2, { routingKey: queue, body });
      await client.sync(2);
      for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body });
      await client.sync(1);
      await t.expectCounts(client, queue, { messageCount: 2 });
      await client.call(2, 'tx.commit');
      await t.expectReady(client, queue, numbers(1, 5));
    },
  ),
  order(
    'get-and-consume',
    'basic.get and a consumer take from the same front',
    'What basic.get takes is the oldest message, and the consumer goes on behind it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 5);
      for (let i = 0; i < 2; i++) await client.get(1, queue, false);
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['3']);
      expectEqual('body of get-ok', String((await client.get(1, queue)).body), '4');
    },
  ),
];
