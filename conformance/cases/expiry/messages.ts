/** Expiry of messages: by x-message-ttl of their queue, by their own expiration, and what becomes of them. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { changedArguments, refusedArguments, type WrongArgument } from '../../declarations.js';
import { expectEqual, expectFields, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table } from '../../wire/raw-codec.js';

const queueTtl = section({
  area: 'expiry',
  source: 'https://www.rabbitmq.com/docs/ttl#message-ttl-using-x-args',
  tags: ['rabbitmq'],
});
const ownTtl = section({
  area: 'expiry',
  source: 'https://www.rabbitmq.com/docs/ttl#per-message-ttl-in-publishers',
  tags: ['rabbitmq'],
});
const caveat = section({
  area: 'expiry',
  source: 'https://www.rabbitmq.com/docs/ttl#per-message-ttl-caveats',
  tags: ['rabbitmq'],
});

/** Ten years, which is the most. */
const TTL_MS_MAX = 315_360_000_000;

function ttl(milliseconds: number): Table {
  return [['x-message-ttl', 'l', BigInt(milliseconds)]];
}

/** Arguments of a queue whose dead letters go to another queue. */
function to(queue: string): Table {
  return [
    ['x-dead-letter-exchange', 'S', ''],
    ['x-dead-letter-routing-key', 'S', queue],
  ];
}

/** Waits until what was published before with an expiration of one millisecond has expired. */
async function untilExpired(t: CaseContext, client: RawClient): Promise<void> {
  // One that is published later, with the same expiration, into a queue of its own.
  const queue = await t.declareQueue(client);
  client.publish(1, { routingKey: queue, properties: { expiration: '1' } });
  await client.sync();
  await t.expectCounts(client, queue, { messageCount: 0 });
}

/** The shorter of two times to live counts, whichever it is. */
const SMALLER = [
  ['queue', 1, '600000'],
  ['own', 600_000, '1'],
] as const;

const WRONG: readonly WrongArgument[] = [
  ['ttl-negative', ['x-message-ttl', 'I', -1], "invalid arg 'x-message-ttl' for $: {value_negative,-1}"],
  [
    'ttl-large',
    ['x-message-ttl', 'l', BigInt(TTL_MS_MAX + 1)],
    `invalid arg 'x-message-ttl' for $: {value_too_large,${TTL_MS_MAX + 1}}`,
  ],
  [
    'ttl-text',
    ['x-message-ttl', 'S', '60000'],
    `invalid arg 'x-message-ttl' for $: "expected integer, got longstr"`,
  ],
  [
    'ttl-double',
    ['x-message-ttl', 'd', 60_000],
    `invalid arg 'x-message-ttl' for $: "expected integer, got double"`,
  ],
  [
    'ttl-void',
    ['x-message-ttl', 'V', null],
    `invalid arg 'x-message-ttl' for $: "expected integer, got void"`,
  ],
];

