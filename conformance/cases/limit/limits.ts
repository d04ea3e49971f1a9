/** Length limits: what counts, what is dropped for it, and in which order. */
import { type Case, section } from '../../case.js';
import { changedArguments, refusedArguments, type WrongArgument } from '../../declarations.js';
import { expectEqual, expectFields, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const limit = section({
  area: 'limit',
  source: 'https://www.rabbitmq.com/docs/maxlength',
  tags: ['rabbitmq'],
});

function maxLength(count: number): Table {
  return [['x-max-length', 'I', count]];
}

function maxBytes(bytes: number): Table {
  return [['x-max-length-bytes', 'I', bytes]];
}

function publishAll(client: RawClient, queue: string, bodies: readonly string[]): void {
  for (const body of bodies) client.publish(1, { routingKey: queue, body });
}

/** The bodies that are published, and those that a queue with those limits has then. */
const DROPS: readonly (readonly [
  name: string,
  args: Table,
  published: string[],
  kept: string[],
  why: string,
])[] = [
  ['length', maxLength(2), ['1', '2', '3', '4'], ['3', '4'], 'the oldest messages go until the rest fit'],
  ['length-zero', maxLength(0), ['1', '2'], [], 'a limit of nothing keeps nothing'],
  ['bytes', maxBytes(6), ['aaa', 'bb', 'cc', 'd'], ['bb', 'cc', 'd'], 'bytes are those of the bodies'],
  [
    'bytes-exact',
    maxBytes(6),
    ['aaa', 'bbb'],
    ['aaa', 'bbb'],
    'as many bytes as the limit are none too many',
  ],
  ['bytes-several', maxBytes(6), ['aa', 'bb', 'cc', 'dddd'], ['cc', 'dddd'], 'a large one makes several go'],
  [
    'bytes-too-large',
    maxBytes(6),
    ['aa', 'bb', 'cccccccc'],
    [],
    'one above the limit goes itself, after all others',
  ],
  ['bytes-zero', maxBytes(0), ['a', ''], [''], 'an empty body fits into nothing'],
  ['bytes-empty', maxBytes(1), ['', '', '', 'a'], ['', '', '', 'a'], 'an empty body has no bytes'],
  [
    'both-length',
    [...maxLength(2), ...maxBytes(100)],
    ['a', 'b', 'c'],
    ['b', 'c'],
    'of two limits the one that is reached counts',
  ],
  [
    'both-bytes',
    [...maxLength(100), ...maxBytes(2)],
    ['a', 'b', 'c'],
    ['b', 'c'],
    'of two limits the one that is reached counts',
  ],
];

const WRONG: readonly WrongArgument[] = [
  ['length-negative', ['x-max-length', 'I', -1], "invalid arg 'x-max-length' for $: {value_negative,-1}"],
  [
    'length-double',
    ['x-max-length', 'd', 1],
    `invalid arg 'x-max-length' for $: "expected integer, got double"`,
  ],
  [
    'length-boolean',
    ['x-max-length', 't', true],
    `invalid arg 'x-max-length' for $: "expected integer, got bool"`,
  ],
  [
    'bytes-negative',
    ['x-max-length-bytes', 'I', -1],
    "invalid arg 'x-max-length-bytes' for $: {value_negative,-1}",
  ],
  [
    'bytes-text',
    ['x-max-length-bytes', 'S', '1k'],
    `invalid arg 'x-max-length-bytes' for $: "expected integer, got longstr"`,
  ],
  [
    'overflow-number',
    ['x-overflow', 'I', 1],
    "invalid arg 'x-overflow' for $: {unacceptable_type,signedint}",
  ],
  ['overflow-empty', ['x-overflow', 'S', ''], "invalid arg 'x-overflow' for $: invalid_overflow"],
];

export const cases: readonly Case[] = [
  ...DROPS.map(([name, args, published, kept, why]) =>
    limit(
      `drop-${name}`,
      `a full queue drops its head (${name}): ${why}`,
      'Without x-overflow a queue over x-max-length or x-max-length-bytes drops its oldest messages until it is not.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client, args);
        await client.call(1, 'confirm.select');
        for (const [i, body] of published.entries()) {
          client.publish(1, { routingKey: queue, body });
          expectFields('confirm', await client.method(1, 'basic.ack'), { deliveryTag: i + 1 });
        }
        await t.expectReady(client, queue, kept);
      },
    ),
  ),
  limit(
    'drop-head-named',
    'x-overflow drop-head is what a queue does without it',
    'But it is compared when the queue is declared again.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, [...maxLength(1), ['x-overflow', 'S', 'drop-head']]);
      publishAll(client, queue, ['1', '2']);
      await client.sync();
      await t.expectReady(client, queue, ['2']);
    },
  ),
  limit(
    'properties-not-counted',
    'properties and headers are no bytes of a length limit',
    'x-max-length-bytes is compared with the sum of the bodies.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, maxBytes(2));
      const properties = { messageId: 'a long identifier', headers: [['h', 'S', 'x'.repeat(100)]] } as const;
      for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body, properties });
      await client.sync();
      await t.expectReady(client, queue, ['1', '2']);
    },
  ),
  limit(
    'only-ready-counts',
    'what is unacknowledged does not count',
    'x-max-length is about messages that are ready.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, maxLength(2));
      await t.publish(client, queue, 2);
      for (let i = 0; i < 2; i++) await client.get(1, queue, false);
      publishAll(client, queue, ['3', '4']);
      await t.expectReady(client, queue, ['3', '4']);
    },
  ),
  limit(
    'only-ready-bytes-count',
    'the bytes of what is unacknowledged do not count',
    'x-max-length-bytes is about messages that are ready, too.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, maxBytes(4));
      publishAll(client, queue, ['aaaa']);
      await client.get(1, queue, false);
      publishAll(client, queue, ['bbbb']);
      await t.expectReady(client, queue, ['bbbb']);
    },
  ),
  limit(
    'delivered-not-dropped',
    'what a consumer can take is never dropped',
    'A message that is delivered at once does not wait in the queue, not even with a limit of 0.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, maxLength(0));
      await client.call(1, 'basic.consume', { queue });
      publishAll(client, queue, ['1', '2', '3']);
      await t.expectDeliveries(client, ['1', '2', '3']);
    },
  ),
  limit(
    'requeue-over',
    'what is returned to a full queue makes its head go, which may be itself',
    'A return goes to its old place, and the limit counts again.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, [
        ...maxLength(2),
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', graves],
      ]);
      await t.publish(client, queue, 2);
      for (let i = 0; i < 2; i++) await client.get(1, queue, false);
      publishAll(client, queue, ['3', '4']);
      await client.sync();
      await t.readyCount(client, queue, 2);
      client.send(1, 'basic.nack', { deliveryTag: 2, multiple: true, requeue: true });
      await t.readyCount(client, graves, 2);
      await t.expectReady(client, queue, ['3', '4']);
      await t.expectReady(client, graves, ['1', '2']);
    },
  ),
  limit(
    'dead-letters-in-order',
    'what is dropped for its bytes dies in its order, with the reason maxlen',
    'The head is dead-lettered before the next one.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, [
        ...maxBytes(4),
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', graves],
      ]);
      await client.call(1, 'basic.consume', { queue: graves, noAck: true });
      publishAll(client, queue, ['aa', 'bb', 'cccc']);
      for (const body of ['aa', 'bb']) {
        const { properties, body: found } = await client.delivery();
        const reason = properties.headers?.find(([key]) => key === 'x-first-death-reason');
        expectEqual('dead', [String(found), reason?.[2]], [body, 'maxlen']);
      }
      await expectSilence(client);
      await t.expectReady(client, queue, ['cccc']);
    },
  ),
  ...refusedArguments(limit, WRONG),
  ...changedArguments(limit, [
    [
      'length',
      maxLength(2),
      maxLength(3),
      "inequivalent arg 'x-max-length' for $: received '3' but current is '2'",
    ],
    [
      'bytes',
      maxBytes(2),
      [],
      "inequivalent arg 'x-max-length-bytes' for $: received none but current is the value '2' of type 'signedint'",
    ],
    [
      'overflow',
      [['x-overflow', 'S', 'reject-publish']],
      [['x-overflow', 'S', 'drop-head']],
      "inequivalent arg 'x-overflow' for $: received 'drop-head' but current is 'reject-publish'",
    ],
    [
      'overflow-new',
      [],
      [['x-overflow', 'S', 'drop-head']],
      "inequivalent arg 'x-overflow' for $: received the value 'drop-head' of type 'longstr' but current is none",
    ],
  ]),
];
