/** Consumer side of amqplib, direct reply-to, and what is left of a connection after an error. */
import { once } from 'node:events';
import type { Channel, ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { scratch, uniqueName } from './scratch.js';

const brokerUrl = useBroker();

describe('consuming with amqplib', () => {
  it('never has more deliveries unacked than the prefetch count', async () => {
    const connection = await connectAmqplib(brokerUrl());
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (let number = 0; number < 10; number++) channel.sendToQueue(queue, Buffer.from(String(number)));
    await channel.waitForConfirms();
    await channel.prefetch(3);
    const { messages } = await consume(channel, queue);
    const first = await messages.take(3);
    // The reply to this request comes after anything the broker had already sent to the consumer.
    expect((await channel.checkQueue(queue)).messageCount).toBe(7);
    expect(messages.pending).toBe(0);

    channel.ack(first[2]!, true);
    const next = await messages.take(3);
    expect(next.map(text)).toEqual(['3', '4', '5']);
    expect(next.map((message) => message.fields.deliveryTag)).toEqual([4, 5, 6]);
  });

  it('gets a nacked message again, in its place and marked as redelivered', async () => {
    const channel = await openChannel(brokerUrl());
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const body of ['first', 'second']) channel.sendToQueue(queue, Buffer.from(body));
    await channel.prefetch(1);
    const { messages } = await consume(channel, queue);
    const attempt = await messages.next();
    expect([text(attempt), attempt.fields.redelivered]).toEqual(['first', false]);
    channel.nack(attempt, false, true);
    const again = await messages.next();
    expect([text(again), again.fields.redelivered]).toEqual(['first', true]);
    channel.ack(again);
    const second = await messages.next();
    expect([text(second), second.fields.redelivered]).toEqual(['second', false]);
    channel.reject(second, false);
    expect(await channel.get(queue)).toBe(false);
  });

  it('requeues everything unacked on recover', async () => {
    const channel = await openChannel(brokerUrl());
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const body of ['first', 'second']) channel.sendToQueue(queue, Buffer.from(body));
    const { messages } = await consume(channel, queue);
    await messages.take(2);
    await channel.recover();
    const again = await messages.take(2);
    expect(again.map((message) => [text(message), message.fields.redelivered])).toEqual([
      ['first', true],
      ['second', true],
    ]);
    channel.ackAll();
  });

  it('stops after cancel: later messages stay in the queue', async () => {
    const channel = await openChannel(brokerUrl());
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const { messages, consumerTag } = await consume(channel, queue, { noAck: true });
    expect(consumerTag).toMatch(/^amq\.ctag-/);
    channel.sendToQueue(queue, Buffer.from('before'));
    expect(text(await messages.next())).toBe('before');
    await channel.cancel(consumerTag);
    channel.sendToQueue(queue, Buffer.from('after'));
    expect(text(await channel.get(queue, { noAck: true }))).toBe('after');
    expect(messages.pending).toBe(0);
  });

  it('is told when its queue is deleted', async () => {
    // https://www.rabbitmq.com/docs/consumer-cancel
    const queue = scratch(brokerUrl()).queue('doomed');
    const consuming = await openChannel(brokerUrl());
    await consuming.assertQueue(queue, { durable: false });
    const received = new Inbox<ConsumeMessage | null>();
    const { consumerTag } = await consuming.consume(queue, received.push, { consumerTag: 'the.consumer' });
    expect(consumerTag).toBe('the.consumer');
    const deleting = await openChannel(brokerUrl());
    await deleting.deleteQueue(queue);
    expect(await received.next()).toBeNull();
    // The channel lives on.
    await consuming.assertQueue('', { exclusive: true });
  });

  it('serves the consumer of higher priority first', async () => {
    const queue = scratch(brokerUrl()).queue('priorities');
    const channel = await openChannel(brokerUrl());
    await channel.assertQueue(queue, { durable: false });
    const low = await consume(channel, queue, { noAck: true });
    const high = await consume(channel, queue, { noAck: true, priority: 10 });
    for (let number = 0; number < 5; number++) channel.sendToQueue(queue, Buffer.from(String(number)));
    expect((await high.messages.take(5)).map(text)).toEqual(['0', '1', '2', '3', '4']);
    expect(low.messages.pending).toBe(0);
  });

  it('gets messages one by one with basic.get', async () => {
    const channel = await openChannel(brokerUrl());
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
    const message = await channel.get(queue);
    expect(text(message)).toBe('a');
    expect(message).toMatchObject({
      fields: { messageCount: 2, redelivered: false, exchange: '', routingKey: queue },
    });
    expect(await channel.purgeQueue(queue)).toEqual({ messageCount: 2 });
    expect(await channel.get(queue)).toBe(false);
  });
});

describe('direct reply-to with amqplib', () => {
  it('carries replies without a reply queue', async () => {
    // https://www.rabbitmq.com/docs/direct-reply-to
    const rpcQueue = scratch(brokerUrl()).queue('rpc');
    const serving = await openChannel(brokerUrl());
    await serving.assertQueue(rpcQueue, { durable: false });
    const { messages: requests } = await consume(serving, rpcQueue, { noAck: true });

    const calling = await openChannel(brokerUrl());
    const { messages: replies } = await consume(calling, 'amq.rabbitmq.reply-to', { noAck: true });
    for (const correlationId of ['one', 'two']) {
      const options = { correlationId, replyTo: 'amq.rabbitmq.reply-to' };
      calling.sendToQueue(rpcQueue, Buffer.from(correlationId), options);
    }
    for (const request of await requests.take(2)) {
      const { replyTo, correlationId } = request.properties;
      expect(replyTo).toMatch(/^amq\.rabbitmq\.reply-to\../);
      serving.publish('', replyTo, Buffer.from(`reply to ${text(request)}`), { correlationId });
    }
    const received = await replies.take(2);
    expect(received.map((reply) => [reply.properties.correlationId, text(reply)])).toEqual([
      ['one', 'reply to one'],
      ['two', 'reply to two'],
    ]);
  });

  it('refuses a request whose channel does not consume replies', async () => {
    const channel = await openChannel(brokerUrl());
    const failed = channelError(channel);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    channel.sendToQueue(queue, Buffer.from('request'), { replyTo: 'amq.rabbitmq.reply-to' });
    expect((await failed).message).toContain('PRECONDITION_FAILED - fast reply consumer does not exist');
  });
});

