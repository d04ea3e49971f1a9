/** Expiry of queues: x-expires, what counts as use, and what goes with a queue. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Case, section } from '../../case.js';
import { changedArguments, refusedArguments, type WrongArgument } from '../../declarations.js';
import { expectEqual, expectRefusal, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const expires = section({
  area: 'expiry',
  source: 'https://www.rabbitmq.com/docs/ttl#queue-ttl',
  tags: ['rabbitmq'],
});

/** For a queue that nothing has to be done to. */
const BRIEF_MS = 20;
/** Long enough for a machine that is busy to do something within it, again and again. */
const LEASE_MS = 500;
const EXPIRES_MS_MAX = 315_360_000_000;
const PATIENCE_MS = 4_000;

function after(milliseconds: number): Table {
  return [['x-expires', 'l', BigInt(milliseconds)]];
}

/** Waits until nothing goes to a queue any more. Publishing to it is no use of it, so it may expire meanwhile. */
async function untilGone(client: RawClient, queue: string): Promise<void> {
  await client.openChannel(2);
  await client.call(2, 'confirm.select');
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    client.publish(2, { routingKey: queue, mandatory: true });
    const { name } = await client.anyMethod(2, 'a confirm or a return');
    if (name === 'basic.return') return;
    if (performance.now() > deadlineMs) throw new Error(`${queue} is still there after ${PATIENCE_MS} ms`);
    await pause(5);
  }
}

/** Does something to a queue every now and then, for longer than it lives unused. */
async function keepUsing(use: () => Promise<unknown>): Promise<void> {
  const endMs = performance.now() + 2 * LEASE_MS;
  while (performance.now() < endMs) {
    await use();
    await pause(LEASE_MS / 10);
  }
}

/** What is use of a queue, so that its time begins anew. */
const USES = [
  ['get', 'basic.get, also of nothing,', { name: 'basic.get', answer: 'basic.get-empty' }],
  ['declare', 'declaring it again', { name: 'queue.declare', answer: 'queue.declare-ok' }],
  ['passive', 'declaring it passively', { name: 'queue.declare', answer: 'queue.declare-ok', passive: true }],
] as const;

const WRONG: readonly WrongArgument[] = [
  ['expires-zero', ['x-expires', 'I', 0], "invalid arg 'x-expires' for $: {value_zero,0}"],
  ['expires-negative', ['x-expires', 'I', -1], "invalid arg 'x-expires' for $: {value_negative,-1}"],
  [
    'expires-large',
    ['x-expires', 'l', BigInt(EXPIRES_MS_MAX + 1)],
    `invalid arg 'x-expires' for $: {value_too_large,${EXPIRES_MS_MAX + 1}}`,
  ],
  [
    'expires-text',
    ['x-expires', 'S', '60000'],
    `invalid arg 'x-expires' for $: "expected integer, got longstr"`,
  ],
  [
    'expires-boolean',
    ['x-expires', 't', true],
    `invalid arg 'x-expires' for $: "expected integer, got bool"`,
  ],
];

export const cases: readonly Case[] = [
  expires(
    'expires-expires',
    'a queue that nobody uses goes after x-expires milliseconds',
    'It is deleted with its messages, and publishing to it does not keep it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = t.name('q');
      await client.call(1, 'queue.declare', { queue, arguments: after(BRIEF_MS), durable: true });
      client.publish(1, { routingKey: queue, body: 'lost' });
      await untilGone(client, queue);
      await expectRefusal(client, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
      const declared = await client.call(1, 'queue.declare', { queue, exclusive: true });
      expectEqual('messages', declared.messageCount, 0);
    },
  ),
  expires(
    'expires-bindings',
    'the bindings of a queue go with it when it expires',
    'What they routed to it has nowhere to go then.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, after(LEASE_MS));
      const exchange = await t.declareExchange(client, 'fanout', { autoDelete: true });
      await client.call(1, 'queue.bind', { queue, exchange });
      await untilGone(client, queue);
      // The exchange deletes itself with its last binding.
      await expectRefusal(
        client,
        'exchange.declare',
        { exchange, type: 'fanout', passive: true },
        404,
        t.noExchange(exchange),
      );
    },
  ),
  expires(
    'expires-no-dead-letters',
    'what was in a queue that expired is not dead-lettered',
    'It is dropped as when a queue is deleted.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, [
        ...after(LEASE_MS),
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', graves],
      ]);
      client.publish(1, { routingKey: queue, body: 'lost' });
      await untilGone(client, queue);
      await t.expectReady(client, graves, []);
    },
  ),
  expires(
    'expires-consumer',
    'a queue with a consumer does not expire, and its time begins when the last one goes',
    'Whether or not there are messages.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, after(LEASE_MS));
      for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
      await client.call(1, 'basic.cancel', { consumerTag: 'a' });
      await pause(2 * LEASE_MS);
      client.publish(1, { routingKey: queue, body: 'm' });
      await t.expectDeliveries(client, ['m']);
      await client.call(1, 'basic.cancel', { consumerTag: 'b' });
      const cancelledMs = performance.now();
      await untilGone(client, queue);
      const elapsedMs = performance.now() - cancelledMs;
      expectEqual(
        `gone ${elapsedMs} ms after the last consumer, not before ${LEASE_MS}`,
        elapsedMs > LEASE_MS * 0.8,
        true,
      );
      await expectSilence(client);
    },
  ),
  ...USES.map(([name, what, { name: method, answer, ...fields }]) =>
    expires(
      `expires-renewed-${name}`,
      `${what} keeps a queue from expiring`,
      'It is use of the queue: its time begins anew.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client, after(LEASE_MS));
        const full = { queue, exclusive: true, arguments: after(LEASE_MS), ...fields };
        // A queue that went and was declared anew would have lost it.
        if (method === 'queue.declare') await t.publish(client, queue, 1);
        await keepUsing(async () => {
          client.send(1, method, full);
          const { messageCount = 0 } = await client.method(1, answer);
          expectEqual('messages', messageCount, method === 'queue.declare' ? 1 : 0);
        });
        client.publish(1, { routingKey: queue, mandatory: true, body: 'm' });
        await expectSilence(client);
        await untilGone(client, queue);
      },
    ),
  ),
  expires(
    'expires-unacknowledged',
    'a queue expires whatever of it is unacknowledged',
    'What was taken from it may be settled afterwards, to no effect.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, after(LEASE_MS));
      client.publish(1, { routingKey: queue, body: 'm' });
      await client.get(1, queue, false);
      await untilGone(client, queue);
      client.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
      await expectSilence(client);
    },
  ),
  ...refusedArguments(expires, WRONG),
  ...changedArguments(expires, [
    [
      'expires',
      after(600_000),
      after(600_001),
      "inequivalent arg 'x-expires' for $: received '600001' but current is '600000'",
    ],
  ]),
];
