import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { byGeneration, channelClose, closeOf, connectionClose, declareQueue, Target } from './target.js';

const REPLY_TO = 'amq.rabbitmq.reply-to';

let target: Target;
let requester: RawClient;
let responder: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  requester = await target.openChannel();
  responder = await target.openChannel();
  queue = await declareQueue(responder);
});
afterEach(() => target.close());

/** Sends a request, and returns the address its receiver finds in it. */
async function request(): Promise<string> {
  requester.publish(1, { routingKey: queue, properties: { replyTo: REPLY_TO }, body: 'question' });
  await requester.sync();
  return (await responder.get(1, queue)).properties.replyTo!;
}

describe('direct reply-to', () => {
  it('brings replies to the channel that asked', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, consumerTag: 'c', noAck: true });
    const address = await request();
    expect(address).toMatch(/^amq\.rabbitmq\.reply-to\..+/);
    expect(await request()).toBe(address);
    responder.publish(1, { routingKey: address, properties: { correlationId: '7' }, body: 'answer' });
    responder.publish(1, { routingKey: address, body: 'another' });
    const reply = await requester.delivery();
    expect(reply.method).toEqual({
      consumerTag: 'c',
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: address,
    });
    expect([String(reply.body), reply.properties.correlationId]).toEqual(['answer', '7']);
    // Until 4.1 replies did not count.
    expect((await requester.delivery()).method.deliveryTag).toBe(byGeneration(2, 1));
  });

  it('gives each channel an address of its own, which outlives no consumer', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, consumerTag: 'c', noAck: true });
    const first = await request();
    await requester.call(1, 'basic.cancel', { consumerTag: 'c' });
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    const second = await request();
    expect(second).not.toBe(first);
    responder.publish(1, { routingKey: first, body: 'too late' });
    responder.publish(1, { routingKey: second, body: 'in time' });
    expect(String((await requester.delivery()).body)).toBe('in time');
  });

  it('invents a tag', async () => {
    const { consumerTag } = await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    expect(consumerTag).toMatch(/^amq\.ctag-[A-Za-z0-9_-]{22}$/);
  });

  it('refuses acknowledgements', async () => {
    requester.send(1, 'basic.consume', { queue: REPLY_TO });
    expect(await channelClose(requester)).toEqual(
      closeOf('basic.consume', 406, 'PRECONDITION_FAILED - reply consumer cannot acknowledge'),
    );
  });

  it('refuses a second consumer on the channel', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    requester.send(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    expect(await channelClose(requester)).toEqual(
      closeOf('basic.consume', 406, 'PRECONDITION_FAILED - reply consumer already set'),
    );
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
  });

  it('takes no tag from the other consumers of the channel', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, consumerTag: 'c', noAck: true });
    const own = await declareQueue(requester);
    await requester.call(1, 'basic.consume', { queue: own, consumerTag: 'c' });
    await requester.call(1, 'basic.cancel', { consumerTag: 'c' });
    // The first to go was the reply consumer.
    expect(await requester.call(1, 'queue.declare', { queue: own, passive: true })).toMatchObject({
      consumerCount: 1,
    });
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, consumerTag: 'd', noAck: true });
  });

  it('is not held back by a prefetch', async () => {
    const own = await declareQueue(requester);
    await requester.call(1, 'basic.qos', { prefetchCount: 1, global: true });
    await requester.call(1, 'basic.consume', { queue: own });
    requester.publish(1, { routingKey: own, body: 'one' });
    await requester.delivery();
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    responder.publish(1, { routingKey: await request(), body: 'answer' });
    expect(String((await requester.delivery()).body)).toBe('answer');
  });

  it('refuses a tag that another consumer of the channel has', async () => {
    const own = await declareQueue(requester);
    await requester.call(1, 'basic.consume', { queue: own, consumerTag: 'c' });
    requester.send(1, 'basic.consume', { queue: REPLY_TO, consumerTag: 'c', noAck: true });
    expect(await connectionClose(requester)).toEqual(
      closeOf('basic.consume', 530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'"),
    );
  });

  it('tells by queue.declare whether the requester is still there', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, consumerTag: 'c', noAck: true });
    const address = await request();
    const alive = { messageCount: 0, consumerCount: 1 };
    expect(await responder.call(1, 'queue.declare', { queue: address })).toEqual({
      queue: address,
      ...alive,
    });
    expect(await responder.call(1, 'queue.declare', { queue: REPLY_TO, passive: true })).toEqual({
      queue: REPLY_TO,
      ...alive,
    });
    // It is the queue declared last, as any other.
    await responder.call(1, 'basic.consume', { queue: '', noAck: true });
    await requester.call(1, 'basic.cancel', { consumerTag: 'c' });
    for (const queue of [`${REPLY_TO}.`, `${REPLY_TO}ly`]) {
      responder.send(1, 'queue.declare', { queue });
      expect(await channelClose(responder)).toEqual(
        closeOf('queue.declare', 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`),
      );
    }
    responder.send(1, 'queue.declare', { queue: address, passive: true });
    expect(await channelClose(responder)).toEqual(
      closeOf('queue.declare', 404, `NOT_FOUND - no queue '${address}' in vhost '/'`),
    );
  });

  it('ends with the channel', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    const address = await request();
    await requester.call(1, 'channel.close');
    responder.send(1, 'queue.declare', { queue: address, passive: true });
    expect(await channelClose(responder)).toMatchObject({ replyCode: 404 });
  });

  it('confirms replies, and counts them as routed since 4.2', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    const address = await request();
    await responder.call(1, 'confirm.select');
    responder.publish(1, { routingKey: address, mandatory: true });
    if (byGeneration(false, true)) await responder.message(1, 'basic.return');
    expect(await responder.method(1, 'basic.ack')).toMatchObject({ deliveryTag: 1 });
    await requester.delivery();
  });

  it('counts a reply as routed though its requester is gone, since 4.2', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    const address = await request();
    await requester.call(1, 'channel.close');
    await responder.call(1, 'confirm.select');
    responder.publish(1, { routingKey: address, mandatory: true });
    if (byGeneration(false, true)) await responder.message(1, 'basic.return');
    expect(await responder.anyMethod(1)).toMatchObject({ name: 'basic.ack' });
  });

  it('is no queue that others can consume from, get from or purge', async () => {
    await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
    const address = await request();
    for (const method of ['basic.consume', 'basic.get', 'queue.purge', 'queue.bind']) {
      responder.send(1, method, { queue: address, exchange: 'amq.direct', noAck: true });
      expect(await channelClose(responder)).toEqual(
        closeOf(method, 404, `NOT_FOUND - no queue '${address}' in vhost '/'`),
      );
    }
  });
});
