/** The queue types: which class makes a queue of which. */
import { notImplemented } from '../amqp/errors.js';
import { textOf } from '../amqp/field-value.js';
import { ClassicQueue } from '../queues/classic-queue.js';
import type { Queue, QueueHost, QueueProperties } from '../queues/queue.js';
import { delaysRetries, keepsDeadLetters } from '../queues/queue-arguments.js';
import { QuorumQueue } from '../queues/quorum-queue.js';
import type { MessageLog } from '../store/message-log.js';
import type { Generation } from './generations/generation.js';
import type { VirtualHostEnvironment } from './virtual-host.js';

/** @throws AmqpError 540 for a type that is not there yet */
export function makeQueue(
  properties: QueueProperties,
  virtualHostName: string,
  log: MessageLog,
  host: QueueHost,
  { generation, logger }: Pick<VirtualHostEnvironment, 'generation' | 'logger'>,
): Queue {
  switch (properties.settings.type) {
    case 'classic':
      return new ClassicQueue(properties, virtualHostName, log, host);
    case 'quorum':
      for (const text of doubtsAbout(properties, generation)) {
        logger.warn({ queue: properties.name, virtualHost: virtualHostName }, text);
      }
      return new QuorumQueue(properties, virtualHostName, log, host, generation.quorum);
    case 'stream':
      throw notImplemented(`queues of type 'stream' are not supported by this broker yet`);
  }
}

/** What a quorum queue accepts and does not do as it is told (rabbitmq.com/docs/quorum-queues), for the operator. */
function doubtsAbout(
  { settings, arguments: args }: QueueProperties,
  { queueArguments }: Generation,
): string[] {
  const doubts: string[] = [];
  // An earlier generation, which does not know the argument, let the queue in.
  if (queueArguments.known.quorum.includes('x-delayed-retry-type') && delaysRetries(args)) {
    doubts.push('the argument x-delayed-retry-type is not supported yet: what comes back is ready at once');
  }
  if (textOf(args.get('x-overflow')) === 'reject-publish-dlx') {
    doubts.push('a quorum queue does not support the overflow reject-publish-dlx: it drops the head');
  }
  const { deadLetterExchange, deadLetterStrategy } = settings;
  if (deadLetterStrategy !== 'at-least-once' || keepsDeadLetters(settings)) return doubts;
  doubts.push(
    deadLetterExchange === undefined
      ? 'no dead-lettering despite the dead-letter strategy at-least-once: there is no dead-letter exchange'
      : 'falling back to the dead-letter strategy at-most-once: at-least-once needs the overflow reject-publish',
  );
  return doubts;
}
