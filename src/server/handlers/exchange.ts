/** Class exchange. The order of the checks is RabbitMQ's: it decides which of several errors a client sees. */
import { accessRefused, preconditionFailed } from '../../amqp/errors.js';
import { textOf } from '../../amqp/field-value.js';
import {
  type ExchangeBind,
  type ExchangeDeclare,
  type ExchangeDelete,
  type ExchangeUnbind,
  encodeExchangeBindOk,
  encodeExchangeDeclareOk,
  encodeExchangeDeleteOk,
  encodeExchangeUnbindOk,
} from '../../amqp/methods.generated.js';
import { checkAlternateExchange } from '../../broker/declaration-checks.js';
import { exchangeTypes } from '../../exchanges/registry.js';
import { authorize, authorizePassiveDeclare, authorizeTopic } from '../authorize.js';
import type { Channel } from '../channel.js';
import { stripLineBreaks } from './names.js';

export function declare(channel: Channel, method: ExchangeDeclare): void {
  const { context } = channel;
  const { virtualHost } = context;
  const name = stripLineBreaks(method.exchange);
  if (method.passive) {
    if (name === '') throw defaultExchangeRefused();
    authorizePassiveDeclare(context, 'exchange', name);
    virtualHost.exchangeNamed(name);
  } else {
    const declared = { ...method, name };
    const isMissing = context.broker.generation.missingExchangeTypes.has(method.type);
    if (isMissing || !exchangeTypes.has(method.type)) {
      throw preconditionFailed(`unknown exchange type '${method.type}'`);
    }
    if (name === '') throw defaultExchangeRefused();
    authorize(context, 'configure', 'exchange', name);
    const existing = virtualHost.exchanges.get(name);
    if (existing !== undefined) {
      virtualHost.checkExchangeEquivalent(existing, declared);
    } else {
      if (name.startsWith('amq.')) {
        throw accessRefused(`exchange name '${name}' contains reserved prefix 'amq.*'`);
      }
      checkAlternateExchange(declared, virtualHost.name);
      const alternate = textOf(method.arguments.get('alternate-exchange'));
      if (alternate !== undefined) {
        authorize(context, 'read', 'exchange', name);
        authorize(context, 'write', 'exchange', alternate);
      }
      virtualHost.addExchange(declared);
    }
  }
  if (method.noWait) return;
  channel.writer.reset();
  encodeExchangeDeclareOk(channel.writer);
  channel.sendWhenDefined();
}

export function remove(channel: Channel, method: ExchangeDelete): void {
  const { context } = channel;
  const { virtualHost } = context;
  const name = stripLineBreaks(method.exchange);
  if (name === '') throw defaultExchangeRefused();
  if (name.startsWith('amq.')) {
    throw accessRefused(`deletion of system exchange '${name}' in vhost '${virtualHost.name}' not allowed`);
  }
  authorize(context, 'configure', 'exchange', name);
  // Deleting what is not there succeeds (rabbitmq.com/docs/specification#rules).
  const exchange = virtualHost.exchanges.get(name);
  if (exchange !== undefined) {
    if (method.ifUnused && exchange.bindingCount > 0) {
      throw preconditionFailed(`exchange '${name}' in vhost '${virtualHost.name}' in use`);
    }
    virtualHost.deleteExchange(exchange);
  }
  if (method.noWait) return;
  channel.writer.reset();
  encodeExchangeDeleteOk(channel.writer);
  channel.sendWhenDefined();
}

export function bind(channel: Channel, method: ExchangeBind): void {
  const { destination, source } = checkNames(channel, method);
  const { virtualHost } = channel.context;
  const sourceExchange = virtualHost.exchangeNamed(source);
  const target = virtualHost.exchangeNamed(destination);
  virtualHost.bind(sourceExchange, target, method.routingKey, method.arguments);
  if (method.noWait) return;
  channel.writer.reset();
  encodeExchangeBindOk(channel.writer);
  channel.sendWhenDefined();
}

export function unbind(channel: Channel, method: ExchangeUnbind): void {
  const { destination, source } = checkNames(channel, method);
  const { virtualHost } = channel.context;
  const sourceExchange = virtualHost.exchanges.get(source);
  const target = virtualHost.exchanges.get(destination);
  if (sourceExchange !== undefined && target !== undefined) {
    virtualHost.unbind(sourceExchange, target, method.routingKey, method.arguments);
  }
  if (method.noWait) return;
  channel.writer.reset();
  encodeExchangeUnbindOk(channel.writer);
  channel.sendWhenDefined();
}

function checkNames(
  channel: Channel,
  method: ExchangeBind | ExchangeUnbind,
): { destination: string; source: string } {
  const destination = stripLineBreaks(method.destination);
  const source = stripLineBreaks(method.source);
  authorize(channel.context, 'write', 'exchange', destination);
  if (destination === '' || source === '') throw defaultExchangeRefused();
  authorize(channel.context, 'read', 'exchange', source);
  const sourceExchange = channel.context.virtualHost.exchanges.get(source);
  authorizeTopic(channel.context, 'read', sourceExchange, method.routingKey);
  return { destination, source };
}

export function defaultExchangeRefused(): Error {
  return accessRefused('operation not permitted on the default exchange');
}
