/** Quorum queues on the wire: rabbitmq.com/docs/quorum-queues, with RabbitMQ's codes and texts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import {
  byGeneration,
  channelClose,
  closeOf,
  connectionClose,
  countsOf,
  IS_ORACLE,
  publishTo,
  Target,
  uniqueName,
} from './target.js';

type Argument = readonly [string, string, string | number | boolean];

const QUORUM: Argument = ['x-queue-type', 'S', 'quorum'];

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  queue = uniqueName('quorum');
});
afterEach(async () => {
  if (IS_ORACLE) {
    const cleaner = await target.openChannel();
    await cleaner.call(1, 'queue.delete', { queue });
  }
  await target.close();
});

const declare = (args: readonly Argument[] = [], name = queue): Promise<Fields> =>
  client.call(1, 'queue.declare', { queue: name, durable: true, arguments: [QUORUM, ...args] });

/** Of a message that came: its body, with a `*` when it is redelivered, and its header x-delivery-count. */
const seen = (
  received: Awaited<ReturnType<RawClient['delivery']>>,
): readonly [string, number | undefined] => {
  const { headers = [] } = received.properties as { headers?: readonly Argument[] };
  const count = headers.find(([key]) => key === 'x-delivery-count');
  if (count !== undefined) expect(count[1]).toBe('l');
  const mark = received.method.redelivered === true ? '*' : '';
  return [`${received.body}${mark}`, count === undefined ? undefined : Number(count[2])];
};

/** 3.10 puts a count of 0 into the first get-ok, but not into the first delivery. */
const UNCOUNTED = byGeneration(undefined, 0);

async function expectClose(method: string, fields: Fields, code: number, text: string): Promise<void> {
  client.send(1, method, fields);
  expect(await channelClose(client)).toEqual(closeOf(method, code, text));
}

async function expectConnectionClose(method: string, fields: Fields, text: string): Promise<void> {
  client.send(1, method, fields);
  expect(await connectionClose(client)).toEqual(closeOf(method, 540, text));
}

describe('queue.declare of a quorum queue', () => {
  it.each([
    [{ autoDelete: true, exclusive: true }, 'auto-delete'],
    [{ exclusive: true, durable: true }, 'exclusive-owner'],
    [{ durable: false }, 'non-durable'],
  ])('refuses %j', (properties, property) =>
    expectClose(
      'queue.declare',
      { queue, durable: true, ...properties, arguments: [QUORUM] },
      406,
      `PRECONDITION_FAILED - invalid property '${property}' for queue '${queue}' in vhost '/'`,
    ),
  );

  it.each<Argument>([
    ['x-max-priority', 'I', 5],
    ['x-queue-mode', 'S', 'lazy'],
    ['x-max-age', 'S', '1D'],
  ])('refuses %j', (...argument) =>
    expectClose(
      'queue.declare',
      { queue, durable: true, arguments: [QUORUM, argument] },
      406,
      `PRECONDITION_FAILED - invalid arg '${argument[0]}' for queue '${queue}' in vhost '/' of queue type rabbit_quorum_queue`,
    ),
  );

  it.each<readonly [Argument, string]>([
    [['x-quorum-initial-group-size', 'I', 0], '{value_zero,0}'],
    [['x-max-in-memory-length', 'I', -1], '{value_negative,-1}'],
    [['x-dead-letter-strategy', 'S', 'maybe'], 'invalid_dlx_strategy'],
  ])('refuses %j', (argument, fault) =>
    expectClose(
      'queue.declare',
      { queue, durable: true, arguments: [QUORUM, argument] },
      406,
      `PRECONDITION_FAILED - invalid arg '${argument[0]}' for queue '${queue}' in vhost '/': ${fault}`,
    ),
  );

  it('takes what has no effect on one node, and compares it with what comes again', async () => {
    const args: readonly Argument[] = [
      ['x-quorum-initial-group-size', 'I', 1],
      ['x-max-in-memory-length', 'I', 10],
      ['x-max-in-memory-bytes', 'I', 1_000],
      ['x-delivery-limit', 'I', 3],
    ];
    await declare(args);
    await declare(args);
    await expectClose(
      'queue.declare',
      { queue, durable: true, arguments: [QUORUM, ...args.slice(0, 3), ['x-delivery-limit', 'I', 4]] },
      406,
      `PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue '${queue}' in vhost '/': received '4' but current is '3'`,
    );
  });

  it('does not pass for a classic queue', async () => {
    await declare();
    await expectClose(
      'queue.declare',
      { queue, durable: true, arguments: [['x-queue-type', 'S', 'classic']] },
      406,
      `PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '${queue}' in vhost '/': received 'classic' but current is 'quorum'`,
    );
  });
});

