/** Field tables in the arguments of methods: which types a value may have, when two are equal, what cannot be read. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { closeOf, expectEqual, expectRefusal } from '../../expect.js';
import { FRAME_METHOD, type RawClient } from '../../wire/raw-client.js';
import { encodeMethod, type Table, type TableValue } from '../../wire/raw-codec.js';
import { UNREADABLE } from '../../wire/unreadable-tables.js';

const argument = section({
  area: 'field-table',
  source: 'https://www.rabbitmq.com/docs/queues#optional-arguments',
  tags: ['rabbitmq'],
});
const unreadable = section({
  area: 'field-table',
  source: 'AMQP 0-9-1, 4.2.5.5 field tables',
  tags: ['rabbitmq'],
});

/** Every integer, with what RabbitMQ calls it. */
const INTEGERS = [
  ['b', 'byte'],
  ['B', 'unsignedbyte'],
  ['s', 'short'],
  ['u', 'unsignedshort'],
  ['I', 'signedint'],
  ['i', 'unsignedint'],
  ['l', 'long'],
  ['L', 'long'],
] as const;

/** Every other type, with what RabbitMQ calls it. */
const NO_INTEGERS: readonly (readonly [tag: string, type: string, value: TableValue])[] = [
  ['t', 'bool', true],
  ['f', 'float', 1.5],
  ['d', 'double', 1.5],
  ['D', 'decimal', { scale: 0, digits: 5 }],
  ['S', 'longstr', '5'],
  ['x', 'binary', Buffer.from('5')],
  ['T', 'timestamp', 5],
  ['V', 'void', null],
  ['A', 'array', [['I', 5]]],
  ['F', 'table', [['k', 'I', 5]]],
];

/** A queue with those arguments that is not exclusive, so that another declaration compares all there is. */
async function withQueue(t: CaseContext, args: Table): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  const queue = t.name('q');
  await client.call(1, 'queue.declare', { queue, autoDelete: true, arguments: args });
  return { client, queue };
}

/** Declares the queue once more; `expected` is what is said about its x-max-length. */
async function expectInequivalent(
  t: CaseContext,
  client: RawClient,
  queue: string,
  args: Table,
  expected: string,
): Promise<void> {
  const about = `inequivalent arg 'x-max-length' for ${t.inVhost('queue', queue)}`;
  const text = `PRECONDITION_FAILED - ${about}: ${expected}`;
  await expectRefusal(client, 'queue.declare', { queue, autoDelete: true, arguments: args }, 406, text);
}

