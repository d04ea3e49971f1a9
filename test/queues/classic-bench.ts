/** A classic queue by itself, and messages for it that can expire and have priorities. */
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { ClassicQueue } from '../../src/queues/classic-queue.js';
import { ARGUMENT_RULES } from '../../src/queues/queue-argument-rules.js';
import { parseQueueArguments } from '../../src/queues/queue-arguments.js';
import { writeLabelled } from '../helpers/messages.js';
import { type MakeQueue, QueueBench } from './queue-contract.js';

export const makeClassic: MakeQueue = (log, host, args) => {
  const table = FieldTable.of(args);
  const properties = {
    id: 1,
    name: 'q',
    durable: false,
    autoDelete: false,
    exclusiveOwner: undefined,
    arguments: table,
    settings: parseQueueArguments(table, { queue: 'q', virtualHost: '/' }, ARGUMENT_RULES),
  };
  return new ClassicQueue(properties, '/', log, host);
};

/** A classic queue with the arguments given: numbers and strings. */
export function classicBench(args: Readonly<Record<string, number | string>> = {}): QueueBench {
  const entries = Object.entries(args).map(
    ([key, value]): FieldEntry => [key, typeof value === 'number' ? signedint(value) : longstr(value)],
  );
  return new QueueBench(makeClassic, entries);
}

export interface PublishOptions {
  /** The expiration property. */
  readonly ttlMs?: number | undefined;
  readonly priority?: number;
}

/** Publishes one message as a channel does, now. @returns whether the queue took it */
export function publish(t: QueueBench, label: string, options: PublishOptions = {}): boolean {
  const publishedMs = t.host.clock.nowMs();
  const deadlineMs = publishedMs + (options.ttlMs ?? Number.POSITIVE_INFINITY);
  const position = writeLabelled(t.log, label, { publishedMs, deadlineMs, priority: options.priority ?? 0 });
  t.log.retain(position, 1);
  return t.queue.publish(position, deadlineMs);
}
