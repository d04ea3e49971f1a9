import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../helpers/raw-client.js';
import { channelClose, closeOf, Target, uniqueName } from './target.js';

let target: Target;
let inOne: RawClient;
let inTwo: RawClient;
beforeEach(async () => {
  target = await Target.start({
    virtualHosts: ['/', 'one', 'two'],
    permissions: ['/', 'one', 'two'].map((virtualHost) => ({
      user: 'guest',
      virtualHost,
      configure: '.*',
      write: '.*',
      read: '.*',
    })),
  });
  inOne = await target.openChannel({ virtualHost: 'one' });
  inTwo = await target.openChannel({ virtualHost: 'two' });
});
afterEach(() => target.close());

describe('virtual hosts', () => {
  it('have queues of their own', async () => {
    const queue = uniqueName('q');
    await inOne.call(1, 'queue.declare', { queue, exclusive: true });
    inTwo.send(1, 'queue.declare', { queue, passive: true });
    expect(await channelClose(inTwo)).toEqual(
      closeOf('queue.declare', 404, `NOT_FOUND - no queue '${queue}' in vhost 'two'`),
    );
    await inTwo.call(1, 'queue.declare', { queue, exclusive: true });
    inOne.publish(1, { routingKey: queue, body: 'one' });
    inTwo.publish(1, { routingKey: queue, body: 'two' });
    await inOne.sync();
    await inTwo.sync();
    expect(String((await inOne.get(1, queue)).body)).toBe('one');
    expect(String((await inTwo.get(1, queue)).body)).toBe('two');
  });

  it('have exchanges and bindings of their own', async () => {
    const name = uniqueName('x');
    await inOne.call(1, 'exchange.declare', { exchange: name, type: 'fanout' });
    inTwo.publish(1, { exchange: name });
    expect(await channelClose(inTwo)).toEqual(
      closeOf('basic.publish', 404, `NOT_FOUND - no exchange '${name}' in vhost 'two'`),
    );
    for (const client of [inOne, inTwo]) {
      await client.call(1, 'queue.declare', { queue: name, exclusive: true });
      await client.call(1, 'queue.bind', { queue: name, exchange: 'amq.fanout' });
    }
    inOne.publish(1, { exchange: 'amq.fanout' });
    await inOne.sync();
    expect(await inOne.call(1, 'queue.purge', { queue: name })).toEqual({ messageCount: 1 });
    expect(await inTwo.call(1, 'queue.purge', { queue: name })).toEqual({ messageCount: 0 });
    await inOne.call(1, 'exchange.delete', { exchange: name });
  });

  it('keep direct replies apart', async () => {
    await inOne.call(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
    const queue = uniqueName('q');
    await inOne.call(1, 'queue.declare', { queue, exclusive: true });
    inOne.publish(1, { routingKey: queue, properties: { replyTo: 'amq.rabbitmq.reply-to' } });
    await inOne.sync();
    const { properties } = await inOne.get(1, queue);
    inOne.publish(1, { routingKey: properties.replyTo!, body: 'from here' });
    expect(String((await inOne.delivery()).body)).toBe('from here');
  });
});
