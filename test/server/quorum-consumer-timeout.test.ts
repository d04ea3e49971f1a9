import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenOptions, RawClient } from '../../conformance/wire/raw-client.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import { channelClose, closeOf, countsOf, IS_ORACLE, publishTo, Target } from './target.js';

type Argument = readonly [string, string, string | number];

const MINUTE_MS = 60_000;
const HALF_HOUR_MS = 30 * MINUTE_MS;
const QUEUE = 'q';

let target: Target;
beforeEach(async () => {
  target = await Target.start({ generation: RABBITMQ_4_3 });
});
afterEach(() => target.close());

/** A client, and a quorum queue. */
async function start(options: OpenOptions = {}, ...args: readonly Argument[]): Promise<RawClient> {
  const client = await target.openChannel(options);
  const type: Argument = ['x-queue-type', 'S', 'quorum'];
  await client.call(1, 'queue.declare', { queue: QUEUE, durable: true, arguments: [type, ...args] });
  return client;
}

/** The headers of a message that count its deliveries. */
const countsIn = ({ properties }: Awaited<ReturnType<RawClient['get']>>): unknown =>
  (properties as { headers?: unknown }).headers;

const TEXT =
  'PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: -1 ms. ' +
  'This timeout value can be configured, see consumers doc guide to learn more';

