import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Table } from '../../conformance/wire/raw-codec.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import {
  byGeneration,
  channelClose,
  closeOf,
  connectionClose,
  countsOf,
  declareQueue,
  IS_ORACLE,
  publishTo,
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

const publish = (count: number, to = queue): Promise<void> => publishTo(client, to, count);

async function bodies(count: number, channel = 1, of = client): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) found.push(String((await of.delivery(channel)).body));
  return found;
}

async function expectNothing(channel = 1): Promise<void> {
  await countsOf(client, queue);
  await client.sync(channel);
  expect(client.pendingFrames(channel)).toEqual([]);
}

async function expectRefusal(fields: Fields, code: number, text: string): Promise<void> {
  client.send(1, 'basic.consume', { queue, ...fields });
  expect(await channelClose(client)).toEqual(closeOf('basic.consume', code, text));
}

describe('basic.consume', () => {
  it('delivers in order, what is there and what comes', async () => {
    await publish(2);
    expect(await client.call(1, 'basic.consume', { queue, consumerTag: 'c' })).toEqual({ consumerTag: 'c' });
    client.publish(1, { routingKey: queue, body: '3' });
    const first = await client.delivery();
    expect(first.method).toEqual({
      consumerTag: 'c',
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
    });
    expect([String(first.body), ...(await bodies(2))]).toEqual(['1', '2', '3']);
  });

  it('invents a tag', async () => {
    const { consumerTag } = await client.call(1, 'basic.consume', { queue });
    expect(consumerTag).toMatch(/^amq\.ctag-[A-Za-z0-9_-]{22}$/);
  });

  it('takes tags that look like the broker’s, and the same tag on another channel', async () => {
    await client.call(1, 'basic.consume', { queue, consumerTag: 'amq.ctag-mine' });
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue, consumerTag: 'amq.ctag-mine' });
  });

  it('refuses a tag that is in use on the channel, and ends the connection', async () => {
    await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
    client.send(1, 'basic.consume', { queue: 'nowhere', consumerTag: 'c' });
    expect(await connectionClose(client)).toEqual(
      closeOf('basic.consume', 530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'"),
    );
  });

  it('refuses a queue that is not there', () =>
    expectRefusal({ queue: 'nowhere' }, 404, "NOT_FOUND - no queue 'nowhere' in vhost '/'"));

  it.each([
    [
      ['x-priority', 'S', 'high'],
      `invalid arg 'x-priority' for queue 'Q' in vhost '/': "expected integer, got longstr"`,
    ],
    [
      ['x-stream-offset', 'S', 'first'],
      "invalid arg 'x-stream-offset' for queue 'Q' in vhost '/' of queue type rabbit_classic_queue",
    ],
  ] as const)('refuses the argument %j', (entry, text) =>
    expectRefusal({ arguments: [entry] }, 406, `PRECONDITION_FAILED - ${text.replace("'Q'", `'${queue}'`)}`),
  );

  it('ignores no-local and unknown arguments', async () => {
    await client.call(1, 'basic.consume', { queue, noLocal: true, arguments: [['x-none', 'I', 1]] });
    await publish(1);
    expect(await bodies(1)).toEqual(['1']);
  });

  it('says nothing when told so, and an error is one', async () => {
    client.send(1, 'basic.consume', { queue, consumerTag: 'c', noWait: true });
    await publish(1);
    expect((await client.delivery()).method.consumerTag).toBe('c');
    await expectRefusal(
      { queue: 'nowhere', noWait: true },
      404,
      "NOT_FOUND - no queue 'nowhere' in vhost '/'",
    );
  });

  it('needs no acknowledgement when told so', async () => {
    await client.call(1, 'basic.consume', { queue, noAck: true });
    await publish(2);
    const { method } = await client.delivery();
    await client.delivery();
    client.send(1, 'basic.ack', { deliveryTag: method.deliveryTag! });
    expect(await channelClose(client)).toEqual(
      closeOf('basic.ack', 406, 'PRECONDITION_FAILED - unknown delivery tag 1'),
    );
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 0 });
  });

  it('serves consumers in turn', async () => {
    for (const consumerTag of ['a', 'b', 'c']) await client.call(1, 'basic.consume', { queue, consumerTag });
    await publish(6);
    const tags: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) tags.push((await client.delivery()).method.consumerTag);
    expect(tags).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });
});

