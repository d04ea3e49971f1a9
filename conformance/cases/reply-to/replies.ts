/** Direct reply-to: requests and replies without a queue for the replies. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import {
  expectChannelClose,
  expectConnectionClose,
  expectEqual,
  expectFields,
  expectMatch,
  expectRefusal,
  expectSilence,
} from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const reply = section({
  area: 'reply-to',
  source: 'https://www.rabbitmq.com/docs/direct-reply-to',
  tags: ['rabbitmq'],
});

const REPLY_TO = 'amq.rabbitmq.reply-to';
const NO_CONSUMER = 'PRECONDITION_FAILED - fast reply consumer does not exist';

/** Who asks, who answers, and the queue that requests go to. */
interface Pair {
  readonly client: RawClient;
  readonly server: RawClient;
  readonly requests: string;
}

/** A client whose channel 1 takes replies, and a server with a queue for requests. */
async function pair(t: CaseContext): Promise<Pair> {
  const client = await t.openChannel();
  await client.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true, consumerTag: 'replies' });
  const server = await t.openChannel();
  return { client, server, requests: await t.declareQueue(server) };
}

/** Sends a request, and returns the address that the server is to reply to. */
async function ask({ client, server, requests }: Pair, channel = 1): Promise<string> {
  client.publish(channel, { routingKey: requests, properties: { replyTo: REPLY_TO } });
  await client.sync(channel);
  const { properties } = await server.get(1, requests);
  return properties.replyTo ?? '';
}