export const cases: readonly Case[] = [
  queueTtl(
    'ttl',
    'messages are gone when the time to live of their queue is over',
    'x-message-ttl of a queue is the time in milliseconds that a message may wait in it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, ttl(1));
      for (const body of ['1', '2', '3']) client.publish(1, { routingKey: queue, body });
      await client.sync();
      await t.expectCounts(client, queue, { messageCount: 0 });
      client.send(1, 'basic.get', { queue });
      await client.method(1, 'basic.get-empty');
    },
  ),
  queueTtl(
    'ttl-in-order',
    'messages expire in the order in which they came',
    'All messages of a queue have the same time to live, so the oldest is the first to expire.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const work = await t.declareQueue(client, [...ttl(5), ...to(graves)]);
      await client.call(1, 'basic.consume', { queue: graves, noAck: true });
      for (const body of ['1', '2', '3']) client.publish(1, { routingKey: work, body });
      await t.expectDeliveries(client, ['1', '2', '3']);
    },
  ),
  queueTtl(
    'ttl-of-queue-alone',
    'a time to live is that of one queue',
    'The same message stays in another queue it was routed to.',
    async (t) => {
      const client = await t.openChannel();
      const brief = await t.declareQueue(client, ttl(1));
      const lasting = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout');
      for (const queue of [brief, lasting]) await client.call(1, 'queue.bind', { queue, exchange });
      client.publish(1, { exchange, body: 'm' });
      await client.sync();
      await t.expectCounts(client, brief, { messageCount: 0 });
      await t.expectReady(client, lasting, ['m']);
    },
  ),
  queueTtl(
    'ttl-most',
    'a time to live may be ten years',
    'Which is the most; its messages do not expire at once.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, ttl(TTL_MS_MAX));
      client.publish(1, { routingKey: queue, body: 'm', properties: { expiration: String(TTL_MS_MAX) } });
      await untilExpired(t, client);
      await t.expectReady(client, queue, ['m']);
    },
  ),
  ...([true, false] as const).map((isOfQueue) =>
    (isOfQueue ? queueTtl : ownTtl)(
      `zero-${isOfQueue ? 'ttl' : 'expiration'}`,
      `${isOfQueue ? 'x-message-ttl' : 'the expiration'} 0 drops what nobody takes at once`,
      'A message expires when it arrives, unless a consumer is ready for it; it counts as routed and is confirmed.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client, isOfQueue ? ttl(0) : []);
        const properties = isOfQueue ? {} : { expiration: '0' };
        await client.call(1, 'confirm.select');
        client.publish(1, { routingKey: queue, mandatory: true, body: '1', properties });
        expectFields('confirm', await client.method(1, 'basic.ack'), { deliveryTag: 1 });
        await t.expectCounts(client, queue, { messageCount: 0 });
        await client.openChannel(2);
        await client.call(2, 'basic.consume', { queue });
        client.publish(1, { routingKey: queue, body: '2', properties });
        await t.expectDeliveries(client, ['2'], 2);
      },
    ),
  ),
  queueTtl(
    'zero-full-consumer',
    'a consumer that has no room does not save a message with the time to live 0',
    'Only one that can take it at once does.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, ttl(0));
      await client.openChannel(2);
      await client.call(2, 'basic.qos', { prefetchCount: 1 });
      await client.call(2, 'basic.consume', { queue });
      for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body });
      await client.sync();
      await t.expectDeliveries(client, ['1'], 2);
      await t.expectCounts(client, queue, { messageCount: 0 });
      client.send(2, 'basic.ack', { deliveryTag: 1 });
      await client.sync(2);
      await t.counts(client, queue);
      await expectSilence(client, 2);
    },
  ),
  ownTtl(
    'expiration',
    'a message is gone when its own expiration is over',
    'The property expiration is a number of milliseconds, as text.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.publish(1, { routingKey: queue, properties: { expiration: '1' } });
      await client.sync();
      await t.expectCounts(client, queue, { messageCount: 0 });
    },
  ),
  ownTtl(
    'expiration-kept',
    'a message that is delivered has its expiration as it was published',
    'It is what the publisher wrote and not the time that is left.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client, ttl(600_000));
      client.publish(1, { routingKey: queue, properties: { expiration: '0600000' } });
      await client.sync();
      await t.readyCount(client, queue, 1);
      expectEqual('expiration', (await client.get(1, queue)).properties.expiration, '0600000');
    },
  ),
  ...SMALLER.map(([which, queueMs, expiration]) =>
    ownTtl(
      `smaller-${which}`,
      `the shorter time to live counts: ${queueMs} ms of the queue, ${expiration} ms of the message`,
      'With a time to live of its queue and one of its own a message expires after the shorter one.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client, ttl(queueMs));
        client.publish(1, { routingKey: queue, properties: { expiration } });
        await client.sync();
        await t.expectCounts(client, queue, { messageCount: 0 });
      },
    ),
  ),
  caveat(
    'behind-head',
    'what expires behind another message is dropped when its turn comes',
    'It still counts and is not dead-lettered while it waits, but is never delivered.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, to(graves));
      client.publish(1, { routingKey: queue, body: '1' });
      client.publish(1, { routingKey: queue, body: '2', properties: { expiration: '1' } });
      client.publish(1, { routingKey: queue, body: '3' });
      await untilExpired(t, client);
      await t.expectCounts(client, queue, { messageCount: 3 });
      await t.expectCounts(client, graves, { messageCount: 0 });
      for (const body of ['1', '3']) {
        expectEqual('got', String((await client.get(1, queue)).body), body);
      }
      await t.expectReady(client, graves, ['2']);
    },
  ),
  caveat(
    'unacknowledged',
    'what is unacknowledged does not expire, and what is returned late does at once',
    'The time of a message runs from when it came to its queue, also while a consumer has it.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, to(graves));
      const properties = { expiration: '300' };
      for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body, properties });
      await client.sync();
      await t.readyCount(client, queue, 2);
      for (let i = 0; i < 2; i++) await client.get(1, queue, false);
      // One that nobody takes, published later: when it is dead, the others are past their time.
      client.publish(1, { routingKey: queue, body: '3', properties });
      await client.sync();
      await t.expectReady(client, graves, ['3']);
      client.send(1, 'basic.ack', { deliveryTag: 1 });
      client.send(1, 'basic.reject', { deliveryTag: 2, requeue: true });
      await t.expectReady(client, graves, ['2']);
      await t.expectCounts(client, queue, { messageCount: 0 });
    },
  ),
  ownTtl(
    'dead-letter-lasts',
    'a dead letter that expired does not expire again where it goes',
    'The expiration is taken from it; the time to live of the next queue counts alone.',
    async (t) => {
      const client = await t.openChannel();
      const graves = await t.declareQueue(client);
      const queue = await t.declareQueue(client, to(graves));
      client.publish(1, { routingKey: queue, body: 'm', properties: { expiration: '1' } });
      await client.sync();
      await t.readyCount(client, graves, 1);
      await untilExpired(t, client);
      await t.expectReady(client, graves, ['m']);
    },
  ),
  ...refusedArguments(queueTtl, WRONG),
  ...changedArguments(queueTtl, [
    [
      'ttl',
      ttl(60_000),
      ttl(60_001),
      "inequivalent arg 'x-message-ttl' for $: received '60001' but current is '60000'",
    ],
    [
      'ttl-none',
      ttl(60_000),
      [],
      "inequivalent arg 'x-message-ttl' for $: received none but current is the value '60000' of type 'long'",
    ],
  ]),
];
