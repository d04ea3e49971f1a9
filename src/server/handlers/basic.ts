/** Class basic, but for publish and ack, which the channel reads itself. */
import { AmqpError, notAllowed, notImplemented, preconditionFailed, ReplyCode } from '../../amqp/errors.js';
import type { FieldTable } from '../../amqp/field-table.js';
import { integerOf } from '../../amqp/field-value.js';
import { readImage } from '../../amqp/message-image.js';
import {
  type BasicAck,
  type BasicConsume,
  type BasicGet,
  type BasicNack,
  type BasicQos,
  type BasicReject,
  encodeBasicCancel,
  encodeBasicCancelOk,
  encodeBasicConsumeOk,
  encodeBasicGetEmpty,
  encodeBasicGetOk,
  encodeBasicQosOk,
  encodeBasicRecoverOk,
  MethodId,
} from '../../amqp/methods.generated.js';
import type { Queue } from '../../queues/queue.js';
import { checkInteger } from '../../queues/queue-arguments-checks.js';
import type { Channel } from '../channel.js';
import { ChannelConsumer, DeliveryOwner, Settlement } from '../deliveries.js';
import { startReplyConsumer, stopReplyConsumer } from '../reply-to.js';
import { REPLY_TO_NAME } from '../reply-to-names.js';
import { giveBackAll, settle } from '../settle.js';
import { lookUp } from './queue.js';

export function qos(channel: Channel, method: BasicQos): void {
  if (method.prefetchSize !== 0) throw notImplemented(`prefetch_size!=0 (${method.prefetchSize})`);
  // Where a global prefetch is denied, RabbitMQ takes it for one of the consumers to come.
  if (method.global && channel.context.broker.generation.permitsGlobalQos) {
    channel.deliveries.globalPrefetch = method.prefetchCount;
  } else {
    // rabbitmq.com/docs/consumer-prefetch: applies to consumers that come; RabbitMQ lifts the channel's limit too.
    channel.prefetch = method.prefetchCount;
    channel.deliveries.globalPrefetch = 0;
  }
  channel.wakeConsumers();
  channel.writer.reset();
  encodeBasicQosOk(channel.writer);
  channel.send();
}

export function consume(channel: Channel, method: BasicConsume): void {
  const { broker } = channel.context;
  const tag = method.consumerTag === '' ? broker.generateName('amq.ctag-') : method.consumerTag;
  if (channel.consumers.has(tag)) throw notAllowed(`attempt to reuse consumer tag '${tag}'`);
  if ((method.queue === '' ? channel.lastQueueName : method.queue) === REPLY_TO_NAME) {
    startReplyConsumer(channel, tag, method.noAck);
    return sendConsumeOk(channel, method, tag);
  }
  const queue = lookUp(channel, method.queue, 'read');
  const { name: virtualHost } = channel.context.virtualHost;
  const priority = checkConsumerArguments(channel, method.arguments, queue);
  if (channel.deliveries.globalPrefetch !== 0 && !queue.supportsGlobalPrefetch) {
    throw notImplemented(`queue '${queue.name}' in vhost '${virtualHost}' does not support global qos`);
  }
  const timeoutMs = consumerTimeoutOf(channel, method.arguments, queue);
  const { noAck, exclusive: isExclusive } = method;
  const consumer = new ChannelConsumer(
    { tag, queue, noAck, isExclusive, priority, prefetch: channel.prefetch, timeoutMs },
    channel.deliveries,
    (gone) => onCancelledByQueue(channel, gone),
  );
  if (!noAck) channel.timeout.watch(queue);
  queue.subscribe(consumer);
  channel.consumers.set(tag, consumer);
  // Deliveries are written by the turn, so consume-ok always comes first.
  sendConsumeOk(channel, method, tag);
}

function sendConsumeOk(channel: Channel, method: BasicConsume, tag: string): void {
  if (method.noWait) return;
  channel.writer.reset();
  encodeBasicConsumeOk(channel.writer, tag);
  channel.send();
}

/** rabbitmq.com/docs/consumer-priority. Returns the priority. @throws AmqpError 406 */
function checkConsumerArguments(channel: Channel, args: FieldTable, queue: Queue): number {
  const { broker, virtualHost } = channel.context;
  const where = `queue '${queue.name}' in vhost '${virtualHost.name}'`;
  if (broker.generation.hasBasicCredit && args.has('x-credit')) throw creditMissing();
  const failover = args.get('x-cancel-on-ha-failover');
  if (broker.generation.checksCancelOnFailover && failover !== undefined && failover.type !== 'bool') {
    throw preconditionFailed(
      `invalid arg 'x-cancel-on-ha-failover' for ${where}: {unacceptable_type,${failover.type}}`,
    );
  }
  for (const streamOnly of ['x-stream-offset', 'x-stream-filter', 'x-stream-match-unfiltered']) {
    if (!args.has(streamOnly)) continue;
    throw preconditionFailed(
      `invalid arg '${streamOnly}' for ${where} of queue type rabbit_${queue.typeName}_queue`,
    );
  }
  const value = args.get('x-priority');
  if (value === undefined) return 0;
  const priority = integerOf(value);
  if (priority === undefined) {
    throw preconditionFailed(`invalid arg 'x-priority' for ${where}: "expected integer, got ${value.type}"`);
  }
  return priority;
}

