/** amqplib's callback API, the older half of the library, as the programs written against it use it. */
import {
  type Channel,
  type ConfirmChannel,
  type Connection,
  connect,
  type Message,
} from 'amqplib/callback_api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useBroker } from './broker.js';
import { Inbox } from './inbox.js';
import { scratch, uniqueName } from './scratch.js';

const brokerUrl = useBroker();

describe('amqplib with callbacks', () => {
  it('sends and receives', async () => {
    const queue = scratch(brokerUrl()).queue('hello');
    const connection = await open(brokerUrl());
    const received = new Inbox<Message | null>();
    connection.createChannel((error, channel) => {
      if (error) throw error;
      channel.assertQueue(queue, { durable: false }, (_error, ok) => {
        expect(ok).toEqual({ queue, messageCount: 0, consumerCount: 0 });
        channel.consume(queue, received.push, { noAck: true });
        channel.sendToQueue(queue, Buffer.from('Hello World!'));
      });
    });
    expect((await received.next())?.content.toString()).toBe('Hello World!');
  });

  it('works through a task queue one task at a time', async () => {
    const queue = scratch(brokerUrl()).queue('tasks');
    const connection = await open(brokerUrl());
    const done = new Inbox<string>();
    const unackedAtOnce: number[] = [];
    connection.createChannel((_error, channel) => {
      channel.assertQueue(queue, { durable: true });
      channel.prefetch(1);
      for (const task of ['one', 'two', 'three']) {
        channel.sendToQueue(queue, Buffer.from(task), { persistent: true });
      }
      let unacked = 0;
      channel.consume(queue, (task) => {
        unackedAtOnce.push(++unacked);
        setImmediate(() => {
          unacked--;
          channel.ack(task as Message);
          done.push((task as Message).content.toString());
        });
      });
    });
    expect(await done.take(3)).toEqual(['one', 'two', 'three']);
    expect(unackedAtOnce).toEqual([1, 1, 1]);
  });

  it('confirms each message by callback and all of them by waitForConfirms', async () => {
    const queue = scratch(brokerUrl()).queue('confirmed');
    const connection = await open(brokerUrl());
    const confirmed: number[] = [];
    const left = await new Promise<number>((resolve, reject) => {
      connection.createConfirmChannel((_error, channel: ConfirmChannel) => {
        channel.assertQueue(queue, { durable: true });
        for (let number = 0; number < 20; number++) {
          channel.sendToQueue(queue, Buffer.from(String(number)), { persistent: true }, (error) => {
            if (error) reject(error);
            confirmed.push(number);
          });
        }
        channel.waitForConfirms((error) => {
          if (error) reject(error);
          channel.checkQueue(queue, (_checkError, ok) => resolve(ok.messageCount));
        });
      });
    });
    expect(left).toBe(20);
    expect(confirmed).toHaveLength(20);
  });

  it('calls a remote procedure through an exclusive reply queue', async () => {
    const rpcQueue = scratch(brokerUrl()).queue('rpc_queue');
    const serving = await open(brokerUrl());
    await new Promise<void>((ready) => {
      serving.createChannel((_error, channel) => {
        channel.assertQueue(rpcQueue, { durable: false });
        const answer = (request: Message | null) => {
          const { content, properties } = request as Message;
          const reply = Buffer.from(content.toString().toUpperCase());
          channel.sendToQueue(properties.replyTo, reply, { correlationId: properties.correlationId });
          channel.ack(request as Message);
        };
        channel.consume(rpcQueue, answer, {}, () => ready());
      });
    });

    const calling = await open(brokerUrl());
    const correlationId = uniqueName('call');
    const reply = await new Promise<Message>((resolve) => {
      calling.createChannel((_error, channel) => {
        channel.assertQueue('', { exclusive: true }, (_queueError, { queue: replyTo }) => {
          channel.consume(replyTo, (message) => resolve(message as Message), { noAck: true });
          channel.sendToQueue(rpcQueue, Buffer.from('shout'), { correlationId, replyTo });
        });
      });
    });
    expect(reply.content.toString()).toBe('SHOUT');
    expect(reply.properties.correlationId).toBe(correlationId);
  });

  it('reports a channel error to the callback and the channel, and the connection goes on', async () => {
    const connection = await open(brokerUrl());
    const queue = uniqueName('missing');
    const errors = await new Promise<readonly [Error, Error]>((resolve) => {
      connection.createChannel((_error, channel: Channel) => {
        let failedCall: Error;
        channel.on('error', (error) => resolve([failedCall, error]));
        channel.checkQueue(queue, (error) => {
          failedCall = error;
        });
      });
    });
    for (const error of errors) expect(error).toMatchObject({ code: 404 });
    const { queue: temporary } = await new Promise<{ queue: string }>((resolve) => {
      connection.createChannel((_error, channel) => {
        channel.assertQueue('', { exclusive: true }, (_queueError, ok) => resolve(ok));
      });
    });
    expect(temporary).toMatch(/^amq\.gen-/);
  });
});

/** Connects, and closes the connection when the test is over. */
function open(url: string): Promise<Connection> {
  return new Promise((resolve, reject) => {
    connect(url, (error, connection) => {
      if (error) {
        reject(error);
        return;
      }
      onTestFinished(() => new Promise<void>((closed) => connection.close(() => closed())));
      resolve(connection);
    });
  });
}
