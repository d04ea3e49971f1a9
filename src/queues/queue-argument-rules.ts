/**
 * Which arguments of queue.declare there are, and what values they may have: the part of queue-arguments.ts that
 * differs between the generations of RabbitMQ. The lists here are those of 4.2 (`queue_arguments` of each type).
 */
import type { QueueType } from './queue-arguments.js';
import { VALUE_CHECKS, type ValueCheck } from './queue-arguments-checks.js';

export interface QueueArgumentRules {
  /** What x-queue-type may say. */
  readonly typeNames: ReadonlyMap<string, QueueType>;
  /**
   * The arguments a type knows, in the order in which a redeclare compares them. An argument that only other types
   * know is refused; what is in no list is accepted on every type, with any value.
   */
  readonly known: Readonly<Record<QueueType, readonly string[]>>;
  /** In the order in which they are checked: the first fault is the one reported. */
  readonly valueChecks: readonly (readonly [key: string, check: ValueCheck])[];
  /** Arguments of deprecated features that may not be used any more, and the features' names. */
  readonly denied: ReadonlyMap<string, string>;
}

/** Until 3.13 there are only these. */
export const SHORT_TYPE_NAMES: ReadonlyMap<string, QueueType> = new Map([
  ['classic', 'classic'],
  ['quorum', 'quorum'],
  ['stream', 'stream'],
]);

/** 4.x takes the names of its modules too. */
export const TYPE_NAMES: ReadonlyMap<string, QueueType> = new Map([
  ...SHORT_TYPE_NAMES,
  ['rabbit_classic_queue', 'classic'],
  ['rabbit_quorum_queue', 'quorum'],
  ['rabbit_stream_queue', 'stream'],
]);

/**
 * Not in any of them, so accepted on every type with any value: x-consumer-timeout, the delayed-retry arguments of 4.3
 * and x-stream-filter-size-bytes.
 */
export const KNOWN_ARGUMENTS: QueueArgumentRules['known'] = {
  classic: [
    'x-expires',
    'x-message-ttl',
    'x-dead-letter-exchange',
    'x-dead-letter-routing-key',
    'x-max-length',
    'x-max-length-bytes',
    'x-max-priority',
    'x-overflow',
    'x-queue-mode',
    'x-queue-version',
    'x-single-active-consumer',
    'x-queue-type',
    'x-queue-master-locator',
    'x-queue-leader-locator',
  ],
  quorum: [
    'x-dead-letter-exchange',
    'x-dead-letter-routing-key',
    'x-dead-letter-strategy',
    'x-expires',
    'x-max-length',
    'x-max-length-bytes',
    'x-max-in-memory-length',
    'x-max-in-memory-bytes',
    'x-overflow',
    'x-single-active-consumer',
    'x-queue-type',
    'x-quorum-initial-group-size',
    'x-delivery-limit',
    'x-message-ttl',
    'x-queue-leader-locator',
  ],
  stream: [
    'x-max-length-bytes',
    'x-queue-type',
    'x-max-age',
    'x-stream-max-segment-size-bytes',
    'x-initial-cluster-size',
    'x-queue-leader-locator',
  ],
};

export const ARGUMENT_RULES: QueueArgumentRules = {
  typeNames: TYPE_NAMES,
  known: KNOWN_ARGUMENTS,
  valueChecks: VALUE_CHECKS,
  denied: new Map(),
};

/** Whether some type of queue knows an argument. */
export function isKnownToSomeType({ known }: QueueArgumentRules, key: string): boolean {
  return known.classic.includes(key) || known.quorum.includes(key) || known.stream.includes(key);
}