describe.skipIf(IS_ORACLE)('a consumer of a quorum queue that acknowledges too late, in 4.3', () => {
  it('is cancelled, and its messages go to others', async () => {
    const client = await start();
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await publishTo(client, QUEUE, 2);
    for (let i = 0; i < 2; i++) await client.delivery();
    target.clock.advance(HALF_HOUR_MS + MINUTE_MS);
    expect(await client.method(1, 'basic.cancel')).toEqual({ consumerTag: 'stuck', noWait: true });
    expect(await countsOf(client, QUEUE)).toMatchObject({ messageCount: 2, consumerCount: 0 });
    const again = await client.get(1, QUEUE, false);
    expect([String(again.body), again.method.redelivered, again.method.deliveryTag]).toEqual(['1', true, 3]);
  });

  it('may acknowledge late, once', async () => {
    const client = await start();
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await publishTo(client, QUEUE, 3);
    for (let i = 0; i < 3; i++) await client.delivery();
    target.clock.advance(HALF_HOUR_MS + MINUTE_MS);
    await client.method(1, 'basic.cancel');
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: true });
    await client.sync();
    expect(await countsOf(client, QUEUE)).toMatchObject({ messageCount: 3 });
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect(await channelClose(client)).toEqual(
      closeOf('basic.ack', 406, 'PRECONDITION_FAILED - unknown delivery tag 1'),
    );
  });

  it('in a transaction too', async () => {
    const client = await start();
    await client.call(1, 'tx.select');
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    target.clock.advance(HALF_HOUR_MS);
    await client.method(1, 'basic.cancel');
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.call(1, 'tx.commit');
    expect(await countsOf(client, QUEUE)).toMatchObject({ messageCount: 1 });
  });

  it('gives back only what is overdue, and the rest when it is', async () => {
    const client = await start();
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await client.call(1, 'basic.consume', {
      queue: QUEUE,
      consumerTag: 'other',
      arguments: [['x-priority', 'I', -1]],
    });
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    target.clock.advance(20 * MINUTE_MS);
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    target.clock.advance(10 * MINUTE_MS);
    expect(await client.method(1, 'basic.cancel')).toMatchObject({ consumerTag: 'stuck' });
    expect((await client.delivery()).method).toMatchObject({ consumerTag: 'other', deliveryTag: 3 });
    client.send(1, 'basic.ack', { deliveryTag: 3 });
    await client.sync();
    target.clock.advance(19 * MINUTE_MS);
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    target.clock.advance(2 * MINUTE_MS);
    expect((await client.delivery()).method).toMatchObject({ consumerTag: 'other', deliveryTag: 4 });
  });

  it('has the time that it asked for', async () => {
    const client = await start();
    const asked = (consumerTag: string, timeoutMs: number) =>
      client.call(1, 'basic.consume', {
        queue: QUEUE,
        consumerTag,
        arguments: [['x-consumer-timeout', 'I', timeoutMs]],
      });
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await asked('patient', 60 * MINUTE_MS);
    await asked('hasty', 5 * MINUTE_MS);
    await publishTo(client, QUEUE, 2);
    for (let i = 0; i < 2; i++) await client.delivery();
    target.clock.advance(6 * MINUTE_MS);
    expect(await client.method(1, 'basic.cancel')).toMatchObject({ consumerTag: 'hasty' });
    target.clock.advance(54 * MINUTE_MS);
    expect(await client.method(1, 'basic.cancel')).toMatchObject({ consumerTag: 'patient' });
  });

  it.each([
    ['quorum', ': {value_negative,-1}'],
    ['classic', ' of queue type rabbit_classic_queue'],
  ])('may not ask for nonsense, nor of a queue without it (%s)', async (type, why) => {
    const client = await start();
    if (type === 'classic') await client.call(1, 'queue.declare', { queue: 'c', durable: true });
    const queue = type === 'classic' ? 'c' : QUEUE;
    client.send(1, 'basic.consume', { queue, arguments: [['x-consumer-timeout', 'I', -1]] });
    const text = `PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue '${queue}' in vhost '/'${why}`;
    expect(await channelClose(client)).toEqual(closeOf('basic.consume', 406, text));
  });

  it('loses its channel when it cannot be told of a cancel', async () => {
    const client = await start({ clientProperties: [] });
    await client.call(1, 'basic.consume', { queue: QUEUE });
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    target.clock.advance(HALF_HOUR_MS);
    expect(await channelClose(client)).toEqual(closeOf(undefined, 406, TEXT));
    expect(await countsOf(client, QUEUE)).toMatchObject({ messageCount: 1, consumerCount: 0 });
  });

  it('loses its channel when it is a basic.get', async () => {
    const client = await start();
    await publishTo(client, QUEUE, 1);
    await client.get(1, QUEUE, false);
    target.clock.advance(HALF_HOUR_MS);
    expect(await channelClose(client)).toEqual(closeOf(undefined, 406, TEXT));
  });

  it('is no failure of the delivery, also where the channel is lost: that is one of the others', async () => {
    const client = await start({}, ['x-delivery-limit', 'I', 0]);
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await publishTo(client, QUEUE, 3);
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await client.delivery();
    target.clock.advance(HALF_HOUR_MS);
    await client.method(1, 'basic.cancel');
    const again = await client.get(1, QUEUE, false);
    expect([String(again.body), countsIn(again)]).toEqual(['1', [['x-acquired-count', 'l', 1]]]);
    target.clock.advance(HALF_HOUR_MS - 2 * MINUTE_MS);
    await client.get(1, QUEUE, false);
    target.clock.advance(3 * MINUTE_MS);
    await channelClose(client);
    const next = await target.openChannel();
    const last = await next.get(1, QUEUE, false);
    expect([String(last.body), countsIn(last)]).toEqual(['1', [['x-acquired-count', 'l', 2]]]);
    // The second had been out for minutes only: its channel is what failed.
    expect(await countsOf(next, QUEUE)).toMatchObject({ messageCount: 1 });
  });

  it.each([
    ['the argument', 10, 20],
    ['the policy', 20, 10],
  ])('has the shorter time of argument and policy: %s', async (_, argument, policy) => {
    const client = await start({}, ['x-consumer-timeout', 'I', argument * MINUTE_MS]);
    const { policies } = target.server.broker.virtualHost('/')!;
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    // Also one that comes when the delivery is out.
    policies.set('policy', {
      name: 'p',
      pattern: '.*',
      definition: { 'consumer-timeout': policy * MINUTE_MS },
    });
    target.clock.advance(9 * MINUTE_MS);
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    target.clock.advance(2 * MINUTE_MS);
    expect(await client.method(1, 'basic.cancel')).toMatchObject({ consumerTag: 'stuck' });
  });

  it('is found behind a delivery of a classic queue that waits for days', async () => {
    const client = await start();
    await client.call(1, 'queue.declare', { queue: 'c', exclusive: true });
    await publishTo(client, 'c', 1);
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await client.get(1, 'c', false);
    await publishTo(client, QUEUE, 1);
    client.send(1, 'basic.ack', { deliveryTag: (await client.delivery()).method.deliveryTag! });
    await client.sync();
    for (let i = 0; i < 300; i++) {
      target.clock.advance(MINUTE_MS);
      await publishTo(client, QUEUE, 1);
      client.send(1, 'basic.ack', { deliveryTag: (await client.delivery()).method.deliveryTag! });
    }
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    target.clock.advance(HALF_HOUR_MS - 1);
    await client.sync();
    target.clock.advance(2 * MINUTE_MS);
    expect(await client.method(1, 'basic.cancel')).toMatchObject({ consumerTag: 'stuck' });
  });
});
