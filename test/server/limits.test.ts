/** rabbitmq.com/docs/vhosts#limits, rabbitmq.com/docs/user-limits: what is refused, and what makes room again. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_CAPABILITIES, type RawClient } from '../../conformance/wire/raw-client.js';
import { LimitError } from '../../src/broker/limit-input.js';
import { channelClose, closeOf, connectionClose, IS_ORACLE, Target, uniqueName } from './target.js';

const ALL = { configure: '.*', write: '.*', read: '.*' };

let target: Target;
beforeEach(async () => {
  target = await Target.start({
    virtualHosts: ['/', 'v'],
    users: [
      { name: 'guest', password: 'guest', tags: ['administrator'] },
      { name: 'app', password: 'app', tags: [] },
      { name: 'barred', password: 'barred', tags: [] },
    ],
    permissions: [
      { user: 'guest', virtualHost: '/', ...ALL },
      { user: 'guest', virtualHost: 'v', ...ALL },
      { user: 'app', virtualHost: '/', ...ALL },
      { user: 'app', virtualHost: 'v', ...ALL },
    ],
    virtualHostLimits: [{ virtualHost: 'v', limits: { 'max-connections': 2, 'max-queues': 2 } }],
    userLimits: [{ user: 'app', limits: { 'max-connections': 2, 'max-channels': 3 } }],
  });
});
afterEach(() => target.close());

/** Logs in and asks for a virtual host. @returns what the server says */
async function openingClose(virtualHost: string, user = 'guest'): Promise<object> {
  const client = await target.connect();
  await client.start();
  client.startOk(`\0${user}\0${user}`, 'PLAIN', ALL_CAPABILITIES);
  const tune = await client.method(0, 'connection.tune');
  client.send(0, 'connection.tune-ok', tune);
  client.send(0, 'connection.open', { virtualHost });
  return connectionClose(client);
}

const refusedAtOpen = (text: string): object => closeOf('connection.open', 530, `NOT_ALLOWED - ${text}`);

async function closeInOrder(client: RawClient): Promise<void> {
  await client.call(0, 'connection.close', { replyCode: 200 });
  client.destroy();
}

describe.skipIf(IS_ORACLE)('max-connections of a virtual host', () => {
  const REFUSED = refusedAtOpen(
    "access to vhost 'v' refused for user 'guest': connection limit (2) is reached",
  );

  it('counts open ones, whoever has them and however they end', async () => {
    const first = await target.open({ virtualHost: 'v' });
    const second = await target.open({ virtualHost: 'v', user: 'app', password: 'app' });
    expect(await openingClose('v')).toEqual(REFUSED);
    await target.open();
    await closeInOrder(first);
    const third = await target.open({ virtualHost: 'v' });
    expect(await openingClose('v')).toEqual(REFUSED);
    second.destroy();
    await until(() => target.server.broker.clients.connectionsIn('v') === 1);
    await target.open({ virtualHost: 'v' });
    expect(await openingClose('v')).toEqual(REFUSED);
    third.frame(1, 0, 'nonsense');
    await until(() => target.server.broker.clients.connectionsIn('v') === 1);
  });

  it('0 lets nobody in, and -1 everybody; both at once', async () => {
    target.server.broker.setVirtualHostLimits('v', { 'max-connections': 0 });
    expect(await openingClose('v')).toEqual(
      refusedAtOpen("access to vhost 'v' refused for user 'guest': connection limit (0) is reached"),
    );
    target.server.broker.setVirtualHostLimits('v', { 'max-connections': -1 });
    for (let i = 0; i < 4; i++) await target.open({ virtualHost: 'v' });
  });

  it('is looked at before the limit of the user, and that before the permission', async () => {
    const { broker } = target.server;
    broker.setVirtualHostLimits('v', { 'max-connections': 0 });
    broker.setUserLimits('app', { 'max-connections': 0 });
    broker.setUserLimits('barred', { 'max-connections': 0 });
    expect(await openingClose('v', 'app')).toEqual(
      refusedAtOpen("access to vhost 'v' refused for user 'app': connection limit (0) is reached"),
    );
    expect(await openingClose('/', 'barred')).toEqual(
      refusedAtOpen("connection refused for user 'barred': user connection limit (0) is reached"),
    );
    broker.clearUserLimits('barred', 'max-connections');
    expect(await openingClose('/', 'barred')).toEqual(
      refusedAtOpen("access to vhost '/' refused for user 'barred'"),
    );
  });
});