describe('errors with amqplib', () => {
  it('closes only the channel that looked for a queue that is not there', async () => {
    const connection = await connectAmqplib(brokerUrl());
    const channel = await connection.createChannel();
    const failed = channelError(channel);
    const queue = uniqueName('missing');
    await expect(channel.checkQueue(queue)).rejects.toMatchObject({ code: 404, classId: 50, methodId: 10 });
    expect((await failed).message).toContain(`NOT_FOUND - no queue '${queue}' in vhost '/'`);
    await expectUsable(await connection.createChannel());
  });

  it('closes only the channel that declared a queue again with other properties', async () => {
    const queue = scratch(brokerUrl()).queue('inequivalent');
    const connection = await connectAmqplib(brokerUrl());
    const bystander = await connection.createChannel();
    const channel = await connection.createChannel();
    const failed = channelError(channel);
    await channel.assertQueue(queue, { durable: false });
    await expect(channel.assertQueue(queue, { durable: true })).rejects.toMatchObject({ code: 406 });
    expect((await failed).message).toContain(
      `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${queue}' in vhost '/': ` +
        `received 'true' but current is 'false'`,
    );
    await expectUsable(bystander);
    await expectUsable(await connection.createChannel());
  });

  it('closes the channel that published to an exchange that is not there', async () => {
    const connection = await connectAmqplib(brokerUrl());
    const channel = await connection.createChannel();
    const failed = channelError(channel);
    const exchange = uniqueName('missing');
    channel.publish(exchange, 'key', Buffer.from('lost'));
    expect((await failed).message).toContain(`NOT_FOUND - no exchange '${exchange}' in vhost '/'`);
    await expectUsable(await connection.createChannel());
  });

  it('closes the channel that acked an unknown delivery tag', async () => {
    const connection = await connectAmqplib(brokerUrl());
    const channel = await connection.createChannel();
    const failed = channelError(channel);
    channel.ack({ fields: { deliveryTag: 42 } } as ConsumeMessage);
    expect((await failed).message).toContain('PRECONDITION_FAILED - unknown delivery tag 42');
    await expectUsable(await connection.createChannel());
  });

  it('keeps others away from an exclusive queue', async () => {
    const owner = await openChannel(brokerUrl());
    const { queue } = await owner.assertQueue(uniqueName('mine'), { exclusive: true });
    const connection = await connectAmqplib(brokerUrl());
    const stranger = await connection.createChannel();
    const failed = channelError(stranger);
    await expect(stranger.checkQueue(queue)).rejects.toMatchObject({ code: 405 });
    expect((await failed).message).toContain(
      'RESOURCE_LOCKED - cannot obtain exclusive access to locked queue',
    );
    await expectUsable(await connection.createChannel());
  });

  it('refuses a wrong password', async () => {
    const url = new URL(brokerUrl());
    url.password = 'wrong';
    await expect(connectAmqplib(url.href)).rejects.toThrow('ACCESS-REFUSED');
  });

  it('refuses a virtual host that does not exist', async () => {
    const vhost = uniqueName('vhost');
    await expect(connectAmqplib(`${brokerUrl()}/${vhost}`)).rejects.toThrow('ConnectionClose');
  });
});

describe('closing with amqplib', () => {
  it('closes a connection with open channels, which frees its exclusive queues', async () => {
    const connection = await connectAmqplib(brokerUrl());
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue(uniqueName('exclusive'), { exclusive: true });
    const closed = once(connection, 'close');
    await connection.close();
    await closed;

    const successor = await openChannel(brokerUrl());
    expect((await successor.assertQueue(queue, { exclusive: true })).messageCount).toBe(0);
  });

  it('opens many channels on one connection and closes each', async () => {
    const connection = await connectAmqplib(brokerUrl());
    const channels = await Promise.all(Array.from({ length: 50 }, () => connection.createChannel()));
    await Promise.all(channels.map((channel) => channel.close()));
    await expectUsable(await connection.createChannel());
  });

  it('tells who the broker is', async () => {
    // Clients branch on the product and the version.
    const connection = await connectAmqplib(brokerUrl());
    expect(connection.connection.serverProperties).toMatchObject({
      product: 'RabbitMQ',
      version: expect.stringMatching(/^\d+\.\d+/),
      capabilities: {
        publisher_confirms: true,
        exchange_exchange_bindings: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        'connection.blocked': true,
        authentication_failure_close: true,
        per_consumer_qos: true,
        direct_reply_to: true,
      },
    });
  });
});

/** amqplib reports the broker's reason for closing a channel as an event, apart from the failing call. */
function channelError(channel: Channel): Promise<Error> {
  return new Promise((resolve) => channel.once('error', resolve));
}

async function expectUsable(channel: Channel): Promise<void> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  channel.sendToQueue(queue, Buffer.from('still here'));
  expect(text(await channel.get(queue, { noAck: true }))).toBe('still here');
}
