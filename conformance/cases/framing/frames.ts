/** Frames that cannot be read or do not belong where they are: each ends the connection. */
import { type Case, section } from '../../case.js';
import { expectConnectionClose, expectEqual, expectFields } from '../../expect.js';
import { FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD } from '../../wire/raw-client.js';
import { encodeContentHeader, encodeMethod } from '../../wire/raw-codec.js';

const frame = section({ area: 'framing', source: 'AMQP 0-9-1, 4.2.3 general frame format', tags: ['core'] });
const SMALL = { frameMax: 8192 };

const STRAYS: readonly (readonly [
  name: string,
  title: string,
  type: number,
  channel: number,
  payload: string,
  code: number,
  text: string,
])[] = [
  [
    'unknown-type',
    'a frame of no known type',
    9,
    1,
    'abc',
    501,
    'FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame',
  ],
  [
    'type-0',
    'a frame of type 0',
    0,
    0,
    'abc',
    501,
    'FRAME_ERROR - type 0, all octets = <<"abc">>: unknown_frame',
  ],
  [
    'method-without-ids',
    'a method frame without ids',
    1,
    1,
    '\0\x14\0',
    501,
    'FRAME_ERROR - type 1, all octets = <<0,20,0>>: unknown_frame',
  ],
  [
    'heartbeat-payload',
    'a heartbeat with a payload',
    8,
    0,
    'x',
    501,
    'FRAME_ERROR - type 8, all octets = <<"x">>: unknown_frame',
  ],
  [
    'heartbeat-on-channel',
    'a heartbeat on a channel',
    8,
    1,
    '',
    505,
    'UNEXPECTED_FRAME - type 8, all octets = <<>>',
  ],
  ['body-on-0', 'a body on channel 0', 3, 0, 'abc', 505, 'UNEXPECTED_FRAME - type 3, all octets = <<"abc">>'],
];

const TOO_LARGE = [
  ['method', FRAME_METHOD],
  ['body', FRAME_BODY],
  ['heartbeat', FRAME_HEARTBEAT],
  ['unknown', 77],
] as const;

const WRONG_ENDS = [
  ['short', 5, 'all octets = <<7,7,7,7,7>>'],
  ['long', 17, 'first 16 octets = <<7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7>>'],
] as const;

