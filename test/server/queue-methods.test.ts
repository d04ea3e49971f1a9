import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { channelClose, closeOf, IS_ORACLE, Target, uniqueName } from './target.js';

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  queue = uniqueName('q');
});
afterEach(() => target.close());

async function expectRefusal(method: string, fields: Fields, code: number, text: string): Promise<void> {
  client.send(1, method, fields);
  expect(await channelClose(client)).toEqual(closeOf(method, code, text));
}

const locked = (name: string): string =>
  `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be ` +
  'originally declared on another connection or the exclusive property value does not match that of the original declaration.';

describe('queue.bind', () => {
  it('binds once, however the arguments are ordered', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const binding = { queue, exchange: 'amq.direct', routingKey: queue };
    const a = ['a', 'I', 1] as const;
    const b = ['b', 'S', 'x'] as const;
    await client.call(1, 'queue.bind', { ...binding, arguments: [a, b] });
    await client.call(1, 'queue.bind', { ...binding, arguments: [b, a] });
    client.publish(1, { exchange: 'amq.direct', routingKey: queue });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
    await client.call(1, 'queue.unbind', { ...binding, arguments: [b, a] });
    client.publish(1, { exchange: 'amq.direct', routingKey: queue });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
  });

  it('with two keys delivers one copy of a message that matches both', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.call(1, 'queue.bind', { queue, exchange: 'amq.topic', routingKey: `${queue}.*` });
    await client.call(1, 'queue.bind', { queue, exchange: 'amq.topic', routingKey: `${queue}.#` });
    client.publish(1, { exchange: 'amq.topic', routingKey: `${queue}.x` });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
  });

  it.each(['queue.bind', 'queue.unbind'])('%s refuses the default exchange', async (method) => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await expectRefusal(
      method,
      { queue, exchange: '', routingKey: 'x' },
      403,
      'ACCESS_REFUSED - operation not permitted on the default exchange',
    );
  });

  it('refuses an exchange or a queue that is not there, the exchange first', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const noExchange = "NOT_FOUND - no exchange 'nowhere' in vhost '/'";
    await expectRefusal('queue.bind', { queue, exchange: 'nowhere' }, 404, noExchange);
    await expectRefusal('queue.bind', { queue: 'none', exchange: 'nowhere' }, 404, noExchange);
    await expectRefusal(
      'queue.bind',
      { queue: 'none', exchange: 'amq.direct' },
      404,
      "NOT_FOUND - no queue 'none' in vhost '/'",
    );
  });

  it('says nothing when told so', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    client.send(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: queue, noWait: true });
    client.publish(1, { exchange: 'amq.direct', routingKey: queue });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
  });

  it('and queue.unbind succeeds without a binding, a queue or an exchange', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.call(1, 'queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'never' });
    await client.call(1, 'queue.unbind', { queue: 'none', exchange: 'amq.direct' });
    await client.call(1, 'queue.unbind', { queue, exchange: 'nowhere' });
  });

  it('looks at the binding before it asks whose queue it is', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const other = await target.openChannel();
    const binding = { queue, exchange: 'amq.headers' };
    other.send(1, 'queue.bind', { ...binding, arguments: [['x-match', 'S', 'some']] });
    expect(await channelClose(other)).toEqual(
      closeOf(
        'queue.bind',
        406,
        'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x',
      ),
    );
    other.send(1, 'queue.bind', binding);
    expect(await channelClose(other)).toEqual(closeOf('queue.bind', 405, locked(queue)));
  });

  it('and queue.unbind asks whose queue it is only when there is a binding to remove', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const other = await target.openChannel();
    const binding = { queue, exchange: 'amq.direct', routingKey: queue };
    await other.call(1, 'queue.unbind', binding);
    await client.call(1, 'queue.bind', binding);
    other.send(1, 'queue.unbind', binding);
    expect(await channelClose(other)).toEqual(closeOf('queue.unbind', 405, locked(queue)));
  });
});

describe('queue.purge', () => {
  it('drops what is ready, and leaves what is unacked', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    for (let i = 0; i < 3; i++) client.publish(1, { routingKey: queue });
    await client.sync();
    const { method } = await client.get(1, queue, false);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 2 });
    client.send(1, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: true });
    client.send(1, 'queue.purge', { queue, noWait: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
  });

  it('refuses what is not there', () =>
    expectRefusal('queue.purge', { queue: 'none' }, 404, "NOT_FOUND - no queue 'none' in vhost '/'"));
});

