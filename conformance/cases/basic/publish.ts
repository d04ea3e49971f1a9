/** basic.publish, basic.get and basic.return: what comes back as it was, and every refusal. */
import { type Case, section } from '../../case.js';
import { expectChannelClose, expectConnectionClose, expectEqual } from '../../expect.js';
import type { Properties } from '../../wire/raw-codec.js';

const publish = section({ area: 'basic', source: 'AMQP 0-9-1, basic.publish', tags: ['core'] });
const extended = section({
  area: 'basic',
  source: 'https://www.rabbitmq.com/docs/publishers',
  tags: ['rabbitmq'],
});
const get = section({ area: 'basic', source: 'AMQP 0-9-1, basic.get', tags: ['core'] });

const PROPERTIES: Properties = {
  contentType: 'text/plain',
  contentEncoding: 'utf-8',
  headers: [['a', 'S', 'ü']],
  deliveryMode: 2,
  priority: 7,
  correlationId: 'correlation',
  replyTo: 'reply',
  expiration: '60000',
  messageId: 'message',
  timestamp: 1_700_000_000,
  type: 'kind',
  appId: 'app',
  clusterId: 'cluster',
};

const EXPIRATIONS = [
  ['text', 'abc', 'no_integer'],
  ['empty', '', 'no_integer'],
  ['unit', '10ms', '{leftover_string,"ms"}'],
  ['fraction', '1.5', '{leftover_string,".5"}'],
  ['negative', '-1', '{value_negative,-1}'],
  ['large', '315360000001', '{value_too_large,315360000001}'],
] as const;

export const cases: readonly Case[] = [
  publish(
    'as-it-was',
    'a message comes with its properties and body as they were',
    'The broker delivers every property and the body as they were published, and says where the message came from.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const properties = { ...PROPERTIES, userId: t.broker.user };
      client.publish(1, { routingKey: queue, properties, body: 'bödy' });
      await client.sync();
      const received = await client.get(1, queue);
      expectEqual('properties', { ...received.properties }, properties);
      expectEqual('body', String(received.body), 'bödy');
      const method = { deliveryTag: 1, redelivered: false, exchange: '', routingKey: queue, messageCount: 0 };
      expectEqual('get-ok', received.method, method);
    },
  ),
  publish(
    'empty',
    'a message may be empty',
    'A message of no octets has no body frame, and without properties its content header has no flags.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.publish(1, { routingKey: queue });
      await client.sync();
      const { body, properties, frameSizes } = await client.get(1, queue);
      expectEqual('message', [body.length, properties, frameSizes], [0, {}, []]);
    },
  ),
  publish(
    'return',
    'a mandatory message without a queue is returned',
    'A message that is mandatory and routed nowhere comes back by basic.return 312, with all it had.',
    async (t) => {
      const client = await t.openChannel();
      const routingKey = t.name('nowhere');
      client.publish(1, { routingKey, mandatory: true, properties: PROPERTIES, body: 'back' });
      const { method, properties, body } = await client.message(1, 'basic.return');
      expectEqual('return', method, { replyCode: 312, replyText: 'NO_ROUTE', exchange: '', routingKey });
      expectEqual('properties and body', [{ ...properties }, String(body)], [PROPERTIES, 'back']);
    },
  ),
  publish(
    'immediate',
    'immediate is refused',
    'RabbitMQ does not implement immediate delivery: the flag is the connection error 540.',
    async (t) => {
      const client = await t.openChannel();
      client.publish(1, { routingKey: 'q', immediate: true });
      await expectConnectionClose(client, 'basic.publish', 540, 'NOT_IMPLEMENTED - immediate=true');
    },
    ['rabbitmq'],
  ),
  publish(
    'no-exchange',
    'an exchange that is not there closes the channel, and what is behind is forgotten',
    'Publishing to an exchange that is not there is the channel error 404, and later publishes are discarded.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.publish(1, { exchange: 'nowhere', routingKey: queue, mandatory: true });
      client.publish(1, { routingKey: queue });
      await expectChannelClose(client, 'basic.publish', 404, t.noExchange('nowhere'));
      await t.expectReady(client, queue, []);
    },
  ),
  publish(
    'internal',
    'an internal exchange takes no publishes',
    'Only other exchanges may send to an internal exchange; publishing to it is the channel error 403.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'fanout', { internal: true });
      client.publish(1, { exchange });
      const text = `ACCESS_REFUSED - cannot publish to internal ${t.inVhost('exchange', exchange)}`;
      await expectChannelClose(client, 'basic.publish', 403, text);
    },
    ['rabbitmq'],
  ),
  ...EXPIRATIONS.map(([name, expiration, why]) =>
    extended(
      `expiration-${name}`,
      `an expiration of '${expiration}' is refused`,
      'It must be a whole number of milliseconds up to ten years: the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client);
        client.publish(1, { routingKey: queue, properties: { expiration } });
        const text = `PRECONDITION_FAILED - invalid expiration '${expiration}': ${why}`;
        await expectChannelClose(client, 'basic.publish', 406, text);
        await t.expectReady(client, queue, []);
      },
    ),
  ),
  ...['CC', 'BCC'].map((name) =>
    extended(
      `${name.toLowerCase()}-no-array`,
      `a ${name} header that is no array is refused`,
      'The headers CC and BCC are arrays of routing keys; anything else in them is the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        client.publish(1, { routingKey: 'q', properties: { headers: [[name, 'S', 'key']] } });
        const why = `{unacceptable_type_in_header,"${name}",longstr}`;
        const text = `PRECONDITION_FAILED - invalid message: ${why}`;
        await expectChannelClose(client, 'basic.publish', 406, text);
      },
    ),
  ),
  extended(
    'user-id',
    'the name of another user is refused',
    'A user-id must be that of the connection: the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      client.publish(1, { routingKey: 'q', properties: { userId: 'somebody' } });
      await expectChannelClose(
        client,
        'basic.publish',
        406,
        `PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was '${t.broker.user}'`,
      );
    },
  ),
  get(
    'get-counts',
    'get-ok counts what is left, get-empty says there is nothing',
    'get-ok has the oldest message and how many are ready behind it; an empty queue is answered with get-empty.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await t.publish(client, queue, 2);
      expectEqual('left', (await client.get(1, queue)).method.messageCount, 1);
      expectEqual('left', (await client.get(1, queue)).method.messageCount, 0);
      client.send(1, 'basic.get', { queue });
      expectEqual('get-empty', await client.method(1, 'basic.get-empty'), { clusterId: '' });
    },
  ),
  get(
    'get-missing',
    'a queue that is not there cannot be read',
    'basic.get of a queue that does not exist is the channel error 404.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'basic.get', { queue: 'nowhere' });
      await expectChannelClose(client, 'basic.get', 404, t.noQueue('nowhere'));
    },
  ),
];
