/** Contents: the frames behind a basic.publish, in order and out of it. */
import { type Case, section } from '../../case.js';
import { expectConnectionClose, expectEqual } from '../../expect.js';
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD } from '../../wire/raw-client.js';
import { encodeContentHeader, encodeMethod } from '../../wire/raw-codec.js';

const content = section({ area: 'framing', source: 'AMQP 0-9-1, 4.2.6 content framing', tags: ['core'] });
const HEADER_EXPECTED =
  'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead';
const BODY_EXPECTED = 'UNEXPECTED_FRAME - expected content body, got non content body frame instead';
const METHOD_EXPECTED = 'UNEXPECTED_FRAME - expected method frame, got non method frame instead';

function weighted(): Buffer {
  const header = encodeContentHeader(0, {});
  header.writeUInt16BE(1, 2);
  return header;
}

/** What comes behind basic.publish where a header is due. */
const NO_HEADERS = [
  ['method', FRAME_METHOD, encodeMethod('channel.flow', { active: true }), HEADER_EXPECTED],
  ['body', FRAME_BODY, Buffer.from('abc'), HEADER_EXPECTED],
  ['weight', FRAME_HEADER, weighted(), HEADER_EXPECTED],
  [
    'class',
    FRAME_HEADER,
    encodeContentHeader(0, {}, 50),
    'UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead',
  ],
] as const;

const NO_BODIES = [
  ['method', FRAME_METHOD, encodeMethod('channel.flow', { active: true })],
  ['header', FRAME_HEADER, encodeContentHeader(3, {})],
] as const;

const NO_METHODS = [
  ['header', FRAME_HEADER, encodeContentHeader(3, {})],
  ['body', FRAME_BODY, Buffer.from('abc')],
] as const;

const UNREADABLE = [
  ['type', 'headers with an unknown type', [0x20, 0, 0, 0, 0, 3, 1, 0x61, 0x55]],
  ['short', 'properties that end too soon', [0x80, 0, 9, 0x61]],
  ['long', 'bytes after the last property', [0, 0, 1]],
] as const;

const SIZES = [
  [4096, 4087],
  [4096, 4088],
  [4096, 4089],
  [4096, 100_000],
  [131_072, 131_064],
  [131_072, 131_065],
  [131_072, 1_000_003],
] as const;

export const cases: readonly Case[] = [
  ...NO_HEADERS.map(([name, type, payload, text]) =>
    content(
      `no-header-${name}`,
      `a publish must be followed by its content header (${name})`,
      'Between basic.publish and the last octet of its content nothing else may come on the channel: the connection error 505.',
      async (t) => {
        const client = await t.openChannel();
        client.send(1, 'basic.publish');
        client.frame(type, 1, payload);
        await expectConnectionClose(client, 'basic.publish', 505, text);
      },
    ),
  ),
  ...NO_BODIES.map(([name, type, payload]) =>
    content(
      `no-body-${name}`,
      `a ${name} may not come where a body is due`,
      'Between basic.publish and the last octet of its content nothing else may come on the channel: the connection error 505.',
      async (t) => {
        const client = await t.openChannel();
        client.send(1, 'basic.publish');
        client.frame(FRAME_HEADER, 1, encodeContentHeader(3, {}));
        client.frame(type, 1, payload);
        await expectConnectionClose(client, 'basic.publish', 505, BODY_EXPECTED);
      },
    ),
  ),
  ...NO_METHODS.map(([name, type, payload]) =>
    content(
      `no-method-${name}`,
      `a ${name} needs its method`,
      'Content headers and bodies follow a method that brings a content; alone they are the connection error 505.',
      async (t) => {
        const client = await t.openChannel();
        client.frame(type, 1, payload);
        await expectConnectionClose(client, undefined, 505, METHOD_EXPECTED);
      },
    ),
  ),
  ...UNREADABLE.map(([name, title, octets]) =>
    content(
      `unreadable-${name}`,
      `${title} end the connection`,
      'RabbitMQ answers properties that it cannot read with the connection error 541.',
      async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client);
        client.send(1, 'basic.publish', { routingKey: queue });
        const header = Buffer.concat([encodeContentHeader(0, {}).subarray(0, 12), Buffer.from(octets)]);
        client.frame(FRAME_HEADER, 1, header);
        await expectConnectionClose(client, undefined, 541, 'INTERNAL_ERROR');
      },
      ['rabbitmq'],
    ),
  ),
  content(
    'body-too-long',
    'more body than was announced ends the connection',
    'A body beyond the size in the header is the connection error 501.',
    async (t) => {
      const client = await t.openChannel();
      client.send(1, 'basic.publish');
      client.frame(FRAME_HEADER, 1, encodeContentHeader(5, {}));
      client.frame(FRAME_BODY, 1, 'abc');
      client.frame(FRAME_BODY, 1, 'def');
      const text = 'FRAME_ERROR - content body frame exceeds remaining content size';
      await expectConnectionClose(client, 'basic.publish', 501, text);
    },
    // 3.10 waits for the rest of such a body for ever.
    ['core', 'rabbitmq-4'],
  ),
  content(
    'empty-body-frames',
    'empty body frames may come in between',
    'A body is as long as its header says, in however many frames.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'basic.publish', { routingKey: queue });
      client.frame(FRAME_HEADER, 1, encodeContentHeader(4, {}));
      for (const piece of ['', 'ab', '', 'c', 'd']) client.frame(FRAME_BODY, 1, piece);
      await client.sync();
      const { body, frameSizes } = await client.get(1, queue);
      expectEqual('body and frames', [String(body), frameSizes], ['abcd', [4]]);
    },
  ),
  content(
    'interleaved',
    'contents of several channels may be interleaved',
    'The frames of a content follow each other on their channel only; other channels may come in between.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      await client.openChannel(2);
      client.send(1, 'basic.publish', { routingKey: queue });
      client.send(2, 'basic.publish', { routingKey: queue });
      client.frame(FRAME_HEADER, 2, encodeContentHeader(2, {}));
      client.frame(FRAME_HEADER, 1, encodeContentHeader(4, {}));
      client.frame(FRAME_BODY, 1, 'on');
      client.frame(FRAME_BODY, 2, '22');
      client.frame(FRAME_BODY, 1, 'e!');
      await client.sync(1);
      await client.sync(2);
      await t.expectCounts(client, queue, { messageCount: 2 });
      const bodies = [String((await client.get(1, queue)).body), String((await client.get(1, queue)).body)];
      expectEqual('bodies', bodies.sort(), ['22', 'one!']);
    },
  ),
  ...SIZES.map(([frameMax, size]) =>
    content(
      `split-${frameMax}-${size}`,
      `a body of ${size} bytes is split by the frame-max of ${frameMax}`,
      'No frame is larger than frame-max, of which 8 bytes are the frame itself.',
      async (t) => {
        const client = await t.openChannel({ frameMax });
        const queue = await t.declareQueue(client);
        const sent = Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
        client.publish(1, { routingKey: queue, body: sent });
        await client.sync();
        const { body, frameSizes } = await client.get(1, queue);
        expectEqual('the body came as it was', body.equals(sent), true);
        const whole = Math.floor(size / (frameMax - 8));
        const rest = size % (frameMax - 8);
        const sizes = Array.from({ length: whole }, () => frameMax - 8).concat(rest === 0 ? [] : [rest]);
        expectEqual('sizes of the body frames', frameSizes, sizes);
      },
    ),
  ),
];
