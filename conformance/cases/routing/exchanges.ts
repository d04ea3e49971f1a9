/** Routing by the other exchange types, alternate exchanges, and CC and BCC. */
import { type Case, section } from '../../case.js';
import { expectEqual, expectFields, expectRefusal } from '../../expect.js';
import type { Table } from '../../wire/raw-codec.js';

const route = section({ area: 'routing', source: 'AMQP 0-9-1, 3.1.3 exchange types', tags: ['core'] });
const headers = section({
  area: 'routing',
  source: 'AMQP 0-9-1, 3.1.3.4 the headers exchange type',
  tags: ['core'],
});
const alternate = section({
  area: 'routing',
  source: 'https://www.rabbitmq.com/docs/ae',
  tags: ['rabbitmq'],
});
const copies = section({
  area: 'routing',
  source: 'https://www.rabbitmq.com/docs/sender-selected',
  tags: ['rabbitmq'],
});

const kind: Table[number] = ['kind', 'S', 'order'];
const rush: Table[number] = ['rush', 't', true];
const calm: Table[number] = ['rush', 't', false];
const other: Table[number] = ['other', 'I', 1];
const ANY: Table[number] = ['x-match', 'S', 'any'];
const ALL: Table[number] = ['x-match', 'S', 'all'];

/** Bindings, and for each a message of which one can tell whether it has to arrive. */
const HEADERS: readonly (readonly [name: string, binding: Table, message: Table, isRouted: boolean])[] = [
  ['all-equal', [ALL, kind, rush], [kind, rush], true],
  ['all-more', [ALL, kind, rush], [rush, other, kind], true],
  ['all-fewer', [ALL, kind, rush], [kind], false],
  ['all-different', [ALL, kind, rush], [kind, calm], false],
  ['all-is-default', [kind, rush], [kind], false],
  ['all-of-none', [ALL], [], true],
  ['any-one', [ANY, kind, rush], [calm, kind], true],
  ['any-none', [ANY, kind, rush], [calm, other], false],
  ['any-of-none', [ANY], [kind], false],
  ['void-any-value', [ALL, ['rush', 'V', null]], [calm], true],
  ['void-missing', [ALL, ['rush', 'V', null]], [kind], false],
  ['x-ignored', [ALL, kind, ['x-other', 'S', 'v']], [kind], true],
  ['x-counted', [['x-match', 'S', 'all-with-x'], kind, ['x-other', 'S', 'v']], [kind], false],
];

const WRONG_MATCHES = [
  [
    'value',
    ['x-match', 'S', 'most'],
    'Invalid x-match field value <<"most">>; expected all, any, all-with-x, or any-with-x',
  ],
  ['type', ['x-match', 'I', 1], 'Invalid x-match field type signedint (value 1); expected longstr'],
] as const;

