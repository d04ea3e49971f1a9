/** queue.declare: what it makes, what it counts, and every refusal. */
import { type Case, section } from '../../case.js';
import { expectChannelClose, expectEqual, expectMatch, expectRefusal, expectSilence } from '../../expect.js';
import type { Table } from '../../wire/raw-codec.js';
import type { Fields } from '../../wire/raw-methods.js';

const declare = section({ area: 'queue', source: 'AMQP 0-9-1, queue.declare', tags: ['core'] });
const optional = section({
  area: 'queue',
  source: 'https://www.rabbitmq.com/docs/queues#optional-arguments',
  tags: ['rabbitmq'],
});

const CHANGES: readonly (readonly [name: string, key: string, change: Fields, text: string])[] = [
  ['durable', 'durable', { durable: true }, "received 'true' but current is 'false'"],
  ['auto-delete', 'auto_delete', { autoDelete: true }, "received 'true' but current is 'false'"],
  [
    'no-dlx',
    'x-dead-letter-exchange',
    { arguments: [] },
    "received none but current is the value 'dlx' of type 'longstr'",
  ],
  [
    'dlx',
    'x-dead-letter-exchange',
    { arguments: [['x-dead-letter-exchange', 'S', 'other']] },
    "received 'other' but current is 'dlx'",
  ],
  [
    'single-active',
    'x-single-active-consumer',
    {
      arguments: [
        ['x-dead-letter-exchange', 'S', 'dlx'],
        ['x-single-active-consumer', 't', true],
      ],
    },
    "received the value 'true' of type 'bool' but current is none",
  ],
];

/** `$` stands for the queue in its virtual host. */
const WRONG_ARGUMENTS: readonly (readonly [name: string, args: Table, text: string])[] = [
  ['ttl-negative', [['x-message-ttl', 'I', -1]], "invalid arg 'x-message-ttl' for $: {value_negative,-1}"],
  ['expires-zero', [['x-expires', 'I', 0]], "invalid arg 'x-expires' for $: {value_zero,0}"],
  [
    'max-length-text',
    [['x-max-length', 'S', 'ten']],
    `invalid arg 'x-max-length' for $: "expected integer, got longstr"`,
  ],
  ['overflow', [['x-overflow', 'S', 'spill']], "invalid arg 'x-overflow' for $: invalid_overflow"],
  [
    'dead-letter-key-alone',
    [['x-dead-letter-routing-key', 'S', 'key']],
    "invalid arg 'x-dead-letter-routing-key' for $: routing_key_but_no_dlx_defined",
  ],
  [
    'dlx-number',
    [['x-dead-letter-exchange', 'I', 1]],
    "invalid type 'signedint' for arg 'x-dead-letter-exchange' in $",
  ],
  [
    'type-unknown',
    [['x-queue-type', 'S', 'nonsense']],
    `invalid arg 'x-queue-type' for $: "unsupported queue type 'nonsense'"`,
  ],
  [
    'delivery-limit-classic',
    [['x-delivery-limit', 'I', 5]],
    "invalid arg 'x-delivery-limit' for $ of queue type rabbit_classic_queue",
  ],
  [
    'quorum-max-length',
    [
      ['x-queue-type', 'S', 'quorum'],
      ['x-max-length', 'I', -1],
    ],
    "invalid arg 'x-max-length' for $: {value_negative,-1}",
  ],
  ['quorum-transient', [['x-queue-type', 'S', 'quorum']], "invalid property 'non-durable' for $"],
];

