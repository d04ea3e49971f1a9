/**
 * The six RabbitMQ tutorials (https://www.rabbitmq.com/tutorials) as amqplib programs with promises: each
 * program of a tutorial has its own connection, as it would have as a process of its own.
 */
import type { ConsumeMessage, Message } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { connectAmqplib, consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { scratch, uniqueName } from './scratch.js';

const brokerUrl = useBroker();

describe('the six tutorials with amqplib', () => {
  it('1, hello world: a message waits in a queue until its receiver comes', async () => {
    const queue = scratch(brokerUrl()).queue('hello');

    const sender = await connectAmqplib(brokerUrl());
    const sending = await sender.createChannel();
    await sending.assertQueue(queue, { durable: false });
    expect(sending.sendToQueue(queue, Buffer.from('Hello World!'))).toBe(true);
    await sending.close();
    await sender.close();

    const receiver = await connectAmqplib(brokerUrl());
    const receiving = await receiver.createChannel();
    await receiving.assertQueue(queue, { durable: false });
    const { messages } = await consume(receiving, queue, { noAck: true });
    const message = await messages.next();
    expect(text(message)).toBe('Hello World!');
    expect(message.fields).toMatchObject({
      exchange: '',
      routingKey: queue,
      redelivered: false,
      deliveryTag: 1,
    });
  });

  it('2, work queues: prefetch 1 hands a task only to a worker that is free', async () => {
    const queue = scratch(brokerUrl()).queue('task_queue');
    const finished = new Inbox<readonly [worker: string, task: string]>();
    const slowTaskMayEnd = new Inbox<void>();
    for (const worker of ['first', 'second']) {
      const channel = await openChannel(brokerUrl());
      await channel.assertQueue(queue, { durable: true });
      await channel.prefetch(1);
      await channel.consume(queue, async (message) => {
        const task = text(message);
        if (task === 'slow') await slowTaskMayEnd.next();
        channel.ack(message as ConsumeMessage);
        finished.push([worker, task]);
      });
    }

    const channel = await openChannel(brokerUrl());
    const quickTasks = Array.from({ length: 9 }, (_, number) => `quick ${number}`);
    for (const task of ['slow', ...quickTasks]) {
      channel.sendToQueue(queue, Buffer.from(task), { persistent: true });
    }

    // One worker keeps the slow task unacked; without prefetch 1 half of the quick ones would be stuck with it.
    const quick = await finished.take(9);
    expect(quick.map(([, task]) => task)).toEqual(quickTasks);
    expect(new Set(quick.map(([worker]) => worker)).size).toBe(1);
    slowTaskMayEnd.push();
    const [slowWorker, slowTask] = await finished.next();
    expect(slowTask).toBe('slow');
    expect(slowWorker).not.toBe(quick[0]?.[0]);
  });

  it('2, work queues: a task whose worker dies goes to another one, marked as redelivered', async () => {
    const queue = scratch(brokerUrl()).queue('task_queue');
    const dying = await connectAmqplib(brokerUrl());
    const dyingChannel = await dying.createChannel();
    await dyingChannel.assertQueue(queue, { durable: true });
    dyingChannel.sendToQueue(queue, Buffer.from('task'), { persistent: true });
    const { messages: unfinished } = await consume(dyingChannel, queue);
    expect((await unfinished.next()).fields.redelivered).toBe(false);

    const surviving = await openChannel(brokerUrl());
    const { messages } = await consume(surviving, queue);
    await dying.close();
    const message = await messages.next();
    expect(text(message)).toBe('task');
    expect(message.fields.redelivered).toBe(true);
    surviving.ack(message);
  });

  it('3, publish/subscribe: a fanout exchange copies each message to every subscriber', async () => {
    const logs = scratch(brokerUrl()).exchange('logs');
    const subscribers: Array<Inbox<ConsumeMessage>> = [];
    for (let count = 0; count < 3; count++) {
      const channel = await openChannel(brokerUrl());
      await channel.assertExchange(logs, 'fanout', { durable: false });
      const { queue } = await channel.assertQueue('', { exclusive: true });
      expect(queue).toMatch(/^amq\.gen-/);
      await channel.bindQueue(queue, logs, '');
      subscribers.push((await consume(channel, queue, { noAck: true })).messages);
    }

    const emitter = await openChannel(brokerUrl());
    emitter.publish(logs, '', Buffer.from('info: one'));
    emitter.publish(logs, 'a fanout exchange ignores the routing key', Buffer.from('info: two'));

    for (const subscriber of subscribers) {
      expect((await subscriber.take(2)).map(text)).toEqual(['info: one', 'info: two']);
    }
  });

  it('4, routing: a direct exchange compares the routing key with each binding key', async () => {
    const directLogs = scratch(brokerUrl()).exchange('direct_logs');
    const severities = ['info', 'warning', 'error'];
    const errorsOnly = await subscribe(directLogs, 'direct', ['error']);
    const everything = await subscribe(directLogs, 'direct', severities);

    const emitter = await openChannel(brokerUrl());
    for (const severity of ['info', 'debug', 'warning', 'error']) {
      emitter.publish(directLogs, severity, Buffer.from(`a message of severity ${severity}`));
    }

    const received = await everything.take(3);
    expect(received.map((message) => message.fields.routingKey)).toEqual(severities);
    expect(text(await errorsOnly.next())).toBe('a message of severity error');
    expect(errorsOnly.pending).toBe(0);
  });

  it('5, topics: * stands for one word and # for any number of words', async () => {
    const topicLogs = scratch(brokerUrl()).exchange('topic_logs');
    const all = await subscribe(topicLogs, 'topic', ['#']);
    const kernel = await subscribe(topicLogs, 'topic', ['kern.*']);
    const lazyOrOrange = await subscribe(topicLogs, 'topic', ['*.orange.*', 'lazy.#']);

    const emitter = await openChannel(brokerUrl());
    const routingKeys = [
      'kern.critical',
      'kern.disk.full',
      'quick.orange.rabbit',
      'lazy.orange.elephant',
      'lazy',
      'lazy.brown.male.fox',
      'orange',
      'kern',
      'last.orange.one',
    ];
    for (const routingKey of routingKeys) emitter.publish(topicLogs, routingKey, Buffer.from(routingKey));

    expect((await all.take(routingKeys.length)).map(text)).toEqual(routingKeys);
    // One copy per queue, however many of its bindings match: lazy.orange.elephant comes once.
    expect((await lazyOrOrange.take(5)).map(text)).toEqual([
      'quick.orange.rabbit',
      'lazy.orange.elephant',
      'lazy',
      'lazy.brown.male.fox',
      'last.orange.one',
    ]);
    expect(text(await kernel.next())).toBe('kern.critical');
    expect([kernel.pending, lazyOrOrange.pending]).toEqual([0, 0]);
  });

  it('6, RPC: a reply comes to the exclusive queue of its caller with its correlation id', async () => {
    const rpcQueue = scratch(brokerUrl()).queue('rpc_queue');
    await serveFibonacci(rpcQueue);

    const calling = await openChannel(brokerUrl());
    const { queue: replyQueue } = await calling.assertQueue('', { exclusive: true });
    const { messages: replies } = await consume(calling, replyQueue, { noAck: true });
    const arguments_ = [0, 1, 10, 30];
    const callIds = new Map(arguments_.map((argument) => [argument, uniqueName('call')] as const));
    for (const argument of arguments_) {
      const correlationId = callIds.get(argument) as string;
      calling.sendToQueue(rpcQueue, Buffer.from(String(argument)), { correlationId, replyTo: replyQueue });
    }

    const answers = new Map<string, string>();
    for (const reply of await replies.take(4)) answers.set(reply.properties.correlationId, text(reply));
    expect(arguments_.map((argument) => answers.get(callIds.get(argument) as string))).toEqual([
      '0',
      '1',
      '55',
      '832040',
    ]);
  });
});

/** A program of tutorials 4 and 5: its own connection, an exclusive queue, one binding per key. */
async function subscribe(exchange: string, type: string, bindingKeys: readonly string[]) {
  const channel = await openChannel(brokerUrl());
  await channel.assertExchange(exchange, type, { durable: false });
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (const bindingKey of bindingKeys) await channel.bindQueue(queue, exchange, bindingKey);
  return (await consume(channel, queue, { noAck: true })).messages;
}

async function serveFibonacci(rpcQueue: string): Promise<void> {
  const serving = await openChannel(brokerUrl());
  await serving.assertQueue(rpcQueue, { durable: false });
  await serving.prefetch(1);
  await serving.consume(rpcQueue, (request) => {
    const result = fibonacci(Number(text(request)));
    const { replyTo, correlationId } = (request as Message).properties;
    serving.sendToQueue(replyTo, Buffer.from(String(result)), { correlationId });
    serving.ack(request as Message);
  });
}

function fibonacci(n: number): number {
  let [previous, current] = [0, 1];
  for (let step = 0; step < n; step++) [previous, current] = [current, previous + current];
  return previous;
}
