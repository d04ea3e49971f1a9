import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import {
  channelClose,
  closeOf,
  connectionClose,
  declareQueue,
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

const publish = (count: number): Promise<void> => publishTo(client, queue, count);

/** The bodies of deliveries, with a `*` behind those that are redelivered. */
async function deliveries(count: number, channel = 1): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    const { body, method } = await client.delivery(channel);
    found.push(`${body}${method.redelivered === true ? '*' : ''}`);
  }
  return found;
}

/** The same of everything that is ready, taken out. */
async function ready(): Promise<string[]> {
  const found: string[] = [];
  await client.sync();
  let count = (await client.call(1, 'queue.declare', { queue, passive: true })).messageCount!;
  while (count-- > 0) {
    const { body, method } = await client.get(1, queue);
    found.push(`${body}${method.redelivered === true ? '*' : ''}`);
  }
  return found;
}

async function expectUnknown(tag: number, method: string): Promise<void> {
  expect(await channelClose(client)).toEqual(
    closeOf(method, 406, `PRECONDITION_FAILED - unknown delivery tag ${tag}`),
  );
}

describe('delivery tags', () => {
  it('count deliveries and gets of a channel, whether they want an acknowledgement or not', async () => {
    await publish(2);
    expect((await client.get(1, queue, true)).method.deliveryTag).toBe(1);
    expect((await client.get(1, queue, false)).method.deliveryTag).toBe(2);
    await client.call(1, 'basic.consume', { queue, noAck: true });
    await publish(1);
    expect((await client.delivery()).method.deliveryTag).toBe(3);
    await client.openChannel(2);
    client.publish(2, { routingKey: queue });
    expect((await client.delivery()).method.deliveryTag).toBe(4);
  });

  it.each(['basic.ack', 'basic.nack', 'basic.reject'])('are good for one %s', async (method) => {
    await publish(1);
    await client.get(1, queue, false);
    client.send(1, method, { deliveryTag: 1 });
    client.send(1, method, { deliveryTag: 1 });
    await expectUnknown(1, method);
  });

  it.each([
    ['basic.ack', { deliveryTag: 0 }],
    ['basic.ack', { deliveryTag: 2 }],
    ['basic.ack', { deliveryTag: 2, multiple: true }],
    ['basic.nack', { deliveryTag: 9_007_199_254_740_991, multiple: true }],
    ['basic.reject', { deliveryTag: 0 }],
  ])('that are not out are unknown: %s %o', async (method, fields) => {
    await publish(1);
    await client.get(1, queue, false);
    client.send(1, method, fields);
    await expectUnknown(fields.deliveryTag, method);
    expect(await ready()).toEqual(['1*']);
  });

  it('of another channel are unknown', async () => {
    await publish(1);
    await client.get(1, queue, false);
    await client.openChannel(2);
    client.send(2, 'basic.ack', { deliveryTag: 1 });
    expect(await channelClose(client, 2)).toEqual(
      closeOf('basic.ack', 406, 'PRECONDITION_FAILED - unknown delivery tag 1'),
    );
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await client.sync();
  });

  it('must be out themselves to settle those below', async () => {
    await publish(3);
    for (let i = 0; i < 3; i++) await client.get(1, queue, false);
    client.send(1, 'basic.ack', { deliveryTag: 2 });
    client.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
    await expectUnknown(2, 'basic.ack');
    expect(await ready()).toEqual(['1*', '3*']);
  });

  it('zero with multiple means all there are, also when there are none', async () => {
    await publish(3);
    client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    client.send(1, 'basic.nack', { deliveryTag: 0, multiple: true });
    for (let i = 0; i < 3; i++) await client.get(1, queue, false);
    client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    await client.sync();
    await client.call(1, 'channel.close');
    await client.openChannel(1);
    expect(await ready()).toEqual([]);
  });
});

describe('basic.get', () => {
  it('counts what is left, and says when there is nothing', async () => {
    await publish(2);
    expect((await client.get(1, queue)).method.messageCount).toBe(1);
    expect((await client.get(1, queue)).method.messageCount).toBe(0);
    client.send(1, 'basic.get', { queue });
    expect(await client.method(1, 'basic.get-empty')).toEqual({ clusterId: '' });
  });

  it('refuses a queue that is not there', async () => {
    client.send(1, 'basic.get', { queue: 'nowhere' });
    expect(await channelClose(client)).toEqual(
      closeOf('basic.get', 404, "NOT_FOUND - no queue 'nowhere' in vhost '/'"),
    );
  });
});