export const cases: readonly Case[] = [
  reply(
    'round-trip',
    'a request carries an address, and what is published there comes to the channel that asked',
    'The reply comes from the default exchange with the address as its routing key, with its own properties.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const address = await ask(both);
      const properties = {
        correlationId: '7',
        contentType: 'text/plain',
        headers: [['h', 'S', 'v']],
      } as const;
      server.publish(1, { routingKey: address, body: 'reply', properties });
      const received = await client.delivery();
      const { deliveryTag: _, ...method } = received.method;
      const expected = { consumerTag: 'replies', redelivered: false, exchange: '', routingKey: address };
      expectEqual('deliver', method, expected);
      expectEqual('reply', [String(received.body), { ...received.properties }], ['reply', properties]);
    },
  ),
  reply(
    'address',
    'the address begins with the name of the pseudo-queue, and is the same for every request of a channel',
    'It is amq.rabbitmq.reply-to. and something that nobody can guess.',
    async (t) => {
      const both = await pair(t);
      const first = await ask(both);
      expectMatch('address', first, /^amq\.rabbitmq\.reply-to\.[^.]+/);
      expectEqual('address of the second request', await ask(both), first);
    },
  ),
  reply(
    'address-of-channel',
    'each channel has an address of its own, and gets its own replies',
    'A connection may have a consumer of replies on each of its channels.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      await client.openChannel(2);
      await client.call(2, 'basic.consume', { queue: REPLY_TO, noAck: true, consumerTag: 'replies' });
      const [first, second] = [await ask(both, 1), await ask(both, 2)];
      expectEqual('the addresses are the same', first === second, false);
      server.publish(1, { routingKey: second, body: 'to 2' });
      server.publish(1, { routingKey: first, body: 'to 1' });
      await t.expectDeliveries(client, ['to 2'], 2);
      await t.expectDeliveries(client, ['to 1'], 1);
    },
  ),
  reply(
    'several',
    'an address takes any number of replies, from anybody, in their order',
    'Also from the connection that asked itself.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const address = await ask(both);
      for (const body of ['1', '2', '3']) server.publish(1, { routingKey: address, body });
      await t.expectDeliveries(client, ['1', '2', '3']);
      await client.openChannel(2);
      client.publish(2, { routingKey: address, body: '4' });
      client.publish(1, { routingKey: address, body: '5' });
      await client.sync(2);
      const bodies = [String((await client.delivery()).body), String((await client.delivery()).body)];
      expectEqual('replies', bodies.sort(), ['4', '5']);
    },
  ),
  reply(
    'needs-no-ack',
    'replies cannot be acknowledged: a consumer of them has to say no-ack',
    'It is the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      const text = 'PRECONDITION_FAILED - reply consumer cannot acknowledge';
      await expectRefusal(client, 'basic.consume', { queue: REPLY_TO }, 406, text);
    },
  ),
  reply(
    'one-consumer',
    'a channel has one consumer of replies',
    'The second one is the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
      const text = 'PRECONDITION_FAILED - reply consumer already set';
      await expectRefusal(client, 'basic.consume', { queue: REPLY_TO, noAck: true }, 406, text);
    },
  ),
  reply(
    'tag-invented',
    'a consumer of replies without a tag gets one',
    'As every consumer does.',
    async (t) => {
      const client = await t.openChannel();
      const { consumerTag } = await client.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
      expectMatch('tag', consumerTag, /^amq\.ctag-[A-Za-z0-9_-]{22}$/);
    },
  ),
  reply(
    'tag-reused',
    'a consumer of replies cannot have the tag of another consumer',
    'Tags are those of the channel: the connection error 530.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      client.send(1, 'basic.consume', { queue: REPLY_TO, noAck: true, consumerTag: 'c' });
      const text = "NOT_ALLOWED - attempt to reuse consumer tag 'c'";
      await expectConnectionClose(client, 'basic.consume', 530, text);
    },
  ),
  reply(
    'no-wait',
    'a consumer of replies with no-wait is not answered',
    'It is there all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'basic.consume', { queue: REPLY_TO, noAck: true, consumerTag: 'c', noWait: true });
      client.publish(1, { routingKey: queue, properties: { replyTo: REPLY_TO } });
      await expectSilence(client);
      const { properties } = await client.get(1, queue);
      client.publish(1, { routingKey: properties.replyTo!, body: 'reply' });
      await t.expectDeliveries(client, ['reply']);
    },
  ),
  reply(
    'request-without-consumer',
    'a request that wants a direct reply needs a consumer of replies',
    'The channel error 406, and the request is not published.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.publish(1, { routingKey: queue, properties: { replyTo: REPLY_TO } });
      await expectChannelClose(client, 'basic.publish', 406, NO_CONSUMER);
      await t.expectReady(client, queue, []);
    },
  ),
  reply(
    'request-on-other-channel',
    'the consumer of another channel does not do',
    'Requests are published on the channel that takes the replies: otherwise the channel error 406.',
    async (t) => {
      const { client, requests } = await pair(t);
      await client.openChannel(2);
      client.publish(2, { routingKey: requests, properties: { replyTo: REPLY_TO } });
      await expectChannelClose(client, 'basic.publish', 406, NO_CONSUMER, 2);
    },
  ),
  reply(
    'request-after-cancel',
    'a cancelled consumer takes no replies, and another may take its place',
    'Requests are refused with 406 in between.',
    async (t) => {
      const both = await pair(t);
      const { client, server, requests } = both;
      expectEqual('cancel-ok', await client.call(1, 'basic.cancel', { consumerTag: 'replies' }), {
        consumerTag: 'replies',
      });
      client.publish(1, { routingKey: requests, properties: { replyTo: REPLY_TO } });
      await expectChannelClose(client, 'basic.publish', 406, NO_CONSUMER);
      await client.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true, consumerTag: 'again' });
      await client.call(1, 'basic.cancel', { consumerTag: 'again' });
      await client.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true, consumerTag: 'again' });
      server.publish(1, { routingKey: await ask(both), body: 'reply' });
      expectEqual('tag', (await client.delivery()).method.consumerTag, 'again');
    },
  ),
  reply(
    'other-addresses',
    'any other reply-to is left as it is',
    'Names that only look like it, addresses of others, and none at all.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      for (const replyTo of ['', 'q', 'amq.rabbitmq.reply', `${REPLY_TO}.x`, `${REPLY_TO}x`]) {
        client.publish(1, { routingKey: queue, properties: { replyTo } });
        await client.sync();
        expectEqual('reply-to', (await client.get(1, queue)).properties.replyTo, replyTo);
      }
    },
  ),
  reply(
    'late',
    'a reply that comes too late is dropped in silence',
    'Whoever asked has closed its channel.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const address = await ask(both);
      await client.call(1, 'channel.close');
      server.publish(1, { routingKey: address, body: 'late' });
      await expectSilence(server);
      await client.openChannel(1);
      await expectSilence(client);
    },
  ),
  reply(
    'is-anybody-there',
    'declaring the address tells whether anybody waits for the reply',
    'A queue without messages and with one consumer, or the channel error 404.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const queue = await ask(both);
      const found = { queue, messageCount: 0, consumerCount: 1 };
      expectEqual('passive', await server.call(1, 'queue.declare', { queue, passive: true }), found);
      expectEqual('not passive', await server.call(1, 'queue.declare', { queue }), found);
      await client.call(1, 'channel.close');
      await expectRefusal(server, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
    },
  ),
  reply(
    'declare',
    'the pseudo-queue can be declared, to no effect',
    'It has no messages and one consumer, and that is all.',
    async (t) => {
      const client = await t.openChannel();
      for (const passive of [true, false]) {
        const declared = await client.call(1, 'queue.declare', { queue: REPLY_TO, passive });
        expectEqual('declare-ok', declared, { queue: REPLY_TO, messageCount: 0, consumerCount: 1 });
      }
    },
  ),
  ...['basic.get', 'queue.purge'].map((method) =>
    reply(
      `no-queue-${method.replace('.', '-')}`,
      `${method} of the pseudo-queue finds no queue`,
      'There is none behind it: the channel error 404.',
      async (t) => {
        const { server } = await pair(t);
        await expectRefusal(server, method, { queue: REPLY_TO }, 404, t.noQueue(REPLY_TO));
      },
    ),
  ),
  ...['basic.get', 'queue.purge', 'basic.consume'].map((method) =>
    reply(
      `no-queue-address-${method.replace('.', '-')}`,
      `${method} of an address finds no queue`,
      'The address is a routing key and not the name of a queue: the channel error 404.',
      async (t) => {
        const both = await pair(t);
        const queue = await ask(both);
        await expectRefusal(both.server, method, { queue, noAck: true }, 404, t.noQueue(queue));
      },
      ['rabbitmq', 'rabbitmq-3'],
    ),
  ),
  reply(
    'mandatory',
    'a mandatory reply is delivered; RabbitMQ 3 returns it as well',
    'Until 4.1 there is no queue that it was routed to, since 4.2 it counts as routed.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const address = await ask(both);
      server.publish(1, { routingKey: address, body: 'reply', mandatory: true });
      await t.expectDeliveries(client, ['reply']);
      if (t.dialect === 'rabbitmq-3') {
        const { method, body } = await server.message(1, 'basic.return');
        expectFields('return', method, { replyCode: 312, replyText: 'NO_ROUTE', routingKey: address });
        expectEqual('returned', String(body), 'reply');
      }
      await expectSilence(server);
    },
  ),
  reply(
    'mandatory-unknown',
    'a mandatory reply to an address that nobody ever had is returned',
    'It goes nowhere.',
    async (t) => {
      const server = await t.openChannel();
      server.publish(1, { routingKey: `${REPLY_TO}.nobody`, body: 'reply', mandatory: true });
      expectFields('return', (await server.message(1, 'basic.return')).method, { replyText: 'NO_ROUTE' });
    },
  ),
  reply('confirm', 'a reply is confirmed', 'Whether or not anybody waits for it.', async (t) => {
    const both = await pair(t);
    const { client, server } = both;
    const address = await ask(both);
    await server.call(1, 'confirm.select');
    server.publish(1, { routingKey: address, body: 'reply' });
    expectFields('confirm', await server.method(1, 'basic.ack'), { deliveryTag: 1 });
    await t.expectDeliveries(client, ['reply']);
    await client.call(1, 'channel.close');
    server.publish(1, { routingKey: address, body: 'late' });
    expectFields('confirm', await server.method(1, 'basic.ack'), { deliveryTag: 2 });
  }),
  reply(
    'carbon-copy',
    'an address in the header CC gets the reply too',
    'It is a routing key of the default exchange as any other.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const queue = await t.declareQueue(server);
      const headers = [['CC', 'A', [['S', await ask(both)]]]] as const;
      server.publish(1, { routingKey: queue, body: 'both', properties: { headers } });
      await t.expectDeliveries(client, ['both']);
      await t.expectReady(server, queue, ['both']);
    },
  ),
  reply(
    'default-exchange-alone',
    'an address is reached through the default exchange alone',
    'Another exchange does not know it.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const routingKey = await ask(both);
      server.publish(1, { exchange: 'amq.direct', routingKey, mandatory: true });
      expectFields('return', (await server.message(1, 'basic.return')).method, { replyText: 'NO_ROUTE' });
      await expectSilence(client);
    },
  ),
  reply(
    'nothing-to-acknowledge',
    'a reply cannot be acknowledged',
    'As with any delivery to a consumer with no-ack its tag is unknown: the channel error 406.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      server.publish(1, { routingKey: await ask(both), body: 'reply' });
      const { deliveryTag } = (await client.delivery()).method;
      const text = `PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`;
      await expectRefusal(client, 'basic.ack', { deliveryTag: deliveryTag! }, 406, text);
    },
  ),
  reply(
    'request-returned',
    'a request that goes nowhere comes back with the address in it',
    'The address is put in before the request is routed.',
    async (t) => {
      const { client } = await pair(t);
      const properties = { replyTo: REPLY_TO };
      client.publish(1, { routingKey: t.name('nowhere'), mandatory: true, properties });
      const returned = await client.message(1, 'basic.return');
      expectMatch('reply-to', returned.properties.replyTo, /^amq\.rabbitmq\.reply-to\../);
    },
  ),
  reply(
    'chain',
    'a reply may ask in turn',
    'Its reply-to becomes the address of whoever publishes it.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      await server.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
      const first = await ask(both);
      server.publish(1, { routingKey: first, body: 'and you?', properties: { replyTo: REPLY_TO } });
      const { properties } = await client.delivery();
      client.publish(1, { routingKey: properties.replyTo!, body: 'fine' });
      await t.expectDeliveries(server, ['fine']);
    },
  ),
  reply(
    'transaction',
    'a reply in a transaction leaves with the commit; with RabbitMQ 3 at once',
    'Until 4.1 the reply leaves while it is routed, and no rollback takes it back; since 4.2 it is a publish as any.',
    async (t) => {
      const both = await pair(t);
      const { client, server } = both;
      const routingKey = await ask(both);
      await server.call(1, 'tx.select');
      server.publish(1, { routingKey, body: 'dropped' });
      await server.call(1, 'tx.rollback');
      server.publish(1, { routingKey, body: 'kept' });
      await server.call(1, 'tx.commit');
      await t.expectDeliveries(client, t.byDialect(['kept'], ['dropped', 'kept']));
      await expectSilence(client);
    },
  ),
  reply(
    'amqplib',
    'a request and its reply by amqplib',
    'What a client library does with them.',
    async (t) => {
      const model = await t.amqplib();
      const [asking, answering] = [await model.createChannel(), await model.createChannel()];
      const { queue } = await answering.assertQueue(t.name('rpc'), { exclusive: true });
      await answering.consume(queue, (message) => {
        if (message === null) return;
        const { replyTo, correlationId } = message.properties;
        answering.sendToQueue(replyTo, Buffer.from(`${message.content}!`), { correlationId });
        answering.ack(message);
      });
      const answer = new Promise<string>((resolve) => {
        asking.consume(
          REPLY_TO,
          (message) => resolve(`${message?.content} ${message?.properties.correlationId}`),
          {
            noAck: true,
          },
        );
      });
      asking.sendToQueue(queue, Buffer.from('hello'), { replyTo: REPLY_TO, correlationId: '9' });
      expectEqual('answer', await answer, 'hello! 9');
    },
  ),
];
