import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_CAPABILITIES, type OpenOptions } from '../../conformance/wire/raw-client.js';
import { encodeEntries } from '../../conformance/wire/raw-codec.js';
import { byGeneration, closeOf, connectionClose, IS_ORACLE, Target } from './target.js';

const GUEST = '\0guest\0guest';

let target: Target;
beforeEach(async () => {
  target = await Target.start({
    virtualHosts: ['/', 'closed'],
    users: [
      { name: 'guest', password: 'guest', tags: ['administrator'] },
      { name: 'nobody', password: 'nobody', tags: [] },
      { name: 'ü', password: 'pässword', tags: [] },
    ],
    permissions: [
      { user: 'guest', virtualHost: '/', configure: '.*', write: '.*', read: '.*' },
      { user: 'ü', virtualHost: '/', configure: '.*', write: '.*', read: '.*' },
    ],
  });
});
afterEach(() => target.close());

describe('connection.start', () => {
  it('offers mechanisms and a locale', async () => {
    const client = await target.connect();
    const start = await client.start();
    expect(start.mechanisms!.split(' ').sort()).toEqual(
      byGeneration(['AMQPLAIN', 'ANONYMOUS', 'PLAIN'], ['AMQPLAIN', 'PLAIN']),
    );
    expect(start.locales).toBe('en_US');
  });

  it('names the product clients branch on, and every capability', async () => {
    const client = await target.connect();
    const { serverProperties = [] } = await client.start();
    expect(serverProperties.map(([key]) => key)).toEqual(serverProperties.map(([key]) => key).sort());
    const properties = new Map(serverProperties.map(([key, tag, value]) => [key, [tag, value]]));
    expect(properties.get('product')).toEqual(['S', 'RabbitMQ']);
    expect(properties.get('version')).toEqual([
      'S',
      expect.stringMatching(byGeneration(/^4\.2\.\d+$/, /^3\.10/)),
    ]);
    for (const key of ['cluster_name', 'copyright', 'information', 'platform']) {
      expect(properties.get(key), key).toEqual(['S', expect.any(String)]);
    }
    const capabilities = properties.get('capabilities')![1] as [string, string, boolean][];
    expect([...capabilities].sort()).toEqual(
      [
        'authentication_failure_close',
        'basic.nack',
        'connection.blocked',
        'consumer_cancel_notify',
        'consumer_priorities',
        'direct_reply_to',
        'exchange_exchange_bindings',
        'per_consumer_qos',
        'publisher_confirms',
      ].map((name) => [name, 't', true]),
    );
  });
});

