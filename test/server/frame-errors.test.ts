import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  type RawClient,
} from '../../conformance/wire/raw-client.js';
import { encodeContentHeader, encodeMethod, integer } from '../../conformance/wire/raw-codec.js';
import { closeOf, connectionClose, IS_ORACLE, Target } from './target.js';

let target: Target;
let client: RawClient;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel({ frameMax: 8192 });
});
afterEach(() => target.close());

/** The connection is gone, and the broker is not. */
async function expectClose(method: string | undefined, code: number, text: string): Promise<void> {
  expect(await connectionClose(client)).toEqual(closeOf(method, code, text));
  const another = await target.openChannel();
  await another.sync();
}

describe('frames that cannot be read end the connection, and nothing after them is looked at', () => {
  it.each([
    ['of a method', FRAME_METHOD],
    ['of a body', FRAME_BODY],
    ['of a heartbeat', FRAME_HEARTBEAT],
    ['of no known type', 77],
  ])('a frame %s larger than frame-max and the tolerated 8 bytes', async (_what, type) => {
    client.frame(type, 1, Buffer.alloc(8_193));
    const text = `FRAME_ERROR - type ${type}, all octets = <<>>: {frame_too_large,8193,8184}`;
    expect(await client.method(0, 'connection.close')).toEqual(closeOf(undefined, 501, text));
    client.send(0, 'connection.close-ok');
    if (IS_ORACLE) return;
    // The place where the next frame begins is lost: TCP goes after a while, whatever the client says.
    target.clock.advance(2_999);
    expect(client.isClosed).toBe(false);
    target.clock.advance(1);
    await client.closed();
  });

  it('but a payload of frame-max is tolerated', async () => {
    client.send(1, 'queue.declare', { queue: 'whatever', exclusive: true });
    await client.method(1, 'queue.declare-ok');
    client.send(1, 'basic.publish', { routingKey: 'whatever' });
    client.frame(FRAME_HEADER, 1, encodeContentHeader(8_192, {}));
    client.frame(FRAME_BODY, 1, Buffer.alloc(8_192, 1));
    const { body, frameSizes } = await client.get(1, 'whatever');
    expect([body.length, frameSizes]).toEqual([8_192, [8_184, 8]]);
  });

  it.each([
    ['all of a short payload', 5, 'all octets = <<7,7,7,7,7>>'],
    ['the beginning of a long one', 17, 'first 16 octets = <<7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7>>'],
    ['the beginning of a very long one', 5_000, 'first 16 octets = <<7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7>>'],
  ])('a frame with a wrong end; the text has %s', async (_what, size, octets) => {
    client.frame(FRAME_BODY, 1, Buffer.alloc(size, 7), 0xcd);
    const { replyText, ...close } = await client.method(0, 'connection.close');
    expect(close).toEqual({ replyCode: 501, classId: 0, methodId: 0 });
    // Erlang breaks long lines where we do not.
    expect(replyText!.replace(/,\n\s+/g, ',')).toBe(
      `FRAME_ERROR - type 3, ${octets}: {invalid_frame_end_marker,205}`,
    );
    if (IS_ORACLE) return;
    target.clock.advance(3_000);
    await client.closed();
  });
});

