import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { channelClose, closeOf, declareQueue, Target, uniqueName } from './target.js';

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  queue = uniqueName('q');
});
afterEach(() => target.close());

async function expectRefusal(method: string, fields: Fields, code: number, text: string): Promise<void> {
  client.send(1, method, fields);
  expect(await channelClose(client)).toEqual(closeOf(method, code, text));
}

describe('queue.declare', () => {
  it('makes a queue and counts what is ready and who consumes', async () => {
    const counts = { messageCount: 0, consumerCount: 0 };
    expect(await client.call(1, 'queue.declare', { queue, exclusive: true })).toEqual({ queue, ...counts });
    for (let i = 0; i < 3; i++) client.publish(1, { routingKey: queue });
    await client.sync();
    await client.get(1, queue, false);
    expect(await client.call(1, 'queue.declare', { queue, exclusive: true })).toEqual({
      queue,
      messageCount: 2,
      consumerCount: 0,
    });
    await client.call(1, 'basic.consume', { queue });
    await client.delivery();
    await client.delivery();
    expect(await client.call(1, 'queue.declare', { queue, passive: true })).toEqual({
      queue,
      messageCount: 0,
      consumerCount: 1,
    });
  });

  it('invents a name', async () => {
    const { queue: name } = await client.call(1, 'queue.declare', { exclusive: true });
    expect(name).toMatch(/^amq\.gen-[A-Za-z0-9_-]{22}$/);
    await client.call(1, 'queue.declare', { queue: name!, passive: true });
  });

  it('drops line breaks from the name', async () => {
    const { queue: name } = await client.call(1, 'queue.declare', { queue: `\r${queue}\n`, exclusive: true });
    expect(name).toBe(queue);
  });

  it('takes a durable and exclusive queue declared either way', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true, durable: true });
    await client.call(1, 'queue.declare', { queue, exclusive: true });
  });

  it('ignores arguments nobody knows', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: [['x-none', 'I', -1]] });
    await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: [['x-other', 'S', 'x']] });
  });

  it.each([
    ['durable', { durable: true }, "received 'true' but current is 'false'"],
    ['auto_delete', { autoDelete: true }, "received 'true' but current is 'false'"],
    [
      'x-dead-letter-exchange',
      { arguments: [] },
      "received none but current is the value 'dlx' of type 'longstr'",
    ],
    [
      'x-dead-letter-exchange',
      { arguments: [['x-dead-letter-exchange', 'S', 'other']] },
      "received 'other' but current is 'dlx'",
    ],
    [
      'x-single-active-consumer',
      {
        arguments: [
          ['x-dead-letter-exchange', 'S', 'dlx'],
          ['x-single-active-consumer', 't', true],
        ],
      },
      "received the value 'true' of type 'bool' but current is none",
    ],
  ] as const)('refuses another %s', async (key, change, text) => {
    const declared: Fields = { queue, arguments: [['x-dead-letter-exchange', 'S', 'dlx']] };
    await client.call(1, 'queue.declare', declared);
    await expectRefusal(
      'queue.declare',
      { ...declared, ...change },
      406,
      `PRECONDITION_FAILED - inequivalent arg '${key}' for queue '${queue}' in vhost '/': ${text}`,
    );
    await client.call(1, 'queue.delete', { queue });
  });

  it('passively, does not look at the other fields', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const { queue: name } = await client.call(1, 'queue.declare', {
      queue,
      passive: true,
      durable: true,
      autoDelete: true,
      arguments: [['x-max-length', 'S', 'nonsense']],
    });
    expect(name).toBe(queue);
  });

  it.each([
    ['what is not there', 'nowhere', "NOT_FOUND - no queue 'nowhere' in vhost '/'"],
    ['the empty name', '', "NOT_FOUND - no queue '' in vhost '/'"],
  ])('passively, refuses %s', async (_what, name, text) => {
    await declareQueue(client);
    await expectRefusal('queue.declare', { queue: name, passive: true }, 404, text);
  });

  it('refuses a name of the broker itself, even one it gave', async () => {
    const { queue: name } = await client.call(1, 'queue.declare', { exclusive: true });
    await expectRefusal(
      'queue.declare',
      { queue: name!, exclusive: true },
      403,
      `ACCESS_REFUSED - queue name '${name}' contains reserved prefix 'amq.*'`,
    );
  });

  it.each([
    [
      [['x-message-ttl', 'I', -1]],
      "invalid arg 'x-message-ttl' for queue 'Q' in vhost '/': {value_negative,-1}",
    ],
    [[['x-expires', 'I', 0]], "invalid arg 'x-expires' for queue 'Q' in vhost '/': {value_zero,0}"],
    [
      [['x-max-length', 'S', 'ten']],
      `invalid arg 'x-max-length' for queue 'Q' in vhost '/': "expected integer, got longstr"`,
    ],
    [[['x-overflow', 'S', 'spill']], "invalid arg 'x-overflow' for queue 'Q' in vhost '/': invalid_overflow"],
    [
      [['x-dead-letter-routing-key', 'S', 'key']],
      "invalid arg 'x-dead-letter-routing-key' for queue 'Q' in vhost '/': routing_key_but_no_dlx_defined",
    ],
    [
      [['x-dead-letter-exchange', 'I', 1]],
      "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'Q' in vhost '/'",
    ],
    [
      [['x-queue-type', 'S', 'nonsense']],
      `invalid arg 'x-queue-type' for queue 'Q' in vhost '/': "unsupported queue type 'nonsense'"`,
    ],
    [
      [['x-delivery-limit', 'I', 5]],
      "invalid arg 'x-delivery-limit' for queue 'Q' in vhost '/' of queue type rabbit_classic_queue",
    ],
    [
      [
        ['x-queue-type', 'S', 'quorum'],
        ['x-max-length', 'I', -1],
      ],
      "invalid arg 'x-max-length' for queue 'Q' in vhost '/': {value_negative,-1}",
    ],
    [[['x-queue-type', 'S', 'quorum']], "invalid property 'non-durable' for queue 'Q' in vhost '/'"],
    [[['x-queue-type', 'S', 'stream']], "invalid property 'non-durable' for queue 'Q' in vhost '/'"],
  ] as const)('refuses %j, arguments before properties', (args, text) =>
    expectRefusal(
      'queue.declare',
      { queue, arguments: args },
      406,
      `PRECONDITION_FAILED - ${text.replace("'Q'", `'${queue}'`)}`,
    ),
  );

  it('refuses to invent a name for a type that must have one', () =>
    expectRefusal(
      'queue.declare',
      { queue: '', durable: true, arguments: [['x-queue-type', 'S', 'quorum']] },
      406,
      'PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue',
    ));

  it('says nothing when told so, but of an error', async () => {
    client.send(1, 'queue.declare', { queue, exclusive: true, noWait: true });
    client.send(1, 'queue.declare', { queue, passive: true, noWait: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    expect((await client.call(1, 'queue.declare', { queue, passive: true })).queue).toBe(queue);
    await expectRefusal(
      'queue.declare',
      { queue: 'nowhere', passive: true, noWait: true },
      404,
      "NOT_FOUND - no queue 'nowhere' in vhost '/'",
    );
  });
});