describe('what a quorum queue refuses', () => {
  it.each([
    [{ ifUnused: true, ifEmpty: true }, 'if-unused'],
    [{ ifUnused: true }, 'if-unused'],
    [{ ifEmpty: true }, 'if-empty'],
  ])('queue.delete with %j', async (flags, flag) => {
    await declare();
    await expectConnectionClose(
      'queue.delete',
      { queue, ...flags },
      `NOT_IMPLEMENTED - cannot delete queue '${queue}' in vhost '/'. queue.delete operations with ${flag} flag set are not supported by quorum queues`,
    );
  });

  it('consumers on a channel with a prefetch of its own', async () => {
    await declare();
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await expectConnectionClose(
      'basic.consume',
      { queue },
      `NOT_IMPLEMENTED - queue '${queue}' in vhost '/' does not support global qos`,
    );
  });

  it('the arguments of stream consumers', async () => {
    await declare();
    await expectClose(
      'basic.consume',
      { queue, arguments: [['x-stream-offset', 'S', 'first']] },
      406,
      `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '${queue}' in vhost '/' of queue type rabbit_quorum_queue`,
    );
  });

  it('basic.get beside a single active consumer', async () => {
    await declare([['x-single-active-consumer', 't', true]]);
    await expectClose(
      'basic.get',
      { queue },
      405,
      `RESOURCE_LOCKED - cannot obtain access to locked queue '${queue}' in vhost '/'. basic.get operations are not supported by quorum queues with single active consumer`,
    );
  });
});