/** x-consumer-timeout, which only quorum queues of 4.3 take; before, it is ignored. @throws AmqpError 406 */
function consumerTimeoutOf(channel: Channel, args: FieldTable, queue: Queue): number | undefined {
  const { broker, virtualHost } = channel.context;
  const value = args.get('x-consumer-timeout');
  if (value === undefined || broker.generation.consumerTimeout === 'channel') return undefined;
  const isKnown = queue.typeName === 'quorum';
  const fault = checkInteger(value);
  if (isKnown && fault === undefined) return integerOf(value);
  const why = isKnown ? `: ${fault}` : ` of queue type rabbit_${queue.typeName}_queue`;
  throw preconditionFailed(
    `invalid arg 'x-consumer-timeout' for queue '${queue.name}' in vhost '${virtualHost.name}'${why}`,
  );
}

/** Credit is how AMQP 1.0 clients of 3.x were served; no client of AMQP 0-9-1 is known to ask for it. */
export function creditMissing(): Error {
  return notImplemented('basic.credit and x-credit are not supported by this broker');
}

/** rabbitmq.com/docs/consumer-cancel: told to clients that said they understand it. */
function onCancelledByQueue(channel: Channel, consumer: ChannelConsumer): void {
  if (channel.consumers.get(consumer.tag) !== consumer) return;
  channel.consumers.delete(consumer.tag);
  if (!channel.context.takesCancel) return;
  channel.writer.reset();
  encodeBasicCancel(channel.writer, consumer.tag, true);
  channel.send();
}

export function cancel(channel: Channel, tag: string, isAnswered: boolean): void {
  const consumer = channel.consumers.get(tag);
  if (channel.replyTo?.consumer.tag === tag) {
    stopReplyConsumer(channel);
  } else if (consumer !== undefined) {
    channel.consumers.delete(tag);
    // Unacked deliveries stay with the channel; an auto-delete queue may go before cancel-ok.
    consumer.queue.unsubscribe(consumer);
  }
  if (!isAnswered) return;
  channel.writer.reset();
  encodeBasicCancelOk(channel.writer, tag);
  channel.send();
}

export function get(channel: Channel, method: BasicGet): void {
  const queue = lookUp(channel, method.queue, 'read');
  queue.checkGet();
  if (!queue.isHeadReadable()) {
    // What follows on the connection waits, so that answers keep their order.
    return channel.context.waitFor(
      channel,
      (done) => queue.fetchHead(done),
      () => get(channel, method),
    );
  }
  const position = queue.get();
  channel.writer.reset();
  if (position < 0) {
    encodeBasicGetEmpty(channel.writer);
    return channel.send();
  }
  const { log } = channel.context.broker;
  const { deliveries } = channel;
  const { lastSequence, lastRedelivered, lastCounts } = queue;
  const owner = method.noAck ? undefined : new DeliveryOwner(queue);
  if (!method.noAck) channel.timeout.watch(queue);
  const tag = deliveries.numberGet(owner, position, lastSequence);
  const { exchange, routingKey } = readImage(log.segmentOf(position).block, log.payloadOffset(position));
  const { ready } = queue.counts();
  encodeBasicGetOk(channel.writer, tag, lastRedelivered, exchange, routingKey, ready);
  channel.send();
  deliveries.writer.writeContent(position, lastCounts);
  if (method.noAck) queue.acknowledge(position, lastSequence);
}

export function settleDeliveries(channel: Channel, method: BasicAck | BasicReject | BasicNack): void {
  const { deliveryTag } = method;
  switch (method.id) {
    case MethodId.BasicAck:
      return settle(channel, deliveryTag, method.multiple, Settlement.Acknowledge);
    case MethodId.BasicReject:
      return settle(channel, deliveryTag, false, method.requeue ? Settlement.Fail : Settlement.Reject);
    case MethodId.BasicNack:
      return settle(
        channel,
        deliveryTag,
        method.multiple,
        method.requeue ? Settlement.Requeue : Settlement.Reject,
      );
  }
}

export function recover(channel: Channel, requeue: boolean, isAnswered: boolean): void {
  if (!requeue) throw new AmqpError(ReplyCode.NotImplemented, 'requeue=false');
  giveBackAll(channel);
  if (!isAnswered) return;
  channel.writer.reset();
  encodeBasicRecoverOk(channel.writer);
  channel.send();
}