describe('login', () => {
  it('takes PLAIN', async () => {
    const client = await target.connect();
    await client.start();
    client.startOk(GUEST);
    await client.method(0, 'connection.tune');
  });

  it.skipIf(IS_ORACLE)('takes names and passwords that are not ASCII', async () => {
    await target.open({ user: 'ü', password: 'pässword' });
  });

  it.each(byGeneration(['S', 'x'], ['S']))('takes AMQPLAIN with values of type %s', async (tag) => {
    const client = await target.connect();
    await client.start();
    const response = encodeEntries([
      ['LOGIN', tag, 'guest'],
      ['PASSWORD', tag, 'guest'],
    ]);
    client.startOk(response, 'AMQPLAIN');
    await client.method(0, 'connection.tune');
  });

  it.skipIf(IS_ORACLE)('takes ANONYMOUS for the configured user', async () => {
    const client = await target.connect();
    await client.start();
    client.startOk('whoever', 'ANONYMOUS');
    await client.method(0, 'connection.tune');
  });

  const REFUSED: readonly (readonly [string, string, string | Buffer])[] = [
    ['a wrong password', 'PLAIN', '\0guest\0wrong'],
    ['an unknown user', 'PLAIN', '\0stranger\0guest'],
    ['a blank password', 'PLAIN', '\0guest\0'],
    [
      'a wrong password',
      'AMQPLAIN',
      encodeEntries([
        ['LOGIN', 'S', 'guest'],
        ['PASSWORD', 'S', 'no'],
      ]),
    ],
  ];

  it.each(REFUSED)(
    'tells why %s (%s) is refused, to clients that can take it',
    async (_why, mechanism, response) => {
      const client = await target.connect();
      await client.start();
      client.startOk(response, mechanism);
      expect(await connectionClose(client)).toEqual(
        closeOf(
          undefined,
          403,
          `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
        ),
      );
    },
  );

  it.skipIf(IS_ORACLE)('drops a refused client that does not answer after three seconds', async () => {
    const client = await target.connect();
    await client.start();
    client.startOk('\0guest\0wrong');
    await client.method(0, 'connection.close');
    target.clock.advance(2_999);
    expect(client.isClosed).toBe(false);
    target.clock.advance(1);
    await client.closed();
  });

  it.skipIf(IS_ORACLE).each([
    ['a wrong password, and the client cannot take a reason', 'PLAIN', '\0guest\0wrong', []],
    ['a response without the first NUL', 'PLAIN', 'guest\0guest', ALL_CAPABILITIES],
    ['an authorization identity', 'PLAIN', 'guest\0guest\0guest', ALL_CAPABILITIES],
    ['a NUL in the password', 'PLAIN', '\0guest\0guest\0', ALL_CAPABILITIES],
    ['an empty response', 'PLAIN', '', ALL_CAPABILITIES],
    ['a name in small letters', 'AMQPLAIN', encodeEntries([['login', 'S', 'guest']]), ALL_CAPABILITIES],
    ['no password', 'AMQPLAIN', encodeEntries([['LOGIN', 'S', 'guest']]), ALL_CAPABILITIES],
    ['a table that ends too soon', 'AMQPLAIN', Buffer.from('\x05LOGINS\0\0\0\x05gu'), ALL_CAPABILITIES],
    ['a number for a name', 'AMQPLAIN', encodeEntries([['LOGIN', 'I', 1]]), ALL_CAPABILITIES],
    ['a mechanism that is not offered', 'EXTERNAL', '', ALL_CAPABILITIES],
    ['a mechanism in small letters', 'plain', GUEST, ALL_CAPABILITIES],
  ])(
    'says nothing for three seconds, then closes: %s (%s)',
    async (_why, mechanism, response, properties) => {
      const client = await target.connect();
      await client.start();
      client.startOk(response, mechanism, properties);
      await target.logged('login refused');
      target.clock.advance(2_999);
      expect(client.isClosed).toBe(false);
      target.clock.advance(1);
      await client.closed();
      expect(client.pendingFrames(0)).toEqual([]);
    },
  );

  it.skipIf(IS_ORACLE).each([
    ['a method out of turn', 0, 'connection.open'],
    ['another method out of turn', 0, 'connection.tune-ok'],
    ['even a close', 0, 'connection.close'],
    ['a frame of another channel', 1, 'channel.open'],
  ])('says nothing for three seconds, then closes: %s', async (_what, channel, method) => {
    const client = await target.connect();
    await client.start();
    client.send(channel, method);
    await target.logged('closing the connection');
    target.clock.advance(3_000);
    await client.closed();
    expect(client.pendingFrames(0)).toEqual([]);
  });

  it.skipIf(IS_ORACLE)(
    'does not read a frame larger than 8192 bytes from somebody it does not know',
    async () => {
      const client = await target.connect();
      await client.start();
      client.frame(1, 0, Buffer.alloc(8_193));
      await target.logged('closing the connection');
      target.clock.advance(3_000);
      await client.closed();
      expect(client.pendingFrames(0)).toEqual([]);
    },
  );
});

describe('tuning', () => {
  it('offers what RabbitMQ offers', async () => {
    const client = await target.connect();
    expect(await client.tune()).toEqual({ channelMax: 2047, frameMax: 131_072, heartbeat: 60 });
  });

  it.each([
    ['the smallest frame-max', { frameMax: 4096 }],
    ['one channel', { channelMax: 1 }],
    ['a longer heartbeat than offered', { heartbeat: 65_535 }],
  ])('accepts %s', async (_name, options: OpenOptions) => {
    const client = await target.openChannel(options);
    await client.sync();
  });

  // 3.10.8 says nothing here, and closes TCP after three seconds.
  it.skipIf(IS_ORACLE).each([
    [{ frameMax: 4095 }, 'negotiated frame_max = 4095 is lower than the minimum allowed value (4096)'],
    [
      { frameMax: 131_073 },
      'negotiated frame_max = 131073 is higher than the maximum allowed value (131072)',
    ],
    [{ frameMax: 0 }, 'negotiated frame_max = 0 is higher than the maximum allowed value (131072)'],
    [{ channelMax: 2048 }, 'negotiated channel_max = 2048 is higher than the maximum allowed value (2047)'],
    [
      { channelMax: 0 },
      'negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
    ],
  ])('refuses %o', async (options: OpenOptions, text) => {
    const client = await target.connect();
    await client.tune(options);
    expect(await connectionClose(client)).toEqual(closeOf('connection.tune', 530, `NOT_ALLOWED - ${text}`));
  });

  it.skipIf(IS_ORACLE)('lets clients leave out limits the server does not have', async () => {
    const unlimited = await Target.start({ channelMax: 0, frameMax: 0 });
    try {
      const client = await unlimited.connect();
      expect(await client.tune({ frameMax: 0, channelMax: 0 })).toMatchObject({ channelMax: 0, frameMax: 0 });
      await client.call(0, 'connection.open', { virtualHost: '/' });
      client.frameMax = 4_000_000;
      await client.openChannel(65_535);
      const queue = 'q';
      await client.call(65_535, 'queue.declare', { queue });
      client.publish(65_535, { routingKey: queue, body: Buffer.alloc(1_000_000, 7) });
      const { body, frameSizes } = await client.get(65_535, queue);
      expect([body.length, frameSizes]).toEqual([1_000_000, [1_000_000]]);
    } finally {
      await unlimited.close();
    }
  });
});

describe('connection.open', () => {
  it('answers with no known hosts', async () => {
    const client = await target.connect();
    await client.tune();
    const fields = { virtualHost: '/', capabilities: 'x', insist: true };
    expect(await client.call(0, 'connection.open', fields)).toEqual({ knownHosts: '' });
  });

  it('refuses a virtual host that does not exist', async () => {
    const client = await target.connect();
    await client.tune();
    client.send(0, 'connection.open', { virtualHost: 'elsewhere' });
    expect(await connectionClose(client)).toEqual(
      closeOf('connection.open', 530, 'NOT_ALLOWED - vhost elsewhere not found'),
    );
  });

  it('refuses a user without permissions in the virtual host', async () => {
    const client = await target.connect();
    await client.tune({ user: 'nobody', password: 'nobody' });
    client.send(0, 'connection.open', { virtualHost: 'closed' });
    expect(await connectionClose(client)).toEqual(
      closeOf('connection.open', 530, "NOT_ALLOWED - access to vhost 'closed' refused for user 'nobody'"),
    );
  });

  it('may not come twice', async () => {
    const client = await target.open();
    client.send(0, 'connection.open', { virtualHost: '/' });
    expect(await connectionClose(client)).toEqual(
      closeOf('connection.open', 504, 'CHANNEL_ERROR - unexpected method in connection state running'),
    );
  });
});

describe('connection.update-secret', () => {
  it('is agreed to', async () => {
    const client = await target.open();
    await client.call(0, 'connection.update-secret', { newSecret: 'guest', reason: 'rotation' });
    await client.openChannel(1);
  });
});
