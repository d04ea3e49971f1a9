import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { closeOf, connectionClose, countsOf, declareQueue, publishTo, Target } from './target.js';

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

describe('prefetch', () => {
  it('limits each consumer by its own unacked deliveries', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 2 });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'c' });
    await publish(5);
    expect(await bodies(2)).toEqual(['1', '2']);
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect(await bodies(1)).toEqual(['3']);
    client.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
    expect(await bodies(2)).toEqual(['4', '5']);
  });

  it('counts for consumers that come, not for those that are there', async () => {
    await client.call(1, 'basic.consume', { queue, consumerTag: 'unlimited' });
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await publish(3);
    expect(await bodies(3)).toEqual(['1', '2', '3']);
    await client.call(1, 'basic.cancel', { consumerTag: 'unlimited' });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'limited' });
    await publish(3);
    expect(await bodies(1)).toEqual(['1']);
    await expectNothing();
  });

  it('does not limit consumers without acknowledgement, nor basic.get', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await publish(2);
    await client.get(1, queue, false);
    await client.get(1, queue, false);
    await client.call(1, 'basic.consume', { queue, noAck: true });
    await publish(3);
    expect(await bodies(3)).toEqual(['1', '2', '3']);
  });

  it('passes over consumers that are full', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'full' });
    await client.call(1, 'basic.qos', { prefetchCount: 0 });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'free' });
    await publish(4);
    const tags: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) tags.push((await client.delivery()).method.consumerTag);
    expect(tags).toEqual(['full', 'free', 'free', 'free']);
  });

  it('refuses a size', async () => {
    client.send(1, 'basic.qos', { prefetchSize: 1000, prefetchCount: 1 });
    expect(await connectionClose(client)).toEqual(
      closeOf('basic.qos', 540, 'NOT_IMPLEMENTED - prefetch_size!=0 (1000)'),
    );
  });
});

describe('global prefetch', () => {
  it('is shared by the consumers of the channel, those there included', async () => {
    const second = await declareQueue(client);
    await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
    await client.call(1, 'basic.consume', { queue: second, consumerTag: 'b' });
    await client.call(1, 'basic.qos', { prefetchCount: 2, global: true });
    await publish(2);
    await publish(2, second);
    expect(await bodies(2)).toEqual(['1', '2']);
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
    expect(await bodies(2)).toEqual(['1', '2']);
  });

  it('counts what basic.get has out', async () => {
    await publish(3);
    await client.get(1, queue, false);
    await client.call(1, 'basic.qos', { prefetchCount: 2, global: true });
    await client.call(1, 'basic.consume', { queue });
    expect(await bodies(1)).toEqual(['2']);
    await expectNothing();
    // RabbitMQ does not count the end of what basic.get took, so it is the consumer's delivery that makes room.
    client.send(1, 'basic.ack', { deliveryTag: 2 });
    expect(await bodies(1)).toEqual(['3']);
  });

  it('holds back consumers without acknowledgement while it is reached', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await client.call(1, 'basic.consume', { queue, consumerTag: 'a' });
    await publish(1);
    expect(await bodies(1)).toEqual(['1']);
    const second = await declareQueue(client);
    await client.call(1, 'basic.consume', { queue: second, consumerTag: 'b', noAck: true });
    await publish(2, second);
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect(await bodies(2)).toEqual(['1', '2']);
  });

  it('counts what a transaction settles until its commit', async () => {
    await client.call(1, 'tx.select');
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await client.call(1, 'basic.consume', { queue });
    await publish(2);
    expect(await bodies(1)).toEqual(['1']);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    await expectNothing();
    await client.call(1, 'tx.commit');
    expect(await bodies(1)).toEqual(['2']);
    client.send(1, 'basic.ack', { deliveryTag: 2 });
    await client.call(1, 'tx.rollback');
    await publish(1);
    await expectNothing();
  });

  it('lets its consumers go on in the order in which it held them back', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue, consumerTag });
    await publish(3);
    expect((await client.delivery()).method.consumerTag).toBe('a');
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect((await client.delivery()).method.consumerTag).toBe('b');
  });

  it('is lifted by zero', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await client.call(1, 'basic.consume', { queue });
    await publish(3);
    expect(await bodies(1)).toEqual(['1']);
    await client.call(1, 'basic.qos', { prefetchCount: 0, global: true });
    expect(await bodies(2)).toEqual(['2', '3']);
  });

  it('applies besides that of the consumer', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1 });
    await client.call(1, 'basic.qos', { prefetchCount: 3, global: true });
    await client.call(1, 'basic.consume', { queue });
    await publish(3);
    expect(await bodies(1)).toEqual(['1']);
    await expectNothing();
  });

  it('holds back consumers without acknowledgement while it is reached, and does not count them', async () => {
    const plain = await declareQueue(client);
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await client.call(1, 'basic.consume', { queue: plain, noAck: true });
    await client.call(1, 'basic.consume', { queue });
    await publish(3, plain);
    expect(await bodies(3)).toEqual(['1', '2', '3']);
    await publish(1);
    expect(await bodies(1)).toEqual(['1']);
    await publish(2, plain);
    await countsOf(client, plain);
    await expectNothing();
    client.send(1, 'basic.ack', { deliveryTag: 4 });
    expect(await bodies(2)).toEqual(['1', '2']);
  });

  it('does not hold back direct replies', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await client.call(1, 'basic.consume', { queue });
    await publish(1);
    expect(await bodies(1)).toEqual(['1']);
    await client.call(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true });
    const requests = await declareQueue(client);
    client.publish(1, { routingKey: requests, properties: { replyTo: 'amq.rabbitmq.reply-to' } });
    await client.sync();
    const { replyTo = '' } = (await client.get(1, requests)).properties;
    client.publish(1, { routingKey: replyTo, body: 'reply' });
    expect(await bodies(1)).toEqual(['reply']);
  });

  it('goes on when a delivery is rejected or requeued', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await client.call(1, 'basic.consume', { queue });
    await publish(2);
    expect(await bodies(1)).toEqual(['1']);
    client.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
    expect(await bodies(1)).toEqual(['1']);
    client.send(1, 'basic.reject', { deliveryTag: 2 });
    expect(await bodies(1)).toEqual(['2']);
  });
});

describe('consumer priorities', () => {
  const consume = (consumerTag: string, priority: number): Promise<Fields> =>
    client.call(1, 'basic.consume', { queue, consumerTag, arguments: [['x-priority', 'I', priority]] });

  it('serve the highest while it can take more', async () => {
    await client.call(1, 'basic.qos', { prefetchCount: 2 });
    await consume('low', -1);
    await client.call(1, 'basic.consume', { queue, consumerTag: 'default' });
    await consume('high', 10);
    await publish(6);
    const tags: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) tags.push((await client.delivery()).method.consumerTag);
    expect(tags).toEqual(['high', 'high', 'default', 'default', 'low', 'low']);
    await publish(2);
    client.send(1, 'basic.ack', { deliveryTag: 1 });
    expect((await client.delivery()).method.consumerTag).toBe('high');
  });
});
