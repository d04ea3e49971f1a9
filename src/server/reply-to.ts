/**
 * Direct reply-to (rabbitmq.com/docs/direct-reply-to): a consumer on a pseudo queue gets replies without a queue
 * being declared. Behind it is an ordinary queue that only its own random name reaches, which lives as long as
 * the consumer: replies then share the way, and the limits, of every other delivery.
 */

import { preconditionFailed } from '../amqp/errors.js';
import type { Queue } from '../queues/queue.js';
import type { Channel } from './channel.js';
import { ChannelConsumer } from './deliveries.js';
import { REPLY_TO_PREFIX } from './reply-to-names.js';

export interface ReplyConsumer {
  readonly queue: Queue;
  readonly consumer: ChannelConsumer;
}

/** Replies do not pass the limit of the channel: in RabbitMQ no queue is asked for them. */
class ReplyReceiver extends ChannelConsumer {
  override canTake(): boolean {
    return !this.deliveries.transport.isCongested;
  }
}

/** A reply consumer before 4.2: it uses up no delivery tags. */
class UncountedConsumer extends ReplyReceiver {
  override deliver(position: number, _sequence: number, redelivered: boolean): void {
    this.deliveries.deliverUncounted(this, position, redelivered);
  }
}

/** Starts the reply consumer of a channel. @throws AmqpError 406 when it wants acknowledgements or is the second */
export function startReplyConsumer(channel: Channel, tag: string, noAck: boolean): void {
  if (!noAck) throw preconditionFailed('reply consumer cannot acknowledge');
  if (channel.replyTo !== undefined) throw preconditionFailed('reply consumer already set');
  const { broker, virtualHost } = channel.context;
  const queue = virtualHost.addReplyQueue(broker.generateName(REPLY_TO_PREFIX));
  const options = { tag, queue, noAck, isExclusive: false, priority: 0, prefetch: 0 };
  const Consumer = broker.generation.numbersReplies ? ReplyReceiver : UncountedConsumer;
  const consumer = new Consumer(options, channel.deliveries, () => {});
  // It is none of the consumers of the channel: another of them may have its tag (rabbit_channel, reply_consumer).
  channel.replyTo = { queue, consumer };
  queue.subscribe(consumer);
}

/** Ends it: later replies go nowhere. */
export function stopReplyConsumer(channel: Channel): void {
  const { replyTo } = channel;
  if (replyTo === undefined) return;
  channel.replyTo = undefined;
  channel.context.virtualHost.deleteReplyQueue(replyTo.queue);
}
