import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../helpers/raw-client.js';
import type { Fields } from '../helpers/raw-codec.js';
import { channelClose, closeOf, declareQueue, IS_ORACLE, Target, uniqueName } from './target.js';

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

const locked = (name: string): string =>
  `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be ` +
  'originally declared on another connection or the exclusive property value does not match that of the original declaration.';

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
    ['x-dead-letter-exchange', { arguments: [] }, "received none but current is the value 'dlx' of type 'longstr'"],
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
    [[['x-message-ttl', 'I', -1]], "invalid arg 'x-message-ttl' for queue 'Q' in vhost '/': {value_negative,-1}"],
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

describe('queue.bind', () => {
  it('binds once, however the arguments are ordered', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const binding = { queue, exchange: 'amq.direct', routingKey: queue };
    const a = ['a', 'I', 1] as const;
    const b = ['b', 'S', 'x'] as const;
    await client.call(1, 'queue.bind', { ...binding, arguments: [a, b] });
    await client.call(1, 'queue.bind', { ...binding, arguments: [b, a] });
    client.publish(1, { exchange: 'amq.direct', routingKey: queue });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
    await client.call(1, 'queue.unbind', { ...binding, arguments: [b, a] });
    client.publish(1, { exchange: 'amq.direct', routingKey: queue });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
  });

  it('with two keys delivers one copy of a message that matches both', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.call(1, 'queue.bind', { queue, exchange: 'amq.topic', routingKey: `${queue}.*` });
    await client.call(1, 'queue.bind', { queue, exchange: 'amq.topic', routingKey: `${queue}.#` });
    client.publish(1, { exchange: 'amq.topic', routingKey: `${queue}.x` });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
  });

  it.each(['queue.bind', 'queue.unbind'])('%s refuses the default exchange', async (method) => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await expectRefusal(
      method,
      { queue, exchange: '', routingKey: 'x' },
      403,
      'ACCESS_REFUSED - operation not permitted on the default exchange',
    );
  });

  it('refuses an exchange or a queue that is not there, the exchange first', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const noExchange = "NOT_FOUND - no exchange 'nowhere' in vhost '/'";
    await expectRefusal('queue.bind', { queue, exchange: 'nowhere' }, 404, noExchange);
    await expectRefusal('queue.bind', { queue: 'none', exchange: 'nowhere' }, 404, noExchange);
    await expectRefusal(
      'queue.bind',
      { queue: 'none', exchange: 'amq.direct' },
      404,
      "NOT_FOUND - no queue 'none' in vhost '/'",
    );
  });

  it('says nothing when told so', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    client.send(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: queue, noWait: true });
    client.publish(1, { exchange: 'amq.direct', routingKey: queue });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
  });

  it('and queue.unbind succeeds without a binding, a queue or an exchange', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.call(1, 'queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'never' });
    await client.call(1, 'queue.unbind', { queue: 'none', exchange: 'amq.direct' });
    await client.call(1, 'queue.unbind', { queue, exchange: 'nowhere' });
  });
});

describe('queue.purge', () => {
  it('drops what is ready, and leaves what is unacked', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    for (let i = 0; i < 3; i++) client.publish(1, { routingKey: queue });
    await client.sync();
    const { method } = await client.get(1, queue, false);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 2 });
    client.send(1, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: true });
    client.send(1, 'queue.purge', { queue, noWait: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
  });

  it('refuses what is not there', () =>
    expectRefusal('queue.purge', { queue: 'none' }, 404, "NOT_FOUND - no queue 'none' in vhost '/'"));
});