export const cases: readonly Case[] = [
  declare(
    'declare-counts',
    'declare-ok counts what is ready and who consumes',
    'declare-ok has the number of messages that are ready, without those that are unacknowledged, and of consumers.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      const declared = await client.call(1, 'queue.declare', { queue, exclusive: true });
      expectEqual('declare-ok', declared, { queue, messageCount: 0, consumerCount: 0 });
      await t.publish(client, queue, 3);
      await client.get(1, queue, false);
      await t.expectCounts(client, queue, { messageCount: 2, consumerCount: 0 });
      await client.call(1, 'basic.consume', { queue });
      await t.expectDeliveries(client, ['2', '3']);
      await t.expectCounts(client, queue, { messageCount: 0, consumerCount: 1 });
    },
  ),
  declare(
    'declare-invents',
    'an empty name is replaced',
    'For an empty name the broker invents one: RabbitMQ’s begin with amq.gen-, and nobody may declare such a name.',
    async (t) => {
      const client = await t.openChannel();
      const { queue = '' } = await client.call(1, 'queue.declare', { exclusive: true });
      expectMatch('name', queue, /^amq\.gen-[A-Za-z0-9_-]{22}$/);
      await client.call(1, 'queue.declare', { queue, passive: true });
      await expectRefusal(
        client,
        'queue.declare',
        { queue, exclusive: true },
        403,
        `ACCESS_REFUSED - queue name '${queue}' contains reserved prefix 'amq.*'`,
      );
    },
  ),
  declare(
    'declare-line-breaks',
    'line breaks in the name are dropped',
    'RabbitMQ strips CR and LF from the names of queues that are declared.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      const fields = { queue: `\r${queue}\n`, exclusive: true };
      expectEqual('name', (await client.call(1, 'queue.declare', fields)).queue, queue);
    },
    ['rabbitmq'],
  ),
  declare(
    'declare-exclusive-durable',
    'an exclusive queue can be declared durable or not, whichever it was',
    'RabbitMQ does not tell the durability of exclusive queues apart.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue, exclusive: true, durable: true });
      await client.call(1, 'queue.declare', { queue, exclusive: true });
    },
    ['rabbitmq'],
  ),
  optional(
    'arguments-unknown',
    'unknown arguments are ignored',
    'RabbitMQ ignores arguments that it does not know, and does not compare them either.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, [['x-none', 'I', -1]]);
      await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: [['x-other', 'S', 'x']] });
    },
  ),
  ...CHANGES.map(([name, key, change, text]) =>
    declare(
      `declare-other-${name}`,
      `another ${key} is refused (${name})`,
      'A declaration that is not equivalent is the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        const fields: Fields = { queue: t.name('q'), arguments: [['x-dead-letter-exchange', 'S', 'dlx']] };
        await client.call(1, 'queue.declare', fields);
        await expectRefusal(
          client,
          'queue.declare',
          { ...fields, ...change },
          406,
          `PRECONDITION_FAILED - inequivalent arg '${key}' for ${t.inVhost('queue', fields.queue!)}: ${text}`,
        );
      },
    ),
  ),
  ...WRONG_ARGUMENTS.map(([name, args, text]) =>
    optional(
      `arguments-${name}`,
      `${JSON.stringify(args)} is refused`,
      'A wrong argument is the channel error 406, and nothing is declared.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        const full = `PRECONDITION_FAILED - ${text.replace('$', t.inVhost('queue', queue))}`;
        await expectRefusal(client, 'queue.declare', { queue, arguments: args }, 406, full);
        await expectRefusal(client, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
      },
    ),
  ),
  optional(
    'quorum-unnamed',
    'a quorum queue must have a name',
    'RabbitMQ invents names for classic queues only: the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      await expectRefusal(
        client,
        'queue.declare',
        { queue: '', durable: true, arguments: [['x-queue-type', 'S', 'quorum']] },
        406,
        'PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue',
      );
    },
  ),
  declare(
    'passive-ignores-fields',
    'a passive declaration does not look at the other fields',
    'With passive set only the name of the queue counts, and neither flags nor arguments are compared.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const fields = { queue, passive: true, durable: true, autoDelete: true };
      await client.call(1, 'queue.declare', { ...fields, arguments: [['x-max-length', 'S', 'nonsense']] });
    },
  ),
  ...['nowhere', ''].map((queue) =>
    declare(
      `passive-missing-${queue === '' ? 'unnamed' : 'named'}`,
      `a passive declaration of '${queue}' is refused`,
      'A passive declaration of a queue that does not exist is the channel error 404, and an empty name is none.',
      async (t) => {
        const client = await t.openChannel();
        await t.declareQueue(client);
        await expectRefusal(client, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
      },
    ),
  ),
  declare(
    'declare-no-wait',
    'no-wait says nothing but of an error',
    'With no-wait there is no reply; an error closes the channel all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      client.send(1, 'queue.declare', { queue, exclusive: true, noWait: true });
      client.send(1, 'queue.declare', { queue, passive: true, noWait: true });
      await expectSilence(client);
      const missing = { queue: 'nowhere', passive: true, noWait: true };
      await expectRefusal(client, 'queue.declare', missing, 404, t.noQueue('nowhere'));
    },
  ),
  declare(
    'last-declared',
    'an empty name means the queue declared last',
    'An empty name stands for the queue that was declared last on the channel, in every method that names a queue.',
    async (t) => {
      const client = await t.openChannel();
      const { queue: name = '' } = await client.call(1, 'queue.declare', { exclusive: true });
      await client.call(1, 'queue.bind', { exchange: 'amq.direct' });
      client.publish(1, { exchange: 'amq.direct', routingKey: name });
      await client.sync();
      expectEqual('exchange', (await client.get(1, '')).method.exchange, 'amq.direct');
      await client.call(1, 'basic.consume', { consumerTag: 'c' });
      await client.call(1, 'basic.cancel', { consumerTag: 'c' });
      await client.openChannel(2);
      client.send(2, 'queue.purge');
      await expectChannelClose(client, 'queue.purge', 404, 'NOT_FOUND - no previously declared queue', 2);
      await client.call(1, 'queue.delete');
    },
  ),
  ...['queue.bind', 'queue.unbind', 'queue.purge', 'queue.delete', 'basic.get', 'basic.consume'].map(
    (method) =>
      declare(
        `none-declared-${method.replace('.', '-')}`,
        `${method} without a name needs a queue declared before`,
        'An empty name stands for the queue declared last on the channel; where there is none it is the channel error 404.',
        async (t) => {
          const client = await t.openChannel();
          await expectRefusal(client, method, {}, 404, 'NOT_FOUND - no previously declared queue');
        },
      ),
  ),
];
