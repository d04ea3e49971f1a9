/** rabbitmq.com/docs/access-control#topic-authorisation */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { channelClose, closeOf, IS_ORACLE, Target, uniqueName } from './target.js';

const ALL = { configure: '.*', write: '.*', read: '.*' };

let target: Target;
let limited: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start({
    users: [
      { name: 'guest', password: 'guest', tags: ['administrator'] },
      { name: 'limited', password: 'limited', tags: [] },
    ],
    permissions: [
      { user: 'guest', virtualHost: '/', ...ALL },
      { user: 'limited', virtualHost: '/', ...ALL },
    ],
    topicPermissions: [
      { user: 'limited', virtualHost: '/', exchange: 'amq.topic', write: '^{username}\\.', read: '^r\\.' },
      { user: 'limited', virtualHost: '/', exchange: 'amq.fanout', write: '', read: '' },
    ],
  });
  if (IS_ORACLE) return;
  limited = await target.openChannel({ user: 'limited', password: 'limited' });
  queue = uniqueName('q');
  await limited.call(1, 'queue.declare', { queue, exclusive: true });
});
afterEach(() => target.close());

const refused = (method: string, access: string, key: string): object =>
  closeOf(
    method,
    403,
    `ACCESS_REFUSED - ${access} access to topic '${key}' in exchange 'amq.topic' in vhost '/' refused for user 'limited'`,
  );

describe.skipIf(IS_ORACLE)('a topic permission', () => {
  it('is asked for the key of each publish, also one that went well before', async () => {
    const admin = await target.openChannel();
    await admin.call(1, 'queue.declare', { queue: 'all', exclusive: true });
    await admin.call(1, 'queue.bind', { queue: 'all', exchange: 'amq.topic', routingKey: '#' });
    for (let i = 0; i < 3; i++) limited.publish(1, { exchange: 'amq.topic', routingKey: 'limited.a' });
    await limited.sync();
    limited.publish(1, { exchange: 'amq.topic', routingKey: 'a.limited.' });
    expect(await channelClose(limited)).toEqual(refused('basic.publish', 'write', 'a.limited.'));
    expect(await admin.call(1, 'queue.purge', { queue: 'all' })).toMatchObject({ messageCount: 3 });
  });

  it.each(['CC', 'BCC'])('is asked for the keys in %s', async (header) => {
    const publish = (...keys: string[]): void =>
      limited.publish(1, {
        exchange: 'amq.topic',
        routingKey: 'limited.a',
        properties: { headers: [[header, 'A', keys.map((key) => ['S', key])]] },
      } as never);
    limited.publish(1, { exchange: 'amq.topic', routingKey: 'limited.a' });
    publish('limited.b');
    await limited.sync();
    publish('limited.b', 'other');
    expect(await channelClose(limited)).toEqual(refused('basic.publish', 'write', 'other'));
  });

  it('is asked before the user-id, and in a transaction when the message comes', async () => {
    await limited.call(1, 'tx.select');
    limited.publish(1, { exchange: 'amq.topic', routingKey: 'x', properties: { userId: 'guest' } });
    expect(await channelClose(limited)).toEqual(refused('basic.publish', 'write', 'x'));
  });

  it('is asked by topic exchanges only', async () => {
    limited.publish(1, { exchange: 'amq.fanout', routingKey: 'x' });
    limited.publish(1, { exchange: 'amq.direct', routingKey: 'x' });
    limited.publish(1, { routingKey: queue });
    await limited.call(1, 'queue.bind', { queue, exchange: 'amq.fanout', routingKey: 'x' });
    await limited.sync();
  });

  it.each<[string, Fields]>([
    ['queue.bind', { exchange: 'amq.topic', routingKey: 'a.r.' }],
    ['queue.unbind', { exchange: 'amq.topic', routingKey: 'a.r.' }],
    ['exchange.bind', { destination: 'amq.fanout', source: 'amq.topic', routingKey: 'a.r.' }],
    ['exchange.unbind', { destination: 'amq.fanout', source: 'amq.topic', routingKey: 'a.r.' }],
  ])('is asked for the key of %s', async (method, fields) => {
    const own = method.startsWith('queue') ? { queue, ...fields } : fields;
    await limited.call(1, method, { ...own, routingKey: 'r.a' });
    limited.send(1, method, own);
    expect(await channelClose(limited)).toEqual(refused(method, 'read', 'a.r.'));
  });

  it('counts from the next operation on, set or cleared', async () => {
    const { users } = target.server.broker;
    const send = (): void => limited.publish(1, { exchange: 'amq.topic', routingKey: 'limited.a' });
    send();
    await limited.sync();
    const row = { user: 'limited', virtualHost: '/', exchange: 'amq.topic', write: '^x', read: '' };
    target.server.broker.setTopicPermissions(row);
    send();
    expect(await channelClose(limited)).toEqual(refused('basic.publish', 'write', 'limited.a'));
    users.clearTopicPermissions('limited', '/', 'amq.topic');
    send();
    await limited.sync();
    expect(() => target.server.broker.setTopicPermissions({ ...row, virtualHost: 'w' })).toThrow(
      "no virtual host 'w'",
    );
  });
});

describe.skipIf(IS_ORACLE)('the tag impersonator', () => {
  it('counts from the next login on', async () => {
    const publishAs = (client: RawClient): void =>
      client.publish(1, { routingKey: queue, properties: { userId: 'guest' } });
    target.server.broker.users.setTags('limited', ['own tag', 'impersonator']);
    publishAs(limited);
    expect(await channelClose(limited)).toMatchObject({
      replyText: "PRECONDITION_FAILED - user_id property set to 'guest' but authenticated user was 'limited'",
    });
    const again = await target.openChannel({ user: 'limited', password: 'limited' });
    publishAs(again);
    await again.sync();
    target.server.broker.users.setTags('limited', []);
    publishAs(again);
    await again.sync();
  });
});