describe('queue.delete', () => {
  it('of what is not there succeeds', async () => {
    expect(await client.call(1, 'queue.delete', { queue })).toEqual({ messageCount: 0 });
  });

  it('counts what was ready', async () => {
    await client.call(1, 'queue.declare', { queue });
    for (let i = 0; i < 3; i++) client.publish(1, { routingKey: queue });
    await client.sync();
    const { method } = await client.get(1, queue, false);
    expect(await client.call(1, 'queue.delete', { queue })).toEqual({ messageCount: 2 });
    // What is still unacked may be settled, to no effect.
    client.send(1, 'basic.nack', { deliveryTag: method.deliveryTag!, requeue: true });
    await client.sync();
  });

  it('if empty, refuses a queue with messages, and before that it is not used', async () => {
    await client.call(1, 'queue.declare', { queue });
    await client.openChannel(2);
    await client.call(2, 'basic.qos', { prefetchCount: 1 });
    await client.call(2, 'basic.consume', { queue });
    for (let i = 0; i < 2; i++) client.publish(1, { routingKey: queue });
    await client.delivery(2);
    await client.sync();
    await expectRefusal(
      'queue.delete',
      { queue, ifEmpty: true, ifUnused: true },
      406,
      `PRECONDITION_FAILED - queue '${queue}' in vhost '/' not empty`,
    );
    await expectRefusal(
      'queue.delete',
      { queue, ifUnused: true },
      406,
      `PRECONDITION_FAILED - queue '${queue}' in vhost '/' in use`,
    );
    await client.call(1, 'queue.delete', { queue });
  });

  it('says nothing when told so', async () => {
    await client.call(1, 'queue.declare', { queue });
    client.send(1, 'queue.delete', { queue, noWait: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    await expectRefusal('queue.purge', { queue }, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`);
  });
});

describe('an exclusive queue', () => {
  it.each([
    ['queue.declare', { passive: true }],
    ['queue.declare', {}],
    ['queue.declare', { exclusive: true }],
    ['queue.bind', { exchange: 'amq.direct' }],
    ['queue.purge', {}],
    ['queue.delete', {}],
    ['basic.get', {}],
    ['basic.consume', {}],
  ] as const)('is locked for other connections: %s %o', async (method, fields) => {
    const owner = await target.openChannel();
    await owner.call(1, 'queue.declare', { queue, exclusive: true });
    await expectRefusal(method, { queue, ...fields }, 405, locked(queue));
  });

  it('can be used by all channels of its connection', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
  });

  it('cannot be declared as one that is not, nor the other way round', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    await expectRefusal('queue.declare', { queue }, 405, locked(queue));
    const shared = uniqueName('shared');
    await client.call(1, 'queue.declare', { queue: shared });
    await expectRefusal('queue.declare', { queue: shared, exclusive: true }, 405, locked(shared));
    await client.call(1, 'queue.delete', { queue: shared });
  });

  it('takes what others publish to it', async () => {
    await client.call(1, 'queue.declare', { queue, exclusive: true });
    const other = await target.openChannel();
    other.publish(1, { routingKey: queue, body: 'hello' });
    await other.sync();
    expect(String((await client.get(1, queue)).body)).toBe('hello');
  });
});

describe('an auto-delete queue', () => {
  beforeEach(() => client.call(1, 'queue.declare', { queue, autoDelete: true }));

  const gone = (): Promise<void> =>
    expectRefusal('queue.purge', { queue }, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`);

  it('stays until it was consumed from', async () => {
    client.publish(1, { routingKey: queue });
    await client.sync();
    await client.get(1, queue);
    await client.call(1, 'queue.purge', { queue });
    await client.call(1, 'queue.delete', { queue });
  });

  it('goes with its last consumer, before cancel-ok', async () => {
    for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
    await client.call(1, 'basic.cancel', { consumerTag: 'a' });
    await client.call(1, 'queue.purge', { queue });
    await client.call(1, 'basic.cancel', { consumerTag: 'b' });
    await gone();
  });

  it('goes when the channel of its last consumer closes', async () => {
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
    await client.call(2, 'channel.close');
    await gone();
  });

  it.skipIf(IS_ORACLE)('goes when the connection of its last consumer is lost', async () => {
    const other = await target.openChannel();
    await other.call(1, 'basic.consume', { queue });
    await other.call(0, 'connection.close');
    await gone();
  });
});