describe('deliveries of a quorum queue', () => {
  it('tell how often a message was handed out before, and the first ones nothing', async () => {
    await declare();
    client.publish(1, { routingKey: queue, body: 'a', properties: { deliveryMode: 1 } });
    await client.sync();
    for (let count = 0; count < 3; count++) {
      const got = await client.get(1, queue, false);
      expect(seen(got)).toEqual([count === 0 ? 'a' : 'a*', count === 0 ? UNCOUNTED : count]);
      expect(got.properties.deliveryMode).toBe(1);
      client.send(1, 'basic.reject', { deliveryTag: got.method.deliveryTag!, requeue: true });
    }
    await client.call(1, 'basic.consume', { queue });
    expect(seen(await client.delivery())).toEqual(['a*', 3]);
  });

  it('bring the other headers and properties as they are, and large bodies whole', async () => {
    await declare();
    const headers: readonly Argument[] = [
      ['a', 'I', 1],
      ['x-delivery-count', 'S', 'mine'],
      ['z', 'S', 'last'],
    ];
    const properties = { contentType: 'text/plain', headers, deliveryMode: 2, messageId: 'id' };
    const body = 'b'.repeat(300_000);
    client.publish(1, { routingKey: queue, body, properties });
    await client.sync();
    const first = await client.get(1, queue, false);
    if (!IS_ORACLE) expect(first.properties).toEqual(properties);
    client.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
    await client.call(1, 'basic.consume', { queue });
    const again = await client.delivery();
    const counted = headers.filter(([key]) => key !== 'x-delivery-count');
    const order = (entries: readonly Argument[]): Argument[] =>
      [...entries].sort((a, b) => (a[0] < b[0] ? -1 : 1));
    const { headers: received, ...others } = again.properties as { headers: readonly Argument[] };
    expect(others).toEqual({ contentType: 'text/plain', deliveryMode: 2, messageId: 'id' });
    expect(order(received)).toEqual(order([...counted, ['x-delivery-count', 'l', 1]]));
    expect(again.body.equals(Buffer.from(body))).toBe(true);
  });

  it.each([
    ['begin with what came back, in the order in which it came back', 20, ['2*', '1*', '3*', '4', '5']],
    // 3.10 has no limit unless it is told one, and takes a negative one for what it says.
    [
      'end with what came back when there is no limit',
      byGeneration(-1, undefined),
      ['4', '2*', '1*', '3*', '5'],
    ],
  ])('%s', async (_, limit, expected) => {
    await declare(limit === undefined ? [] : [['x-delivery-limit', 'I', limit]]);
    await publishTo(client, queue, 4);
    await client.call(1, 'confirm.select');
    for (let i = 0; i < 3; i++) await client.get(1, queue, false);
    for (const deliveryTag of [2, 1]) client.send(1, 'basic.nack', { deliveryTag, requeue: true });
    await client.call(1, 'basic.recover', { requeue: true });
    client.publish(1, { routingKey: queue, body: '5' });
    // In RabbitMQ the queue takes what is returned in its own time, but before what is published afterwards.
    await client.method(1, 'basic.ack');
    await client.call(1, 'basic.consume', { queue, noAck: true });
    const order: string[] = [];
    for (let i = 0; i < 5; i++) order.push(seen(await client.delivery())[0]);
    expect(order).toEqual(expected);
  });

  it('count the end of a channel', async () => {
    await declare();
    await publishTo(client, queue, 2);
    await client.openChannel(2);
    for (let i = 0; i < 2; i++) await client.get(2, queue, false);
    await client.call(2, 'channel.close');
    expect(seen(await client.get(1, queue))).toEqual(['1*', 1]);
    expect(seen(await client.get(1, queue))).toEqual(['2*', 1]);
  });

  it('end at 2000 without a prefetch, and an exclusive consumer is like any other', async () => {
    await declare();
    await publishTo(client, queue, 2_001);
    await client.call(1, 'basic.consume', { queue, exclusive: true });
    for (let i = 1; i <= 2_000; i++) expect((await client.delivery()).method.deliveryTag).toBe(i);
    expect(await countsOf(client, queue)).toMatchObject({ messageCount: 1 });
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
    expect(seen(await client.delivery(2))).toEqual(['2001', undefined]);
  });

  it.skipIf(IS_ORACLE)(
    'obey a prefetch of the channel only where it was set too late to be refused',
    async () => {
      await declare();
      await client.call(1, 'basic.consume', { queue });
      await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
      await publishTo(client, queue, 3);
      for (let i = 1; i <= 3; i++) expect(seen(await client.delivery())).toEqual([String(i), undefined]);
    },
  );
});

describe('the single active consumer of a quorum queue', () => {
  it('goes over to the next when it is cancelled', async () => {
    await declare([['x-single-active-consumer', 't', true]]);
    await client.openChannel(2);
    await client.call(1, 'basic.consume', { queue, consumerTag: 'one' });
    await client.call(2, 'basic.consume', { queue, consumerTag: 'two' });
    client.publish(1, { routingKey: queue, body: '1' });
    const { deliveryTag } = (await client.delivery(1)).method;
    client.send(1, 'basic.ack', { deliveryTag: deliveryTag! });
    await client.call(1, 'basic.cancel', { consumerTag: 'one' });
    client.publish(1, { routingKey: queue, body: '2' });
    expect(seen(await client.delivery(2))).toEqual(['2', undefined]);
  });

  // 3.10 does not know priorities here.
  it.skipIf(IS_ORACLE)('makes room for a higher priority once it has settled what it has', async () => {
    await declare([['x-single-active-consumer', 't', true]]);
    await client.openChannel(2);
    await client.call(1, 'basic.consume', { queue });
    client.publish(1, { routingKey: queue, body: '1' });
    const { deliveryTag } = (await client.delivery(1)).method;
    await client.call(2, 'basic.consume', { queue, arguments: [['x-priority', 'I', 10]] });
    client.publish(1, { routingKey: queue, body: '2' });
    await client.sync(2);
    expect([client.pendingFrames(1), client.pendingFrames(2)]).toEqual([[], []]);
    client.send(1, 'basic.ack', { deliveryTag: deliveryTag! });
    expect(seen(await client.delivery(2))).toEqual(['2', undefined]);
  });
});

