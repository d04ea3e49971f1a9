/** What each operation needs of a user's permissions, and what it says when that is missing. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import {
  closeOf,
  expectEqual,
  expectMatch,
  expectOneOf,
  expectRefusal,
  expectSilence,
} from '../../expect.js';
import { FORBIDDEN_VHOST, type Permitted } from '../../limited-user.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Fields } from '../../wire/raw-methods.js';

const permission = section({
  area: 'permission',
  source: 'https://www.rabbitmq.com/docs/access-control#authorisation',
  tags: ['rabbitmq'],
  needs: 'limited-user',
});

type Access = 'configure' | 'write' | 'read';
type Kind = 'queue' | 'exchange';
/** A new name that permits the user that much. */
type Name = (permitted: Permitted) => string;

/** Methods with names that lack one permission: the one that is missed is on the first name that `fields` makes. */
const REFUSED: readonly (readonly [
  name: string,
  method: string,
  access: Access,
  kind: Kind,
  fields: (lacking: Name, name: Name) => Fields,
])[] = [
  ['queue-declare', 'queue.declare', 'configure', 'queue', (lacking) => ({ queue: lacking('wr') })],
  ['queue-delete', 'queue.delete', 'configure', 'queue', (lacking) => ({ queue: lacking('wr') })],
  [
    'exchange-declare',
    'exchange.declare',
    'configure',
    'exchange',
    (lacking) => ({ exchange: lacking('wr'), type: 'direct' }),
  ],
  ['exchange-delete', 'exchange.delete', 'configure', 'exchange', (lacking) => ({ exchange: lacking('wr') })],

  ['publish', 'basic.publish', 'write', 'exchange', (lacking) => ({ exchange: lacking('cr') })],
  ...(['queue.bind', 'queue.unbind'] as const).flatMap(
    (method) =>
      [
        [
          `${method.replace('.', '-')}-queue`,
          method,
          'write',
          'queue',
          (lacking: Name, name: Name) => ({ queue: lacking('cr'), exchange: name('r') }),
        ],
        [
          `${method.replace('.', '-')}-exchange`,
          method,
          'read',
          'exchange',
          (lacking: Name, name: Name) => ({ exchange: lacking('cw'), queue: name('w') }),
        ],
      ] as const,
  ),
  ...(['exchange.bind', 'exchange.unbind'] as const).flatMap(
    (method) =>
      [
        [
          `${method.replace('.', '-')}-destination`,
          method,
          'write',
          'exchange',
          (lacking: Name, name: Name) => ({ destination: lacking('cr'), source: name('r') }),
        ],
        [
          `${method.replace('.', '-')}-source`,
          method,
          'read',
          'exchange',
          (lacking: Name, name: Name) => ({ source: lacking('cw'), destination: name('w') }),
        ],
      ] as const,
  ),
  ['get', 'basic.get', 'read', 'queue', (lacking) => ({ queue: lacking('cw') })],
  ['consume', 'basic.consume', 'read', 'queue', (lacking) => ({ queue: lacking('cw') })],
  ['purge', 'queue.purge', 'read', 'queue', (lacking) => ({ queue: lacking('cw') })],

  [
    'dead-letter-queue',
    'queue.declare',
    'read',
    'queue',
    (lacking, name) => ({ queue: lacking('cw'), arguments: [['x-dead-letter-exchange', 'S', name('w')]] }),
  ],
  [
    'dead-letter-exchange',
    'queue.declare',
    'write',
    'exchange',
    (lacking, name) => ({ arguments: [['x-dead-letter-exchange', 'S', lacking('cr')]], queue: name('cr') }),
  ],
  [
    'alternate-of',
    'exchange.declare',
    'read',
    'exchange',
    (lacking, name) => ({
      exchange: lacking('cw'),
      type: 'fanout',
      arguments: [['alternate-exchange', 'S', name('w')]],
    }),
  ],
  [
    'alternate-exchange',
    'exchange.declare',
    'write',
    'exchange',
    (lacking, name) => ({
      arguments: [['alternate-exchange', 'S', lacking('cr')]],
      exchange: name('cr'),
      type: 'fanout',
    }),
  ],
];

/** The default exchange has no name, and is called amq.default where permissions are meant. */
const DEFAULT_EXCHANGE: readonly (readonly [
  name: string,
  title: string,
  method: string,
  fields: (name: Name) => Fields,
])[] = [
  [
    'default-publish',
    'publishing by the default exchange needs to write to amq.default',
    'basic.publish',
    (name) => ({ routingKey: name('cwr') }),
  ],
  [
    'default-dead-letter',
    'dead letters by the default exchange need to write to amq.default',
    'queue.declare',
    (name) => ({ queue: name('cwr'), arguments: [['x-dead-letter-exchange', 'S', '']] }),
  ],
];

function send(client: RawClient, method: string, fields: Fields): void {
  if (method === 'basic.publish') client.publish(1, fields);
  else client.send(1, method, fields);
}

