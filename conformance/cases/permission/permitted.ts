/** What a user with few permissions may do, and who a user is. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectChannelClose, expectConnectionClose, expectEqual } from '../../expect.js';
import type { Permitted } from '../../limited-user.js';

const permission = section({
  area: 'permission',
  source: 'https://www.rabbitmq.com/docs/access-control#authorisation',
  tags: ['rabbitmq'],
  needs: 'limited-user',
});
const userId = section({
  area: 'permission',
  source: 'https://www.rabbitmq.com/docs/validated-user-id',
  tags: ['rabbitmq'],
  needs: 'limited-user',
});
const login = section({
  area: 'permission',
  source: 'https://www.rabbitmq.com/docs/auth-notification',
  tags: ['rabbitmq'],
  waits: true,
});

const REFUSED_LOGIN =
  'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.';

/** A queue and an exchange that another user declared, with names that permit that much. */
async function declaredByOwner(t: CaseContext, ofQueue: Permitted, ofExchange: Permitted) {
  const owner = await t.openChannel();
  const [queue, exchange] = [t.limitedName(ofQueue), t.limitedName(ofExchange)];
  await owner.call(1, 'queue.declare', { queue, autoDelete: true });
  await owner.call(1, 'exchange.declare', { exchange, type: 'fanout' });
  return { owner, queue, exchange };
}

