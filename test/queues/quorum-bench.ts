/** A quorum queue by itself, and messages for it that can expire and have priorities. */
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { bool, longstr, signedint } from '../../src/amqp/field-value.js';
import { IMAGE_HAS_PRIORITY } from '../../src/amqp/message-image.js';
import { ARGUMENT_RULES } from '../../src/queues/queue-argument-rules.js';
import { parseQueueArguments } from '../../src/queues/queue-arguments.js';
import { QuorumQueue } from '../../src/queues/quorum-queue.js';
import { QUORUM_RULES } from '../../src/queues/quorum-rules.js';
import { writeLabelled } from '../helpers/messages.js';
import type { PublishOptions } from './classic-bench.js';
import { type MakeQueue, QueueBench } from './queue-contract.js';

export const QUORUM_TYPE: FieldEntry = ['x-queue-type', longstr('quorum')];

export const makeQuorum: MakeQueue = (log, host, args) => {
  const table = FieldTable.of([QUORUM_TYPE, ...args]);
  const properties = {
    id: 1,
    name: 'q',
    durable: true,
    autoDelete: false,
    exclusiveOwner: undefined,
    arguments: table,
    settings: parseQueueArguments(table, { queue: 'q', virtualHost: '/' }, ARGUMENT_RULES),
  };
  return new QuorumQueue(properties, '/', log, host, QUORUM_RULES);
};

/** Arguments: numbers, strings and booleans. */
export function entriesOf(args: Readonly<Record<string, number | string | boolean>>): FieldEntry[] {
  return Object.entries(args).map(([key, value]): FieldEntry => {
    if (typeof value === 'number') return [key, signedint(value)];
    return [key, typeof value === 'string' ? longstr(value) : bool(value)];
  });
}

export function quorumBench(args: Readonly<Record<string, number | string | boolean>> = {}): QueueBench {
  return new QueueBench(makeQuorum, entriesOf(args));
}

/** Publishes one message as a channel does, now. @returns whether the queue took it */
export function publish(t: QueueBench, label: string, options: PublishOptions = {}): boolean {
  const publishedMs = t.host.clock.nowMs();
  const deadlineMs = publishedMs + (options.ttlMs ?? Number.POSITIVE_INFINITY);
  const { priority } = options;
  const notes = { publishedMs, deadlineMs, priority: priority ?? 0 };
  const flags = priority === undefined ? 0 : IMAGE_HAS_PRIORITY;
  const position = writeLabelled(t.log, label, { ...notes, flags });
  t.log.retain(position, 1);
  return t.queue.publish(position, deadlineMs);
}
