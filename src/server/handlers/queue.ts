/** Class queue. The order of the checks is RabbitMQ's: it decides which of several errors a client sees. */
import { accessRefused, notFound, preconditionFailed } from '../../amqp/errors.js';
import {
  encodeQueueBindOk,
  encodeQueueDeclareOk,
  encodeQueueDeleteOk,
  encodeQueuePurgeOk,
  encodeQueueUnbindOk,
  type QueueBind,
  type QueueDeclare,
  type QueueDelete,
  type QueuePurge,
  type QueueUnbind,
} from '../../amqp/methods.generated.js';
import type { Queue } from '../../queues/queue.js';
import { deadLetterExchangeOf, queueTypeOf } from '../../queues/queue-arguments.js';
import { authorize, authorizePassiveDeclare, authorizeTopic } from '../authorize.js';
import type { Channel } from '../channel.js';
import { REPLY_TO_NAME } from '../reply-to-names.js';
import { defaultExchangeRefused } from './exchange.js';
import { stripLineBreaks } from './names.js';

export function declare(channel: Channel, method: QueueDeclare): void {
  const { virtualHost } = channel.context;
  const name = stripLineBreaks(method.queue);
  if (isReplyName(name)) return declareReplyQueue(channel, method, name);
  if (method.passive) authorizePassiveDeclare(channel.context, 'queue', name);
  const queue = method.passive
    ? virtualHost.queueFor(name, channel.context.owner)
    : declareActively(channel, method, name);
  channel.lastQueueName = queue.name;
  queue.touch();
  if (method.noWait) return;
  const { ready, consumers } = queue.counts();
  channel.writer.reset();
  encodeQueueDeclareOk(channel.writer, queue.name, ready, consumers);
  channel.sendWhenDefined();
}

function declareActively(channel: Channel, method: QueueDeclare, requestedName: string): Queue {
  const { context } = channel;
  const { virtualHost, broker } = context;
  const isServerNamed = requestedName === '';
  const name = isServerNamed ? broker.generateName('amq.gen-') : requestedName;
  const place = { queue: name, virtualHost: virtualHost.name };
  const type = queueTypeOf(method.arguments, broker.generation.queueArguments);
  if (isServerNamed && type !== 'classic') {
    throw preconditionFailed(`Cannot declare a server-named queue for type rabbit_${type}_queue`);
  }
  // Before a look whether it exists: not even its owner may declare a server-named queue by name.
  if (!isServerNamed && name.startsWith('amq.')) {
    throw accessRefused(`queue name '${name}' contains reserved prefix 'amq.*'`);
  }
  authorize(context, 'configure', 'queue', name);
  const declared = {
    name,
    // An exclusive queue is never durable: it goes with its connection (RabbitMQ stores it so).
    durable: method.durable && !method.exclusive,
    autoDelete: method.autoDelete,
    exclusiveOwner: method.exclusive ? context.owner : undefined,
    arguments: method.arguments,
  };
  const existing = virtualHost.queues.get(name);
  if (existing !== undefined) {
    virtualHost.checkQueueEquivalent(existing, declared);
    return existing;
  }
  const deadLetterExchange = deadLetterExchangeOf(method.arguments, place);
  if (deadLetterExchange !== undefined) {
    authorize(context, 'read', 'queue', name);
    authorize(context, 'write', 'exchange', deadLetterExchange);
  }
  return virtualHost.addQueue(declared);
}

export function bind(channel: Channel, method: QueueBind): void {
  const { queueName, exchangeName, routingKey } = checkNames(channel, method);
  const { virtualHost, owner } = channel.context;
  const source = virtualHost.exchangeNamed(exchangeName);
  const bound = virtualHost.queues.get(queueName);
  // RabbitMQ looks at the binding before it asks whose queue it is (rabbit_binding, add).
  if (bound !== undefined) source.checkBinding(bound, routingKey, method.arguments);
  virtualHost.bind(source, virtualHost.queueFor(queueName, owner), routingKey, method.arguments);
  if (method.noWait) return;
  channel.writer.reset();
  encodeQueueBindOk(channel.writer);
  channel.sendWhenDefined();
}

