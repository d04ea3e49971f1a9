/** The permission check of every operation (rabbitmq.com/docs/access-control). */

import { accessRefused } from '../amqp/errors.js';
import type { Access } from '../auth/auth-backend.js';
import type { ConnectionContext } from './connection-context.js';

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
