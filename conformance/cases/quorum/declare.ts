/** Quorum queues: what they have to be, which arguments they take, and which methods they refuse. */
import { type Case, section } from '../../case.js';
import { changedArguments, refusedArguments, type WrongArgument } from '../../declarations.js';
import { expectConnectionClose, expectEqual, expectFields, expectRefusal } from '../../expect.js';
import { expectTaken, publishConfirmed, QUORUM, QUORUM_PROPERTIES, withQuorum } from '../../quorum-queue.js';
import type { Table } from '../../wire/raw-codec.js';
import type { Fields } from '../../wire/raw-methods.js';

const quorum = section({
  area: 'quorum',
  source: 'https://www.rabbitmq.com/docs/quorum-queues',
  tags: ['rabbitmq'],
});

/** Properties a quorum queue cannot have, and the one that the refusal names. */
const PROPERTIES: readonly (readonly [name: string, properties: Fields, named: string])[] = [
  ['auto-delete', { durable: true, autoDelete: true }, 'auto-delete'],
  ['exclusive', { durable: true, exclusive: true }, 'exclusive-owner'],
  ['transient', {}, 'non-durable'],
  ['all', { autoDelete: true, exclusive: true }, 'auto-delete'],
  ['exclusive-transient', { exclusive: true }, 'exclusive-owner'],
];

/** Arguments of other types of queues. */
const FOREIGN: Table = [
  ['x-max-priority', 'I', 5],
  ['x-queue-mode', 'S', 'lazy'],
  ['x-queue-version', 'I', 2],
  ['x-queue-master-locator', 'S', 'client-local'],
  ['x-max-age', 'S', '1h'],
  ['x-stream-max-segment-size-bytes', 'I', 1000],
  ['x-initial-cluster-size', 'I', 1],
];

const WRONG: readonly WrongArgument[] = [
  [
    'strategy',
    ['x-dead-letter-strategy', 'S', 'never'],
    "invalid arg 'x-dead-letter-strategy' for $: invalid_dlx_strategy",
  ],
  [
    'strategy-number',
    ['x-dead-letter-strategy', 'I', 1],
    "invalid arg 'x-dead-letter-strategy' for $: {unacceptable_type,signedint}",
  ],
  [
    'group-zero',
    ['x-quorum-initial-group-size', 'I', 0],
    "invalid arg 'x-quorum-initial-group-size' for $: {value_zero,0}",
  ],
  [
    'group-negative',
    ['x-quorum-initial-group-size', 'I', -1],
    "invalid arg 'x-quorum-initial-group-size' for $: {value_negative,-1}",
  ],
  [
    'in-memory-length',
    ['x-max-in-memory-length', 'I', -1],
    "invalid arg 'x-max-in-memory-length' for $: {value_negative,-1}",
  ],
  [
    'in-memory-bytes',
    ['x-max-in-memory-bytes', 'S', '1'],
    `invalid arg 'x-max-in-memory-bytes' for $: "expected integer, got longstr"`,
  ],
  ['ttl', ['x-message-ttl', 'I', -1], "invalid arg 'x-message-ttl' for $: {value_negative,-1}"],
  ['expires', ['x-expires', 'I', 0], "invalid arg 'x-expires' for $: {value_zero,0}"],
  [
    'length-bytes',
    ['x-max-length-bytes', 'I', -1],
    "invalid arg 'x-max-length-bytes' for $: {value_negative,-1}",
  ],
  ['overflow', ['x-overflow', 'S', 'spill'], "invalid arg 'x-overflow' for $: invalid_overflow"],
  [
    'single-active',
    ['x-single-active-consumer', 'I', 1],
    "invalid arg 'x-single-active-consumer' for $: {unacceptable_type,signedint}",
  ],
  [
    'leader-locator',
    ['x-queue-leader-locator', 'S', 'nowhere'],
    "invalid arg 'x-queue-leader-locator' for $: invalid_queue_locator_arg",
  ],
  [
    'dead-letter-key-alone',
    ['x-dead-letter-routing-key', 'S', 'k'],
    "invalid arg 'x-dead-letter-routing-key' for $: routing_key_but_no_dlx_defined",
  ],
  [
    'dlx-number',
    ['x-dead-letter-exchange', 'I', 1],
    "invalid type 'signedint' for arg 'x-dead-letter-exchange' in $",
  ],
];

