/** Publishers are held back when memory is short, and consumers that do not read are passed over. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { IS_ORACLE, Target } from './target.js';

const MIB = 1_048_576;

describe.skipIf(IS_ORACLE)('the memory alarm', () => {
  let target: Target;
  let consumer: RawClient;
  let publisher: RawClient;
  beforeEach(async () => {
    target = await Target.start({ memoryLimitBytes: 3 * MIB });
    consumer = await target.openChannel();
    publisher = await target.openChannel();
    await consumer.call(1, 'queue.declare', { queue: 'q' });
  });
  afterEach(() => target.close());

  const body = Buffer.alloc(100_000, 1);

  /** Publishes until the alarm is on. */
  async function fill(client: RawClient): Promise<void> {
    while (!target.server.broker.alarms.isActive) {
      client.publish(1, { routingKey: 'q', body });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('blocks who publishes, tells, and goes on with everything when it is over', async () => {
    await fill(publisher);
    publisher.publish(1, { routingKey: 'q', body: 'waits' });
    expect(await publisher.method(0, 'connection.blocked')).toEqual({ reason: 'low on memory' });
    publisher.send(1, 'channel.flow', { active: true });
    // Whoever does not publish is served as ever.
    await consumer.sync();
    expect(publisher.pendingFrames(1)).toEqual([]);
    await consumer.call(1, 'queue.purge', { queue: 'q' });
    await publisher.method(0, 'connection.unblocked');
    await publisher.method(1, 'channel.flow-ok');
    expect(target.server.broker.alarms.isActive).toBe(false);
  });

  it('says nothing to a client that did not say it understands', async () => {
    const silent = await target.openChannel({ clientProperties: [] });
    await fill(publisher);
    silent.publish(1, { routingKey: 'q', body: 'x' });
    silent.send(1, 'channel.flow', { active: true });
    await consumer.sync();
    await consumer.call(1, 'queue.purge', { queue: 'q' });
    await silent.method(1, 'channel.flow-ok');
    expect(silent.pendingFrames(0)).toEqual([]);
  });

  it('does not hinder deliveries to a blocked connection', async () => {
    await publisher.call(1, 'queue.declare', { queue: 'own', exclusive: true });
    await publisher.call(1, 'basic.consume', { queue: 'own', noAck: true });
    await fill(consumer);
    publisher.publish(1, { routingKey: 'q', body: 'x' });
    await publisher.method(0, 'connection.blocked');
    const third = await target.openChannel();
    third.publish(1, { routingKey: 'own', body: 'delivered' });
    expect(String((await publisher.delivery()).body)).toBe('delivered');
  });

  it('does not mistake a blocked client for a silent one', async () => {
    const beating = await target.openChannel({ heartbeat: 10 });
    await fill(publisher);
    beating.publish(1, { routingKey: 'q', body: 'x' });
    await beating.method(0, 'connection.blocked');
    for (let i = 0; i < 10; i++) target.clock.advance(10_000);
    await consumer.call(1, 'queue.purge', { queue: 'q' });
    for (;;) {
      const frame = await beating.nextFrame(0);
      if (frame.type === 1) break;
    }
    await beating.sync();
    expect(beating.isClosed).toBe(false);
  });

  it('lets the broker end', async () => {
    await fill(publisher);
    publisher.publish(1, { routingKey: 'q', body: 'x' });
    await publisher.method(0, 'connection.blocked');
    const closed = target.server.close();
    for (const client of [publisher, consumer]) {
      await client.method(0, 'connection.close');
      client.send(0, 'connection.close-ok');
    }
    await closed;
  });
});

describe.skipIf(IS_ORACLE)('a consumer that does not read', () => {
  let target: Target;
  beforeEach(async () => {
    target = await Target.start({ memoryLimitBytes: 200 * MIB });
  });
  afterEach(() => target.close());

  it.each([
    ['small messages', 1_000],
    ['large messages', 50_000],
  ])('costs little memory, and others nothing: %s', async (_what, size) => {
    const slow = await target.openChannel();
    const fast = await target.openChannel();
    const publisher = await target.openChannel();
    await publisher.call(1, 'queue.declare', { queue: 'slow' });
    await publisher.call(1, 'queue.declare', { queue: 'fast' });
    await slow.call(1, 'basic.consume', { queue: 'slow' });
    await fast.call(1, 'basic.consume', { queue: 'fast', noAck: true });
    slow.pause();

    const count = (40 * MIB) / size;
    const body = Buffer.alloc(size, 7);
    for (let i = 0; i < count; i++) publisher.publish(1, { routingKey: 'slow', body });
    publisher.publish(1, { routingKey: 'fast', body: 'through' });
    expect(String((await fast.delivery()).body)).toBe('through');
    await publisher.sync();

    const { unacked, ready } = target.server.broker.virtualHost('/')!.queues.get('slow')!.counts();
    expect(unacked + ready).toBe(Math.ceil(count));
    // What the two sockets buffer in the system, and 1 MiB in the broker.
    expect(unacked * size).toBeLessThan(16 * MIB);

    slow.resume();
    for (let i = 0; i < count; i++) await slow.delivery();
    slow.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    await slow.sync();
    expect(await publisher.call(1, 'queue.delete', { queue: 'slow' })).toEqual({ messageCount: 0 });
  });
});