describe('what is returned', () => {
  it('goes back to its place, marked', async () => {
    await publish(5);
    for (let i = 0; i < 4; i++) await client.get(1, queue, false);
    for (const deliveryTag of [3, 1]) client.send(1, 'basic.nack', { deliveryTag, requeue: true });
    expect(await ready()).toEqual(['1*', '3*', '5']);
  });

  it('all at once keeps its order', async () => {
    await publish(5);
    for (let i = 0; i < 4; i++) await client.get(1, queue, false);
    client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: true });
    expect(await ready()).toEqual(['1*', '2*', '3*', '5']);
  });

  it('is delivered again, to the same consumer if there is no other', async () => {
    await client.call(1, 'basic.consume', { queue });
    await publish(2);
    expect(await deliveries(2)).toEqual(['1', '2']);
    client.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
    expect(await deliveries(1)).toEqual(['1*']);
    client.send(1, 'basic.ack', { deliveryTag: 3 });
    await client.sync();
  });

  it('not, is gone', async () => {
    await publish(3);
    for (let i = 0; i < 3; i++) await client.get(1, queue, false);
    client.send(1, 'basic.reject', { deliveryTag: 2, requeue: false });
    client.send(1, 'basic.nack', { deliveryTag: 3, multiple: true, requeue: false });
    expect(await ready()).toEqual([]);
  });

  it('not, is dead-lettered where that is configured', async () => {
    const source = uniqueName('source');
    await client.call(1, 'queue.declare', {
      queue: source,
      exclusive: true,
      arguments: [
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', queue],
      ],
    });
    client.publish(1, { routingKey: source, body: 'dead', properties: { messageId: 'm' } });
    await client.sync();
    await client.get(1, source, false);
    client.send(1, 'basic.reject', { deliveryTag: 1 });
    await client.call(1, 'queue.declare', { queue: source, passive: true });
    await client.sync();
    const { method, properties, body } = await client.get(1, queue);
    expect([String(body), properties.messageId, method.redelivered]).toEqual(['dead', 'm', false]);
    const headers = new Map(properties.headers!.map(([key, , value]) => [key, value]));
    expect(headers.get('x-first-death-queue')).toBe(source);
    expect(headers.get('x-first-death-reason')).toBe('rejected');
    expect(headers.get('x-first-death-exchange')).toBe('');
  });

  it('by the end of a channel is marked, what was never delivered is not', async () => {
    await client.openChannel(2);
    await client.call(2, 'basic.qos', { prefetchCount: 2 });
    await client.call(2, 'basic.consume', { queue });
    await publish(3);
    expect(await deliveries(2, 2)).toEqual(['1', '2']);
    await client.call(2, 'channel.close');
    expect(await ready()).toEqual(['1*', '2*', '3']);
  });
});

describe('basic.recover', () => {
  it('delivers what is unacked again, and answers', async () => {
    await client.call(1, 'basic.consume', { queue });
    await publish(2);
    await deliveries(2);
    client.send(1, 'basic.recover', { requeue: true });
    const frames: string[] = [];
    while (frames.length < 3) {
      const { name, fields } = await client.anyMethod(1);
      frames.push(name === 'basic.deliver' ? `${fields.deliveryTag}${fields.redelivered}` : name);
      if (name !== 'basic.deliver') continue;
      await client.nextFrame(1);
      await client.nextFrame(1);
    }
    expect(frames.filter((frame) => frame !== 'basic.recover-ok')).toEqual(['3true', '4true']);
    expect(frames).toContain('basic.recover-ok');
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await expectUnknown(1, 'basic.ack');
  });

  it('asynchronously does not answer', async () => {
    await publish(2);
    for (let i = 0; i < 2; i++) await client.get(1, queue, false);
    client.send(1, 'basic.recover-async', { requeue: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    expect(await ready()).toEqual(['1*', '2*']);
  });

  it.each(['basic.recover', 'basic.recover-async'])('%s cannot but requeue', async (method) => {
    client.send(1, method, { requeue: false });
    expect(await connectionClose(client)).toEqual(closeOf(method, 540, 'NOT_IMPLEMENTED - requeue=false'));
  });

  it('returns what was taken by get, too', async () => {
    await publish(1);
    await client.get(1, queue, false);
    await client.call(1, 'basic.recover', { requeue: true });
    expect(await ready()).toEqual(['1*']);
  });
});

describe('several deliveries settled at once', () => {
  /** Deliveries as `tag:body`, in the order of the tags. */
  async function taken(count: number): Promise<string[]> {
    const found: string[] = [];
    for (let i = 0; i < count; i++) {
      const { method, body } = await client.delivery(1);
      found.push(`${method.consumerTag}:${body}`);
    }
    return found.sort();
  }

  it('go back consumer by consumer, and the queue hands out in between', async () => {
    await publish(5);
    await client.call(1, 'basic.qos', { prefetchCount: 3 });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
    expect(await taken(3)).toEqual(['a:1', 'a:2', 'a:3']);
    await client.call(1, 'basic.consume', { queue, consumerTag: 'b' });
    expect(await taken(2)).toEqual(['b:4', 'b:5']);
    client.send(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
    expect(await taken(5)).toEqual(['a:2', 'a:3', 'a:4', 'b:1', 'b:5']);
  });

  it('die in the order of their consumer tags, those of basic.get first', async () => {
    const grave = await declareQueue(client);
    const work = await declareQueue(client, {
      arguments: [
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', grave],
      ],
    });
    await publishTo(client, work, 3);
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await client.call(1, 'basic.consume', { queue: work, consumerTag: 'b' });
    expect(await taken(1)).toEqual(['b:1']);
    await client.call(1, 'basic.consume', { queue: work, consumerTag: 'a' });
    expect(await taken(1)).toEqual(['a:2']);
    await client.get(1, work, false);
    await client.openChannel(2);
    await client.call(2, 'basic.consume', { queue: grave, noAck: true });
    client.send(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: false });
    expect(await deliveries(3, 2)).toEqual(['3', '2', '1']);
  });

  it('come back when what was due before has been handed out', async () => {
    await publish(4);
    await client.call(1, 'basic.qos', { prefetchCount: 2 });
    await client.call(1, 'basic.consume', { queue });
    expect(await deliveries(2)).toEqual(['1', '2']);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    client.send(1, 'basic.nack', { deliveryTag: 2, requeue: true });
    expect(await deliveries(2)).toEqual(['3', '2*']);
  });

  it('let consumers go on one after the other', async () => {
    await publish(4);
    await client.call(1, 'basic.qos', { prefetchCount: 2 });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'b' });
    expect(await taken(2)).toEqual(['b:1', 'b:2']);
    await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
    expect(await taken(2)).toEqual(['a:3', 'a:4']);
    await publish(4);
    client.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    expect(await taken(4)).toEqual(['a:1', 'a:2', 'b:3', 'b:4']);
  });
});
