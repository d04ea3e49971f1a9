/** @cloudamqp/amqp-client: the low-level TypeScript client. */
import { randomBytes } from 'node:crypto';
import { AMQPClient, type AMQPMessage, type AMQPProperties } from '@cloudamqp/amqp-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { scratch, uniqueName } from './scratch.js';

const brokerUrl = useBroker();

describe('@cloudamqp/amqp-client', () => {
  it('publishes and consumes, with the properties of the message', async () => {
    const channel = await openChannel();
    const { name: queue } = await channel.queueDeclare('', { exclusive: true });
    const messages = new Inbox<AMQPMessage>();
    const consumer = await channel.basicConsume(queue, { noAck: true }, messages.push);
    const properties: AMQPProperties = {
      contentType: 'text/plain',
      contentEncoding: 'identity',
      headers: {
        text: 'grüße',
        number: 7,
        yes: true,
        list: [1, 'two'],
        table: { nested: 'value' },
        nothing: null,
      },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'correlation',
      replyTo: 'somewhere',
      expiration: '600000',
      messageId: 'message',
      timestamp: new Date(1_700_000_000_000),
      type: 'type',
      userId: 'guest',
      appId: 'app',
    };
    await channel.basicPublish('', queue, 'hello', properties);
    const message = await messages.next();
    expect(message.bodyString()).toBe('hello');
    expect(message).toMatchObject({ exchange: '', routingKey: queue, redelivered: false, deliveryTag: 1 });
    expect(message.consumerTag).toBe(consumer.tag);
    expect(message.properties).toEqual(properties);
    await consumer.cancel();
    await consumer.wait();
  });

  it('resolves a publish with its sequence number once it is confirmed', async () => {
    const queue = scratch(brokerUrl()).queue('confirmed');
    const channel = await openChannel();
    await channel.queueDeclare(queue, { durable: true });
    await channel.confirmSelect();
    const numbers = Array.from({ length: 100 }, (_, index) => index + 1);
    const publish = (number: number) =>
      channel.basicPublish('', queue, `message ${number}`, { deliveryMode: 2 });
    expect(await Promise.all(numbers.map(publish))).toEqual(numbers);
    expect(await channel.queueDeclare(queue, { passive: true })).toMatchObject({ messageCount: 100 });
  });

  it('hands a returned message to onReturn', async () => {
    const channel = await openChannel();
    await channel.confirmSelect();
    const returned = new Inbox<AMQPMessage>();
    channel.onReturn = returned.push;
    const routingKey = uniqueName('missing');
    await channel.basicPublish('', routingKey, 'come back', { messageId: 'm-1' }, true);
    const message = await returned.next();
    expect(message).toMatchObject({ replyCode: 312, replyText: 'NO_ROUTE', exchange: '', routingKey });
    expect(message.properties.messageId).toBe('m-1');
    expect(message.bodyString()).toBe('come back');
  });

  it('acks, nacks and rejects, within the prefetch count', async () => {
    const channel = await openChannel();
    const { name: queue } = await channel.queueDeclare('', { exclusive: true });
    await channel.confirmSelect();
    for (const body of ['a', 'b', 'c']) await channel.basicPublish('', queue, body);
    await channel.prefetch(1);
    const messages = new Inbox<AMQPMessage>();
    await channel.basicConsume(queue, { noAck: false }, messages.push);

    const first = await messages.next();
    expect(await channel.queueDeclare(queue, { passive: true })).toMatchObject({ messageCount: 2 });
    expect(messages.pending).toBe(0);
    await first.nack(true);
    const again = await messages.next();
    expect([again.bodyString(), again.redelivered]).toEqual(['a', true]);
    await again.ack();
    const second = await messages.next();
    expect([second.bodyString(), second.redelivered]).toEqual(['b', false]);
    await second.reject(false);
    const third = await messages.next();
    expect([third.bodyString(), third.deliveryTag]).toEqual(['c', 4]);
    await third.ack();
    expect(await channel.basicGet(queue)).toBeNull();
  });

  it('binds and unbinds queues and exchanges', async () => {
    const names = scratch(brokerUrl());
    const [source, destination] = [names.exchange('source'), names.exchange('destination')];
    const channel = await openChannel();
    await channel.exchangeDeclare(source, 'topic', { durable: false });
    await channel.exchangeDeclare(destination, 'direct', { durable: false });
    await channel.exchangeBind(destination, source, '#.error');
    const { name: queue } = await channel.queueDeclare('', { exclusive: true });
    await channel.queueBind(queue, destination, 'disk.error');
    await channel.confirmSelect();

    await channel.basicPublish(source, 'disk.error', 'bound');
    await channel.basicPublish(source, 'disk.info', 'not bound');
    const message = await channel.basicGet(queue, { noAck: true });
    expect(message).toMatchObject({ exchange: source, routingKey: 'disk.error', messageCount: 0 });

    await channel.queueUnbind(queue, destination, 'disk.error');
    await channel.basicPublish(source, 'disk.error', 'no longer bound');
    expect(await channel.basicGet(queue)).toBeNull();
    await channel.queueBind(queue, destination, 'disk.error');
    await channel.exchangeUnbind(destination, source, '#.error');
    await channel.basicPublish(source, 'disk.error', 'no longer bound');
    expect(await channel.basicGet(queue)).toBeNull();
  });

  it('gets messages one by one', async () => {
    const channel = await openChannel();
    const { name: queue } = await channel.queueDeclare('', { exclusive: true });
    expect(await channel.basicGet(queue)).toBeNull();
    for (const body of ['a', 'b', 'c']) await channel.basicPublish('', queue, body);
    const message = await channel.basicGet(queue, { noAck: false });
    expect(message?.bodyString()).toBe('a');
    expect(message).toMatchObject({ messageCount: 2, redelivered: false });
    await message?.ack();
    expect(await channel.queuePurge(queue)).toEqual({ messageCount: 2 });
    expect(await channel.queueDelete(queue)).toEqual({ messageCount: 0 });
  });

  it('commits and rolls back transactions', async () => {
    const channel = await openChannel();
    const { name: queue } = await channel.queueDeclare('', { exclusive: true });
    await channel.txSelect();
    await channel.basicPublish('', queue, 'taken back');
    await channel.txRollback();
    expect(await channel.basicGet(queue)).toBeNull();
    await channel.basicPublish('', queue, 'committed');
    expect(await channel.basicGet(queue)).toBeNull();
    await channel.txCommit();
    expect((await channel.basicGet(queue))?.bodyString()).toBe('committed');
  });

  it('carries a message of 10 MB intact', async () => {
    const channel = await openChannel();
    const { name: queue } = await channel.queueDeclare('', { exclusive: true });
    await channel.confirmSelect();
    const body = randomBytes(10_000_000);
    const messages = new Inbox<AMQPMessage>();
    await channel.basicConsume(queue, { noAck: true }, messages.push);
    await channel.basicPublish('', queue, body);
    const message = await messages.next();
    // Compared by hand: a failure need not print ten million bytes.
    expect([message.bodySize, body.equals(message.body as Uint8Array)]).toEqual([body.length, true]);
  });

  it('rejects the call whose channel the broker closed, and opens another one', async () => {
    const connection = await connect();
    const channel = await connection.channel();
    channel.onerror = () => {};
    const queue = uniqueName('missing');
    await expect(channel.queueDeclare(queue, { passive: true })).rejects.toThrow(
      `NOT_FOUND - no queue '${queue}' in vhost '/'`,
    );
    expect(channel.closed).toBe(true);
    const another = await connection.channel();
    await another.queueDeclare('', { exclusive: true });
  });

  it('iterates over messages with an async generator until the queue is deleted', async () => {
    const queue = scratch(brokerUrl()).queue('iterated');
    const channel = await openChannel();
    await channel.queueDeclare(queue, { durable: false });
    for (const body of ['a', 'b']) await channel.basicPublish('', queue, body);
    const consumer = await channel.basicConsume(queue, { noAck: true });
    const bodies: Array<string | null> = [];
    const iterate = async () => {
      for await (const message of consumer.messages) {
        bodies.push(message.bodyString());
        if (bodies.length === 2) await channel.queueDelete(queue);
      }
    };
    await expect(iterate()).rejects.toThrow(/cancelled/i);
    expect(bodies).toEqual(['a', 'b']);
  });
});

async function connect() {
  const connection = await new AMQPClient(brokerUrl()).connect();
  onTestFinished(async () => {
    if (!connection.closed) await connection.close();
  });
  return connection;
}

async function openChannel() {
  return (await connect()).channel();
}