describe('frames that do not belong where they are end the connection', () => {
  it.each([
    [
      'an unknown frame type',
      9,
      1,
      'abc',
      501,
      'FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame',
    ],
    ['the frame type 0', 0, 0, 'abc', 501, 'FRAME_ERROR - type 0, all octets = <<"abc">>: unknown_frame'],
    [
      'a method frame without ids',
      1,
      1,
      '\0\x14\0',
      501,
      'FRAME_ERROR - type 1, all octets = <<0,20,0>>: unknown_frame',
    ],
    [
      'a heartbeat with a payload',
      8,
      0,
      'x',
      501,
      'FRAME_ERROR - type 8, all octets = <<"x">>: unknown_frame',
    ],
    ['a heartbeat on a channel', 8, 1, '', 505, 'UNEXPECTED_FRAME - type 8, all octets = <<>>'],
    ['a body on channel 0', 3, 0, 'abc', 505, 'UNEXPECTED_FRAME - type 3, all octets = <<"abc">>'],
  ])('%s', async (_what, type, channel, payload, code, text) => {
    client.frame(type, channel, Buffer.from(payload, 'latin1'));
    await expectClose(undefined, code, text);
  });

  it('a content header on channel 0', async () => {
    client.frame(FRAME_HEADER, 0, encodeContentHeader(0, {}));
    await expectClose(
      undefined,
      505,
      'UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>',
    );
  });

  it.each(['channel.open', 'basic.publish', 'queue.declare', 'connection.tune-ok', 'connection.start-ok'])(
    '%s on channel 0',
    async (method) => {
      client.send(0, method);
      await expectClose(method, 504, 'CHANNEL_ERROR - unexpected method in connection state running');
    },
  );

  it.each([
    'connection.open',
    'connection.close',
    'basic.deliver',
    'basic.get-ok',
    'channel.open-ok',
    'tx.select-ok',
  ])('%s on a channel', async (method) => {
    client.send(1, method);
    // A content-bearing method is looked at when its content is complete.
    if (method === 'basic.deliver' || method === 'basic.get-ok') {
      client.frame(FRAME_HEADER, 1, encodeContentHeader(0, {}));
    }
    await expectClose(method, 503, 'COMMAND_INVALID - unimplemented method');
  });

  it.skipIf(IS_ORACLE)('basic.credit, which 4.x does not take any more', async () => {
    client.frame(
      FRAME_METHOD,
      1,
      Buffer.concat([integer(60, 2), integer(200, 2), Buffer.from([1, 0x78, 0, 0, 0, 5, 0])]),
    );
    expect(await connectionClose(client)).toEqual({
      replyCode: 503,
      replyText: 'COMMAND_INVALID - unimplemented method',
      classId: 60,
      methodId: 200,
    });
  });

  it.each([
    ['class', [0, 99, 0, 10]],
    ['method', [0, 60, 0, 99]],
  ])('an unknown %s, to which nothing is answered', async (_what, payload) => {
    client.frame(FRAME_METHOD, 1, Buffer.from(payload));
    await client.closed();
    expect(client.pendingFrames(0)).toEqual([]);
  });
});

describe('method arguments', () => {
  it('that end too soon', async () => {
    client.frame(FRAME_METHOD, 1, encodeMethod('queue.declare', { queue: 'q' }).subarray(0, 7));
    await expectClose('queue.declare', 501, 'FRAME_ERROR - cannot decode <<0,0,1>>');
  });

  it('with a short string that is not UTF-8', async () => {
    const payload = encodeMethod('queue.declare', { queue: '??' });
    payload.set([0xff, 0xfe], payload.indexOf('??'));
    client.frame(FRAME_METHOD, 1, payload);
    await expectClose(undefined, 501, 'FRAME_ERROR - Malformed UTF-8 in shortstr');
  });

  it('but basic.publish may have any bytes for a routing key, and receivers get them', async () => {
    await client.call(1, 'queue.declare', { queue: 'any', exclusive: true });
    await client.call(1, 'queue.bind', { queue: 'any', exchange: 'amq.fanout' });
    const payload = encodeMethod('basic.publish', { exchange: 'amq.fanout', routingKey: '??' });
    payload.set([0xff, 0xfe], payload.indexOf('??'));
    client.frame(FRAME_METHOD, 1, payload);
    client.frame(FRAME_HEADER, 1, encodeContentHeader(0, {}));
    client.send(1, 'basic.get', { queue: 'any', noAck: true });
    const { payload: got } = await client.nextFrame(1);
    expect(got.subarray(4)).toEqual(
      Buffer.concat([
        integer(1, 8),
        Buffer.from([0, 10]),
        Buffer.from('amq.fanout'),
        Buffer.from([2, 0xff, 0xfe]),
        integer(0, 4),
      ]),
    );
  });

  it('of basic.publish that end too soon', async () => {
    client.frame(FRAME_METHOD, 1, Buffer.from([0, 60, 0, 40, 0, 0, 1]));
    await expectClose('basic.publish', 501, 'FRAME_ERROR - cannot decode <<0,0,1>>');
  });
});

