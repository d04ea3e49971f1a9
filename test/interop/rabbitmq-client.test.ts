/** rabbitmq-client: a high-level client with consumers and publishers that recover by themselves. */
import { once } from 'node:events';
import {
  type AsyncMessage,
  Connection,
  type ConsumerProps,
  ConsumerStatus,
  type ReturnedMessage,
} from 'rabbitmq-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { scratch, uniqueName } from './scratch.js';

const brokerUrl = useBroker();

describe('rabbitmq-client', () => {
  it('declares what a consumer needs and delivers what a publisher sends', async () => {
    const names = scratch(brokerUrl());
    const [queue, exchange] = [names.queue('events'), names.exchange('events')];
    const rabbit = await connect();
    const messages = new Inbox<AsyncMessage>();
    const consumer = createConsumer(
      rabbit,
      {
        queue,
        queueOptions: { durable: true },
        qos: { prefetchCount: 2 },
        exchanges: [{ exchange, type: 'topic' }],
        queueBindings: [{ exchange, routingKey: 'users.*' }],
      },
      messages.push,
    );
    await once(consumer, 'ready');
    const publisher = rabbit.createPublisher({
      confirm: true,
      maxAttempts: 2,
      exchanges: [{ exchange, type: 'topic' }],
    });
    await publisher.send(
      { exchange, routingKey: 'users.visit', headers: { source: 'web' } },
      { id: 1, name: 'Ada' },
    );
    await publisher.send({ exchange, routingKey: 'orders.new' }, 'not bound');
    await publisher.send({ exchange, routingKey: 'users.leave', durable: true, messageId: 'm-2' }, 'text');

    const [visit, leave] = await messages.take(2);
    // The client encodes objects as JSON and says so in the content type.
    expect(visit).toMatchObject({
      body: { id: 1, name: 'Ada' },
      contentType: 'application/json',
      exchange,
      routingKey: 'users.visit',
      headers: { source: 'web' },
    });
    expect(leave).toMatchObject({ body: 'text', routingKey: 'users.leave', durable: true, messageId: 'm-2' });
    await publisher.close();
    await consumer.close();
    // Closing a consumer waits for its acks.
    expect(await rabbit.queueDeclare({ queue, passive: true })).toMatchObject({
      messageCount: 0,
      consumerCount: 0,
    });
  });

  it('requeues, drops or acks by what the handler returns', async () => {
    const names = scratch(brokerUrl());
    const [queue, deadQueue] = [names.queue('statuses'), names.queue('dead')];
    const rabbit = await connect();
    await rabbit.queueDeclare({ queue: deadQueue });
    const seen = new Inbox<readonly [body: string, redelivered: boolean]>();
    const consumer = createConsumer(
      rabbit,
      {
        queue,
        queueOptions: { arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': deadQueue } },
        qos: { prefetchCount: 1 },
      },
      (message) => {
        seen.push([message.body, message.redelivered]);
        if (message.body === 'drop') return ConsumerStatus.DROP;
        if (message.body === 'requeue' && !message.redelivered) return ConsumerStatus.REQUEUE;
        return ConsumerStatus.ACK;
      },
    );
    await once(consumer, 'ready');
    const publisher = rabbit.createPublisher({ confirm: true });
    for (const body of ['requeue', 'drop', 'ack']) await publisher.send(queue, body);

    expect(await seen.take(4)).toEqual([
      ['requeue', false],
      ['requeue', true],
      ['drop', false],
      ['ack', false],
    ]);
    await consumer.close();
    expect(consumer.stats).toMatchObject({ acknowledged: 2, requeued: 1, dropped: 1 });
    const dead = await rabbit.basicGet({ queue: deadQueue, noAck: true });
    expect(dead).toMatchObject({
      body: 'drop',
      messageCount: 0,
      headers: { 'x-first-death-reason': 'rejected' },
    });
    await publisher.close();
  });

  it('requeues the message of a handler that throws', async () => {
    const queue = scratch(brokerUrl()).queue('throwing');
    const rabbit = await connect();
    const seen = new Inbox<AsyncMessage>();
    const consumer = rabbit.createConsumer(
      { queue, requeue: true, qos: { prefetchCount: 1 } },
      async (message) => {
        seen.push(message);
        if (!message.redelivered) throw new Error('the first attempt fails');
      },
    );
    onTestFinished(() => consumer.close());
    const errors: unknown[] = [];
    consumer.on('error', (error) => errors.push(error));
    await once(consumer, 'ready');
    const publisher = rabbit.createPublisher({ confirm: true });
    await publisher.send(queue, 'job');
    expect((await seen.take(2)).map((message) => message.redelivered)).toEqual([false, true]);
    expect(errors).toEqual([new Error('the first attempt fails')]);
    await publisher.close();
  });

  it('retries a publish until its exchange is there', async () => {
    const names = scratch(brokerUrl());
    const exchange = names.exchange('late');
    const rabbit = await connect();
    const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 1000 });
    let declared: Promise<void> | undefined;
    publisher.on('retry', (error) => {
      expect(error).toMatchObject({ code: 'NOT_FOUND' });
      declared ??= rabbit.exchangeDeclare({ exchange, type: 'fanout' });
    });
    await publisher.send({ exchange }, 'at last');
    expect(declared).toBeDefined();
    await declared;
    await publisher.close();
  });

  it('hands over returned messages', async () => {
    const rabbit = await connect();
    const returned = new Inbox<ReturnedMessage>();
    const publisher = rabbit.createPublisher({ confirm: true });
    publisher.on('basic.return', returned.push);
    const routingKey = uniqueName('missing');
    await publisher.send({ routingKey, mandatory: true }, 'come back');
    expect(await returned.next()).toMatchObject({
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange: '',
      routingKey,
      body: 'come back',
    });
    await publisher.close();
  });

  it('calls remote procedures over direct reply-to', async () => {
    const queue = scratch(brokerUrl()).queue('rpc');
    const rabbit = await connect();
    const server = createConsumer(rabbit, { queue }, async (request, reply) => {
      await reply({ doubled: request.body.number * 2 });
    });
    await once(server, 'ready');
    const client = rabbit.createRPCClient({ confirm: true, timeout: 10_000 });
    const numbers = [1, 2, 3, 4, 5];
    const replies = await Promise.all(numbers.map((number) => client.send(queue, { number })));
    expect(replies.map((reply) => reply.body)).toEqual(numbers.map((number) => ({ doubled: number * 2 })));
    await client.close();
  });

  it('recreates a consumer whose queue was deleted', async () => {
    const queue = scratch(brokerUrl()).queue('recreated');
    const rabbit = await connect();
    const messages = new Inbox<AsyncMessage>();
    const consumer = rabbit.createConsumer({ queue, queueOptions: { durable: false } }, messages.push);
    onTestFinished(() => consumer.close());
    await once(consumer, 'ready');
    const cancelled = new Promise<unknown>((resolve) => consumer.once('error', resolve));
    const readyAgain = new Promise<void>((resolve) => consumer.once('ready', resolve));
    await rabbit.queueDelete(queue);
    expect(await cancelled).toMatchObject({ code: 'CANCEL_FORCED' });
    await readyAgain;
    const publisher = rabbit.createPublisher({ confirm: true });
    await publisher.send(queue, 'after');
    expect((await messages.next()).body).toBe('after');
    await publisher.close();
  });

  it("reports the broker's error code for a failed call", async () => {
    const queue = scratch(brokerUrl()).queue('inequivalent');
    const rabbit = await connect();
    await expect(rabbit.queueDeclare({ queue, passive: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await rabbit.queueDeclare({ queue, durable: false });
    await expect(rabbit.queueDeclare({ queue, durable: true })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect(await rabbit.queueDeclare({ queue, passive: true })).toMatchObject({ queue, messageCount: 0 });
  });
});

/** A connection whose retries are short, closed when the test is over. */
async function connect(): Promise<Connection> {
  const rabbit = new Connection({ url: brokerUrl(), retryLow: 10, retryHigh: 100 });
  onTestFinished(() => rabbit.close());
  await rabbit.onConnect();
  return rabbit;
}

/** A consumer that is to meet no error, closed when the test is over. */
function createConsumer(
  rabbit: Connection,
  ...[props, handler]: [ConsumerProps, Parameters<Connection['createConsumer']>[1]]
) {
  const consumer = rabbit.createConsumer(props, handler);
  // A connection waits for its channels: the consumer has to be closed before it.
  onTestFinished(() => consumer.close());
  return consumer;
}
