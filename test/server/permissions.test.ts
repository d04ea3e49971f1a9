/** rabbitmq.com/docs/access-control: what each operation needs, and what it says when it is missing. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { byGeneration, channelClose, closeOf, IS_ORACLE, Target, uniqueName } from './target.js';

let target: Target;
let admin: RawClient;
let limited: RawClient;
beforeEach(async () => {
  target = await Target.start({
    users: [
      { name: 'guest', password: 'guest', tags: ['administrator'] },
      { name: 'limited', password: 'limited', tags: [] },
      { name: 'proxy', password: 'proxy', tags: ['impersonator'] },
    ],
    permissions: [
      { user: 'guest', virtualHost: '/', configure: '.*', write: '.*', read: '.*' },
      { user: 'limited', virtualHost: '/', configure: '^(c|all)-', write: '^(w|all)-', read: '^(r|all)-' },
      { user: 'proxy', virtualHost: '/', configure: '.*', write: '.*', read: '.*' },
    ],
  });
  admin = await target.openChannel();
  limited = await target.openChannel({ user: 'limited', password: 'limited' });
});
afterEach(() => target.close());

type Access = 'configure' | 'write' | 'read';

/** `none-...` is a name the user has no access to at all. */
async function expectRefusal(
  method: string,
  fields: Fields,
  access: Access,
  kind: 'queue' | 'exchange',
  name: string,
): Promise<void> {
  if (method === 'basic.publish') limited.publish(1, fields);
  else limited.send(1, method, fields);
  const verb = byGeneration(`${access} `, '');
  expect(await channelClose(limited)).toEqual(
    closeOf(
      method,
      403,
      `ACCESS_REFUSED - ${verb}access to ${kind} '${name}' in vhost '/' refused for user 'limited'`,
    ),
  );
}

const none = 'none-x';

describe('permission to configure', () => {
  it.each([
    ['exchange.declare', { exchange: none, type: 'direct' }, 'exchange'],
    ['exchange.delete', { exchange: none }, 'exchange'],
    ['queue.declare', { queue: none }, 'queue'],
    ['queue.delete', { queue: none }, 'queue'],
  ] as const)('is needed for %s', (method, fields, kind) =>
    expectRefusal(method, fields, 'configure', kind, none),
  );

  it('is needed for the name the broker invents', async () => {
    limited.send(1, 'queue.declare');
    const close = (await channelClose(limited)) as { replyText: string };
    expect(close.replyText).toMatch(
      /access to queue 'amq\.gen-[A-Za-z0-9_-]{22}' in vhost '\/' refused for user 'limited'$/,
    );
  });

  it('is enough for what has it', async () => {
    const queue = uniqueName('c');
    await limited.call(1, 'queue.declare', { queue });
    await limited.call(1, 'queue.delete', { queue });
    await limited.call(1, 'exchange.declare', { exchange: queue, type: 'direct' });
    await limited.call(1, 'exchange.delete', { exchange: queue });
  });

  it('is not looked at by passive declares', async () => {
    const name = uniqueName('none');
    await admin.call(1, 'queue.declare', { queue: name });
    await admin.call(1, 'exchange.declare', { exchange: name, type: 'direct' });
    await limited.call(1, 'queue.declare', { queue: name, passive: true });
    await limited.call(1, 'exchange.declare', { exchange: name, passive: true });
    await admin.call(1, 'queue.delete', { queue: name });
    await admin.call(1, 'exchange.delete', { exchange: name });
  });
});

describe('what a declare names', () => {
  it('of a dead-letter exchange needs reading the queue', () => {
    const queue = uniqueName('c');
    const args = [['x-dead-letter-exchange', 'S', 'all-x']] as const;
    return expectRefusal('queue.declare', { queue, arguments: args }, 'read', 'queue', queue);
  });

  it('of a dead-letter exchange needs writing to it', () =>
    expectRefusal(
      'queue.declare',
      { queue: uniqueName('all'), arguments: [['x-dead-letter-exchange', 'S', none]] },
      'write',
      'exchange',
      none,
    ));

  it('of the default exchange for dead letters needs writing to that', () =>
    expectRefusal(
      'queue.declare',
      { queue: uniqueName('all'), arguments: [['x-dead-letter-exchange', 'S', '']] },
      'write',
      'exchange',
      'amq.default',
    ));

  it('of an alternate exchange needs reading the exchange', () => {
    const exchange = uniqueName('c');
    const args = [['alternate-exchange', 'S', 'all-x']] as const;
    return expectRefusal(
      'exchange.declare',
      { exchange, type: 'direct', arguments: args },
      'read',
      'exchange',
      exchange,
    );
  });

  it('of an alternate exchange needs writing to it', () =>
    expectRefusal(
      'exchange.declare',
      { exchange: uniqueName('all'), type: 'direct', arguments: [['alternate-exchange', 'S', none]] },
      'write',
      'exchange',
      none,
    ));
});

