/** Publisher side of amqplib: confirms, returned messages, alternate exchanges, large bodies, properties. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ConfirmChannel, ConsumeMessage, Message } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { scratch, uniqueName } from './scratch.js';

const brokerUrl = useBroker();

describe('publisher confirms with amqplib', () => {
  it('waitForConfirms resolves once the queue holds every message', async () => {
    const queue = scratch(brokerUrl()).queue('confirmed');
    const channel = await openConfirmChannel();
    await channel.assertQueue(queue, { durable: true });
    for (let number = 0; number < 1000; number++) {
      channel.sendToQueue(queue, Buffer.from(`message ${number}`), { persistent: true });
    }
    await channel.waitForConfirms();
    expect((await channel.checkQueue(queue)).messageCount).toBe(1000);
  });

  it('calls back once for each message', async () => {
    const queue = scratch(brokerUrl()).queue('confirmed');
    const channel = await openConfirmChannel();
    await channel.assertQueue(queue, { durable: true });
    const confirmed: number[] = [];
    const numbers = Array.from({ length: 50 }, (_, number) => number);
    await Promise.all(
      numbers.map(async (number) => {
        await publishConfirmed(channel, '', queue, Buffer.from(String(number)));
        confirmed.push(number);
      }),
    );
    expect(confirmed.sort((left, right) => left - right)).toEqual(numbers);
  });

  it('confirms a message that no queue took', async () => {
    // https://www.rabbitmq.com/docs/confirms: an unroutable message is confirmed once routing found no queue.
    const exchange = scratch(brokerUrl()).exchange('nobody');
    const channel = await openConfirmChannel();
    await channel.assertExchange(exchange, 'direct', { durable: false });
    await publishConfirmed(channel, exchange, 'no binding has this key', Buffer.from('lost'));
  });

  it('nacks a message that a full queue rejects', async () => {
    // https://www.rabbitmq.com/docs/maxlength: overflow reject-publish.
    const queue = scratch(brokerUrl()).queue('full');
    const channel = await openConfirmChannel();
    await channel.assertQueue(queue, { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
    await publishConfirmed(channel, '', queue, Buffer.from('fits'));
    await expect(publishConfirmed(channel, '', queue, Buffer.from('too many'))).rejects.toThrow(/nack/i);
    expect(text(await channel.get(queue, { noAck: true }))).toBe('fits');
  });
});

describe('messages without a queue with amqplib', () => {
  it('returns a mandatory message before it confirms it', async () => {
    const exchange = scratch(brokerUrl()).exchange('returning');
    const channel = await openConfirmChannel();
    await channel.assertExchange(exchange, 'direct', { durable: false });
    const events: string[] = [];
    const returned = once(channel, 'return') as Promise<[Message]>;
    channel.on('return', () => events.push('returned'));
    const confirmed = publishConfirmed(channel, exchange, 'nowhere', Buffer.from('come back'), {
      mandatory: true,
      messageId: 'm-1',
      headers: { reason: 'test' },
    }).then(() => events.push('confirmed'));

    const [message] = await returned;
    expect(text(message)).toBe('come back');
    expect(message.fields).toMatchObject({
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange,
      routingKey: 'nowhere',
    });
    expect(message.properties).toMatchObject({ messageId: 'm-1', headers: { reason: 'test' } });
    await confirmed;
    expect(events).toEqual(['returned', 'confirmed']);
  });

  it('sends what an exchange cannot route to its alternate exchange', async () => {
    const names = scratch(brokerUrl());
    const [exchange, alternate] = [names.exchange('primary'), names.exchange('unrouted')];
    const channel = await openConfirmChannel();
    await channel.assertExchange(alternate, 'fanout', { durable: false });
    await channel.assertExchange(exchange, 'direct', { durable: false, alternateExchange: alternate });
    const { queue: routed } = await channel.assertQueue('', { exclusive: true });
    const { queue: unrouted } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(routed, exchange, 'known');
    await channel.bindQueue(unrouted, alternate, '');
    const returns: Message[] = [];
    channel.on('return', (message) => returns.push(message));

    for (const routingKey of ['known', 'unknown']) {
      channel.publish(exchange, routingKey, Buffer.from(routingKey), { mandatory: true });
    }
    await channel.waitForConfirms();

    expect((await channel.checkQueue(routed)).messageCount).toBe(1);
    const message = await channel.get(unrouted, { noAck: true });
    expect(text(message)).toBe('unknown');
    // The alternate exchange changes neither what the message says of its exchange nor its routing key.
    expect(message).toMatchObject({ fields: { exchange, routingKey: 'unknown', messageCount: 0 } });
    expect(returns).toEqual([]);
  });

  it('routes through a binding from one exchange to another, until it is removed', async () => {
    const names = scratch(brokerUrl());
    const [source, destination] = [names.exchange('source'), names.exchange('destination')];
    const channel = await openConfirmChannel();
    await channel.assertExchange(source, 'topic', { durable: false });
    await channel.assertExchange(destination, 'fanout', { durable: false });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, destination, '');
    await channel.bindExchange(destination, source, 'order.*');

    channel.publish(source, 'order.placed', Buffer.from('through'));
    channel.publish(source, 'invoice.sent', Buffer.from('not bound'));
    await channel.waitForConfirms();
    const message = await channel.get(queue, { noAck: true });
    expect(text(message)).toBe('through');
    expect(message).toMatchObject({
      fields: { exchange: source, routingKey: 'order.placed', messageCount: 0 },
    });

    await channel.unbindExchange(destination, source, 'order.*');
    channel.publish(source, 'order.placed', Buffer.from('no longer bound'));
    await channel.waitForConfirms();
    expect(await channel.get(queue)).toBe(false);
  });
});

describe('message contents with amqplib', () => {
  it.each([
    ['an empty body', 0],
    ['one byte', 1],
    ['one byte more than a frame of 128 KiB holds', 131_072 - 8 + 1],
    ['1 MB', 1_000_000],
    ['10 MB', 10_000_000],
  ])('carries %s intact', async (_name, size) => {
    const { queue, channel } = await openExclusiveQueue();
    const body = randomBytes(size);
    const { messages } = await consume(channel, queue);
    await publishConfirmed(channel, '', queue, body);
    const message = await messages.next();
    // Compared by hand: a failure need not print ten million bytes.
    expect([message.content.length, message.content.equals(body)]).toEqual([size, true]);
    channel.ack(message);
  });

  it('keeps messages of different sizes whole and in order', async () => {
    const { queue, channel } = await openExclusiveQueue();
    const sizes = [10, 300_000, 0, 131_064, 5, 1_000_000, 1];
    const bodies = sizes.map((size) => randomBytes(size));
    for (const body of bodies) channel.sendToQueue(queue, body);
    const { messages } = await consume(channel, queue, { noAck: true });
    const received = await messages.take(sizes.length);
    expect(received.map((message) => message.content.length)).toEqual(sizes);
    expect(received.every((message, index) => message.content.equals(bodies[index]!))).toBe(true);
  });

  it('carries every property', async () => {
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: 2,
      priority: 7,
      correlationId: uniqueName('correlation'),
      replyTo: 'somewhere.else',
      expiration: '600000',
      messageId: 'message-ünï-1',
      timestamp: 1_700_000_000,
      type: 'order.placed',
      // Must be the user of the connection: https://www.rabbitmq.com/docs/validated-user-id
      userId: 'guest',
      appId: 'interop',
    };
    const message = await roundTrip(properties);
    expect(message.properties).toMatchObject(properties);
  });

  it('adds no property that the publisher left out', async () => {
    const message = await roundTrip({});
    const present = Object.entries(message.properties).filter(
      ([name, value]) => value !== undefined && name !== 'headers' && name !== 'deliveryMode',
    );
    expect(present).toEqual([]);
    expect(message.properties.headers).toEqual({});
  });

  it('carries a header of every type a client can send', async () => {
    const headers = {
      text: 'grüße, 你好, 🐇',
      empty: '',
      yes: true,
      no: false,
      nothing: null,
      byte: -5,
      short: 1000,
      int: -100_000,
      long: 9_007_199_254_740_991,
      double: 0.1,
      bytes: Buffer.from([0, 255, 128]),
      list: [1, 'two', [3, false], { four: 4 }],
      table: { nested: { deeper: 'value' }, empty: {} },
      time: { '!': 'timestamp', value: 1_700_000_000 },
      decimal: { '!': 'decimal', value: { digits: 314, places: 2 } },
      __proto__name: 'a key is only a key',
    };
    const message = await roundTrip({ headers });
    expect(message.properties.headers).toEqual(headers);
  });

  it('adds the CC routing keys and keeps the BCC ones to itself', async () => {
    // https://www.rabbitmq.com/docs/sender-selected
    const channel = await openConfirmChannel();
    const queues = await Promise.all(
      ['to', 'cc', 'bcc'].map(async () => (await channel.assertQueue('', { exclusive: true })).queue),
    );
    const [to, cc, bcc] = queues as [string, string, string];
    channel.sendToQueue(to, Buffer.from('letter'), { CC: [cc], BCC: [bcc] });
    await channel.waitForConfirms();
    for (const queue of queues) {
      const message = await channel.get(queue, { noAck: true });
      expect(message).toMatchObject({
        fields: { exchange: '', routingKey: to },
        properties: { headers: { CC: [cc] } },
      });
      expect((message as Message).properties.headers).not.toHaveProperty('BCC');
    }
  });
});

async function openConfirmChannel(): Promise<ConfirmChannel> {
  return (await connectAmqplib(brokerUrl())).createConfirmChannel();
}

async function openExclusiveQueue() {
  const channel = await openConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  return { channel, queue };
}

/** Publishes one message and waits for its own confirm; rejects when the broker nacks it. */
function publishConfirmed(
  channel: ConfirmChannel,
  exchange: string,
  routingKey: string,
  body: Buffer,
  options: Parameters<ConfirmChannel['publish']>[3] = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: unknown) => (error ? reject(error) : resolve());
    channel.publish(exchange, routingKey, body, options, settle);
  });
}

/** What a consumer on another connection receives of a message with these properties. */
async function roundTrip(properties: Parameters<ConfirmChannel['publish']>[3]): Promise<ConsumeMessage> {
  const queue = scratch(brokerUrl()).queue('properties');
  const receiving = await openChannel(brokerUrl());
  await receiving.assertQueue(queue, { durable: false });
  const { messages } = await consume(receiving, queue, { noAck: true });
  const sending = await openConfirmChannel();
  await publishConfirmed(sending, '', queue, Buffer.from('body'), properties);
  return messages.next();
}