describe('the queue declared last', () => {
  it('is what an empty name means', async () => {
    const { queue: name } = await client.call(1, 'queue.declare', { exclusive: true });
    await client.call(1, 'queue.bind', { exchange: 'amq.direct' });
    client.publish(1, { exchange: 'amq.direct', routingKey: name! });
    await client.sync();
    expect((await client.get(1, '')).method.exchange).toBe('amq.direct');
    await client.call(1, 'queue.unbind', { exchange: 'amq.direct' });
    client.publish(1, { exchange: 'amq.direct', routingKey: name! });
    await client.sync();
    expect(await client.call(1, 'queue.purge')).toEqual({ messageCount: 0 });
    await client.call(1, 'basic.consume', { consumerTag: 'c' });
    await client.call(1, 'basic.cancel', { consumerTag: 'c' });
    await client.call(1, 'queue.delete');
  });

  it('is not the binding key of a queue that was named', async () => {
    const name = await declareQueue(client);
    await client.call(1, 'queue.bind', { queue: name, exchange: 'amq.direct' });
    client.publish(1, { exchange: 'amq.direct', routingKey: name });
    await client.sync();
    expect(await client.call(1, 'queue.purge')).toEqual({ messageCount: 0 });
  });

  it('is known to its channel only', async () => {
    await declareQueue(client);
    await client.openChannel(2);
    client.send(2, 'queue.purge');
    expect(await channelClose(client, 2)).toEqual(
      closeOf('queue.purge', 404, 'NOT_FOUND - no previously declared queue'),
    );
  });

  it.each(['queue.bind', 'queue.unbind', 'queue.purge', 'queue.delete', 'basic.get', 'basic.consume'])(
    'must be there for %s without a name',
    (method) => expectRefusal(method, {}, 404, 'NOT_FOUND - no previously declared queue'),
  );
});