describe('permission to bind', () => {
  it.each(['queue.bind', 'queue.unbind'])(
    '%s needs writing to the queue and reading the exchange',
    async (method) => {
      await expectRefusal(method, { queue: 'r-q', exchange: 'r-x' }, 'write', 'queue', 'r-q');
      await expectRefusal(method, { queue: 'w-q', exchange: 'w-x' }, 'read', 'exchange', 'w-x');
    },
  );

  it.each(['exchange.bind', 'exchange.unbind'])(
    '%s needs writing to the destination and reading the source',
    async (method) => {
      await expectRefusal(method, { destination: 'r-x', source: 'r-x' }, 'write', 'exchange', 'r-x');
      await expectRefusal(method, { destination: 'w-x', source: 'w-x' }, 'read', 'exchange', 'w-x');
    },
  );

  it('comes before the question whether anything is there', async () => {
    limited.send(1, 'queue.bind', { queue: 'w-nowhere', exchange: 'r-nowhere' });
    expect(await channelClose(limited)).toMatchObject({ replyCode: 404 });
  });
});

describe('permission to write', () => {
  it('is needed to publish', async () => {
    await expectRefusal('basic.publish', { exchange: none }, 'write', 'exchange', none);
    await expectRefusal('basic.publish', { exchange: 'amq.topic' }, 'write', 'exchange', 'amq.topic');
  });

  it('is needed for the default exchange by its long name', () =>
    expectRefusal('basic.publish', { routingKey: 'w-q' }, 'write', 'exchange', 'amq.default'));

  it('is looked at when the exchange changes on a channel', async () => {
    const exchange = uniqueName('w');
    await admin.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    limited.publish(1, { exchange });
    limited.publish(1, { exchange });
    await limited.sync();
    await expectRefusal('basic.publish', { exchange: 'amq.fanout' }, 'write', 'exchange', 'amq.fanout');
    await admin.call(1, 'exchange.delete', { exchange });
  });
});

describe('permission to read', () => {
  it.each(['basic.get', 'basic.consume', 'queue.purge'])('is needed for %s', (method) =>
    expectRefusal(method, { queue: 'w-q' }, 'read', 'queue', 'w-q'),
  );

  it('is enough to consume, acknowledge and purge', async () => {
    const queue = uniqueName('r');
    await admin.call(1, 'queue.declare', { queue });
    admin.publish(1, { routingKey: queue });
    await limited.call(1, 'basic.consume', { queue });
    await limited.delivery();
    limited.send(1, 'basic.ack', { deliveryTag: 1 });
    await limited.call(1, 'queue.purge', { queue });
    await admin.call(1, 'queue.delete', { queue });
  });
});

describe.skipIf(IS_ORACLE)('permissions that change', () => {
  it('count for the next operation', async () => {
    const { users } = target.server.broker;
    const exchange = uniqueName('w');
    await admin.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    limited.publish(1, { exchange });
    await limited.sync();
    users.setPermissions('limited', '/', { configure: '', write: '', read: '' });
    await expectRefusal('basic.publish', { exchange }, 'write', 'exchange', exchange);
  });
});

describe.skipIf(IS_ORACLE)('the user-id property', () => {
  it('may be anything for an impersonator', async () => {
    const proxy = await target.openChannel({ user: 'proxy', password: 'proxy' });
    await proxy.call(1, 'queue.declare', { queue: 'q', exclusive: true });
    proxy.publish(1, { routingKey: 'q', properties: { userId: 'guest' } });
    await proxy.sync();
    expect((await proxy.get(1, 'q')).properties.userId).toBe('guest');
  });
});