/** The texts of RabbitMQ name the permission since 3.12; before, they only say that there is none. */
function refusalTexts(t: CaseContext, access: Access, kind: Kind, name: string): readonly string[] {
  const rest = `access to ${t.inVhost(kind, name)} refused for user '${t.limitedUser.name}'`;
  const text = `ACCESS_REFUSED - ${access} ${rest}`;
  return t.byDialect([text], [`ACCESS_REFUSED - ${rest}`, text]);
}

/** The channel ends because a permission is missing, and another can be opened. */
async function expectAccessRefused(
  client: RawClient,
  t: CaseContext,
  method: string,
  access: Access,
  kind: Kind,
  name: string,
): Promise<void> {
  const close = await client.method(1, 'channel.close');
  client.send(1, 'channel.close-ok');
  const texts = refusalTexts(t, access, kind, name);
  expectOneOf(
    'channel.close',
    close,
    texts.map((text) => closeOf(method, 403, text)),
  );
  await client.openChannel(1);
}

export const cases: readonly Case[] = [
  ...REFUSED.map(([name, method, access, kind, fields]) =>
    permission(
      `refused-${name}`,
      `${method} needs the permission to ${access} the ${kind} (${name})`,
      'A user without the permission an operation needs gets the channel error 403, whether the thing is there or not.',
      async (t) => {
        const client = await t.openLimited();
        let lacking = '';
        const asked = fields(
          (permitted) => {
            lacking = t.limitedName(permitted);
            return lacking;
          },
          (permitted) => t.limitedName(permitted),
        );
        send(client, method, asked);
        await expectAccessRefused(client, t, method, access, kind, lacking);
      },
    ),
  ),
  ...DEFAULT_EXCHANGE.map(([name, title, method, fields]) =>
    permission(
      `refused-${name}`,
      title,
      'The default exchange is called amq.default in permissions, and needs them as any other.',
      async (t) => {
        const client = await t.openLimited();
        send(
          client,
          method,
          fields((permitted) => t.limitedName(permitted)),
        );
        await expectAccessRefused(client, t, method, 'write', 'exchange', 'amq.default');
      },
    ),
  ),
  permission(
    'refused-predeclared',
    'the exchanges of the broker need permissions as any other',
    'amq.topic may be published to, and bound to, by whoever has the permission for its name.',
    async (t) => {
      const client = await t.openLimited();
      client.publish(1, { exchange: 'amq.topic' });
      await expectAccessRefused(client, t, 'basic.publish', 'write', 'exchange', 'amq.topic');
      client.send(1, 'queue.bind', { queue: t.limitedName('w'), exchange: 'amq.topic' });
      await expectAccessRefused(client, t, 'queue.bind', 'read', 'exchange', 'amq.topic');
    },
  ),
  permission(
    'refused-invented-name',
    'a queue whose name the broker invents needs the permission for that name',
    'The name is invented first: configure is needed for amq.gen-..., and the text has the name.',
    async (t) => {
      const client = await t.openLimited();
      client.send(1, 'queue.declare', { exclusive: true });
      const { replyCode, replyText } = await client.method(1, 'channel.close');
      expectEqual('reply-code', replyCode, 403);
      expectMatch(
        'reply-text',
        replyText,
        /access to queue 'amq\.gen-[A-Za-z0-9_-]{22}' in vhost .* refused/,
      );
    },
  ),
  permission(
    'refused-there',
    'declaring again what is there needs the permission to configure it',
    'An equivalent declaration is refused to a user who could not have made it.',
    async (t) => {
      const owner = await t.openChannel();
      const client = await t.openLimited();
      const queue = t.limitedName('wr');
      await owner.call(1, 'queue.declare', { queue, autoDelete: true });
      client.send(1, 'queue.declare', { queue, autoDelete: true });
      await expectAccessRefused(client, t, 'queue.declare', 'configure', 'queue', queue);
    },
  ),
  permission(
    'refused-in-order',
    'a binding needs to write to its destination before anything else',
    'With no permission at all it is the queue that is named, and only then the exchange.',
    async (t) => {
      const client = await t.openLimited();
      const [queue, exchange] = [t.name('none'), t.name('none')];
      client.send(1, 'queue.bind', { queue, exchange });
      await expectAccessRefused(client, t, 'queue.bind', 'write', 'queue', queue);
      const writable = t.limitedName('w');
      client.send(1, 'queue.bind', { queue: writable, exchange });
      await expectAccessRefused(client, t, 'queue.bind', 'read', 'exchange', exchange);
      const readable = t.limitedName('r');
      const asked = { queue: writable, exchange: readable };
      await expectRefusal(client, 'queue.bind', asked, 404, t.noExchange(readable));
    },
  ),
  permission(
    'refused-default-bind',
    'who may write to a queue still cannot bind it to the default exchange',
    'The permission for the queue comes first, then the rule that the default exchange is not bound.',
    async (t) => {
      const client = await t.openLimited();
      const queue = t.limitedName('w');
      const text = 'ACCESS_REFUSED - operation not permitted on the default exchange';
      await expectRefusal(client, 'queue.bind', { queue, exchange: '' }, 403, text);
      const other = t.limitedName('r');
      client.send(1, 'queue.bind', { queue: other, exchange: '' });
      await expectAccessRefused(client, t, 'queue.bind', 'write', 'queue', other);
    },
  ),
  permission(
    'refused-before-lock',
    'the permission is looked at before a queue is found to be exclusive',
    'An exclusive queue of another connection is 403 to who may not read it, and 405 to who may.',
    async (t) => {
      const owner = await t.openChannel();
      const client = await t.openLimited();
      const [unreadable, readable] = [t.limitedName('cw'), t.limitedName('cwr')];
      for (const queue of [unreadable, readable])
        await owner.call(1, 'queue.declare', { queue, exclusive: true });
      client.send(1, 'basic.consume', { queue: unreadable });
      await expectAccessRefused(client, t, 'basic.consume', 'read', 'queue', unreadable);
      client.send(1, 'basic.consume', { queue: readable });
      expectEqual('reply-code', (await client.method(1, 'channel.close')).replyCode, 405);
    },
  ),
  permission(
    'refused-other-exchange',
    'a channel that may publish to one exchange may not publish to the next',
    'The permission is that of the exchange of each publish, however many went well before.',
    async (t) => {
      const owner = await t.openChannel();
      const client = await t.openLimited();
      const queue = t.limitedName('cwr');
      const exchange = t.limitedName('w');
      await owner.call(1, 'exchange.declare', { exchange, type: 'fanout' });
      await owner.call(1, 'queue.declare', { queue, exclusive: true });
      await owner.call(1, 'queue.bind', { queue, exchange });
      for (let i = 0; i < 3; i++) client.publish(1, { exchange, body: 'm' });
      client.publish(1, { exchange: 'amq.fanout' });
      client.publish(1, { exchange, body: 'late' });
      await expectAccessRefused(client, t, 'basic.publish', 'write', 'exchange', 'amq.fanout');
      await t.expectReady(owner, queue, ['m', 'm', 'm']);
    },
  ),
  permission(
    'refused-mandatory',
    'a publish that is refused is neither returned nor confirmed',
    'It is an error of the channel, not a message without a queue.',
    async (t) => {
      const client = await t.openLimited();
      await client.call(1, 'confirm.select');
      client.publish(1, { routingKey: 'q', mandatory: true });
      await expectAccessRefused(client, t, 'basic.publish', 'write', 'exchange', 'amq.default');
    },
  ),
  permission(
    'refused-in-transaction',
    'a publish that is refused in a transaction is refused at once',
    'Permissions are looked at when a message is published, not when it is committed.',
    async (t) => {
      const client = await t.openLimited();
      await client.call(1, 'tx.select');
      client.publish(1, { routingKey: 'q' });
      await expectAccessRefused(client, t, 'basic.publish', 'write', 'exchange', 'amq.default');
    },
  ),
  permission(
    'refused-no-wait',
    'no-wait does not hide a refusal',
    'What is refused closes the channel though no answer was wanted, and other channels go on.',
    async (t) => {
      const client = await t.openLimited();
      await client.openChannel(2);
      const queue = t.limitedName('wr');
      client.send(1, 'queue.declare', { queue, noWait: true });
      await expectAccessRefused(client, t, 'queue.declare', 'configure', 'queue', queue);
      await expectSilence(client, 2);
    },
  ),
  permission(
    'vhost-refused',
    'a virtual host where the user has no permissions cannot be opened',
    'connection.open of a virtual host that is there but not for the user is the connection error 530.',
    async (t) => {
      const client = await t.connect();
      const { name: user, password } = t.limitedUser;
      await client.tune(t.credentials({ user, password }));
      client.send(0, 'connection.open', { virtualHost: FORBIDDEN_VHOST });
      const text = `NOT_ALLOWED - access to vhost '${FORBIDDEN_VHOST}' refused for user '${user}'`;
      expectEqual('close', await client.method(0, 'connection.close'), closeOf('connection.open', 530, text));
    },
  ),
  permission(
    'vhost-unknown',
    'a virtual host that does not exist is not found, whoever asks',
    'The question whether it is there comes before that of permissions.',
    async (t) => {
      const client = await t.connect();
      const { name: user, password } = t.limitedUser;
      await client.tune(t.credentials({ user, password }));
      client.send(0, 'connection.open', { virtualHost: 'no-such-place' });
      const text = 'NOT_ALLOWED - vhost no-such-place not found';
      expectEqual('close', await client.method(0, 'connection.close'), closeOf('connection.open', 530, text));
    },
  ),
];