export const cases: readonly Case[] = [
  ...INTEGERS.map(([tag, type]) =>
    argument(
      `argument-integer-${tag === tag.toLowerCase() ? type : `${type}-${tag}`}`,
      `an argument that is a number may be of type ${tag}`,
      'Every integer type will do where an argument is a number; a refusal calls it by its name.',
      async (t) => {
        const { client, queue } = await withQueue(t, [['x-max-length', tag, 100]]);
        const was = `the value '100' of type '${type}'`;
        await expectInequivalent(t, client, queue, [], `received none but current is ${was}`);
        const plain = await withQueue(t, []);
        const args: Table = [['x-max-length', tag, 100]];
        await expectInequivalent(t, plain.client, plain.queue, args, `received ${was} but current is none`);
        for (let i = 0; i < 101; i++) client.publish(1, { routingKey: queue });
        await client.sync();
        await t.expectCounts(client, queue, { messageCount: 100 });
      },
    ),
  ),
  argument(
    'argument-integers-equal',
    'a number of another integer type is the same number',
    'Arguments are equivalent when their values are, whichever of the integer types they have.',
    async (t) => {
      const { client, queue } = await withQueue(t, [['x-max-length', 'I', 100]]);
      for (const [tag] of INTEGERS) {
        const args: Table = [['x-max-length', tag, 100]];
        await client.call(1, 'queue.declare', { queue, autoDelete: true, arguments: args });
      }
    },
  ),
  argument(
    'argument-integers-differ',
    'another number is not equivalent, whatever its type',
    'The refusal has both values, and no types where both are there.',
    async (t) => {
      const { client, queue } = await withQueue(t, [['x-max-length', 'b', 5]]);
      for (const [tag] of INTEGERS) {
        const args: Table = [['x-max-length', tag, 6]];
        await expectInequivalent(t, client, queue, args, "received '6' but current is '5'");
      }
    },
  ),
  ...NO_INTEGERS.map(([tag, type, value]) =>
    argument(
      `argument-no-integer-${type}`,
      `an argument that is a number may not be of type ${tag}`,
      'Only integers are numbers; anything else is the channel error 406, which names its type.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        const fields = { queue, exclusive: true, arguments: [['x-max-length', tag, value]] as Table };
        const text = `PRECONDITION_FAILED - invalid arg 'x-max-length' for ${t.inVhost('queue', queue)}: `;
        await expectRefusal(client, 'queue.declare', fields, 406, `${text}"expected integer, got ${type}"`);
      },
    ),
  ),
  argument(
    'argument-first-counts',
    'of two arguments with one name the first counts',
    'A table may have a name twice; it is looked up from its beginning.',
    async (t) => {
      const { client, queue } = await withQueue(t, [
        ['x-max-length', 'I', 1],
        ['x-max-length', 'I', 5],
      ]);
      for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body });
      await t.expectReady(client, queue, ['2']);
    },
  ),
  argument(
    'argument-any-unknown',
    'an argument nobody knows may be of any type',
    'Unknown arguments are kept and not looked at, by queues, exchanges, bindings and consumers alike.',
    async (t) => {
      const client = await t.openChannel();
      const args: Table = NO_INTEGERS.map(([tag, type, value]) => [`x-unknown-${type}`, tag, value]);
      const queue = await t.declareQueue(client, args);
      const exchange = await t.declareExchange(client, 'direct', { arguments: args });
      await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'k', arguments: args });
      await client.call(1, 'basic.consume', { queue, noAck: true, arguments: args });
      client.publish(1, { exchange, routingKey: 'k', body: 'm' });
      await t.expectDeliveries(client, ['m']);
    },
  ),
  argument(
    'argument-binding-type',
    'a binding whose argument has another type is another binding',
    'Bindings are the same when their tables are, types included: unbinding with another type removes nothing.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'direct');
      const binding = (tag: string) => ({
        queue,
        exchange,
        routingKey: 'k',
        arguments: [['a', tag, 1]] as Table,
      });
      await client.call(1, 'queue.bind', binding('I'));
      await client.call(1, 'queue.unbind', binding('l'));
      client.publish(1, { exchange, routingKey: 'k', body: 'bound' });
      await t.expectReady(client, queue, ['bound']);
      await client.call(1, 'queue.unbind', binding('I'));
      client.publish(1, { exchange, routingKey: 'k', body: 'late' });
      await t.expectReady(client, queue, []);
    },
  ),
  ...UNREADABLE.map(({ name, title, table }) =>
    unreadable(
      `argument-unreadable-${name}`,
      `arguments that are ${title} end the connection`,
      'RabbitMQ drops a connection whose method has a table that it cannot read, and says nothing; a broker may say 501.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        const method = encodeMethod('queue.declare', { queue, autoDelete: true });
        const payload = Buffer.concat([method.subarray(0, -4), table]);
        client.frame(FRAME_METHOD, 1, payload);
        await expectDropOr501(client, payload);
        const other = await t.openChannel();
        await expectRefusal(other, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
      },
    ),
  ),
  unreadable(
    'argument-longer-than-frame',
    'arguments said to be longer than their frame are the error 501',
    'The length of a table may not go beyond its method: what is not there cannot be decoded.',
    async (t) => {
      const client = await t.openChannel();
      const method = encodeMethod('queue.declare', { queue: 'q', autoDelete: true });
      const payload = Buffer.concat([method.subarray(0, -4), Buffer.from([0, 0, 0, 9, 1, 0x61, 0x74, 1])]);
      client.frame(FRAME_METHOD, 1, payload);
      expectEqual('connection.close', await client.method(0, 'connection.close'), notDecoded(payload));
    },
  ),
];

/** The close for a queue.declare that cannot be decoded: its octets behind the ids. */
function notDecoded(payload: Buffer) {
  const octets = [...payload.subarray(4)].join(',');
  return closeOf('queue.declare', 501, `FRAME_ERROR - cannot decode <<${octets}>>`);
}

async function expectDropOr501(client: RawClient, payload: Buffer): Promise<void> {
  const method = await client.methodOrEnd(0);
  if (method === undefined) return;
  expectEqual('what the broker said', method, { name: 'connection.close', fields: notDecoded(payload) });
}
