/** From the protocol header to connection.open-ok. */
import { type Case, section } from '../../case.js';
import { expectConnectionClose, expectEqual, expectMatch } from '../../expect.js';
import type { OpenOptions } from '../../wire/raw-client.js';
import { encodeEntries } from '../../wire/raw-codec.js';

const start = section({
  area: 'connection',
  source: 'https://www.rabbitmq.com/docs/access-control#mechanisms',
  tags: ['rabbitmq'],
});
const core = section({ area: 'connection', source: 'AMQP 0-9-1, class connection', tags: ['core'] });
const header = section({
  area: 'connection',
  source: 'AMQP 0-9-1, 4.2.2 protocol header',
  tags: ['core'],
});

const AMQP_0_9_1 = 'AMQP\x00\x00\x09\x01';
/** RabbitMQ 4 speaks AMQP 1.0 too, and answers most of what it does not know with the header of that. */
const AMQP_1_0_SASL = 'AMQP\x03\x01\x00\x00';

/** The answer is that of RabbitMQ 4; 3.x always gives that of 0-9-1. */
const HEADERS: readonly (readonly [name: string, title: string, bytes: string, answer: string])[] = [
  ['http', 'HTTP', 'GET / HTTP/1.1\r\n\r\n', AMQP_1_0_SASL],
  ['9-9-9', 'a version to come', 'AMQP\x09\x09\x09\x09', AMQP_1_0_SASL],
  ['0-9-2', 'a wrong revision', 'AMQP\x00\x00\x09\x02', AMQP_0_9_1],
  ['0-10', 'version 0-10', 'AMQP\x00\x00\x0a\x00', AMQP_0_9_1],
  ['0-8', 'version 0-8', 'AMQP\x01\x01\x08\x01', AMQP_1_0_SASL],
  ['tls', 'TLS', '\x16\x03\x01\x02\x00\x01\x00\x01', AMQP_1_0_SASL],
  ['small-letters', 'amqp in small letters', 'amqp\x00\x00\x09\x01', AMQP_1_0_SASL],
];

const REFUSED: readonly (readonly [
  name: string,
  title: string,
  mechanism: string,
  response: string | Buffer,
])[] = [
  ['password', 'a wrong password', 'PLAIN', '\0guest\0wrong'],
  ['user', 'an unknown user', 'PLAIN', '\0stranger-to-all\0guest'],
  ['blank', 'a blank password', 'PLAIN', '\0guest\0'],
  [
    'amqplain',
    'a wrong password by AMQPLAIN',
    'AMQPLAIN',
    encodeEntries([
      ['LOGIN', 'S', 'guest'],
      ['PASSWORD', 'S', 'wrong'],
    ]),
  ],
];

const LIMITS: readonly (readonly [name: string, title: string, options: OpenOptions])[] = [
  ['frame-max', 'the smallest frame-max', { frameMax: 4096 }],
  ['channel-max', 'one channel', { channelMax: 1 }],
  ['heartbeat', 'a longer heartbeat than offered', { heartbeat: 65_535 }],
];

const REFUSED_LIMITS: readonly (readonly [name: string, options: OpenOptions, text: string])[] = [
  [
    'frame-max-small',
    { frameMax: 4095 },
    'negotiated frame_max = 4095 is lower than the minimum allowed value (4096)',
  ],
  [
    'frame-max-large',
    { frameMax: 131_073 },
    'negotiated frame_max = 131073 is higher than the maximum allowed value (131072)',
  ],
  [
    'channel-max-large',
    { channelMax: 2048 },
    'negotiated channel_max = 2048 is higher than the maximum allowed value (2047)',
  ],
];