describe('the end of a message of a quorum queue', () => {
  it.each([
    ['basic.reject', (deliveryTag: number): Fields => ({ deliveryTag, requeue: true })],
    ['basic.nack', (deliveryTag: number): Fields => ({ deliveryTag, requeue: true })],
    ['basic.recover', (_deliveryTag: number): Fields => ({ requeue: true })],
  ] as const)('comes when %s has returned it too often', async (method, fieldsFor) => {
    const dead = uniqueName('dead');
    await client.call(1, 'queue.declare', { queue: dead, exclusive: true });
    await declare([
      ['x-delivery-limit', 'I', 1],
      ['x-dead-letter-exchange', 'S', ''],
      ['x-dead-letter-routing-key', 'S', dead],
    ]);
    client.publish(1, { routingKey: queue, body: 'm' });
    await client.sync();
    for (let tag = 1; tag <= 2; tag++) {
      expect(seen(await client.get(1, queue, false))[1]).toBe(tag === 1 ? UNCOUNTED : 1);
      if (method === 'basic.recover') await client.call(1, method, fieldsFor(tag));
      else client.send(1, method, fieldsFor(tag));
    }
    await client.call(1, 'basic.consume', { queue: dead, noAck: true });
    const letter = await client.delivery();
    expect(seen(letter)[0]).toBe('m');
    const { headers } = letter.properties as { headers: readonly (readonly [string, string, unknown])[] };
    expect(headers).toContainEqual(['x-first-death-reason', 'S', 'delivery_limit']);
    expect(headers).toContainEqual(['x-first-death-queue', 'S', queue]);
    expect(await countsOf(client, queue)).toMatchObject({ messageCount: 0 });
  });
});

describe('other doings with a quorum queue', () => {
  it('are purge, delete and confirms as ever', async () => {
    await declare();
    await client.call(1, 'confirm.select');
    client.publish(1, { routingKey: queue, body: '1' });
    expect(await client.method(1, 'basic.ack')).toMatchObject({ deliveryTag: 1 });
    client.publish(1, { routingKey: queue, body: '2' });
    expect(await client.method(1, 'basic.ack')).toMatchObject({ deliveryTag: 2 });
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 2 });
    client.publish(1, { routingKey: queue, body: '3' });
    await client.method(1, 'basic.ack');
    expect(await client.call(1, 'queue.delete', { queue })).toEqual({ messageCount: 1 });
    await declare();
    expect(await countsOf(client, queue)).toMatchObject({ messageCount: 0 });
  });

  it('is a nack for what is over its limit', async () => {
    await declare([
      ['x-max-length', 'I', 1],
      ['x-overflow', 'S', 'reject-publish'],
    ]);
    await client.call(1, 'confirm.select');
    for (let tag = 1; tag <= 2; tag++) {
      client.publish(1, { routingKey: queue });
      expect(await client.method(1, 'basic.ack')).toMatchObject({ deliveryTag: tag });
    }
    client.publish(1, { routingKey: queue });
    expect(await client.method(1, 'basic.nack')).toMatchObject({ deliveryTag: 3 });
    // Below 80 % of one is none at all.
    await client.get(1, queue);
    client.publish(1, { routingKey: queue });
    expect(await client.method(1, 'basic.nack')).toMatchObject({ deliveryTag: 4 });
    await client.get(1, queue);
    client.publish(1, { routingKey: queue });
    expect(await client.method(1, 'basic.ack')).toMatchObject({ deliveryTag: 5 });
  });
});

describe.skipIf(IS_ORACLE)('what the operator is told', () => {
  it.each<readonly [readonly Argument[], string]>([
    [[['x-overflow', 'S', 'reject-publish-dlx']], 'it drops the head'],
    [[['x-dead-letter-strategy', 'S', 'at-least-once']], 'there is no dead-letter exchange'],
    [
      [
        ['x-dead-letter-strategy', 'S', 'at-least-once'],
        ['x-dead-letter-exchange', 'S', 'x'],
      ],
      'falling back to the dead-letter strategy at-most-once',
    ],
  ])('of %j', async (args, part) => {
    await declare(args);
    expect(target.messages.filter((message) => message.includes(part))).toHaveLength(1);
  });
});
