/** The limits on what clients may open, in the order in which RabbitMQ looks at them. */
import { notAllowed } from '../amqp/errors.js';
import type { User } from '../auth/auth-backend.js';
import { limitIn } from '../auth/resource-limits.js';
import type { Broker } from '../broker/broker.js';
import type { VirtualHost } from '../broker/virtual-host.js';

/** @throws AmqpError 530 when one more connection is one too many */
export function checkConnectionLimits(
  { clients, users }: Broker,
  virtualHost: VirtualHost,
  user: User,
): void {
  const hostLimit = limitIn(virtualHost.limits, 'max-connections');
  if (hostLimit !== undefined && clients.connectionsIn(virtualHost.name) >= hostLimit) {
    const refused = `access to vhost '${virtualHost.name}' refused for user '${user.name}'`;
    throw notAllowed(`${refused}: connection limit (${hostLimit}) is reached`);
  }
  const userLimit = limitIn(users.limitsOf(user.name), 'max-connections');
  if (userLimit !== undefined && clients.connectionsOf(user.name) >= userLimit) {
    const refused = `connection refused for user '${user.name}'`;
    throw notAllowed(`${refused}: user connection limit (${userLimit}) is reached`);
  }
}

/** @throws AmqpError 530 when one more channel is one too many */
export function checkChannelLimit({ clients, users }: Broker, user: User): void {
  const limit = limitIn(users.limitsOf(user.name), 'max-channels');
  if (limit === undefined || clients.channelsOf(user.name) < limit) return;
  throw notAllowed(
    `number of channels opened for user '${user.name}' has reached the maximum allowed user limit of ${limit}`,
  );
}
