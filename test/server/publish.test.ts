import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FRAME_BODY, FRAME_HEADER, type RawClient } from '../../conformance/wire/raw-client.js';
import { encodeContentHeader, type Properties, type Table } from '../../conformance/wire/raw-codec.js';
import {
  byGeneration,
  channelClose,
  closeOf,
  connectionClose,
  declareQueue,
  IS_ORACLE,
  Target,
  uniqueName,
} from './target.js';

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  queue = await declareQueue(client);
});
afterEach(() => target.close());

async function expectRefusal(properties: Properties, text: string, code = 406): Promise<void> {
  client.publish(1, { routingKey: queue, properties });
  // What is pipelined behind the error goes nowhere.
  client.publish(1, { routingKey: queue, mandatory: true });
  expect(await channelClose(client)).toEqual(closeOf('basic.publish', code, text));
  expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
}

async function throughQueue(properties: Properties, body: string | Buffer = 'x'): Promise<Properties> {
  client.publish(1, { routingKey: queue, properties, body });
  await client.sync();
  return (await client.get(1, queue)).properties;
}

describe('a published message', () => {
  it('comes with its names, properties and body as they were', async () => {
    const properties: Properties = {
      contentType: 'text/plain',
      contentEncoding: 'utf-8',
      headers: [['a', 'S', 'ü']],
      deliveryMode: 2,
      priority: 7,
      correlationId: 'correlation',
      replyTo: 'reply',
      expiration: '60000',
      messageId: 'message',
      timestamp: 1_700_000_000,
      type: 'kind',
      userId: 'guest',
      appId: 'app',
      clusterId: 'cluster',
    };
    client.publish(1, { routingKey: queue, properties, body: 'bödy' });
    await client.sync();
    const received = await client.get(1, queue);
    expect(received.properties).toEqual(properties);
    expect(String(received.body)).toBe('bödy');
    expect(received.method).toEqual({
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
      messageCount: 0,
    });
  });

  it('may be empty', async () => {
    client.publish(1, { routingKey: queue });
    await client.sync();
    const { body, properties, frameSizes } = await client.get(1, queue);
    expect([body.length, properties, frameSizes]).toEqual([0, {}, []]);
  });

  it('may have empty body frames in between', async () => {
    client.send(1, 'basic.publish', { routingKey: queue });
    client.frame(FRAME_HEADER, 1, encodeContentHeader(4, {}));
    for (const piece of ['', 'ab', '', 'c', 'd']) client.frame(FRAME_BODY, 1, piece);
    await client.sync();
    const { body, frameSizes } = await client.get(1, queue);
    expect([String(body), frameSizes]).toEqual(['abcd', [4]]);
  });

  it('may come interleaved with those of other channels', async () => {
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
    const bodies = [String((await client.get(1, queue)).body), String((await client.get(1, queue)).body)];
    expect(bodies.sort()).toEqual(['22', 'one!']);
  });

  it.each([
    [4096, 4087],
    [4096, 4088],
    [4096, 4089],
    [4096, 100_000],
    [131_072, 131_064],
    [131_072, 131_065],
    [131_072, 1_000_003],
  ])('is split by the frame-max of %i: %i bytes', async (frameMax, size) => {
    const small = await target.openChannel({ frameMax });
    const body = Buffer.from(Array.from({ length: size }, (_, i) => i * 31));
    small.publish(1, { exchange: 'amq.fanout', routingKey: 'ignored', body });
    await small.call(1, 'queue.declare', { queue: `${queue}-small`, exclusive: true });
    small.publish(1, { routingKey: `${queue}-small`, body });
    small.publish(1, { routingKey: `${queue}-small`, body: 'next' });
    const pieces = (max: number): number[] =>
      Array.from({ length: Math.ceil(size / (max - 8)) }, (_, i) => Math.min(max - 8, size - i * (max - 8)));
    await small.call(1, 'basic.consume', { queue: `${queue}-small`, noAck: true });
    const received = await small.delivery();
    expect(received.body.equals(body)).toBe(true);
    expect(received.frameSizes).toEqual(pieces(frameMax));
    expect(String((await small.delivery()).body)).toBe('next');
  });

  it('comes back split by the frame-max of its receiver', async () => {
    const small = await target.openChannel({ frameMax: 4096 });
    const body = Buffer.alloc(10_000, 'abc');
    const shared = uniqueName('shared');
    await client.call(1, 'queue.declare', { queue: shared });
    client.publish(1, { routingKey: shared, body });
    client.publish(1, { routingKey: shared, body });
    await client.sync();
    const toSmall = await small.get(1, shared);
    const toLarge = await client.get(1, shared);
    expect([toSmall.frameSizes, toLarge.frameSizes]).toEqual([[4088, 4088, 1824], [10_000]]);
    expect(toSmall.body.equals(body) && toLarge.body.equals(body)).toBe(true);
    await client.call(1, 'queue.delete', { queue: shared });
  });
});

