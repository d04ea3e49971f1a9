/** The limit on the queues of a virtual host (rabbitmq.com/docs/vhosts#limits). */
import { preconditionFailed } from '../amqp/errors.js';
import { limitIn } from '../auth/resource-limits.js';
import type { QueueDeclaration, VirtualHost } from './virtual-host.js';

/** @throws AmqpError 406 when one more queue is one too many */
export function checkQueueLimit(virtualHost: VirtualHost, declared: QueueDeclaration): void {
  const limit = limitIn(virtualHost.limits, 'max-queues');
  if (limit === undefined || virtualHost.queues.size < limit) return;
  throw preconditionFailed(
    `cannot declare queue '${declared.name}': queue limit in vhost '${virtualHost.name}' (${limit}) is reached`,
  );
}