export const cases: readonly Case[] = [
  permission(
    'configure',
    'who may configure may declare and delete',
    'Declaring and deleting queues and exchanges needs configure and nothing else.',
    async (t) => {
      const client = await t.openLimited();
      const [queue, exchange] = [t.limitedName('c'), t.limitedName('c')];
      await client.call(1, 'queue.declare', { queue });
      await client.call(1, 'queue.declare', { queue });
      await client.call(1, 'exchange.declare', { exchange, type: 'direct' });
      await client.call(1, 'exchange.delete', { exchange });
      await client.call(1, 'queue.delete', { queue });
    },
  ),
  permission(
    'configure-missing',
    'who may configure may delete what is not there',
    'delete-ok says the same as to a user with all permissions.',
    async (t) => {
      const client = await t.openLimited();
      await client.call(1, 'queue.delete', { queue: t.limitedName('c') });
      await client.call(1, 'exchange.delete', { exchange: t.limitedName('c') });
    },
  ),
  ...(['c', 'w', 'r'] as const).map((permitted) =>
    permission(
      `passive-${permitted}`,
      `a passive declaration is permitted to who may do anything else (${permitted})`,
      'Whether something is there may be asked with any one of the three permissions; most RabbitMQs ask for none.',
      async (t) => {
        const { queue, exchange } = await declaredByOwner(t, permitted, permitted);
        const client = await t.openLimited();
        await client.call(1, 'queue.declare', { queue, passive: true });
        await client.call(1, 'exchange.declare', { exchange, passive: true });
      },
    ),
  ),
  permission(
    'write-exchange',
    'who may write to an exchange may publish to it',
    'Nothing is needed for the queues a message is routed to.',
    async (t) => {
      const { owner, queue, exchange } = await declaredByOwner(t, 'c', 'w');
      await owner.call(1, 'queue.bind', { queue, exchange });
      const client = await t.openLimited();
      await client.call(1, 'confirm.select');
      client.publish(1, { exchange, body: 'm' });
      await client.method(1, 'basic.ack');
      await t.expectReady(owner, queue, ['m']);
    },
  ),
  permission(
    'write-and-read-binds',
    'who may write to a queue and read from an exchange may bind and unbind them',
    'A binding reads from its source and writes to its destination; configure is not needed.',
    async (t) => {
      const { owner, queue, exchange } = await declaredByOwner(t, 'w', 'r');
      const client = await t.openLimited();
      await client.call(1, 'queue.bind', { queue, exchange });
      owner.publish(1, { exchange, body: 'bound' });
      await t.expectReady(owner, queue, ['bound']);
      await client.call(1, 'queue.unbind', { queue, exchange });
      owner.publish(1, { exchange, body: 'late' });
      await t.expectReady(owner, queue, []);
    },
  ),
  permission(
    'write-and-read-chains',
    'who may write to one exchange and read from another may bind them',
    'Of two exchanges it is the destination that is written to.',
    async (t) => {
      const { owner, exchange: source } = await declaredByOwner(t, 'c', 'r');
      const destination = t.limitedName('w');
      await owner.call(1, 'exchange.declare', { exchange: destination, type: 'fanout' });
      const client = await t.openLimited();
      await client.call(1, 'exchange.bind', { source, destination });
      await client.call(1, 'exchange.unbind', { source, destination });
    },
  ),
  permission(
    'read-queue',
    'who may read a queue may get, consume, acknowledge and purge',
    'Purging needs read and not write: it takes messages out.',
    async (t) => {
      const { owner, queue } = await declaredByOwner(t, 'r', 'c');
      await t.publish(owner, queue, 4);
      const client = await t.openLimited();
      expectEqual('body', String((await client.get(1, queue)).body), '1');
      await client.call(1, 'basic.qos', { prefetchCount: 1 });
      await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
      await t.expectDeliveries(client, ['2']);
      client.send(1, 'basic.ack', { deliveryTag: 2 });
      await t.expectDeliveries(client, ['3']);
      await t.expectCounts(owner, queue, { messageCount: 1 });
      expectEqual('purge-ok', await client.call(1, 'queue.purge', { queue }), { messageCount: 1 });
    },
  ),
  permission(
    'dead-letters',
    'who may read a queue and write to its dead-letter exchange may declare it',
    'A queue with a dead-letter exchange needs configure and read for itself, and write for the exchange.',
    async (t) => {
      const client = await t.openLimited();
      const args = [['x-dead-letter-exchange', 'S', t.limitedName('w')]] as const;
      await client.call(1, 'queue.declare', { queue: t.limitedName('cr'), exclusive: true, arguments: args });
    },
  ),
  permission(
    'dead-letters-again',
    'a declaration of what is there does not look at its dead-letter exchange',
    'Only the user who makes a queue needs the permissions for its dead letters.',
    async (t) => {
      const owner = await t.openChannel();
      const queue = t.limitedName('c');
      const fields = {
        queue,
        autoDelete: true,
        arguments: [['x-dead-letter-exchange', 'S', 'dlx']],
      } as const;
      await owner.call(1, 'queue.declare', fields);
      const client = await t.openLimited();
      await client.call(1, 'queue.declare', fields);
    },
  ),
  permission(
    'alternate',
    'who may read an exchange and write to its alternate may declare it',
    'An exchange with an alternate exchange needs configure and read for itself, and write for the alternate.',
    async (t) => {
      const client = await t.openLimited();
      const args = [['alternate-exchange', 'S', t.limitedName('w')]] as const;
      const exchange = t.limitedName('cr');
      await client.call(1, 'exchange.declare', { exchange, type: 'direct', arguments: args });
    },
  ),
  permission(
    'alternate-used',
    'what an alternate exchange takes needs no permission for it',
    'The publisher writes to the exchange of the publish; where that sends a message on is not looked at.',
    async (t) => {
      const owner = await t.openChannel();
      const [exchange, fallback, queue] = [t.limitedName('w'), t.name('x'), t.name('q')];
      await owner.call(1, 'exchange.declare', { exchange: fallback, type: 'fanout' });
      await owner.call(1, 'queue.declare', { queue, exclusive: true });
      await owner.call(1, 'queue.bind', { queue, exchange: fallback });
      const args = [['alternate-exchange', 'S', fallback]] as const;
      await owner.call(1, 'exchange.declare', { exchange, type: 'direct', arguments: args });
      const client = await t.openLimited();
      client.publish(1, { exchange, routingKey: 'k', body: 'm' });
      await client.sync();
      await t.expectReady(owner, queue, ['m']);
    },
  ),
  userId(
    'user-id-own',
    'a message may say by whom it was published',
    'A user-id that is the name of the connection’s user comes as it was.',
    async (t) => {
      const { owner, queue, exchange } = await declaredByOwner(t, 'c', 'w');
      await owner.call(1, 'queue.bind', { queue, exchange });
      const client = await t.openLimited();
      client.publish(1, { exchange, properties: { userId: t.limitedUser.name } });
      await client.sync();
      await t.expectCounts(owner, queue, { messageCount: 1 });
      expectEqual('user-id', (await owner.get(1, queue)).properties.userId, t.limitedUser.name);
    },
  ),
  userId(
    'user-id-other',
    'a message may not say that another user published it',
    'A user-id that is the name of another user, though there is one, is the channel error 406.',
    async (t) => {
      const { exchange } = await declaredByOwner(t, 'c', 'w');
      const client = await t.openLimited();
      client.publish(1, { exchange, properties: { userId: t.broker.user } });
      const names = `'${t.broker.user}' but authenticated user was '${t.limitedUser.name}'`;
      const text = `PRECONDITION_FAILED - user_id property set to ${names}`;
      await expectChannelClose(client, 'basic.publish', 406, text);
    },
  ),
  userId(
    'user-id-refused-first',
    'the permission to publish is looked at before the user-id',
    'A message to an exchange the user may not write to is 403, whatever it says.',
    async (t) => {
      const client = await t.openLimited();
      client.publish(1, { routingKey: 'q', properties: { userId: t.broker.user } });
      expectEqual('reply-code', (await client.method(1, 'channel.close')).replyCode, 403);
    },
  ),
  permission(
    'login-password',
    'a user cannot log in with the password of another',
    'Names and passwords belong together: otherwise it is connection.close 403 for clients that understand it.',
    async (t) => {
      const client = await t.connect();
      await client.start();
      client.startOk(`\0${t.limitedUser.name}\0${t.limitedUser.password}-${t.broker.password}`);
      await expectConnectionClose(client, undefined, 403, REFUSED_LOGIN);
    },
  ),
  login(
    'login-incapable',
    'a client that does not understand a refusal is dropped without one',
    'Without the capability authentication_failure_close a refused login ends TCP after a while, and nothing is said.',
    async (t) => {
      const client = await t.connect();
      await client.start();
      client.startOk(`\0${t.broker.user}\0not-${t.broker.password}`, 'PLAIN', []);
      expectEqual('answer', await client.methodOrEnd(0), undefined);
    },
  ),
  login(
    'login-mechanism',
    'a mechanism that is not offered ends the connection without an answer',
    'RabbitMQ waits for three seconds and closes TCP.',
    async (t) => {
      const client = await t.connect();
      await client.start();
      client.startOk('x', 'NO-SUCH-MECHANISM');
      expectEqual('answer', await client.methodOrEnd(0), undefined);
    },
  ),
  ...[
    ['malformed', 'guest guest'],
    ['short', '\0guest'],
    ['authzid', 'guest\0guest\0guest'],
  ].map(([name = '', response = '']) =>
    login(
      `login-response-${name}`,
      `a response that is not of PLAIN ends the connection without an answer (${name})`,
      'PLAIN is NUL, user, NUL, password; RabbitMQ takes no other identity, and says nothing but closes TCP after a while.',
      async (t) => {
        const client = await t.connect();
        await client.start();
        client.startOk(response);
        expectEqual('answer', await client.methodOrEnd(0), undefined);
      },
    ),
  ),
];
