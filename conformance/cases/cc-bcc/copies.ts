/** The headers CC and BCC: more routing keys of a message, seen or unseen. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectChannelClose, expectEqual, expectFields, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Properties, Table, TableEntry } from '../../wire/raw-codec.js';

const copies = section({
  area: 'cc-bcc',
  source: 'https://www.rabbitmq.com/docs/sender-selected',
  tags: ['rabbitmq'],
});

type Header = 'CC' | 'BCC';
const HEADERS: readonly Header[] = ['CC', 'BCC'];

function keysIn(header: Header, ...keys: readonly string[]): TableEntry {
  return [header, 'A', keys.map((key) => ['S', key] as const)];
}

function withHeaders(...headers: Table): Properties {
  return { headers };
}

/** That many queues of the client. */
async function queuesOf(t: CaseContext, client: RawClient, count: number): Promise<string[]> {
  const queues: string[] = [];
  for (let i = 0; i < count; i++) queues.push(await t.declareQueue(client));
  return queues;
}

/** What a table has under a name. */
function headerOf(table: Table | undefined, name: string): unknown {
  return table?.find(([key]) => key === name)?.[2];
}

/** Values that are no arrays, and the type that the refusal names. */
const WRONG = [
  ['text', 'S', 'q', 'longstr'],
  ['number', 'I', 1, 'signedint'],
  ['table', 'F', [], 'table'],
  ['void', 'V', null, 'void'],
] as const;