describe('basic.cancel', () => {
  it('ends deliveries, and leaves unacked ones to be settled', async () => {
    await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
    await publish(1);
    await client.delivery();
    expect(await client.call(1, 'basic.cancel', { consumerTag: 'c' })).toEqual({ consumerTag: 'c' });
    await publish(1);
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect(await client.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
      messageCount: 1,
      consumerCount: 0,
    });
  });

  it('of an unknown tag succeeds', async () => {
    expect(await client.call(1, 'basic.cancel', { consumerTag: 'nobody' })).toEqual({
      consumerTag: 'nobody',
    });
  });

  // 3.10 ends the connection of a client that answers a cancel, which wants no answer.
  it.each(byGeneration(['basic.cancel', 'basic.cancel-ok'], ['basic.cancel']))(
    'by %s says nothing',
    async (method) => {
      await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
      client.send(1, method, { consumerTag: 'a', noWait: true });
      await client.sync();
      expect(client.pendingFrames(1)).toEqual([]);
      expect(await client.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
        consumerCount: 0,
      });
    },
  );

  it('frees the tag', async () => {
    await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
    await client.call(1, 'basic.cancel', { consumerTag: 'c' });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  });
});

describe('a consumer whose queue goes', () => {
  const noCapability: Table = [['capabilities', 'F', []]];

  it('is told', async () => {
    const shared = uniqueName('shared');
    const other = await target.openChannel();
    await other.call(1, 'queue.declare', { queue: shared });
    await other.call(1, 'basic.consume', { queue: shared, consumerTag: 'c' });
    await client.call(1, 'queue.delete', { queue: shared });
    expect(await other.method(1, 'basic.cancel')).toEqual({ consumerTag: 'c', noWait: true });
    await other.call(1, 'queue.declare', { queue: shared, exclusive: true });
    await other.call(1, 'basic.consume', { queue: shared, consumerTag: 'c' });
  });

  it('is not told when the client does not say that it understands', async () => {
    const shared = uniqueName('shared');
    const other = await target.openChannel({ clientProperties: noCapability });
    await other.call(1, 'queue.declare', { queue: shared });
    await other.call(1, 'basic.consume', { queue: shared, consumerTag: 'c' });
    await client.call(1, 'queue.delete', { queue: shared });
    await other.call(1, 'queue.delete', { queue: shared });
    await other.sync();
    expect(other.pendingFrames(1)).toEqual([]);
  });
});

describe('a single active consumer', () => {
  const args: Table = [['x-single-active-consumer', 't', true]];
  beforeEach(async () => {
    queue = uniqueName('sac');
    await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: args });
  });

  it('is the first, then the next, and is not disturbed', async () => {
    await client.call(1, 'basic.consume', { queue, consumerTag: 'first' });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'second' });
    await client.call(1, 'basic.consume', {
      queue,
      consumerTag: 'third',
      arguments: [['x-priority', 'I', 9]],
    });
    await publish(2);
    for (let i = 0; i < 2; i++) expect((await client.delivery()).method.consumerTag).toBe('first');
    await client.call(1, 'basic.cancel', { consumerTag: 'first' });
    await publish(1);
    expect((await client.delivery()).method.consumerTag).toBe('third');
    await client.call(1, 'basic.cancel', { consumerTag: 'third' });
    await publish(1);
    expect((await client.delivery()).method.consumerTag).toBe('second');
  });

  it('keeps the others waiting when it is full', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'first' });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'second' });
    await publish(3);
    expect(await bodies(1)).toEqual(['1']);
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect((await client.delivery()).method.consumerTag).toBe('first');
  });

  it('is not to be had exclusively', () =>
    expectRefusal(
      { exclusive: true },
      403,
      `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`,
    ));

  it('leaves basic.get alone', async () => {
    await publish(1);
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await client.call(1, 'basic.consume', { queue });
    await publish(1);
    await bodies(1);
    expect(String((await client.get(1, queue)).body)).toBe('1');
  });
});

describe('an exclusive consumer', () => {
  const inUse = (): string => `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`;

  it('keeps all others out', async () => {
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue, exclusive: true, consumerTag: 'c' });
    await expectRefusal({}, 403, inUse());
    await expectRefusal({ exclusive: true }, 403, inUse());
    await client.call(2, 'basic.cancel', { consumerTag: 'c' });
    await client.call(1, 'basic.consume', { queue, exclusive: true });
  });

  it('cannot join others', async () => {
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue });
    await expectRefusal({ exclusive: true }, 403, inUse());
  });
});

describe('a stream’s arguments and those of later versions', () => {
  it.each(byGeneration(['x-stream-filter', 'x-stream-match-unfiltered'], []))('%s is refused', (key) =>
    expectRefusal(
      { arguments: [[key, 'S', 'x']] },
      406,
      `PRECONDITION_FAILED - invalid arg '${key}' for queue '${queue}' in vhost '/' of queue type rabbit_classic_queue`,
    ),
  );

  it.skipIf(IS_ORACLE)('x-credit is unknown', async () => {
    await client.call(1, 'basic.consume', { queue, arguments: [['x-credit', 'F', [['credit', 'I', 0]]]] });
    await publish(1);
    expect(await bodies(1)).toEqual(['1']);
  });
});
