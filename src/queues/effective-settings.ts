/**
 * What holds for a queue: what it was declared with, and what its policies say (rabbitmq.com/docs/policies). Of two
 * numbers that limit something the lower counts, whoever says it; of the rest one side is asked first.
 */
import type { DeadLetterStrategy, Overflow, QueueSettings, QueueType } from './queue-arguments.js';
import { ageMsOf } from './queue-arguments-checks.js';

/** The values of a policy, checked, by the names policies have for them. */
export type PolicyValues = ReadonlyMap<string, string | number>;

/** @param declared what the arguments of the queue say, without any policy */
export function withPolicy(declared: QueueSettings, values: PolicyValues): QueueSettings {
  const shared = {
    ...declared,
    consumerTimeoutMs: lower(declared.consumerTimeoutMs, numberOf(values, 'consumer-timeout')),
  };
  const { type } = declared;
  return type === 'stream' ? withStreamPolicy(shared, values) : withQueuePolicy(shared, values, type);
}

/** Whether nothing would change. */
export function areSameSettings(a: QueueSettings, b: QueueSettings): boolean {
  const left = new Map<string, unknown>(Object.entries(a));
  const right = new Map<string, unknown>(Object.entries(b));
  return [...left.keys(), ...right.keys()].every((key) => left.get(key) === right.get(key));
}

function withQueuePolicy(
  declared: QueueSettings,
  values: PolicyValues,
  type: 'classic' | 'quorum',
): QueueSettings {
  const settings = {
    ...declared,
    messageTtlMs: lower(declared.messageTtlMs, numberOf(values, 'message-ttl')),
    expiresMs: lower(declared.expiresMs, numberOf(values, 'expires')),
    maxLength: lower(declared.maxLength, numberOf(values, 'max-length')),
    maxLengthBytes: lower(declared.maxLengthBytes, numberOf(values, 'max-length-bytes')),
    deadLetterExchange: declared.deadLetterExchange ?? textOf(values, 'dead-letter-exchange'),
    deadLetterRoutingKey: declared.deadLetterRoutingKey ?? textOf(values, 'dead-letter-routing-key'),
  };
  const overflow = overflowOf(type, values);
  // Quorum queues ask the policy first, classic queues the argument (rabbit_quorum_queue, rabbit_amqqueue_process).
  if (type === 'classic') return { ...settings, overflow: declared.overflow ?? overflow };
  return {
    ...settings,
    overflow: overflow ?? declared.overflow,
    deadLetterStrategy:
      declared.deadLetterStrategy ??
      (textOf(values, 'dead-letter-strategy') as DeadLetterStrategy | undefined),
    deliveryLimit: lowerLimit(declared.deliveryLimit, numberOf(values, 'delivery-limit')),
  };
}

function withStreamPolicy(declared: QueueSettings, values: PolicyValues): QueueSettings {
  const age = textOf(values, 'max-age');
  return {
    ...declared,
    maxLengthBytes: numberOf(values, 'max-length-bytes') ?? declared.maxLengthBytes,
    maxAgeMs: age === undefined ? declared.maxAgeMs : ageMsOf(age),
    maxSegmentBytes: numberOf(values, 'stream-max-segment-size-bytes') ?? declared.maxSegmentBytes,
    filterBytes: numberOf(values, 'stream-filter-size-bytes') ?? declared.filterBytes,
  };
}

function overflowOf(type: QueueType, values: PolicyValues): Overflow | undefined {
  const overflow = textOf(values, 'overflow') as Overflow | undefined;
  // As with the argument: quorum queues take it and drop the head.
  return type === 'quorum' && overflow === 'reject-publish-dlx' ? 'drop-head' : overflow;
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** As `lower`, where a negative number is no limit: the other side's counts then. */
export function lowerLimit(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < 0 || b < 0 ? Math.max(a, b) : Math.min(a, b);
}

function numberOf(values: PolicyValues, key: string): number | undefined {
  const value = values.get(key);
  return typeof value === 'number' ? value : undefined;
}

function textOf(values: PolicyValues, key: string): string | undefined {
  const value = values.get(key);
  return typeof value === 'string' ? value : undefined;
}
