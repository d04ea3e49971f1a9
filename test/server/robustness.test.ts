/** What a bug of ours may cost, and that nothing is left behind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { closeOf, connectionClose, IS_ORACLE, Target } from './target.js';

const SEGMENT_BYTES = 1_048_576;

let target: Target;
beforeEach(async () => {
  target = await Target.start();
});
afterEach(() => target.close());

/** Waits until the server has noticed that all clients are gone. */
async function untilAlone(on: Target): Promise<void> {
  while (on.server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(IS_ORACLE)('a bug in the broker', () => {
  /** Makes one method of one object throw. */
  function breakMethod<T extends object>(object: T, name: keyof T): void {
    Object.defineProperty(object, name, {
      value: () => {
        throw new TypeError('a bug');
      },
    });
  }

  it('in a method costs one connection, which is told so', async () => {
    const victim = await target.openChannel();
    const other = await target.openChannel();
    breakMethod(target.server.broker.virtualHost('/')!, 'addQueue');
    victim.send(1, 'queue.declare', { queue: 'q' });
    expect(await connectionClose(victim)).toEqual(closeOf(undefined, 541, 'INTERNAL_ERROR'));
    await other.sync();
    expect(target.messages).toContainEqual(expect.stringContaining('this is a bug in the broker'));
  });

  it('in a publish costs one connection', async () => {
    const victim = await target.openChannel();
    const other = await target.openChannel();
    await other.call(1, 'queue.declare', { queue: 'q' });
    breakMethod(target.server.broker.virtualHost('/')!.queues.get('q')!, 'publish');
    victim.publish(1, { routingKey: 'q', body: 'x' });
    expect(await connectionClose(victim)).toEqual(closeOf(undefined, 541, 'INTERNAL_ERROR'));
    await other.sync();
  });

  it('in the release of a channel keeps nothing else from being released', async () => {
    const victim = await target.openChannel();
    const other = await target.openChannel();
    await victim.call(1, 'queue.declare', { queue: 'broken' });
    await victim.call(1, 'queue.declare', { queue: 'exclusive', exclusive: true });
    await victim.call(1, 'basic.consume', { queue: 'broken' });
    breakMethod(target.server.broker.virtualHost('/')!.queues.get('broken')!, 'unsubscribe');
    await victim.call(0, 'connection.close');
    victim.destroy();
    await other.call(1, 'queue.declare', { queue: 'exclusive', exclusive: true });
    expect(target.messages).toContainEqual(expect.stringContaining('a release failed'));
  });

  it('in the release after an error costs the connection', async () => {
    const victim = await target.openChannel();
    const other = await target.openChannel();
    await victim.call(1, 'queue.declare', { queue: 'broken' });
    await victim.call(1, 'basic.consume', { queue: 'broken' });
    breakMethod(target.server.broker.virtualHost('/')!.queues.get('broken')!, 'unsubscribe');
    victim.send(1, 'queue.purge', { queue: 'nowhere' });
    await victim.closed();
    await other.sync();
  });

  it('in a delivery leaves other queues alone', async () => {
    const client = await target.openChannel();
    for (const queue of ['broken', 'sound']) await client.call(1, 'queue.declare', { queue });
    breakMethod(target.server.broker.virtualHost('/')!.queues.get('broken')!, 'run');
    for (const queue of ['broken', 'sound']) await client.call(1, 'basic.consume', { queue, noAck: true });
    for (const routingKey of ['broken', 'sound']) client.publish(1, { routingKey, body: routingKey });
    expect(String((await client.delivery()).body)).toBe('sound');
  });
});

describe.skipIf(IS_ORACLE)('when everybody has gone', () => {
  /** Uses a bit of everything, and leaves it as it is. */
  async function makeMess(client: RawClient): Promise<void> {
    await client.call(1, 'queue.declare', { queue: 'durable', durable: true });
    await client.call(1, 'queue.declare', { queue: 'exclusive', exclusive: true });
    await client.call(1, 'queue.declare', { queue: 'auto', autoDelete: true });
    for (const number of [2, 3, 4, 5]) await client.openChannel(number);
    await client.call(2, 'confirm.select');
    await client.call(3, 'tx.select');
    await client.call(4, 'basic.qos', { prefetchCount: 10 });
    for (const queue of ['durable', 'exclusive', 'auto'])
      client.send(4, 'basic.consume', { queue, noWait: true });
    await client.call(5, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
    for (const routingKey of ['durable', 'exclusive', 'auto', 'nowhere']) {
      for (const size of [0, 10, 20_000, 300_000]) {
        for (const channel of [1, 2, 3]) {
          client.publish(channel, { routingKey, mandatory: true, body: Buffer.alloc(size) });
        }
      }
    }
    await client.delivery(4);
    client.send(4, 'basic.ack', { deliveryTag: 1 });
    client.send(1, 'queue.purge', { queue: 'unknown' });
    client.send(2, 'basic.publish', { routingKey: 'durable' });
    await client.sync(3);
  }

  it.each([
    ['in peace', (client: RawClient) => client.call(0, 'connection.close')],
    ['in war', async () => {}],
  ])('%s, nothing is held but what is ready', async (how, leave) => {
    const { broker } = target.server;
    for (let i = 0; i < 3; i++) {
      const client = await target.openChannel({ heartbeat: how === 'in war' ? 10 : 0 });
      await makeMess(client);
      await leave(client);
      client.destroy();
      await untilAlone(target);
    }
    const { queues } = broker.virtualHost('/')!;
    expect([...queues.keys()]).toEqual(['durable']);
    expect(queues.get('durable')!.counts()).toMatchObject({ unacked: 0, consumers: 0 });
    expect(target.clock.pendingCount).toBe(0);
    const cleaner = await target.openChannel();
    expect((await cleaner.call(1, 'queue.delete', { queue: 'durable' })).messageCount).toBeGreaterThan(0);
    await cleaner.call(0, 'connection.close');
    cleaner.destroy();
    await untilAlone(target);
    expect(broker.log.bytesHeld).toBe(SEGMENT_BYTES);
    expect(target.clock.pendingCount).toBe(0);
  });

  it('the end of the broker leaves no handle', async () => {
    const handles = (): string[] =>
      process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP') || kind === 'Timeout');
    const before = handles().length;
    const short = await Target.start();
    const client = await short.openChannel();
    await makeMess(client);
    await short.close();
    await client.closed();
    expect(handles().length).toBeLessThanOrEqual(before);
    await short.server.close();
  });
});