export const cases: readonly Case[] = [
  ...HEADERS.map(([name, title, bytes, answer]) =>
    header(
      `header-${name}`,
      `a client that begins with ${title} is told the version and dropped`,
      'A server that does not speak the protocol of the header answers with one it speaks and closes.',
      async (t) => {
        const client = await t.connect();
        client.write(Buffer.from(bytes, 'latin1'));
        await client.closed();
        expectEqual('answer', client.refusal?.toString('latin1'), t.byDialect(answer, AMQP_0_9_1));
      },
    ),
  ),
  header(
    'header-0-9',
    'the header of 0-9 is taken for that of 0-9-1',
    'RabbitMQ speaks 0-9-1 to clients whose protocol header asks for 0-9.',
    async (t) => {
      const client = await t.connect();
      client.write(Buffer.from('AMQP\x01\x01\x00\x09', 'latin1'));
      const { versionMajor, versionMinor } = await client.method(0, 'connection.start');
      expectEqual('version', [versionMajor, versionMinor], [0, 9]);
    },
    ['rabbitmq'],
  ),
  header(
    'header-in-pieces',
    'the header may come octet by octet, with the first frame right behind it',
    'TCP has no messages: however the octets of a header come, and whatever follows at once, they are read in order.',
    async (t) => {
      const client = await t.connect();
      for (const octet of Buffer.from(AMQP_0_9_1, 'latin1')) client.write(Buffer.from([octet]));
      client.startOk(`\0${t.broker.user}\0${t.broker.password}`);
      await client.method(0, 'connection.start');
      await client.method(0, 'connection.tune');
    },
  ),
  start(
    'mechanisms',
    'PLAIN and AMQPLAIN are offered',
    'connection.start names the mechanisms, of which RabbitMQ has PLAIN and AMQPLAIN by default, and the locale en_US.',
    async (t) => {
      const client = await t.connect();
      const { mechanisms = '', locales } = await client.start();
      const offered = mechanisms.split(' ');
      expectEqual(
        'PLAIN and AMQPLAIN',
        [offered.includes('PLAIN'), offered.includes('AMQPLAIN')],
        [true, true],
      );
      expectEqual('locales', locales, 'en_US');
    },
  ),
  start(
    'capabilities',
    'every capability of RabbitMQ is announced',
    'server-properties has a table of capabilities, all of them true.',
    async (t) => {
      const client = await t.connect();
      const { serverProperties = [] } = await client.start();
      const properties = new Map(serverProperties.map(([key, , value]) => [key, value]));
      const found = properties.get('capabilities') as [string, string, boolean][];
      const expected = [
        'authentication_failure_close',
        'basic.nack',
        'connection.blocked',
        'consumer_cancel_notify',
        'consumer_priorities',
        'direct_reply_to',
        'exchange_exchange_bindings',
        'per_consumer_qos',
        'publisher_confirms',
      ].map((name) => [name, 't', true]);
      expectEqual('capabilities', [...found].sort(), expected);
      expectMatch('version', properties.get('version') as string, t.byDialect(/^4\./, /^3\./));
    },
  ),
  start(
    'login-amqplain',
    'AMQPLAIN logs in',
    'The response of AMQPLAIN is a field table without its length, with the texts LOGIN and PASSWORD.',
    async (t) => {
      const client = await t.connect();
      await client.start();
      const response = encodeEntries([
        ['LOGIN', 'S', t.broker.user],
        ['PASSWORD', 'S', t.broker.password],
      ]);
      client.startOk(response, 'AMQPLAIN');
      await client.method(0, 'connection.tune');
    },
  ),
  ...REFUSED.map(([name, title, mechanism, response]) =>
    start(
      `login-refused-${name}`,
      `${title} is refused with a reason`,
      'A client with the capability authentication_failure_close gets connection.close 403.',
      async (t) => {
        const client = await t.connect();
        await client.start();
        client.startOk(response, mechanism);
        await expectConnectionClose(
          client,
          undefined,
          403,
          `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
        );
      },
    ),
  ),
  start(
    'tune-offer',
    'the limits offered are those of RabbitMQ',
    'RabbitMQ proposes 2047 channels, frames of 131072 octets and a heartbeat of 60 seconds by default.',
    async (t) => {
      const client = await t.connect();
      const offer = await client.tune(t.credentials());
      expectEqual('connection.tune', offer, { channelMax: 2047, frameMax: 131_072, heartbeat: 60 });
    },
  ),
  ...LIMITS.map(([name, title, options]) =>
    core(
      `tune-${name}`,
      `${title} is agreed to`,
      'A client may agree to fewer channels and smaller frames than offered, and chooses the heartbeat.',
      async (t) => {
        const client = await t.openChannel(options);
        await client.sync();
      },
    ),
  ),
  ...REFUSED_LIMITS.map(([name, options, text]) =>
    core(
      `tune-refused-${name}`,
      `${JSON.stringify(options)} is refused`,
      'A client may not raise what was offered, nor ask for frames smaller than 4096 bytes.',
      async (t) => {
        const client = await t.connect();
        await client.tune(t.credentials(options));
        await expectConnectionClose(client, 'connection.tune', 530, `NOT_ALLOWED - ${text}`);
      },
      // 3.x says nothing here, and closes TCP after three seconds.
      ['core', 'rabbitmq-4'],
    ),
  ),
  core(
    'open-ok',
    'connection.open-ok has no known hosts',
    'The fields of connection.open but the virtual host are reserved and not looked at; open-ok has no known hosts.',
    async (t) => {
      const client = await t.connect();
      await client.tune(t.credentials());
      const fields = { virtualHost: t.broker.virtualHost, capabilities: 'x', insist: true };
      expectEqual('open-ok', await client.call(0, 'connection.open', fields), { knownHosts: '' });
    },
  ),
  core(
    'open-unknown-vhost',
    'a virtual host that does not exist is refused',
    'connection.open of an unknown virtual host is the connection error 530.',
    async (t) => {
      const client = await t.connect();
      await client.tune(t.credentials());
      client.send(0, 'connection.open', { virtualHost: 'no-such-place' });
      await expectConnectionClose(
        client,
        'connection.open',
        530,
        'NOT_ALLOWED - vhost no-such-place not found',
      );
    },
  ),
  core(
    'open-twice',
    'connection.open may not come twice',
    'connection.open on a connection that is open is the connection error 504.',
    async (t) => {
      const client = await t.open();
      client.send(0, 'connection.open', { virtualHost: t.broker.virtualHost });
      await expectConnectionClose(
        client,
        'connection.open',
        504,
        'CHANNEL_ERROR - unexpected method in connection state running',
      );
    },
  ),
];
