/** What the tests that use amqplib's promise API share. */
import type { Socket } from 'node:net';
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type Message,
  type Options,
} from 'amqplib';
import { onTestFinished } from 'vitest';
import { Inbox } from './inbox.js';

/** An amqplib connection that is closed when the test is over, unless the test closed it. */
export async function connectAmqplib(url: string): Promise<ChannelModel> {
  const connection = await connect(url);
  let open = true;
  connection.on('close', () => {
    open = false;
  });
  onTestFinished(async () => {
    if (open) await connection.close();
  });
  return connection;
}

/** A channel on a connection of its own, as a program that does one thing has it. */
export async function openChannel(url: string): Promise<Channel> {
  return (await connectAmqplib(url)).createChannel();
}

/** Consumes into an inbox. The broker's cancellation (amqplib calls back with `null`) is not pushed. */
export async function consume(channel: Channel, queue: string, options: Options.Consume = {}) {
  const messages = new Inbox<ConsumeMessage>();
  const receive = (message: ConsumeMessage | null) => {
    if (message !== null) messages.push(message);
  };
  const { consumerTag } = await channel.consume(queue, receive, options);
  return { messages, consumerTag };
}

/**
 * The callback of a publish that takes the place of `message`: acks it once the broker has the new one, so that it is
 * never in neither queue. A publish that was refused, or whose connection is gone, leaves it to be delivered again.
 */
export function ackOnceConfirmed(channel: ConfirmChannel, message: ConsumeMessage) {
  return (error: unknown): void => {
    if (error === null) channel.ack(message);
  };
}

/** The body of a message as text. Consumers and basic.get may hand over none, hence the check. */
export function text(message: Message | null | false): string {
  if (message === null || message === false) throw new Error('expected a message');
  return message.content.toString();
}

/** Ends a connection as the death of its program does: TCP ends, and nothing of AMQP is said. */
export async function crash(connection: ChannelModel): Promise<void> {
  const closed = new Promise((resolve) => connection.once('close', resolve));
  connection.on('error', () => {});
  // amqplib has no method for this, as no program wants it.
  const { stream } = connection.connection as unknown as { readonly stream: Socket };
  stream.destroy(new Error('the program has crashed'));
  await closed;
}
