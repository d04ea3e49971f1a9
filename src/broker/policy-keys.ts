/**
 * The keys of policies (rabbitmq.com/docs/parameters#policies): what values they take, which of them an operator policy
 * may have and how the two are joined, and which a queue type does not know. Generations differ in which they know at
 * all. The texts are those of RabbitMQ's `rabbit_policies`, the lists of queue types those of `unsupported_policies`.
 */
import { lowerLimit, type PolicyValues } from '../queues/effective-settings.js';
import type { QueueType } from '../queues/queue-arguments.js';
import { ageMsOf } from '../queues/queue-arguments-checks.js';
import { erlangJson } from './erlang-json.js';
import type { Generation } from './generations/generation.js';

/** What differs between generations. */
export type PolicyRules = Pick<Generation, 'unknownPolicyKeys' | 'quorum'>;

type PolicyValue = string | number;
type Join = (user: PolicyValue, operator: PolicyValue) => PolicyValue;

interface PolicyKey {
  accepts(value: unknown): boolean;
  /** What is said behind a value that is not accepted. */
  readonly fault: string;
  /** For keys that an operator policy may have: what counts when both kinds of policy have one. */
  readonly join?: Join;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const from =
  (min: number, max = Number.POSITIVE_INFINITY) =>
  (value: unknown): boolean =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
const oneOf =
  (...values: readonly PolicyValue[]) =>
  (value: unknown): boolean =>
    values.some((accepted) => accepted === value);

const lower: Join = (user, operator) => Math.min(Number(user), Number(operator));
const higher: Join = (user, operator) => Math.max(Number(user), Number(operator));
const operatorWins: Join = (_user, operator) => operator;
const lowerOrLimited: Join = (user, operator) => lowerLimit(Number(user), Number(operator))!;

function key(accepts: PolicyKey['accepts'], what: string, join?: Join): PolicyKey {
  return { accepts, fault: `is not a valid ${what}`, ...(join !== undefined && { join }) };
}

const STREAM_SEGMENT_BYTES_MAX = 3_000_000_000;
const DELIVERY_LIMIT = 'delivery-limit';

const KEYS = new Map<string, PolicyKey>([
  ['alternate-exchange', key(isText, 'alternate exchange name')],
  ['consumer-disconnected-timeout', key(from(0), 'consumer disconnected timeout')],
  ['consumer-timeout', key(from(0), 'consumer timeout')],
  ['dead-letter-exchange', key(isText, 'dead letter exchange name')],
  ['dead-letter-routing-key', key(isText, 'dead letter routing key')],
  ['dead-letter-strategy', key(oneOf('at-most-once', 'at-least-once'), 'dead letter strategy')],
  [
    'delayed-retry-type',
    key(oneOf('disabled', 'all', 'failed', 'returned'), 'delayed retry type', operatorWins),
  ],
  ['delayed-retry-min', key(from(0), 'delayed retry min', higher)],
  ['delayed-retry-max', key(from(0), 'delayed retry max', lower)],
  [DELIVERY_LIMIT, key(from(Number.NEGATIVE_INFINITY), 'delivery limit', lowerOrLimited)],
  ['expires', key(from(1), 'queue expiry', lower)],
  ['initial-cluster-size', key(from(0), 'cluster size')],
  ['max-age', key((value) => typeof value === 'string' && ageMsOf(value) !== undefined, 'max age')],
  ['max-in-memory-bytes', key(from(0), 'maximum memory in bytes', lower)],
  ['max-in-memory-length', key(from(0), 'maximum memory in bytes', lower)],
  ['max-length', key(from(0), 'maximum length', lower)],
  ['max-length-bytes', key(from(0), 'maximum length in bytes', lower)],
  ['message-ttl', key(from(0), 'message TTL', lower)],
  [
    'overflow',
    key(oneOf('drop-head', 'reject-publish', 'reject-publish-dlx'), 'overflow value', operatorWins),
  ],
  [
    'queue-leader-locator',
    key(oneOf('client-local', 'balanced', 'random', 'least-leaders'), 'queue leader locator value'),
  ],
  [
    'queue-master-locator',
    {
      accepts: oneOf('min-masters', 'client-local', 'random'),
      fault: 'invalid queue-master-locator value',
      join: operatorWins,
    },
  ],
  ['queue-mode', key(oneOf('default', 'lazy'), 'queue-mode value')],
  ['queue-version', key(oneOf(1, 2), 'queue-version value', operatorWins)],
  ['stream-filter-size-bytes', key(from(16, 255), 'filter size. Valid range is 16-255')],
  ['stream-max-segment-size-bytes', key(from(0, STREAM_SEGMENT_BYTES_MAX), 'segment size')],
  ['target-group-size', key(from(1), 'target count', higher)],
]);

/** Before 4.0, which took the negative ones. */
const DELIVERY_LIMIT_FROM_0 = key(from(0), 'delivery limit', lower);

/** Of what is not there yet, so not recognised: none may be taken and do nothing. */
const MISSING: ReadonlySet<string> = new Set([
  'delayed-retry-max',
  'delayed-retry-min',
  'delayed-retry-type',
  'max-age',
  'stream-filter-size-bytes',
  'stream-max-segment-size-bytes',
]);

/** A policy with one of these does not apply to a queue of that type, also not with what else it says. */
const UNSUPPORTED: Readonly<Record<QueueType, ReadonlySet<string>>> = {
  classic: new Set([
    'consumer-disconnected-timeout',
    'dead-letter-strategy',
    'delayed-retry-max',
    'delayed-retry-min',
    'delayed-retry-type',
    'delivery-limit',
    'initial-cluster-size',
    'max-age',
    'max-in-memory-bytes',
    'max-in-memory-length',
    'stream-max-segment-size-bytes',
    'target-group-size',
  ]),
  quorum: new Set([
    'initial-cluster-size',
    'max-age',
    'queue-master-locator',
    'queue-mode',
    'stream-max-segment-size-bytes',
  ]),
  stream: new Set([
    'consumer-disconnected-timeout',
    'dead-letter-exchange',
    'dead-letter-routing-key',
    'dead-letter-strategy',
    'delayed-retry-max',
    'delayed-retry-min',
    'delayed-retry-type',
    'delivery-limit',
    'expires',
    'max-in-memory-bytes',
    'max-in-memory-length',
    'max-length',
    'message-ttl',
    'overflow',
    'queue-master-locator',
    'queue-mode',
    'target-group-size',
  ]),
};

/**
 * Checks a definition: the values first, in the order of their keys, then whether every key is known.
 * @param definition as JSON gave it
 * @returns what is wrong, in RabbitMQ's words; undefined when nothing is
 */
export function definitionFault(
  definition: unknown,
  isOperator: boolean,
  rules: PolicyRules,
): string | undefined {
  if (Array.isArray(definition)) {
    if (definition.length === 0) return 'no policy provided';
    return `definition must be a dictionary: ${erlangJson(definition)}`;
  }
  if (typeof definition !== 'object' || definition === null) {
    const validator = isOperator ? 'operator_policy_validator' : 'policy_validator';
    return `parse error while reading policy definition: ${erlangJson(definition)}. Validator: ${validator}.`;
  }
  const entries = Object.entries(definition).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return 'no policy provided';
  const unknown: string[] = [];
  for (const [name, value] of entries) {
    const known = keyNamed(name, rules);
    if (known === undefined || (isOperator && known.join === undefined)) {
      unknown.push(`{${erlangJson(name)},${erlangJson(value)}}`);
    } else if (!known.accepts(value)) {
      return `${erlangJson(value)} ${known.fault}`;
    }
  }
  return unknown.length === 0 ? undefined : `[${unknown.join(',')}] are not recognised policy settings`;
}

function keyNamed(name: string, { unknownPolicyKeys, quorum }: PolicyRules): PolicyKey | undefined {
  if (MISSING.has(name) || unknownPolicyKeys.has(name)) return undefined;
  return name === DELIVERY_LIMIT && !quorum.hasNegativeLimit ? DELIVERY_LIMIT_FROM_0 : KEYS.get(name);
}

/** Whether a queue type knows every key. */
export function isSupportedBy(type: QueueType, values: PolicyValues): boolean {
  const unsupported = UNSUPPORTED[type];
  for (const name of values.keys()) if (unsupported.has(name)) return false;
  return true;
}

/** What the one user policy and the one operator policy of an object say together. */
export function joinPolicies(
  user: PolicyValues | undefined,
  operator: PolicyValues | undefined,
): PolicyValues | undefined {
  if (user === undefined || operator === undefined) return user ?? operator;
  const joined = new Map<string, PolicyValue>(user);
  for (const [name, value] of operator) {
    const own = joined.get(name);
    joined.set(name, own === undefined ? value : KEYS.get(name)!.join!(own, value));
  }
  return joined;
}