/** Arguments that a quorum queue takes. */
const TAKEN: Table = [
  ['x-quorum-initial-group-size', 'I', 1],
  ['x-delivery-limit', 'I', 5],
  ['x-max-in-memory-length', 'I', 10],
  ['x-max-in-memory-bytes', 'I', 1000],
  ['x-overflow', 'S', 'reject-publish-dlx'],
  ['x-dead-letter-exchange', 'S', 'nowhere'],
  ['x-dead-letter-strategy', 'S', 'at-most-once'],
  ['x-queue-leader-locator', 'S', 'client-local'],
];

export const cases: readonly Case[] = [
  ...PROPERTIES.map(([name, properties, named]) =>
    quorum(
      `property-${name}`,
      `a quorum queue cannot be declared with ${JSON.stringify(properties)}`,
      'It is durable, shared and permanent; of several faults auto-delete is named first: the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        const text = `PRECONDITION_FAILED - invalid property '${named}' for ${t.inVhost('queue', queue)}`;
        const fields = { queue, ...properties, arguments: QUORUM };
        await expectRefusal(client, 'queue.declare', fields, 406, text);
      },
    ),
  ),
  ...refusedArguments(
    quorum,
    [
      ...WRONG,
      ...FOREIGN.map((argument): WrongArgument => {
        const [key] = argument;
        return [key.slice(2), argument, `invalid arg '${key}' for $ of queue type rabbit_quorum_queue`];
      }),
    ],
    QUORUM_PROPERTIES,
  ),
  ...refusedArguments(
    quorum,
    [
      [
        'type-boolean',
        ['x-queue-type', 't', true],
        "invalid arg 'x-queue-type' for $: {unacceptable_type,bool}",
      ],
    ],
    { durable: true },
  ),
  quorum(
    'arguments',
    'a quorum queue takes the arguments that are for it',
    'Also reject-publish-dlx, though it does as without it, and those that say how it is spread over nodes.',
    async (t) => {
      const { client, queue } = await withQuorum(t, TAKEN);
      const fields = { ...QUORUM_PROPERTIES, queue, arguments: [...QUORUM, ...TAKEN] };
      const declared = await client.call(1, 'queue.declare', fields);
      expectEqual('declare-ok', declared, { queue, messageCount: 0, consumerCount: 0 });
    },
  ),
  ...changedArguments(
    quorum,
    [
      [
        'type',
        QUORUM,
        [['x-queue-type', 'S', 'classic']],
        "inequivalent arg 'x-queue-type' for $: received 'classic' but current is 'quorum'",
      ],
      [
        'classic',
        [['x-queue-type', 'S', 'classic']],
        QUORUM,
        "inequivalent arg 'x-queue-type' for $: received 'quorum' but current is 'classic'",
      ],
      [
        'delivery-limit',
        [...QUORUM, ['x-delivery-limit', 'I', 5]],
        [...QUORUM, ['x-delivery-limit', 'I', 6]],
        "inequivalent arg 'x-delivery-limit' for $: received '6' but current is '5'",
      ],
      [
        'strategy',
        QUORUM,
        [...QUORUM, ['x-dead-letter-strategy', 'S', 'at-most-once']],
        "inequivalent arg 'x-dead-letter-strategy' for $: received the value 'at-most-once' of type 'longstr' but current is none",
      ],
    ],
    { durable: true },
  ),
  ...(['ifUnused', 'ifEmpty'] as const).map((flag) => {
    const name = flag === 'ifUnused' ? 'if-unused' : 'if-empty';
    return quorum(
      `delete-${name}`,
      `a quorum queue cannot be deleted ${name}`,
      'It does not know at once whether it is: the connection error 540, and the queue stays.',
      async (t) => {
        const { client, queue } = await withQuorum(t);
        client.send(1, 'queue.delete', { queue, [flag]: true });
        const text =
          `NOT_IMPLEMENTED - cannot delete ${t.inVhost('queue', queue)}. queue.delete operations with ${name} ` +
          'flag set are not supported by quorum queues';
        await expectConnectionClose(client, 'queue.delete', 540, text);
        const other = await t.openChannel();
        await other.call(1, 'queue.declare', { queue, passive: true });
      },
    );
  }),
  quorum(
    'delete',
    'deleting a quorum queue deletes its messages and cancels its consumers',
    'delete-ok counts what was ready.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['1', '2']);
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 1 });
      await client.call(2, 'basic.consume', { queue, consumerTag: 'c' });
      await t.expectDeliveries(client, ['1'], 2);
      expectFields('delete-ok', await client.call(1, 'queue.delete', { queue }), { messageCount: 1 });
      expectFields('cancel', await client.method(2, 'basic.cancel'), { consumerTag: 'c' });
      await expectRefusal(client, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
    },
  ),
  quorum(
    'purge',
    'a purge drops what is ready and leaves what is unacknowledged',
    'As with classic queues.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await publishConfirmed(client, queue, ['1', '2', '3']);
      await client.get(1, queue, false);
      expectEqual('purge-ok', await client.call(1, 'queue.purge', { queue }), { messageCount: 2 });
      client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
      await expectTaken(client, queue, ['1*']);
    },
  ),
  quorum(
    'global-prefetch',
    'a channel with a global prefetch cannot consume from a quorum queue',
    'It is the connection error 540; a prefetch for each consumer is what there is.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
      client.send(1, 'basic.consume', { queue });
      const text = `NOT_IMPLEMENTED - ${t.inVhost('queue', queue)} does not support global qos`;
      await expectConnectionClose(client, 'basic.consume', 540, text);
    },
  ),
  quorum(
    'consume-stream-offset',
    'a consumer of a quorum queue cannot ask for an offset',
    'x-stream-offset is for streams: the channel error 406.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      const where = `${t.inVhost('queue', queue)} of queue type rabbit_quorum_queue`;
      await expectRefusal(
        client,
        'basic.consume',
        { queue, arguments: [['x-stream-offset', 'S', 'first']] },
        406,
        `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for ${where}`,
      );
    },
  ),
  quorum(
    'consume-exclusive',
    'a consumer of a quorum queue is never exclusive, whatever it says',
    'Others may consume beside it.',
    async (t) => {
      const { client, queue } = await withQuorum(t);
      await client.call(1, 'basic.consume', { queue, exclusive: true, consumerTag: 'a' });
      await client.call(1, 'basic.consume', { queue, exclusive: true, consumerTag: 'b' });
      await publishConfirmed(client, queue, ['1', '2']);
      const tags = [
        (await client.delivery()).method.consumerTag,
        (await client.delivery()).method.consumerTag,
      ];
      expectEqual('tags', tags.sort(), ['a', 'b']);
    },
  ),
  quorum(
    'get-single-active',
    'basic.get is refused by a quorum queue with a single active consumer',
    'It is the channel error 405, with or without a consumer.',
    async (t) => {
      const { client, queue } = await withQuorum(t, [['x-single-active-consumer', 't', true]]);
      const text =
        `RESOURCE_LOCKED - cannot obtain access to locked ${t.inVhost('queue', queue)}. basic.get operations are ` +
        'not supported by quorum queues with single active consumer';
      await expectRefusal(client, 'basic.get', { queue }, 405, text);
    },
  ),
];