describe('headers', () => {
  it('come sorted by key, each key once', async () => {
    const headers: Table = [
      ['b', 'I', 1],
      ['a', 'S', 'first'],
      ['c', 't', true],
      ['a', 'S', 'second'],
    ];
    const sorted: Table = [
      ['a', 'S', 'first'],
      ['b', 'I', 1],
      ['c', 't', true],
    ];
    expect((await throughQueue({ headers })).headers).toEqual(byGeneration(sorted, headers));
  });

  it('may be empty', async () => {
    expect(await throughQueue({ headers: [] })).toEqual({ headers: [] });
  });

  it('of type L come as l', async () => {
    const { headers } = await throughQueue({ headers: [['n', 'L', -5]] });
    expect(headers).toEqual([['n', byGeneration('l', 'L'), -5]]);
  });

  it('of every other type come as they were', async () => {
    const headers: Table = [
      [
        'array',
        'A',
        [
          ['I', 1],
          ['S', 'x'],
          ['A', []],
          ['F', [['k', 'V', null]]],
        ],
      ],
      ['b', 'b', -1],
      ['bool', 't', false],
      ['bytes', 'x', Buffer.from([0, 255])],
      ['double', 'd', 1.5],
      ['s', 's', -300],
      [
        'table',
        'F',
        [
          ['z', 'I', 1],
          ['a', 'I', 2],
        ],
      ],
      ['time', 'T', 1_700_000_000],
      ['u', 'B', 200],
      ['v', 'u', 60_000],
      ['w', 'i', 4_000_000_000],
      ['x', 'l', -5_000_000_000],
    ];
    expect((await throughQueue({ headers })).headers).toEqual(headers);
  });
});

describe('basic.publish refuses', () => {
  it('immediate', async () => {
    client.publish(1, { routingKey: queue, immediate: true });
    expect(await connectionClose(client)).toEqual(
      closeOf('basic.publish', 540, 'NOT_IMPLEMENTED - immediate=true'),
    );
  });

  it('an exchange that is not there, and forgets what is behind', async () => {
    client.publish(1, { exchange: 'nowhere', routingKey: queue, mandatory: true });
    client.publish(1, { exchange: 'nowhere', routingKey: queue, mandatory: true });
    client.publish(1, { routingKey: queue });
    expect(await channelClose(client)).toEqual(
      closeOf('basic.publish', 404, "NOT_FOUND - no exchange 'nowhere' in vhost '/'"),
    );
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
  });

  it('an internal exchange', async () => {
    const exchange = uniqueName('internal');
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout', internal: true });
    client.publish(1, { exchange });
    expect(await channelClose(client)).toEqual(
      closeOf(
        'basic.publish',
        403,
        `ACCESS_REFUSED - cannot publish to internal exchange '${exchange}' in vhost '/'`,
      ),
    );
    await client.call(1, 'exchange.delete', { exchange });
  });

  it.each([
    ['abc', 'no_integer'],
    ['', 'no_integer'],
    ['10ms', '{leftover_string,"ms"}'],
    ['1.5', '{leftover_string,".5"}'],
    ['-1', '{value_negative,-1}'],
    ['315360000001', '{value_too_large,315360000001}'],
  ])("an expiration of '%s'", (expiration, why) =>
    expectRefusal({ expiration }, `PRECONDITION_FAILED - invalid expiration '${expiration}': ${why}`),
  );

  it.each(['0', '+5', '315360000000'])('but not an expiration of %s', async (expiration) => {
    client.publish(1, { routingKey: queue, properties: { expiration } });
    await client.sync();
    await client.sync();
  });

  it.each(['CC', 'BCC'])('a %s header that is no array', (name) =>
    expectRefusal(
      { headers: [[name, 'S', 'key']] },
      `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"${name}",longstr}`,
    ),
  );

  it('the name of another user', () =>
    expectRefusal(
      { userId: 'somebody' },
      "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'",
    ));

  it('a reply-to that no consumer of the channel stands for', () =>
    expectRefusal(
      { replyTo: 'amq.rabbitmq.reply-to' },
      'PRECONDITION_FAILED - fast reply consumer does not exist',
    ));

  it('any delivery mode but 1 and 2, until 3.13', async () => {
    if (IS_ORACLE) {
      return expectRefusal(
        { deliveryMode: 3 },
        'PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}',
      );
    }
    expect(await throughQueue({ deliveryMode: 3 })).toEqual({ deliveryMode: 3 });
  });
});

