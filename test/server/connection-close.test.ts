import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { closeOf, connectionClose, IS_ORACLE, Target, uniqueName } from './target.js';

let target: Target;
let client: RawClient;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
});
afterEach(() => target.close());

describe('a close by the client', () => {
  it('is agreed to after exclusive queues are gone', async () => {
    const another = await target.openChannel();
    const queue = uniqueName('exclusive');
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.call(0, 'connection.close', { replyCode: 200, replyText: 'bye' });
    await another.call(1, 'queue.declare', { queue, exclusive: true });
  });

  it('returns what was unacked', async () => {
    const another = await target.openChannel();
    const queue = uniqueName('shared');
    await another.call(1, 'queue.declare', { queue });
    another.publish(1, { routingKey: queue, body: 'again' });
    await another.sync();
    await client.get(1, queue, false);
    await client.call(0, 'connection.close');
    const { method } = await another.get(1, queue);
    expect(method.redelivered).toBe(true);
    await another.call(1, 'queue.delete', { queue });
  });

  it('leaves later frames unanswered', async () => {
    client.send(0, 'connection.close');
    client.send(1, 'channel.flow', { active: true });
    client.send(0, 'connection.start-ok');
    client.send(0, 'connection.close');
    await client.method(0, 'connection.close-ok');
    await client.method(0, 'connection.close-ok');
    expect(client.pendingFrames(1)).toEqual([]);
  });

  it.skipIf(IS_ORACLE).each([
    ['thirty seconds, when there are no heartbeats', 0, 30_000],
    ['one interval of heartbeats', 7, 7_000],
    ['at most thirty seconds', 100, 30_000],
  ])('leaves it to the client to close TCP, for %s', async (_what, heartbeat, limitMs) => {
    const slow = await target.open({ heartbeat });
    await slow.call(0, 'connection.close');
    target.clock.advance(limitMs - 1);
    expect(slow.isClosed).toBe(false);
    target.clock.advance(1);
    await slow.closed();
  });
});

describe('a close by the server', () => {
  it('ends TCP as soon as the client agrees', async () => {
    client.send(1, 'basic.qos', { prefetchSize: 5 });
    expect(await connectionClose(client)).toEqual(
      closeOf('basic.qos', 540, 'NOT_IMPLEMENTED - prefetch_size!=0 (5)'),
    );
  });

  it('takes a close by the client meanwhile', async () => {
    client.send(1, 'basic.qos', { prefetchSize: 5 });
    await client.method(0, 'connection.close');
    await client.call(0, 'connection.close');
    client.send(0, 'connection.close-ok');
    await client.closed();
  });

  it('looks at nothing else meanwhile', async () => {
    client.send(1, 'basic.qos', { prefetchSize: 5 });
    await client.method(0, 'connection.close');
    client.send(1, 'channel.flow', { active: true });
    client.send(2, 'channel.open');
    client.send(0, 'connection.open');
    client.frame(2, 0, 'rubbish on channel 0');
    client.send(0, 'connection.close-ok');
    await client.closed();
    expect([...client.pendingFrames(0), ...client.pendingFrames(1), ...client.pendingFrames(2)]).toEqual([]);
  });

  it.skipIf(IS_ORACLE)('ends TCP after a while when the client does not answer', async () => {
    client.send(1, 'basic.qos', { prefetchSize: 5 });
    await client.method(0, 'connection.close');
    target.clock.advance(29_999);
    expect(client.isClosed).toBe(false);
    target.clock.advance(1);
    await client.closed();
  });

  it.skipIf(IS_ORACLE)('says why the broker ends', async () => {
    const closed = target.server.close('maintenance');
    expect(await connectionClose(client)).toEqual(
      closeOf(
        undefined,
        320,
        "CONNECTION_FORCED - broker forced connection closure with reason 'maintenance'",
      ),
    );
    await closed;
  });

  it.skipIf(IS_ORACLE)(
    'waits three seconds for clients that do not answer when the broker ends',
    async () => {
      const closed = target.server.close();
      await client.method(0, 'connection.close');
      expect(target.server.connectionCount).toBe(1);
      target.clock.advance(3_000);
      await closed;
      await client.closed();
      expect(target.server.connectionCount).toBe(0);
    },
  );
});

describe('the loss of TCP', () => {
  it('is a close', async () => {
    const another = await target.openChannel();
    const queue = uniqueName('lost');
    const shared = uniqueName('shared');
    await another.call(1, 'queue.declare', { queue: shared });
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    another.publish(1, { routingKey: shared, body: 'again' });
    await another.sync();
    await client.get(1, shared, false);
    client.destroy();
    await client.closed();
    // Nobody says when the broker has noticed; the exclusive queue tells.
    for (;;) {
      another.send(1, 'queue.declare', { queue, passive: true });
      const { name, fields } = await another.anyMethod(1);
      if (name !== 'channel.close') throw new Error('an exclusive queue can be seen by others');
      another.send(1, 'channel.close-ok');
      await another.openChannel(1);
      if (fields.replyCode === 404) break;
    }
    const { method } = await another.get(1, shared);
    expect(method.redelivered).toBe(true);
    await another.call(1, 'queue.delete', { queue: shared });
  });
});
