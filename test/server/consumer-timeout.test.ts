import { afterEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { BrokerConfig } from '../../src/broker/broker-config.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import { channelClose, closeOf, countsOf, IS_ORACLE, publishTo, Target } from './target.js';

const MINUTE_MS = 60_000;
const HALF_HOUR_MS = 30 * MINUTE_MS;
const QUEUE = 'q';

let target: Target;
afterEach(() => target.close());

type Argument = readonly [string, string, string | number];

async function start(config: Partial<BrokerConfig> = {}, ...args: readonly Argument[]): Promise<RawClient> {
  target = await Target.start(config);
  const client = await target.openChannel();
  await client.call(1, 'queue.declare', { queue: QUEUE, durable: true, arguments: args });
  return client;
}

const timedOut = (timeoutMs: number, channel = 1): object =>
  closeOf(
    undefined,
    406,
    `PRECONDITION_FAILED - delivery acknowledgement on channel ${channel} timed out. Timeout value used: ${timeoutMs} ms. ` +
      'This timeout value can be configured, see consumers doc guide to learn more',
  );

/** Lets time pass, and sees that the channel is still there. */
async function isOpenAfter(client: RawClient, durationMs: number): Promise<void> {
  target.clock.advance(durationMs);
  await client.sync();
}

describe.skipIf(IS_ORACLE)('a delivery that is not acknowledged', () => {
  it('closes its channel after half an hour, and goes back', async () => {
    const client = await start();
    await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'stuck' });
    await publishTo(client, QUEUE, 2);
    for (let i = 0; i < 2; i++) await client.delivery();
    await isOpenAfter(client, HALF_HOUR_MS - 1);
    target.clock.advance(1);
    expect(await channelClose(client)).toEqual(timedOut(HALF_HOUR_MS));
    expect(target.messages).toContain('a delivery was not acknowledged in time; see --consumer-timeout');
    expect(await countsOf(client, QUEUE)).toMatchObject({ messageCount: 2, consumerCount: 0 });
    expect((await client.get(1, QUEUE)).method.redelivered).toBe(true);
  });

  it('that was made by basic.get counts too, and so does what has been settled around it', async () => {
    const client = await start();
    await client.openChannel(7);
    await publishTo(client, QUEUE, 3);
    for (let i = 0; i < 3; i++) await client.get(7, QUEUE, false);
    client.send(7, 'basic.ack', { deliveryTag: 1 });
    client.send(7, 'basic.ack', { deliveryTag: 3 });
    await client.sync(7);
    // What came behind the first is known to be out from the next look on.
    target.clock.advance(HALF_HOUR_MS);
    await client.sync(7);
    target.clock.advance(MINUTE_MS);
    expect(await channelClose(client, 7)).toEqual(timedOut(HALF_HOUR_MS, 7));
  });

  it('is none when it is acknowledged in time, however long the channel is busy', async () => {
    const client = await start();
    await client.call(1, 'basic.qos', { prefetchCount: 2 });
    await client.call(1, 'basic.consume', { queue: QUEUE });
    await publishTo(client, QUEUE, 9);
    await client.delivery();
    for (let deliveryTag = 1; deliveryTag < 9; deliveryTag++) {
      await client.delivery();
      // Each is out for half of that, and then for nearly all of the time.
      await isOpenAfter(client, 14 * MINUTE_MS + 1);
      client.send(1, 'basic.ack', { deliveryTag });
      await client.sync();
    }
    await isOpenAfter(client, 15 * MINUTE_MS);
    target.clock.advance(2 * MINUTE_MS);
    expect(await channelClose(client)).toEqual(timedOut(HALF_HOUR_MS));
  });

  it('is seen at the look after the next when it was made between two', async () => {
    const client = await start();
    await publishTo(client, QUEUE, 2);
    await client.get(1, QUEUE, false);
    await isOpenAfter(client, MINUTE_MS / 2);
    await client.get(1, QUEUE, false);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.sync();
    await isOpenAfter(client, HALF_HOUR_MS + MINUTE_MS / 2 - 1);
    target.clock.advance(1);
    expect(await channelClose(client)).toEqual(timedOut(HALF_HOUR_MS));
  });

  it('waits for ever behind an older one whose queue gives it more time', async () => {
    const client = await start({}, ['x-consumer-timeout', 'l', 10 * HALF_HOUR_MS]);
    await client.call(1, 'queue.declare', { queue: 'other', exclusive: true });
    await publishTo(client, QUEUE, 1);
    await publishTo(client, 'other', 1);
    await client.get(1, QUEUE, false);
    await client.get(1, 'other', false);
    await isOpenAfter(client, 9 * HALF_HOUR_MS);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.sync();
    target.clock.advance(MINUTE_MS);
    expect(await channelClose(client)).toEqual(timedOut(HALF_HOUR_MS));
  });

  it.each<[string, Argument, number]>([
    ['less', ['x-consumer-timeout', 'I', 2 * MINUTE_MS], 2 * MINUTE_MS],
    ['more', ['x-consumer-timeout', 'l', 4 * HALF_HOUR_MS], 4 * HALF_HOUR_MS],
    ['nothing, negatively', ['x-consumer-timeout', 'I', -1], -1],
    ['nothing', ['x-consumer-timeout', 'I', 0], 0],
  ])('has the time that its queue says: %s', async (_what, argument, timeoutMs) => {
    const client = await start({}, argument);
    await client.call(1, 'basic.consume', { queue: QUEUE });
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    await isOpenAfter(client, Math.max(timeoutMs, MINUTE_MS) - 1);
    target.clock.advance(1);
    expect(await channelClose(client)).toEqual(timedOut(timeoutMs));
  });

  it.each<[string, Partial<BrokerConfig>, readonly Argument[]]>([
    ['the broker has none', { consumerTimeoutMs: Number.POSITIVE_INFINITY }, []],
    ['the argument is no integer', {}, [['x-consumer-timeout', 'S', '60000']]],
    ['it is a classic queue of 4.3', { generation: RABBITMQ_4_3 }, []],
  ])('has no limit when %s', async (_what, config, args) => {
    const client = await start(config, ...args);
    await client.call(1, 'basic.consume', { queue: QUEUE });
    await publishTo(client, QUEUE, 1);
    await client.delivery();
    await isOpenAfter(client, 48 * HALF_HOUR_MS);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.sync();
  });

  it('has the time that the broker is told', async () => {
    const client = await start({ consumerTimeoutMs: 5 * MINUTE_MS });
    await publishTo(client, QUEUE, 1);
    await client.get(1, QUEUE, false);
    await isOpenAfter(client, 5 * MINUTE_MS - 1);
    target.clock.advance(1);
    expect(await channelClose(client)).toEqual(timedOut(5 * MINUTE_MS));
  });
});

describe.skipIf(IS_ORACLE)('the timer', () => {
  it('is there only while something is out, and goes with the channel and the connection', async () => {
    const client = await start();
    await publishTo(client, QUEUE, 4);
    const before = target.clock.pendingCount;
    await client.call(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
    await client.get(1, QUEUE);
    expect(target.clock.pendingCount).toBe(before);

    await client.get(1, QUEUE, false);
    expect(target.clock.pendingCount).toBe(before + 1);
    client.send(1, 'basic.ack', { deliveryTag: 2 });
    await client.sync();
    target.clock.advance(MINUTE_MS);
    expect(target.clock.pendingCount).toBe(before);

    await client.get(1, QUEUE, false);
    expect(target.clock.pendingCount).toBe(before + 1);
    await client.call(1, 'channel.close');
    expect(target.clock.pendingCount).toBe(before);

    const other = await target.openChannel();
    await other.get(1, QUEUE, false);
    expect(target.clock.pendingCount).toBe(before + 1);
    other.destroy();
    await client.openChannel(2);
    while (target.server.connectionCount > 1) await client.sync(2);
    expect(target.clock.pendingCount).toBe(before);
  });
});