export const cases: readonly Case[] = [
  route(
    'default',
    'the default exchange routes to the queue of that name',
    'Every queue is bound to the default exchange by its name, without anybody binding it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.publish(1, { routingKey: queue, body: 'mine' });
      client.publish(1, { routingKey: `${queue}x`, body: 'not mine' });
      await t.expectReady(client, queue, ['mine']);
    },
  ),
  route(
    'direct',
    'a direct exchange compares whole keys',
    'A direct exchange routes to the bindings whose key equals that of the message in every octet; nothing in it is special.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'direct');
      const keys = ['', 'a', 'A', 'a.b', 'a.*', '#', 'ä', ' a'];
      const queues: string[] = [];
      for (const routingKey of keys) {
        const queue = await t.declareQueue(client);
        await client.call(1, 'queue.bind', { queue, exchange, routingKey });
        queues.push(queue);
      }
      for (const routingKey of [...keys, 'a.c', 'aa'])
        client.publish(1, { exchange, routingKey, body: routingKey });
      for (const [i, queue] of queues.entries()) await t.expectReady(client, queue, [keys[i]!]);
    },
  ),
  route(
    'direct-several',
    'a key may lead to several queues, several keys to one',
    'Every queue with a binding that fits gets one copy, and a queue may have several bindings.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'direct');
      const both = await t.declareQueue(client);
      const one = await t.declareQueue(client);
      for (const [queue, routingKey] of [
        [both, 'a'],
        [both, 'b'],
        [one, 'a'],
      ]) {
        await client.call(1, 'queue.bind', { queue: queue!, exchange, routingKey: routingKey! });
      }
      for (const routingKey of ['a', 'b']) client.publish(1, { exchange, routingKey, body: routingKey });
      await t.expectReady(client, both, ['a', 'b']);
      await t.expectReady(client, one, ['a']);
    },
  ),
  route(
    'fanout',
    'a fanout exchange does not look at keys',
    'A fanout exchange routes to every queue bound to it, one copy each, whatever the keys.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'fanout');
      const queue = await t.declareQueue(client);
      for (const routingKey of ['a', 'b'])
        await client.call(1, 'queue.bind', { queue, exchange, routingKey });
      for (const routingKey of ['a', 'c', '']) client.publish(1, { exchange, routingKey, body: routingKey });
      await t.expectReady(client, queue, ['a', 'c', '']);
    },
  ),
  ...HEADERS.map(([name, binding, message, isRouted]) =>
    headers(
      `headers-${name}`,
      `a headers binding ${isRouted ? 'matches' : 'does not match'} (${name})`,
      'x-match all wants every header of the binding, any wants one; those that begin with x- do not count.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, 'headers');
        const queue = await t.declareQueue(client);
        await client.call(1, 'queue.bind', { queue, exchange, arguments: binding });
        client.publish(1, { exchange, properties: { headers: message }, body: 'm' });
        await t.expectReady(client, queue, isRouted ? ['m'] : []);
      },
    ),
  ),
  ...WRONG_MATCHES.map(([name, entry, text]) =>
    headers(
      `headers-wrong-${name}`,
      `an x-match of another ${name} is refused`,
      'x-match has to be one of four texts; anything else is the channel error 406 when the binding is made.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, 'headers');
        const queue = await t.declareQueue(client);
        const fields = { queue, exchange, arguments: [entry] };
        await expectRefusal(client, 'queue.bind', fields, 406, `PRECONDITION_FAILED - ${text}`);
      },
      ['rabbitmq'],
    ),
  ),
  alternate(
    'alternate',
    'an alternate exchange gets what the exchange has no queue for',
    'With the names it was published with; it counts as routed.',
    async (t) => {
      const client = await t.openChannel();
      const fallback = await t.declareExchange(client, 'fanout');
      const rest = await t.declareQueue(client);
      await client.call(1, 'queue.bind', { queue: rest, exchange: fallback });
      const exchange = await t.declareExchange(client, 'direct', {
        arguments: [['alternate-exchange', 'S', fallback]],
      });
      const queue = await t.declareQueue(client);
      await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'known' });
      for (const routingKey of ['known', 'unknown']) {
        client.publish(1, { exchange, routingKey, mandatory: true, body: routingKey });
      }
      await t.expectReady(client, queue, ['known']);
      const { method, body } = await client.get(1, rest);
      expectEqual('body', String(body), 'unknown');
      expectFields('get-ok', method, { exchange, routingKey: 'unknown', messageCount: 0 });
    },
  ),
  alternate(
    'alternate-missing',
    'an alternate exchange need not exist',
    'An alternate exchange that does not exist takes nothing: the message is unroutable as without it.',
    async (t) => {
      const client = await t.openChannel();
      const missing = t.name('missing');
      const args = { arguments: [['alternate-exchange', 'S', missing]] } as const;
      const exchange = await t.declareExchange(client, 'direct', args);
      client.publish(1, { exchange, routingKey: 'unknown', mandatory: true });
      expectFields('return', (await client.message(1, 'basic.return')).method, { replyText: 'NO_ROUTE' });
    },
  ),
  copies(
    'cc-bcc',
    'CC and BCC are more routing keys, and BCC is taken out',
    'The headers CC and BCC are more routing keys; RabbitMQ takes BCC out of what it delivers and leaves CC there.',
    async (t) => {
      const client = await t.openChannel();
      const [to = '', cc = '', bcc = ''] = [
        await t.declareQueue(client),
        await t.declareQueue(client),
        await t.declareQueue(client),
      ];
      const ccHeader: Table[number] = ['CC', 'A', [['S', cc]]];
      const table: Table = [['BCC', 'A', [['S', bcc]]], ccHeader];
      client.publish(1, { routingKey: to, properties: { headers: table }, body: 'm' });
      await client.sync();
      for (const queue of [to, cc, bcc]) {
        await t.expectCounts(client, queue, { messageCount: 1 });
        const { properties, method } = await client.get(1, queue);
        expectEqual('headers and key', [properties.headers, method.routingKey], [[ccHeader], to]);
      }
    },
  ),
];