describe('the first of several faults', () => {
  it.each([
    [
      'expiration before CC',
      { expiration: 'x', headers: [['CC', 'I', 1]] },
      "invalid expiration 'x': no_integer",
    ],
    [
      'reply-to before expiration',
      { replyTo: 'amq.rabbitmq.reply-to', expiration: 'x' },
      'fast reply consumer does not exist',
    ],
  ] as const)('%s', (_what, properties, text) => expectRefusal(properties, `PRECONDITION_FAILED - ${text}`));

  it.skipIf(IS_ORACLE)('CC before user-id, from 4.0 on', () =>
    expectRefusal(
      { userId: 'x', headers: [['CC', 'I', 1]] },
      'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",signedint}',
    ),
  );
});

describe.skipIf(IS_ORACLE)('the largest message', () => {
  it('is refused when it is larger than configured, once it is whole', async () => {
    const strict = await Target.start({ messageBytesMax: 10_000 });
    try {
      const publisher = await strict.openChannel({ frameMax: 4096 });
      const name = await declareQueue(publisher);
      publisher.publish(1, { routingKey: name, body: Buffer.alloc(10_000) });
      await publisher.sync();
      publisher.send(1, 'basic.publish', { routingKey: name });
      publisher.frame(FRAME_HEADER, 1, encodeContentHeader(10_001, {}));
      for (const size of [4088, 4088, 1824]) publisher.frame(FRAME_BODY, 1, Buffer.alloc(size));
      await publisher.sync(await publisher.openChannel(2));
      expect(publisher.pendingFrames(1)).toEqual([]);
      publisher.frame(FRAME_BODY, 1, Buffer.alloc(1));
      expect(await channelClose(publisher)).toEqual(
        closeOf(
          'basic.publish',
          406,
          'PRECONDITION_FAILED - message size 10001 is larger than configured max size 10000',
        ),
      );
      expect(await publisher.call(1, 'queue.purge', { queue: name })).toEqual({ messageCount: 1 });
    } finally {
      await strict.close();
    }
  });

  it('has 16 MiB by default', async () => {
    client.publish(1, { routingKey: queue, body: Buffer.alloc(16_777_217) });
    expect(await channelClose(client)).toEqual(
      closeOf(
        'basic.publish',
        406,
        'PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216',
      ),
    );
  });
});

describe('mandatory', () => {
  it('sends back what goes nowhere, whole', async () => {
    const properties: Properties = { messageId: 'm', headers: [['h', 'I', 1]] };
    const body = Buffer.alloc(5_000, 'z');
    client.publish(1, { exchange: 'amq.direct', routingKey: 'nobody', mandatory: true, properties, body });
    const returned = await client.message(1, 'basic.return');
    expect(returned.method).toEqual({
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange: 'amq.direct',
      routingKey: 'nobody',
    });
    expect(returned.properties).toEqual(properties);
    expect(returned.body.equals(body)).toBe(true);
  });

  it('says nothing of what goes somewhere, and without it nothing of what does not', async () => {
    client.publish(1, { routingKey: queue, mandatory: true });
    client.publish(1, { routingKey: 'nobody' });
    await client.sync();
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
  });

  it('sees a queue go', async () => {
    client.publish(1, { routingKey: queue, mandatory: true });
    await client.call(1, 'queue.delete', { queue });
    client.publish(1, { routingKey: queue, mandatory: true });
    expect((await client.message(1, 'basic.return')).method.routingKey).toBe(queue);
  });
});
