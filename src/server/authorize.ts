/** The permission check of every operation (rabbitmq.com/docs/access-control). */

import { accessRefused } from '../amqp/errors.js';
import type { Access } from '../auth/auth-backend.js';
import type { BrokerExchange } from '../broker/router.js';
import type { ConnectionContext } from './connection-context.js';

/**
 * Whoever may do anything with a resource may ask whether it is there; before 4.3 everybody may.
 * @throws AmqpError 403, in the words for configure
 */
export function authorizePassiveDeclare(
  context: ConnectionContext,
  kind: 'exchange' | 'queue',
  name: string,
): void {
  const { broker, user, virtualHost } = context;
  if (!broker.generation.checksPassiveDeclare) return;
  if (broker.users.isAllowed(user.name, virtualHost.name, 'read', name)) return;
  if (broker.users.isAllowed(user.name, virtualHost.name, 'write', name)) return;
  authorize(context, 'configure', kind, name);
}

/** @throws AmqpError 403. The default exchange goes by the name `amq.default` in patterns and in the text. */
export function authorize(
  context: ConnectionContext,
  access: Access,
  kind: 'exchange' | 'queue',
  name: string,
): void {
  const { broker, user, virtualHost } = context;
  const checkedName = kind === 'exchange' && name === '' ? 'amq.default' : name;
  if (broker.users.isAllowed(user.name, virtualHost.name, access, checkedName)) return;
  throw accessRefused(
    `${access} access to ${kind} '${checkedName}' in vhost '${virtualHost.name}' refused for user '${user.name}'`,
  );
}

/**
 * The second look, at the routing key, of what is allowed on a topic exchange
 * (rabbitmq.com/docs/access-control#topic-authorisation). An exchange that does not exist is found out elsewhere.
 * @throws AmqpError 403
 */
export function authorizeTopic(
  context: ConnectionContext,
  access: 'write' | 'read',
  exchange: BrokerExchange | undefined,
  routingKey: string,
): void {
  const { users } = context.broker;
  if (users.topicPermissionCount === 0 || exchange?.typeName !== 'topic') return;
  const { user, virtualHost } = context;
  if (users.isTopicAllowed(user.name, virtualHost.name, exchange.name, access, routingKey)) return;
  const topic = `'${routingKey}' in exchange '${exchange.name}' in vhost '${virtualHost.name}'`;
  throw accessRefused(`${access} access to topic ${topic} refused for user '${user.name}'`);
}