describe.skipIf(IS_ORACLE)('max-queues of a virtual host', () => {
  it('counts every queue there is, and is no matter to one that exists', async () => {
    const client = await target.openChannel({ virtualHost: 'v' });
    await client.call(1, 'queue.declare', { queue: 'one' });
    await client.call(1, 'queue.declare', { queue: 'two', exclusive: true });
    client.send(1, 'queue.declare', { queue: 'three' });
    expect(await channelClose(client)).toEqual(
      closeOf(
        'queue.declare',
        406,
        "PRECONDITION_FAILED - cannot declare queue 'three': queue limit in vhost 'v' (2) is reached",
      ),
    );
    await client.call(1, 'queue.declare', { queue: 'one' });
    // What is wrong with the arguments is said first.
    client.send(1, 'queue.declare', { queue: 'three', arguments: [['x-expires', 'I', 0]] });
    expect(await channelClose(client)).toMatchObject({
      replyText:
        "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'three' in vhost 'v': {value_zero,0}",
    });
    await client.call(1, 'queue.delete', { queue: 'two' });
    await client.call(1, 'queue.declare', { queue: 'three' });
    const elsewhere = await target.openChannel();
    for (let i = 0; i < 3; i++) {
      await elsewhere.call(1, 'queue.declare', { queue: uniqueName('q'), exclusive: true });
    }
  });
});

describe.skipIf(IS_ORACLE)('limits of a user', () => {
  const app = { user: 'app', password: 'app' };

  it('max-connections counts those in all virtual hosts', async () => {
    await target.open(app);
    const second = await target.open({ ...app, virtualHost: 'v' });
    expect(await openingClose('/', 'app')).toEqual(
      refusedAtOpen("connection refused for user 'app': user connection limit (2) is reached"),
    );
    await closeInOrder(second);
    await target.open(app);
  });

  it('max-channels counts those of all connections, and closes the connection of one too many', async () => {
    const first = await target.openChannel(app);
    await first.openChannel(7);
    const second = await target.openChannel(app);
    second.send(2, 'channel.open');
    expect(await connectionClose(second)).toMatchObject({
      replyCode: 530,
      replyText:
        "NOT_ALLOWED - number of channels opened for user 'app' has reached the maximum allowed user limit of 3",
    });
    // Its channels went with it.
    await first.openChannel(2);
    first.send(3, 'channel.open');
    expect(await connectionClose(first)).toMatchObject({ replyCode: 530 });
    const third = await target.openChannel(app);
    await third.openChannel(2);
    await third.openChannel(3);
    await third.call(2, 'channel.close', { replyCode: 200 });
    await third.openChannel(4);
    expect(target.server.broker.clients.channelsOf('app')).toBe(3);
    // One that an error closed is one until the client agrees.
    third.send(4, 'queue.declare', { queue: 'nowhere', passive: true });
    await third.method(4, 'channel.close');
    expect(target.server.broker.clients.channelsOf('app')).toBe(3);
    third.send(4, 'channel.close-ok');
    await third.openChannel(5);
  });

  it('hold for the user they are set for, are merged, and can be cleared', async () => {
    const { broker } = target.server;
    broker.setUserLimits('app', { 'max-channels': 1 });
    expect([...broker.users.limitsOf('app')]).toEqual([
      ['max-connections', 2],
      ['max-channels', 1],
    ]);
    broker.clearUserLimits('app', 'max-channels');
    expect([...broker.users.limitsOf('app')]).toEqual([['max-connections', 2]]);
    broker.clearUserLimits('app', 'all');
    for (let i = 0; i < 4; i++) await target.openChannel(app);
  });
});

describe('limits are refused', () => {
  it.each([
    [{ 'max-connections': '5' }, 'max-connections should be a number, actually was <<"5">>'],
    [{ 'max-connections': 1.5 }, 'max-connections should be a number, actually was 1.5'],
    [{ 'max-channels': 5 }, 'Unrecognised terms [{<<"max-channels">>,5}] in limits'],
  ])('of a virtual host: %j', (limits, text) => {
    if (IS_ORACLE) return;
    const { broker } = target.server;
    expect(() => broker.setVirtualHostLimits('v', limits)).toThrow(new LimitError(text));
    expect(broker.virtualHost('v')!.limits.get('max-queues')).toBe(2);
    expect(() => broker.setVirtualHostLimits('w', {})).toThrow("no virtual host 'w'");
  });

  it('of a user', () => {
    if (IS_ORACLE) return;
    const { broker } = target.server;
    expect(() => broker.setUserLimits('app', { 'max-queues': 5, 'max-channels': null })).toThrow(
      new LimitError(
        'Unrecognised terms [{<<"max-queues">>,5}] in user-limits\nmax-channels should be a number, actually was null',
      ),
    );
    expect(() => broker.setUserLimits('nobody', {})).toThrow("no user 'nobody'");
  });
});

/** Until the server has seen what a client did without an answer. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise<void>((resolve) => setImmediate(resolve));
}
