/** The tables of the handshake: server-properties and client-properties. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual, expectSilence } from '../../expect.js';
import { FRAME_METHOD, type RawClient } from '../../wire/raw-client.js';
import { encodeMethod, type Table } from '../../wire/raw-codec.js';
import { UNREADABLE } from '../../wire/unreadable-tables.js';

const server = section({
  area: 'field-table',
  source: 'AMQP 0-9-1, connection.start, server-properties',
  tags: ['core'],
});
const client = section({
  area: 'field-table',
  source: 'AMQP 0-9-1, connection.start-ok, client-properties',
  tags: ['core'],
});
const penalty = section({
  area: 'field-table',
  source: 'https://www.rabbitmq.com/docs/auth-notification',
  tags: ['rabbitmq'],
  waits: true,
});
const capability = section({
  area: 'field-table',
  source: 'https://www.rabbitmq.com/docs/consumer-cancel#capabilities',
  tags: ['rabbitmq'],
});

const EVERY_TYPE: Table = [
  ['boolean', 't', true],
  ['octet', 'b', -1],
  ['unsigned-octet', 'B', 255],
  ['short', 's', -1],
  ['unsigned-short', 'u', 65_535],
  ['long', 'I', -1],
  ['unsigned-long', 'i', 1],
  ['long-long', 'l', -1],
  ['long-long-L', 'L', -1],
  ['float', 'f', 1.5],
  ['double', 'd', 1.5],
  ['decimal', 'D', { scale: 1, digits: 15 }],
  ['text', 'S', 'ü'],
  ['bytes', 'x', Buffer.from([0, 255])],
  ['time', 'T', 1_700_000_000],
  ['void', 'V', null],
  ['array', 'A', [['F', [['k', 'A', []]]]]],
  ['capabilities', 'F', []],
];

/** Capabilities of a client that do not say it understands basic.cancel. */
const INCAPABLE: readonly (readonly [name: string, title: string, properties: Table])[] = [
  ['none', 'no properties at all', []],
  ['no-table', 'capabilities that are no table', [['capabilities', 'S', 'consumer_cancel_notify']]],
  ['false', 'a capability that is false', [['capabilities', 'F', [['consumer_cancel_notify', 't', false]]]]],
  [
    'number',
    'a capability that is no boolean',
    [['capabilities', 'F', [['consumer_cancel_notify', 'I', 1]]]],
  ],
  ['outside', 'a capability beside the table of them', [['consumer_cancel_notify', 't', true]]],
];

/** Whether a client with those properties is told that the queue of its consumer is gone. */
async function isToldOfCancel(t: CaseContext, clientProperties: Table): Promise<boolean> {
  const owner = await t.openChannel();
  const queue = t.name('shared');
  await owner.call(1, 'queue.declare', { queue });
  const consumer = await t.openChannel({ clientProperties });
  await consumer.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  await owner.call(1, 'queue.delete', { queue });
  // Declaring it anew takes the broker longer than the news of its end.
  await consumer.openChannel(2);
  await consumer.call(2, 'queue.declare', { queue, autoDelete: true });
  await consumer.sync();
  const [first] = consumer.pendingFrames(1);
  if (first !== undefined) await consumer.method(1, 'basic.cancel');
  await expectSilence(consumer);
  return first !== undefined;
}

export const cases: readonly Case[] = [
  server(
    'server-properties',
    'server-properties say which product and version it is, as texts',
    'A server names product, version and platform, with copyright and information; each is a long string.',
    async (t) => {
      const raw = await t.connect();
      const { serverProperties = [] } = await raw.start();
      for (const name of ['product', 'version', 'platform', 'copyright', 'information']) {
        const found = serverProperties.filter(([key]) => key === name);
        expectEqual(
          `type of ${name}`,
          found.map(([, tag]) => tag),
          ['S'],
        );
      }
    },
  ),
  server(
    'server-properties-once',
    'no name is twice in server-properties or its capabilities',
    'Field names of a table must not be duplicated by who writes one, and a capability is a boolean.',
    async (t) => {
      const raw = await t.connect();
      const { serverProperties = [] } = await raw.start();
      const capabilities = serverProperties.find(([key]) => key === 'capabilities')?.[2] as Table;
      for (const table of [serverProperties, capabilities]) {
        const names = table.map(([key]) => key);
        expectEqual('names', names, [...new Set(names)]);
      }
      expectEqual('types', [...new Set(capabilities.map(([, tag]) => tag))], ['t']);
    },
  ),
  server(
    'server-properties-cluster',
    'server-properties name the cluster',
    'RabbitMQ has a field cluster_name, a long string that is not empty.',
    async (t) => {
      const raw = await t.connect();
      const { serverProperties = [] } = await raw.start();
      const [, tag, value] = serverProperties.find(([key]) => key === 'cluster_name') ?? [];
      expectEqual('type, and whether there is a text', [tag, value !== ''], ['S', true]);
    },
    ['rabbitmq'],
  ),
  client(
    'client-properties-types',
    'client-properties may have values of every type',
    'A client says of itself what it likes; properties the server does not know are not looked at.',
    async (t) => {
      const raw: RawClient = await t.openChannel({ clientProperties: EVERY_TYPE });
      await raw.sync();
    },
  ),
  client(
    'client-properties-name',
    'a client may name its connection',
    'RabbitMQ shows connection_name to people; a text of any length is good.',
    async (t) => {
      const clientProperties: Table = [['connection_name', 'S', 'ü'.repeat(500)]];
      await (await t.openChannel({ clientProperties })).sync();
    },
    ['rabbitmq'],
  ),
  client(
    'client-properties-name-type',
    'a connection name of another type than text is not looked at',
    'Only a long string names a connection; the connection opens all the same.',
    async (t) => {
      await (await t.openChannel({ clientProperties: [['connection_name', 'I', 1]] })).sync();
    },
    ['rabbitmq'],
  ),
  penalty(
    'client-properties-unreadable',
    'client-properties that cannot be read end the connection without an answer',
    'Before connection.open RabbitMQ says nothing of what is wrong: it waits for three seconds and closes TCP.',
    async (t) => {
      const raw = await t.connect();
      await raw.start();
      const payload = encodeMethod('connection.start-ok', {
        mechanism: 'PLAIN',
        response: `\0${t.broker.user}\0${t.broker.password}`,
        locale: 'en_US',
      });
      // The empty table behind the ids makes room for one with an unknown type.
      const parts = [payload.subarray(0, 4), UNREADABLE[0]!.table, payload.subarray(8)];
      raw.frame(FRAME_METHOD, 0, Buffer.concat(parts));
      expectEqual('answer', await raw.methodOrEnd(0), undefined);
    },
  ),
  capability(
    'capability-true',
    'a capability that is true counts',
    'A client whose capabilities have consumer_cancel_notify is told that the queue of its consumer is gone.',
    async (t) => {
      const table: Table = [['capabilities', 'F', [['consumer_cancel_notify', 't', true]]]];
      expectEqual('told', await isToldOfCancel(t, table), true);
    },
  ),
  ...INCAPABLE.map(([name, title, properties]) =>
    capability(
      `capability-${name}`,
      `${title} is not a capability`,
      'A client understands what its table of capabilities has as the boolean true, and gets no basic.cancel otherwise.',
      async (t) => expectEqual('told', await isToldOfCancel(t, properties), false),
    ),
  ),
];