describe('contents', () => {
  const HEADER_EXPECTED =
    'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead';

  it('a method where a content header is due', async () => {
    client.send(1, 'basic.publish');
    client.send(1, 'channel.flow', { active: true });
    await expectClose('basic.publish', 505, HEADER_EXPECTED);
  });

  it('a body where a content header is due', async () => {
    client.send(1, 'basic.publish');
    client.frame(FRAME_BODY, 1, 'abc');
    await expectClose('basic.publish', 505, HEADER_EXPECTED);
  });

  it('a content header with a weight', async () => {
    client.send(1, 'basic.publish');
    const header = encodeContentHeader(0, {});
    header.writeUInt16BE(1, 2);
    client.frame(FRAME_HEADER, 1, header);
    await expectClose('basic.publish', 505, HEADER_EXPECTED);
  });

  it('a content header of another class', async () => {
    client.send(1, 'basic.publish');
    client.frame(FRAME_HEADER, 1, encodeContentHeader(0, {}, 50));
    await expectClose(
      'basic.publish',
      505,
      'UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead',
    );
  });

  it.each([
    ['a method', FRAME_METHOD, encodeMethod('channel.flow', { active: true })],
    ['a second content header', FRAME_HEADER, encodeContentHeader(3, {})],
  ])('%s where a body is due', async (_what, type, payload) => {
    client.send(1, 'basic.publish');
    client.frame(FRAME_HEADER, 1, encodeContentHeader(3, {}));
    client.frame(type, 1, payload);
    await expectClose(
      'basic.publish',
      505,
      'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
    );
  });

  it.each([
    ['a content header', FRAME_HEADER, encodeContentHeader(3, {})],
    ['a body', FRAME_BODY, Buffer.from('abc')],
  ])('%s without a method', async (_what, type, payload) => {
    client.frame(type, 1, payload);
    await expectClose(
      undefined,
      505,
      'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
    );
  });

  // 3.10 waits for the rest of such bodies for ever.
  it.skipIf(IS_ORACLE)('more body than was announced', async () => {
    client.send(1, 'basic.publish');
    client.frame(FRAME_HEADER, 1, encodeContentHeader(5, {}));
    client.frame(FRAME_BODY, 1, 'abc');
    client.frame(FRAME_BODY, 1, 'def');
    await expectClose(
      'basic.publish',
      501,
      'FRAME_ERROR - content body frame exceeds remaining content size',
    );
  });

  it.skipIf(IS_ORACLE)('a body larger than any message may be', async () => {
    client.send(1, 'basic.publish');
    client.frame(FRAME_HEADER, 1, encodeContentHeader(536_870_913, {}));
    await expectClose(
      'basic.publish',
      501,
      'FRAME_ERROR - content body size 536870913 exceeds maximum allowed size 536870912',
    );
  });

  it.each([
    ['headers with an unknown type', [0x20, 0, 0, 0, 0, 3, 1, 0x61, 0x55]],
    ['properties that end too soon', [0x80, 0, 9, 0x61]],
    ['bytes after the last property', [0, 0, 1]],
  ])('properties that cannot be read: %s', async (_what, octets) => {
    await client.call(1, 'queue.declare', { queue: 'unread', exclusive: true });
    client.send(1, 'basic.publish', { routingKey: 'unread' });
    client.frame(
      FRAME_HEADER,
      1,
      Buffer.concat([encodeContentHeader(0, {}).subarray(0, 12), Buffer.from(octets)]),
    );
    await expectClose(undefined, 541, 'INTERNAL_ERROR');
  });
});