export const cases: readonly Case[] = [
  ...HEADERS.flatMap((header) => [
    copies(
      `${header.toLowerCase()}-several`,
      `${header} holds any number of routing keys`,
      'The message goes where its own key leads and where each of them does.',
      async (t) => {
        const client = await t.openChannel();
        const [own = '', ...others] = await queuesOf(t, client, 4);
        client.publish(1, { routingKey: own, body: 'm', properties: withHeaders(keysIn(header, ...others)) });
        for (const queue of [own, ...others]) await t.expectReady(client, queue, ['m']);
      },
    ),
    copies(
      `${header.toLowerCase()}-once`,
      `a queue gets one copy, however often the key and ${header} lead to it`,
      'The queues of all keys together are what the message is routed to.',
      async (t) => {
        const client = await t.openChannel();
        const [queue = ''] = await queuesOf(t, client, 1);
        const properties = withHeaders(keysIn(header, queue, queue));
        client.publish(1, { routingKey: queue, body: 'm', properties });
        await t.expectReady(client, queue, ['m']);
      },
    ),
    copies(
      `${header.toLowerCase()}-empty`,
      `an empty ${header} is no key`,
      'The message is routed by its own key.',
      async (t) => {
        const client = await t.openChannel();
        const [queue = ''] = await queuesOf(t, client, 1);
        client.publish(1, { routingKey: queue, body: 'm', properties: withHeaders(keysIn(header)) });
        await t.expectReady(client, queue, ['m']);
      },
    ),
    copies(
      `${header.toLowerCase()}-counts-as-route`,
      `a message that only ${header} finds a queue for is routed`,
      'It is not returned, though mandatory.',
      async (t) => {
        const client = await t.openChannel();
        const [queue = ''] = await queuesOf(t, client, 1);
        const properties = withHeaders(keysIn(header, 'nowhere', queue));
        client.publish(1, { routingKey: t.name('nowhere'), mandatory: true, body: 'm', properties });
        await expectSilence(client);
        await t.expectReady(client, queue, ['m']);
      },
    ),
    ...WRONG.map(([name, tag, value, type]) =>
      copies(
        `${header.toLowerCase()}-wrong-${name}`,
        `${header} has to be an array, not a ${type}`,
        'It is the channel error 406, and the message is not published.',
        async (t) => {
          const client = await t.openChannel();
          const [queue = ''] = await queuesOf(t, client, 1);
          client.publish(1, { routingKey: queue, properties: withHeaders([header, tag, value]) });
          const why = `{unacceptable_type_in_header,"${header}",${type}}`;
          await expectChannelClose(
            client,
            'basic.publish',
            406,
            `PRECONDITION_FAILED - invalid message: ${why}`,
          );
          await t.expectReady(client, queue, []);
        },
      ),
    ),
    copies(
      `${header.toLowerCase()}-members`,
      `members of ${header} that are no texts are ignored`,
      'Those that are count all the same.',
      async (t) => {
        const client = await t.openChannel();
        const [own = '', other = ''] = await queuesOf(t, client, 2);
        const entry: TableEntry = [
          header,
          'A',
          [
            ['I', 1],
            ['S', other],
            ['V', null],
          ],
        ];
        client.publish(1, { routingKey: own, body: 'm', properties: withHeaders(entry) });
        for (const queue of [own, other]) await t.expectReady(client, queue, ['m']);
      },
    ),
    copies(
      `${header.toLowerCase()}-topic`,
      `a topic exchange matches the keys of ${header} too`,
      'Each key is matched on its own.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, 'topic');
        const [own = '', other = '', both = '', none = ''] = await queuesOf(t, client, 4);
        const patterns = [
          [own, 'a.*'],
          [other, 'b.#'],
          [both, '#'],
          [none, 'a.b'],
        ] as const;
        for (const [queue, routingKey] of patterns) {
          await client.call(1, 'queue.bind', { queue, exchange, routingKey });
        }
        const properties = withHeaders(keysIn(header, 'b.c.d'));
        client.publish(1, { exchange, routingKey: 'a.x', body: 'm', properties });
        for (const queue of [own, other, both]) await t.expectReady(client, queue, ['m']);
        await t.expectReady(client, none, []);
      },
    ),
    copies(
      `${header.toLowerCase()}-direct`,
      `a direct exchange compares the keys of ${header} too`,
      'And the key of the delivery is the one it was published with.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, 'direct');
        const [queue = ''] = await queuesOf(t, client, 1);
        await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'copy' });
        client.publish(1, {
          exchange,
          routingKey: 'original',
          properties: withHeaders(keysIn(header, 'copy')),
        });
        await client.sync();
        await t.readyCount(client, queue, 1);
        expectFields('get-ok', (await client.get(1, queue)).method, { exchange, routingKey: 'original' });
      },
    ),
    copies(
      `${header.toLowerCase()}-confirm`,
      `a message with ${header} is confirmed once`,
      'However many queues it went to.',
      async (t) => {
        const client = await t.openChannel();
        const [own = '', ...others] = await queuesOf(t, client, 3);
        await client.call(1, 'confirm.select');
        const properties = withHeaders(keysIn(header, ...others));
        for (let deliveryTag = 1; deliveryTag <= 2; deliveryTag++) {
          client.publish(1, { routingKey: own, properties });
          expectFields('confirm', await client.method(1, 'basic.ack'), { deliveryTag });
        }
        await expectSilence(client);
      },
    ),
  ]),
  copies(
    'bcc-unseen',
    'BCC is taken out of what is delivered, CC and all else stay',
    'Nobody who gets the message sees who else does.',
    async (t) => {
      const client = await t.openChannel();
      const [own = '', copied = ''] = await queuesOf(t, client, 2);
      const kept: Table = [keysIn('CC', 'nowhere'), ['h', 'S', 'v']];
      const properties = withHeaders(keysIn('BCC', copied), ...kept);
      client.publish(1, { routingKey: own, properties });
      await client.sync();
      for (const queue of [own, copied]) {
        await t.readyCount(client, queue, 1);
        expectEqual('headers', (await client.get(1, queue)).properties.headers, kept);
      }
    },
  ),
  copies(
    'bcc-alone-unseen',
    'a message whose only header is BCC is delivered without it',
    'Also when it is empty.',
    async (t) => {
      const client = await t.openChannel();
      const [queue = ''] = await queuesOf(t, client, 1);
      for (const keys of [['nowhere'], []]) {
        client.publish(1, { routingKey: queue, properties: withHeaders(keysIn('BCC', ...keys)) });
        await client.sync();
        await t.readyCount(client, queue, 1);
        const { headers = [] } = (await client.get(1, queue)).properties;
        expectEqual('headers', headers, []);
      }
    },
  ),
  copies(
    'bcc-unseen-when-returned',
    'a message that comes back has no BCC any more',
    'As little as one that is delivered.',
    async (t) => {
      const client = await t.openChannel();
      const kept = keysIn('CC', 'nowhere');
      const properties = withHeaders(keysIn('BCC', 'nobody'), kept);
      client.publish(1, { routingKey: t.name('nowhere'), mandatory: true, body: 'm', properties });
      const returned = await client.message(1, 'basic.return');
      expectEqual('headers', returned.properties.headers, [kept]);
    },
  ),
  copies('both', 'a queue that CC and BCC lead to gets one copy', 'As with any two keys.', async (t) => {
    const client = await t.openChannel();
    const [own = '', copied = ''] = await queuesOf(t, client, 2);
    const properties = withHeaders(keysIn('CC', copied, own), keysIn('BCC', copied, own));
    client.publish(1, { routingKey: own, body: 'm', properties });
    for (const queue of [own, copied]) await t.expectReady(client, queue, ['m']);
  }),
  copies(
    'capitals',
    'the headers are written in capitals',
    'cc and Bcc are headers as any other, whatever they hold.',
    async (t) => {
      const client = await t.openChannel();
      const [own = '', copied = ''] = await queuesOf(t, client, 2);
      const headers: Table = [
        ['Bcc', 'S', copied],
        ['cc', 'A', [['S', copied]]],
      ];
      client.publish(1, { routingKey: own, body: 'm', properties: { headers } });
      await client.sync();
      await t.readyCount(client, own, 1);
      expectEqual('headers', (await client.get(1, own)).properties.headers, headers);
      await t.expectReady(client, copied, []);
    },
  ),
  copies(
    'not-headers-exchange',
    'a headers exchange does not look at keys, nor at these',
    'CC is a header that a binding may want, as any other.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'headers');
      const [queue = '', other = ''] = await queuesOf(t, client, 2);
      await client.call(1, 'queue.bind', { queue, exchange, arguments: [['CC', 'V', null]] });
      await client.call(1, 'queue.bind', {
        queue: other,
        exchange,
        routingKey: 'k',
        arguments: [['h', 'V', null]],
      });
      client.publish(1, { exchange, body: 'm', properties: withHeaders(keysIn('CC', 'k')) });
      await t.expectReady(client, queue, ['m']);
      await t.expectReady(client, other, []);
    },
  ),
  copies(
    'through-exchanges',
    'a bound exchange routes by all the keys again',
    'CC and BCC go with the message from exchange to exchange.',
    async (t) => {
      const client = await t.openChannel();
      const source = await t.declareExchange(client, 'direct');
      const destination = await t.declareExchange(client, 'direct');
      const [first = '', second = ''] = await queuesOf(t, client, 2);
      await client.call(1, 'exchange.bind', { source, destination, routingKey: 'own' });
      await client.call(1, 'queue.bind', { queue: first, exchange: destination, routingKey: 'cc' });
      await client.call(1, 'queue.bind', { queue: second, exchange: destination, routingKey: 'bcc' });
      const properties = withHeaders(keysIn('CC', 'cc'), keysIn('BCC', 'bcc'));
      client.publish(1, { exchange: source, routingKey: 'own', body: 'm', properties });
      for (const queue of [first, second]) await t.expectReady(client, queue, ['m']);
    },
  ),
  copies(
    'dead-letter',
    'a dead letter without a key of its queue goes where all its keys lead, BCC included',
    'The routing-keys of x-death are those that everybody may see: its own and CC.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'direct');
      const graves = await queuesOf(t, client, 3);
      for (const [i, routingKey] of ['own', 'cc', 'bcc'].entries()) {
        await client.call(1, 'queue.bind', { queue: graves[i]!, exchange, routingKey });
      }
      const work = await t.declareQueue(client, [['x-dead-letter-exchange', 'S', exchange]]);
      const source = await t.declareExchange(client, 'fanout');
      await client.call(1, 'queue.bind', { queue: work, exchange: source });
      const properties = withHeaders(keysIn('CC', 'cc'), keysIn('BCC', 'bcc'));
      client.publish(1, { exchange: source, routingKey: 'own', properties });
      await client.sync();
      await t.readyCount(client, work, 1);
      await client.get(1, work, false);
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: false });
      await client.sync();
      for (const grave of graves) {
        await t.readyCount(client, grave, 1);
        const { headers } = (await client.get(1, grave)).properties;
        expectEqual('BCC', headerOf(headers, 'BCC'), undefined);
        const [[, death]] = headerOf(headers, 'x-death') as [[string, Table]];
        expectEqual('routing-keys', headerOf(death, 'routing-keys'), [
          ['S', 'own'],
          ['S', 'cc'],
        ]);
      }
    },
  ),
];