describe('queue.delete', () => {
  it('of what is not there succeeds', async () => {
    expect(await client.call(1, 'queue.delete', { queue })).toEqual({ messageCount: 0 });
  });

  it('counts what was ready', async () => {
    await client.call(1, 'queue.declare', { queue });
    for (let i = 0; i < 3; i++) client.publish(1, { routingKey: queue });
    await client.sync();
    const { method } = await client.get(1, queue, false);
    expect(await client.call(1, 'queue.delete', { queue })).toEqual({ messageCount: 2 });
    // What is still unacked may be settled, to no effect.
    client.send(1, 'basic.nack', { deliveryTag: method.deliveryTag!, requeue: true });
    await client.sync();
  });

  it('if empty, refuses a queue with messages, and before that it is not used', async () => {
    await client.call(1, 'queue.declare', { queue });
    await client.openChannel(2);
    await client.call(2, 'basic.qos', { prefetchCount: 1 });
    await client.call(2, 'basic.consume', { queue });
    for (let i = 0; i < 2; i++) client.publish(1, { routingKey: queue });
    await client.delivery(2);
    await client.sync();
    await expectRefusal(
      'queue.delete',
      { queue, ifEmpty: true, ifUnused: true },
      406,
      `PRECONDITION_FAILED - queue '${queue}' in vhost '/' not empty`,
    );
    await expectRefusal(
      'queue.delete',
      { queue, ifUnused: true },
      406,
      `PRECONDITION_FAILED - queue '${queue}' in vhost '/' in use`,
    );
    await client.call(1, 'queue.delete', { queue });
  });

  it('says nothing when told so', async () => {
    await client.call(1, 'queue.declare', { queue });
    client.send(1, 'queue.delete', { queue, noWait: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    await expectRefusal('queue.purge', { queue }, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`);
  });
});

describe('an exclusive queue', () => {
  it.each([
    ['queue.declare', { passive: true }],
    ['queue.declare', {}],
    ['queue.declare', { exclusive: true }],
    ['queue.bind', { exchange: 'amq.direct' }],
    ['queue.purge', {}],
    ['queue.delete', {}],
    ['basic.get', {}],
    ['basic.consume', {}],
  ] as const)('is locked for other connections: %s %o', async (method, fields) => {
    const owner = await target.openChannel();
    await owner.call(1, 'queue.declare', { queue, exclusive: true });
    await expectRefusal(method, { queue, ...fields }, 405, locked(queue));
  });

  it('can be used by all channels of its connection', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
  });

  it('cannot be declared as one that is not, nor the other way round', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await expectRefusal('queue.declare', { queue }, 405, locked(queue));
    const shared = uniqueName('shared');
    await client.call(1, 'queue.declare', { queue: shared });
    await expectRefusal('queue.declare', { queue: shared, exclusive: true }, 405, locked(shared));
    await client.call(1, 'queue.delete', { queue: shared });
  });

  it('takes what others publish to it', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const other = await target.openChannel();
    other.publish(1, { routingKey: queue, body: 'hello' });
    await other.sync();
    expect(String((await client.get(1, queue)).body)).toBe('hello');
  });
});

describe('an auto-delete queue', () => {
  beforeEach(() => client.call(1, 'queue.declare', { queue, autoDelete: true }));

  const gone = (): Promise<void> =>
    expectRefusal('queue.purge', { queue }, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`);

  it('stays until it was consumed from', async () => {
    client.publish(1, { routingKey: queue });
    await client.sync();
    await client.get(1, queue);
    await client.call(1, 'queue.purge', { queue });
    await client.call(1, 'queue.delete', { queue });
  });

  it('goes with its last consumer, before cancel-ok', async () => {
    for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
    await client.call(1, 'basic.cancel', { consumerTag: 'a' });
    await client.call(1, 'queue.purge', { queue });
    await client.call(1, 'basic.cancel', { consumerTag: 'b' });
    await gone();
  });

  it('goes when the channel of its last consumer closes', async () => {
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
    await client.call(2, 'channel.close');
    await gone();
  });

  it.skipIf(IS_ORACLE)('goes when the connection of its last consumer is lost', async () => {
    const other = await target.openChannel();
    await other.call(1, 'basic.consume', { queue });
    await other.call(0, 'connection.close');
    await gone();
  });
});
