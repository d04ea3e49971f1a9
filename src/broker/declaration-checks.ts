/** What the arguments and properties of something to be declared have to be. Errors and their order are RabbitMQ's. */
import { featureDenied, notImplemented, preconditionFailed } from '../amqp/errors.js';
import type { Queue } from '../queues/queue.js';
import {
  checkTypeProperties,
  delaysRetries,
  parseQueueArguments,
  type QueueSettings,
} from '../queues/queue-arguments.js';
import { checkQueueArgumentsEquivalent, inequivalentProperty } from '../queues/queue-equivalence.js';
import type { Generation } from './generations/generation.js';
import type { ExchangeDeclaration, QueueDeclaration } from './virtual-host.js';

/** Checks a new queue. @throws AmqpError 406, 540 for what is not there yet, and 541 for what the generation gave up */
export function checkQueueDeclaration(
  declared: QueueDeclaration,
  virtualHost: string,
  { queueArguments, permitsTransientQueues }: Generation,
): QueueSettings {
  const where = { queue: declared.name, virtualHost };
  const settings = parseQueueArguments(declared.arguments, where, queueArguments);
  const exclusive = declared.exclusiveOwner !== undefined;
  if (!permitsTransientQueues && !declared.durable && !exclusive) {
    throw featureDenied('transient_nonexcl_queues');
  }
  checkTypeProperties(settings.type, { ...declared, exclusive }, where);
  for (const [key, feature] of queueArguments.denied) {
    if (declared.arguments.has(key)) throw featureDenied(feature);
  }
  if (queueArguments.known.quorum.includes('x-delayed-retry-type') && delaysRetries(declared.arguments)) {
    throw notImplemented(
      `argument 'x-delayed-retry-type' of queue '${declared.name}' in vhost '${virtualHost}' is not supported by this ` +
        'broker yet',
    );
  }
  return settings;
}

/** @throws AmqpError 406 unless the argument `alternate-exchange` is absent or a string */
export function checkAlternateExchange(declared: ExchangeDeclaration, virtualHost: string): void {
  const value = declared.arguments.get('alternate-exchange');
  if (value === undefined || value.type === 'longstr') return;
  throw preconditionFailed(
    `invalid type '${value.type}' for arg 'alternate-exchange' in exchange '${declared.name}' in vhost '${virtualHost}'`,
  );
}

/** Checks a declaration of a queue that exists, and is the declarer's. @throws AmqpError 406 naming the first difference */
export function checkSameQueue(
  queue: Queue,
  declared: QueueDeclaration,
  virtualHost: string,
  { queueArguments }: Generation,
): void {
  const compare = (key: string, received: boolean, current: boolean): void => {
    if (received === current) return;
    throw inequivalentProperty('queue', declared.name, virtualHost, key, current, received);
  };
  compare('durable', declared.durable, queue.durable);
  compare('auto_delete', declared.autoDelete, queue.autoDelete);
  const where = { queue: declared.name, virtualHost };
  checkQueueArgumentsEquivalent(queue.arguments, declared.arguments, queue.typeName, where, queueArguments);
}