export const cases: readonly Case[] = [
  ...TOO_LARGE.map(([name, type]) =>
    frame(
      `too-large-${name}`,
      `a frame of type ${type} larger than agreed ends the connection`,
      'A frame beyond frame-max (RabbitMQ tolerates 8 bytes more) is the connection error 501.',
      async (t) => {
        const client = await t.openChannel(SMALL);
        client.frame(type, 1, Buffer.alloc(8_193));
        const close = await client.method(0, 'connection.close');
        expectFields('connection.close', close, {
          replyCode: 501,
          replyText: `FRAME_ERROR - type ${type}, all octets = <<>>: {frame_too_large,8193,8184}`,
        });
      },
    ),
  ),
  frame(
    'tolerated-size',
    'a payload of frame-max is tolerated, and split when it is delivered',
    'RabbitMQ reads frames up to 8 bytes too large; its own keep to frame-max.',
    async (t) => {
      const client = await t.openChannel(SMALL);
      const queue = await t.declareQueue(client);
      client.send(1, 'basic.publish', { routingKey: queue });
      client.frame(FRAME_HEADER, 1, encodeContentHeader(8_192, {}));
      client.frame(FRAME_BODY, 1, Buffer.alloc(8_192, 1));
      await client.sync();
      const { frameSizes } = await client.get(1, queue);
      expectEqual('sizes of the body frames', frameSizes, [8_184, 8]);
    },
    ['rabbitmq'],
  ),
  ...WRONG_ENDS.map(([name, size, octets]) =>
    frame(
      `wrong-end-${name}`,
      `a frame of ${size} bytes with a wrong end ends the connection`,
      'The last octet of a frame is 206; anything else is the connection error 501.',
      async (t) => {
        const client = await t.openChannel(SMALL);
        client.frame(FRAME_BODY, 1, Buffer.alloc(size, 7), 0xcd);
        const { replyText = '', ...close } = await client.method(0, 'connection.close');
        expectEqual('connection.close', close, { replyCode: 501, classId: 0, methodId: 0 });
        // Erlang breaks long lines where others do not.
        const text = `FRAME_ERROR - type 3, ${octets}: {invalid_frame_end_marker,205}`;
        expectEqual('reply-text', replyText.replace(/,\n\s+/g, ','), text);
      },
    ),
  ),
  ...STRAYS.map(([name, title, type, channel, payload, code, text]) =>
    frame(
      name,
      `${title} ends the connection`,
      `A frame that is none, or is not where it belongs, is answered: the connection error ${code}.`,
      async (t) => {
        const client = await t.openChannel(SMALL);
        client.frame(type, channel, Buffer.from(payload, 'latin1'));
        await expectConnectionClose(client, undefined, code, text);
      },
    ),
  ),
  ...['channel.open', 'basic.publish', 'queue.declare', 'connection.start-ok'].map((method) =>
    frame(
      `on-0-${method.replace('.', '-')}`,
      `${method} on channel 0 ends the connection`,
      'Channel 0 is for the connection; what does not belong there is the error 504.',
      async (t) => {
        const client = await t.open();
        client.send(0, method);
        await expectConnectionClose(
          client,
          method,
          504,
          'CHANNEL_ERROR - unexpected method in connection state running',
        );
      },
    ),
  ),
  ...['connection.open', 'connection.close', 'channel.open-ok', 'tx.select-ok', 'basic.deliver'].map(
    (method) =>
      frame(
        `on-channel-${method.replace('.', '-')}`,
        `${method} on a channel ends the connection`,
        'A method that no client sends on a channel is the connection error 503.',
        async (t) => {
          const client = await t.openChannel();
          client.send(1, method);
          // A method that brings a content is looked at when the content is complete.
          if (method === 'basic.deliver') client.frame(FRAME_HEADER, 1, encodeContentHeader(0, {}));
          await expectConnectionClose(client, method, 503, 'COMMAND_INVALID - unimplemented method');
        },
      ),
  ),
  frame(
    'arguments-too-short',
    'method arguments that end too soon end the connection',
    'Arguments that cannot be decoded are the connection error 501.',
    async (t) => {
      const client = await t.openChannel();
      client.frame(FRAME_METHOD, 1, encodeMethod('queue.declare', { queue: 'q' }).subarray(0, 7));
      await expectConnectionClose(client, 'queue.declare', 501, 'FRAME_ERROR - cannot decode <<0,0,1>>');
    },
  ),
  frame(
    'name-not-utf8',
    'a short string that is not UTF-8 ends the connection',
    'Names are UTF-8; other bytes are the connection error 501.',
    async (t) => {
      const client = await t.openChannel();
      const payload = encodeMethod('queue.declare', { queue: '??' });
      payload.set([0xff, 0xfe], payload.indexOf('??'));
      client.frame(FRAME_METHOD, 1, payload);
      await expectConnectionClose(client, undefined, 501, 'FRAME_ERROR - Malformed UTF-8 in shortstr');
    },
  ),
  ...(
    [
      ['class', [0, 99, 0, 10]],
      ['method', [0, 60, 0, 99]],
    ] as const
  ).map(([what, payload]) =>
    frame(
      `unknown-${what}`,
      `an unknown ${what} drops the connection without an answer`,
      'RabbitMQ closes TCP without a word when a method frame has ids that it does not know.',
      async (t) => {
        const client = await t.openChannel();
        client.frame(FRAME_METHOD, 1, Buffer.from(payload));
        await client.closed();
        expectEqual('frames on channel 0', client.pendingFrames(0).length, 0);
      },
      ['rabbitmq'],
    ),
  ),
];