export function unbind(channel: Channel, method: QueueUnbind): void {
  const { queueName, exchangeName, routingKey } = checkNames(channel, method);
  const { virtualHost, owner } = channel.context;
  const source = virtualHost.exchanges.get(exchangeName);
  const bound = virtualHost.queues.get(queueName);
  // RabbitMQ asks whose queue it is only when there is a binding to remove (rabbit_binding, remove).
  if (source !== undefined && bound !== undefined && source.hasBinding(bound, routingKey, method.arguments)) {
    virtualHost.unbind(source, virtualHost.queueFor(queueName, owner), routingKey, method.arguments);
  }
  channel.writer.reset();
  encodeQueueUnbindOk(channel.writer);
  channel.sendWhenDefined();
}

export function purge(channel: Channel, method: QueuePurge): void {
  const queue = lookUp(channel, method.queue, 'read');
  const count = queue.purge();
  if (method.noWait) return;
  channel.writer.reset();
  encodeQueuePurgeOk(channel.writer, count);
  channel.sendWhenDefined();
}

export function remove(channel: Channel, method: QueueDelete): void {
  const { virtualHost, owner } = channel.context;
  const name = queueNameOf(channel, stripLineBreaks(method.queue));
  authorize(channel.context, 'configure', 'queue', name);
  let count = 0;
  // Deleting what is not there succeeds (rabbitmq.com/docs/specification#rules).
  if (virtualHost.queues.has(name)) {
    const queue = virtualHost.queueFor(name, owner);
    queue.checkDelete(method.ifUnused, method.ifEmpty);
    count = virtualHost.deleteQueue(queue);
  }
  if (method.noWait) return;
  channel.writer.reset();
  encodeQueueDeleteOk(channel.writer, count);
  channel.sendWhenDefined();
}

/** The queue a method names, for one kind of access. @throws AmqpError 403, 404 or 405 */
export function lookUp(channel: Channel, requestedName: string, access: 'read'): Queue {
  const { virtualHost, owner } = channel.context;
  const name = queueNameOf(channel, requestedName);
  authorize(channel.context, access, 'queue', name);
  return virtualHost.queueFor(name, owner);
}

/** AMQP 0-9-1: an empty name is the queue declared last on the channel. */
function queueNameOf(channel: Channel, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueueName === '') throw notFound('no previously declared queue');
  return channel.lastQueueName;
}

function checkNames(
  channel: Channel,
  method: QueueBind | QueueUnbind,
): { queueName: string; exchangeName: string; routingKey: string } {
  const { context } = channel;
  const requestedName = stripLineBreaks(method.queue);
  const exchangeName = stripLineBreaks(method.exchange);
  const queueName = queueNameOf(channel, requestedName);
  if (context.broker.generation.refusesReplyBindings && isReplyName(queueName)) {
    throw accessRefused('cannot bind or unbind to a volatile (direct reply-to) queue');
  }
  // An empty key means the queue's name too, but only when the queue was not named (RabbitMQ).
  const isBothEmpty = requestedName === '' && method.routingKey === '';
  authorize(context, 'write', 'queue', queueName);
  if (exchangeName === '') throw defaultExchangeRefused();
  authorize(context, 'read', 'exchange', exchangeName);
  const routingKey = isBothEmpty ? queueName : method.routingKey;
  authorizeTopic(context, 'read', context.virtualHost.exchanges.get(exchangeName), routingKey);
  return { queueName, exchangeName, routingKey };
}

function isReplyName(name: string): boolean {
  return name.startsWith(REPLY_TO_NAME);
}

/** rabbitmq.com/docs/direct-reply-to: declaring a reply address tells whether its requester is still there. */
function declareReplyQueue(channel: Channel, method: QueueDeclare, name: string): void {
  const { virtualHost } = channel.context;
  if (name !== REPLY_TO_NAME && !virtualHost.hasReplyQueue(name)) {
    throw notFound(`no queue '${name}' in vhost '${virtualHost.name}'`);
  }
  channel.lastQueueName = name;
  if (method.noWait) return;
  channel.writer.reset();
  encodeQueueDeclareOk(channel.writer, name, 0, 1);
  channel.send();
}
