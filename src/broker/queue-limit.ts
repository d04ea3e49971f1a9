/** The limit on the queues of a virtual host (rabbitmq.com/docs/vhosts#limits). */
import { preconditionFailed } from '../amqp/errors.js';
import { limitIn } from '../auth/resource-limits.js';
import { parseQueueArguments } from '../queues/queue-arguments.js';
import type { QueueDeclaration, VirtualHost } from './virtual-host.js';

/** @throws AmqpError 406 when one more queue is one too many; what is wrong with its arguments is said first */
export function checkQueueLimit(virtualHost: VirtualHost, declared: QueueDeclaration): void {
  const limit = limitIn(virtualHost.limits, 'max-queues');
  if (limit === undefined || virtualHost.queues.size < limit) return;
  const place = { queue: declared.name, virtualHost: virtualHost.name };
  parseQueueArguments(declared.arguments, place);
  throw preconditionFailed(
    `cannot declare queue '${place.queue}': queue limit in vhost '${place.virtualHost}' (${limit}) is reached`,
  );
}
