import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { channelClose, closeOf, connectionClose, declareQueue, Target } from './target.js';

let target: Target;
let client: RawClient;
beforeEach(async () => {
  target = await Target.start();
  client = await target.open();
});
afterEach(() => target.close());

describe('opening a channel', () => {
  it.each([1, 2, 2047, 2048, 65_535])('works with number %i', async (number) => {
    expect(await client.call(number, 'channel.open')).toEqual({ channelId: '' });
    await client.sync(number);
  });

  it('a second time ends the connection', async () => {
    await client.openChannel(1);
    client.send(1, 'channel.open');
    expect(await connectionClose(client)).toEqual(
      closeOf('channel.open', 504, "CHANNEL_ERROR - second 'channel.open' seen"),
    );
  });

  it.each(['queue.declare', 'basic.ack', 'channel.close', 'channel.flow', 'tx.select', 'confirm.select'])(
    'is necessary before %s',
    async (method) => {
      client.send(7, method);
      expect(await connectionClose(client)).toEqual(
        closeOf(method, 504, "CHANNEL_ERROR - expected 'channel.open'"),
      );
    },
  );

  it('is necessary before a publish', async () => {
    client.publish(7, { routingKey: 'q' });
    expect(await connectionClose(client)).toEqual(
      closeOf('basic.publish', 504, "CHANNEL_ERROR - expected 'channel.open'"),
    );
  });

  it('is possible up to the number agreed, and what counts is how many are open', async () => {
    const few = await target.open({ channelMax: 3 });
    for (const number of [10, 20, 30]) await few.openChannel(number);
    await few.call(20, 'channel.close');
    await few.openChannel(40);
    few.send(50, 'channel.open');
    expect(await connectionClose(few)).toEqual(
      closeOf(
        undefined,
        530,
        'NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)',
      ),
    );
  });

  it('works 2047 times, and not once more', async () => {
    for (let number = 1; number <= 2047; number++) client.send(number, 'channel.open');
    for (let number = 1; number <= 2047; number++) await client.method(number, 'channel.open-ok');
    client.send(2048, 'channel.open');
    expect(await connectionClose(client)).toEqual(
      closeOf(
        undefined,
        530,
        'NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)',
      ),
    );
  });
});

describe('closing a channel', () => {
  beforeEach(() => client.openChannel(1));

  it('frees its number at once', async () => {
    await client.call(1, 'channel.close', { replyCode: 200, replyText: 'bye' });
    await client.openChannel(1);
    await client.sync();
  });

  it('leaves nothing to use', async () => {
    await client.call(1, 'channel.close');
    client.send(1, 'basic.get', { queue: 'q' });
    expect(await connectionClose(client)).toEqual(
      closeOf('basic.get', 504, "CHANNEL_ERROR - expected 'channel.open'"),
    );
  });

  it('returns what was unacked, and ends its consumers', async () => {
    const queue = await declareQueue(client);
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
    for (const body of ['1', '2', '3']) client.publish(1, { routingKey: queue, body });
    for (let i = 0; i < 3; i++) await client.delivery(2);
    await client.call(2, 'channel.close');
    expect(await client.call(1, 'queue.declare', { queue, passive: true })).toEqual({
      queue,
      messageCount: 3,
      consumerCount: 0,
    });
    const { method, body } = await client.get(1, queue);
    expect([String(body), method.redelivered]).toEqual(['1', true]);
  });

  it('forgets a content under way', async () => {
    const queue = await declareQueue(client);
    await client.openChannel(2);
    client.send(2, 'basic.publish', { routingKey: queue });
    client.send(2, 'channel.close');
    expect(await connectionClose(client)).toMatchObject({ replyCode: 505 });
  });

  it('after an error, nothing but the close is looked at', async () => {
    const queue = await declareQueue(client);
    client.send(1, 'queue.purge', { queue: 'nowhere' });
    client.publish(1, { routingKey: queue, body: 'lost' });
    client.send(1, 'queue.delete', { queue });
    expect(await client.method(1, 'channel.close')).toEqual(
      closeOf('queue.purge', 404, "NOT_FOUND - no queue 'nowhere' in vhost '/'"),
    );
    client.send(1, 'basic.qos', { prefetchSize: 1 });
    client.send(1, 'channel.close-ok');
    await client.openChannel(1);
    expect(await client.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
      messageCount: 0,
    });
  });

  it('is agreed to when both sides close at once', async () => {
    client.send(1, 'queue.purge', { queue: 'nowhere' });
    await client.method(1, 'channel.close');
    client.send(1, 'channel.close');
    await client.method(1, 'channel.close-ok');
    client.send(1, 'channel.close-ok');
    await client.openChannel(1);
    await client.sync();
  });

  it('because of an error does not free its number before the client has agreed', async () => {
    client.send(1, 'queue.purge', { queue: 'nowhere' });
    await client.method(1, 'channel.close');
    client.send(1, 'channel.open');
    expect(await connectionClose(client)).toEqual(
      closeOf('channel.open', 504, "CHANNEL_ERROR - second 'channel.open' seen"),
    );
  });

  it('cannot be agreed to when nobody asked', async () => {
    client.send(1, 'channel.close-ok');
    expect(await connectionClose(client)).toEqual(
      closeOf('channel.close-ok', 503, 'COMMAND_INVALID - unimplemented method'),
    );
  });

  it('because of an error leaves other channels alone', async () => {
    await client.openChannel(2);
    client.send(1, 'queue.purge', { queue: 'nowhere' });
    await channelClose(client);
    await client.sync(2);
  });
});

describe('channel.flow', () => {
  beforeEach(() => client.openChannel(1));

  it('is agreed to when it asks to go on', async () => {
    expect(await client.call(1, 'channel.flow', { active: true })).toEqual({ active: true });
  });

  it('cannot be agreed to: the broker never asks', async () => {
    client.send(1, 'channel.flow-ok', { active: true });
    expect(await connectionClose(client)).toEqual(
      closeOf('channel.flow-ok', 503, 'COMMAND_INVALID - unimplemented method'),
    );
  });

  it('cannot stop deliveries', async () => {
    client.send(1, 'channel.flow', { active: false });
    expect(await connectionClose(client)).toEqual(
      closeOf('channel.flow', 540, 'NOT_IMPLEMENTED - active=false'),
    );
  });
});

describe('access.request', () => {
  it('is answered with a ticket nobody looks at', async () => {
    await client.openChannel(1);
    expect(await client.call(1, 'access.request', { realm: '/data' })).toEqual({ ticket: 1 });
  });
});
