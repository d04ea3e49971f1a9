import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_CAPABILITIES, type RawClient } from '../../conformance/wire/raw-client.js';
import { channelClose, closeOf, connectionClose, IS_ORACLE, Target, uniqueName } from './target.js';

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

/** References to records: there is one segment here, which the next record goes to. */
function liveReferences(): number {
  const { log } = target.server.broker;
  return log.segmentOf(log.append(8)).live;
}

describe.skipIf(IS_ORACLE)('a virtual host that is deleted', () => {
  it('cancels its consumers, closes its clients, and can be opened no more', async () => {
    const queue = uniqueName('q');
    await inOne.call(1, 'queue.declare', { queue });
    await inOne.call(1, 'basic.consume', { queue, consumerTag: 'c' });
    inOne.publish(1, { routingKey: queue });
    await inOne.delivery();
    const idle = await target.open({ virtualHost: 'one' });
    target.server.broker.deleteVirtualHost('one');
    expect(await inOne.method(1, 'basic.cancel')).toMatchObject({ consumerTag: 'c' });
    const close = closeOf(undefined, 320, "CONNECTION_FORCED - vhost 'one' is deleted");
    expect(await connectionClose(inOne)).toEqual(close);
    expect(await connectionClose(idle)).toEqual(close);

    const late = await target.connect();
    await late.start();
    late.startOk('\0guest\0guest', 'PLAIN', ALL_CAPABILITIES);
    const tune = await late.method(0, 'connection.tune');
    late.send(0, 'connection.tune-ok', tune);
    late.send(0, 'connection.open', { virtualHost: 'one' });
    expect(await late.method(0, 'connection.close')).toEqual(
      closeOf('connection.open', 530, 'NOT_ALLOWED - vhost one not found'),
    );
    // Nobody else notices.
    await inTwo.call(1, 'queue.declare', { queue, exclusive: true });
    expect(target.messages.filter((message) => message.includes('bug'))).toEqual([]);
    expect(liveReferences()).toBe(0);
  });

  it('takes what clients have under way with it: transactions, unacked messages, direct replies', async () => {
    const queue = uniqueName('q');
    await inOne.call(1, 'tx.select');
    await inOne.call(1, 'queue.declare', { queue, exclusive: true });
    inOne.publish(1, { routingKey: queue });
    await inOne.call(1, 'tx.commit');
    await inOne.get(1, queue, false);
    inOne.publish(1, { routingKey: queue });
    await inOne.sync();
    await inOne.openChannel(2);
    await inOne.call(2, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
    const gone = target.server.broker.virtualHost('one')!;
    target.server.broker.deleteVirtualHost('one');
    target.server.broker.addVirtualHost('one');
    expect(await connectionClose(inOne)).toMatchObject({ replyCode: 320 });
    expect(gone.queues.size + gone.exchanges.size).toBe(0);
    expect(target.server.broker.virtualHost('one')!.queues.size).toBe(0);
    expect(target.server.broker.users.hasAccess('guest', 'one')).toBe(false);
    expect(target.messages.filter((message) => message.includes('bug'))).toEqual([]);
    expect(liveReferences()).toBe(0);
  });
});

describe.skipIf(IS_ORACLE)('a user who is deleted', () => {
  it('is disconnected, and nobody else', async () => {
    const { users } = target.server.broker;
    users.addUser('app', 'secret');
    target.server.broker.setPermissions('app', 'two', { configure: '', write: '', read: '' });
    const client = await target.open({ virtualHost: 'two', user: 'app', password: 'secret' });
    users.deleteUser('app');
    expect(await connectionClose(client)).toEqual(
      closeOf(undefined, 320, "CONNECTION_FORCED - user 'app' is deleted"),
    );
    await inTwo.sync();
  });
});
