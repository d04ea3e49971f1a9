/**
 * The arguments of queue.declare: which of them a queue type knows, what values they may have, and what they mean
 * (https://www.rabbitmq.com/docs/queues#optional-arguments). What differs between generations is in
 * queue-argument-rules.ts; the order of the checks does not:
 *
 *     type of x-dead-letter-exchange -> x-queue-type -> values, in the order of VALUE_CHECKS
 *       -> arguments of other types, in the client's order -> the limits a stream sets when it is created
 *
 * Arguments no type knows are stored and ignored, whatever their value.
 */
import { type AmqpError, preconditionFailed } from '../amqp/errors.js';
import { FieldTable } from '../amqp/field-table.js';
import { type FieldValue, integerOf, textOf } from '../amqp/field-value.js';
import { isKnownToSomeType, type QueueArgumentRules, TYPE_NAMES } from './queue-argument-rules.js';
import { ageMsOf, erlangString, unacceptable, type ValueCheck } from './queue-arguments-checks.js';

export type QueueType = 'classic' | 'quorum' | 'stream';

/** The queue an error text names. */
export interface QueuePlace {
  readonly queue: string;
  readonly virtualHost: string;
}

/**
 * What the arguments ask for. A value that is undefined was not given: a policy or the type's default decides.
 * Arguments without an effect on a single node or in this generation (x-queue-mode, x-queue-version, the
 * locators, the group sizes, the in-memory limits, x-consumer-disconnected-timeout) are checked and compared but are not
 * here.
 */
export interface QueueSettings {
  readonly type: QueueType;
  readonly messageTtlMs?: number | undefined;
  /** Idle time after which the queue is deleted. */
  readonly expiresMs?: number | undefined;
  /** The empty string is the default exchange. */
  readonly deadLetterExchange?: string | undefined;
  readonly deadLetterRoutingKey?: string | undefined;
  readonly deadLetterStrategy?: DeadLetterStrategy | undefined;
  /** Ready messages. */
  readonly maxLength?: number | undefined;
  /** Bytes of the bodies of ready messages; of a stream's segments. */
  readonly maxLengthBytes?: number | undefined;
  readonly overflow?: Overflow | undefined;
  /** The highest priority level; with 0 there is one level, and all messages are equal. */
  readonly maxPriority?: number | undefined;
  readonly singleActiveConsumer: boolean;
  /** Negative is without limit (4.x). */
  readonly deliveryLimit?: number | undefined;
  /** How long a delivery may be unacknowledged; Infinity is for ever. */
  readonly consumerTimeoutMs?: number | undefined;
  readonly maxAgeMs?: number | undefined;
  readonly maxSegmentBytes?: number | undefined;
  readonly filterBytes?: number | undefined;
}

export type DeadLetterStrategy = 'at-most-once' | 'at-least-once';
export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

/** The properties of queue.declare that a replicated type restricts. */
export interface DeclaredProperties {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

/**
 * Checks the arguments of a new queue and reads them.
 * @throws AmqpError 406
 */
export function parseQueueArguments(
  args: FieldTable,
  place: QueuePlace,
  rules: QueueArgumentRules,
): QueueSettings {
  deadLetterExchangeOf(args, place);
  const typeFault = faultOf('x-queue-type', (value) => checkType(value, rules), args);
  if (typeFault !== undefined) throw invalid('x-queue-type', place, `: ${typeFault}`);
  const type = queueTypeOf(args, rules);
  const known = rules.known[type];
  for (const [key, check] of rules.valueChecks) {
    const fault = known.includes(key) ? faultOf(key, check, args) : undefined;
    if (fault !== undefined) throw invalid(key, place, `: ${fault}`);
  }
  for (const [key] of args.entries) {
    if (!known.includes(key) && isKnownToSomeType(rules, key)) {
      throw invalid(key, place, ` of queue type rabbit_${type}_queue`);
    }
  }
  if (type === 'stream') checkStreamLimits(args);
  return settingsOf(type, args);
}

/** Reads the arguments of a queue that a restart ended: they were checked when it was declared, by whatever rules. */
export function readQueueArguments(args: FieldTable): QueueSettings {
  const type = TYPE_NAMES.get(textOf(args.get('x-queue-type')) ?? 'classic') ?? 'classic';
  return settingsOf(type, args);
}

/**
 * The value of x-dead-letter-exchange. It is read before all else, for the permissions of queue.declare.
 * @throws AmqpError 406 when it is not a string
 */
export function deadLetterExchangeOf(args: FieldTable, place: QueuePlace): string | undefined {
  const value = args.get(DEAD_LETTER_EXCHANGE);
  if (value === undefined || value.type === 'longstr') return textOf(value);
  throw preconditionFailed(
    `invalid type '${value.type}' for arg '${DEAD_LETTER_EXCHANGE}' in ${resource(place)}`,
  );
}

/** Whether what comes back is to wait before it is ready again (rabbitmq.com/docs/quorum-queues, 4.3). */
export function delaysRetries(args: FieldTable): boolean {
  return DELAYED_RETRY_TYPES.has(textOf(args.get('x-delayed-retry-type')) ?? 'disabled');
}

/**
 * Replicated queues are durable, shared and permanent (https://www.rabbitmq.com/docs/quorum-queues#feature-comparison).
 * @throws AmqpError 406
 */
export function checkTypeProperties(
  type: QueueType,
  properties: DeclaredProperties,
  place: QueuePlace,
): void {
  if (type === 'classic') return;
  const { autoDelete, exclusive, durable } = properties;
  const property = autoDelete
    ? 'auto-delete'
    : exclusive
      ? 'exclusive-owner'
      : durable
        ? undefined
        : 'non-durable';
  if (property === undefined) return;
  throw preconditionFailed(`invalid property '${property}' for ${resource(place)}`);
}

/**
 * Whether dead messages stay in their queue until they are safe elsewhere: at-least-once needs a dead-letter exchange
 * and the overflow reject-publish (https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering).
 */
export function keepsDeadLetters(settings: QueueSettings): boolean {
  const { deadLetterStrategy, deadLetterExchange, overflow } = settings;
  return (
    deadLetterStrategy === 'at-least-once' &&
    deadLetterExchange !== undefined &&
    overflow === 'reject-publish'
  );
}

/** The type x-queue-type asks for: classic when absent, and for a value that parseQueueArguments refuses. */
export function queueTypeOf(args: FieldTable, { typeNames }: QueueArgumentRules): QueueType {
  return typeNames.get(textOf(args.get('x-queue-type')) ?? 'classic') ?? 'classic';
}

/** Anything else is as `disabled`. */
const DELAYED_RETRY_TYPES: ReadonlySet<string> = new Set(['all', 'failed', 'returned']);

const DEAD_LETTER_EXCHANGE = 'x-dead-letter-exchange';

const STREAM_SEGMENT_BYTES_MAX = 3_000_000_000;
const STREAM_FILTER_BYTES_MIN = 16;
const STREAM_FILTER_BYTES_MAX = 255;

export function faultOf(key: string, check: ValueCheck, args: FieldTable): string | undefined {
  const value = args.get(key);
  return value === undefined ? undefined : check(value, args);
}

function checkType(value: FieldValue, { typeNames }: QueueArgumentRules): string | undefined {
  const name = textOf(value);
  if (name === undefined) return unacceptable(value);
  return typeNames.has(name) ? undefined : erlangString(`unsupported queue type '${name}'`);
}

/** RabbitMQ checks these when it creates the stream, after the arguments; hence texts of another form. */
function checkStreamLimits(args: FieldTable): void {
  if ((integerOf(args.get('x-stream-max-segment-size-bytes')) ?? 0) > STREAM_SEGMENT_BYTES_MAX) {
    throw preconditionFailed('Exceeded max value for x-stream-max-segment-size-bytes');
  }
  const filter = args.get('x-stream-filter-size-bytes');
  if (filter === undefined) return;
  const bytes = integerOf(filter);
  if (bytes === undefined) throw preconditionFailed('Invalid type for x-stream-filter-size-bytes');
  if (bytes < STREAM_FILTER_BYTES_MIN || bytes > STREAM_FILTER_BYTES_MAX) {
    throw preconditionFailed('Invalid value for x-stream-filter-size-bytes');
  }
}

/** Reads checked arguments. Those that RabbitMQ does not check count only when they make sense. */
/** Of a queue that was declared without arguments: one object for all of them. */
const PLAIN_SETTINGS: QueueSettings = { type: 'classic', singleActiveConsumer: false };

function settingsOf(type: QueueType, args: FieldTable): QueueSettings {
  if (type === 'classic' && args === FieldTable.EMPTY) return PLAIN_SETTINGS;
  const integer = (key: string): number | undefined => integerOf(args.get(key));
  const common = {
    type,
    consumerTimeoutMs: consumerTimeoutOf(args),
    maxLengthBytes: integer('x-max-length-bytes'),
  };
  if (type === 'stream') {
    return {
      ...common,
      singleActiveConsumer: false,
      maxAgeMs: ageMsOf(textOf(args.get('x-max-age')) ?? ''),
      maxSegmentBytes: integer('x-stream-max-segment-size-bytes'),
      filterBytes: integer('x-stream-filter-size-bytes'),
    };
  }
  const singleActiveConsumer = args.get('x-single-active-consumer');
  const shared = {
    ...common,
    messageTtlMs: integer('x-message-ttl'),
    expiresMs: integer('x-expires'),
    deadLetterExchange: textOf(args.get(DEAD_LETTER_EXCHANGE)),
    deadLetterRoutingKey: textOf(args.get('x-dead-letter-routing-key')),
    maxLength: integer('x-max-length'),
    overflow: overflowOf(type, args),
    singleActiveConsumer: singleActiveConsumer?.type === 'bool' && singleActiveConsumer.value,
  };
  if (type === 'classic') {
    return { ...shared, maxPriority: integer('x-max-priority') };
  }
  return { ...shared, deadLetterStrategy: strategyOf(args), deliveryLimit: integer('x-delivery-limit') };
}

/**
 * Until 4.2 nobody checks x-consumer-timeout: a negative number has passed at once, and what is no integer never does
 * (rabbit_channel.erl, evaluate_consumer_timeout1).
 */
function consumerTimeoutOf(args: FieldTable): number | undefined {
  const value = args.get('x-consumer-timeout');
  return value === undefined ? undefined : (integerOf(value) ?? Number.POSITIVE_INFINITY);
}

function overflowOf(type: QueueType, args: FieldTable): Overflow | undefined {
  const overflow = textOf(args.get('x-overflow'));
  switch (overflow) {
    case 'drop-head':
    case 'reject-publish':
      return overflow;
    case 'reject-publish-dlx':
      // Quorum queues take it and drop the head (https://www.rabbitmq.com/docs/quorum-queues#feature-comparison).
      return type === 'quorum' ? 'drop-head' : overflow;
    default:
      return undefined;
  }
}

function strategyOf(args: FieldTable): DeadLetterStrategy | undefined {
  const strategy = textOf(args.get('x-dead-letter-strategy'));
  return strategy === 'at-most-once' || strategy === 'at-least-once' ? strategy : undefined;
}

function invalid(key: string, place: QueuePlace, rest: string): AmqpError {
  return preconditionFailed(`invalid arg '${key}' for ${resource(place)}${rest}`);
}

function resource(place: QueuePlace): string {
  return `queue '${place.queue}' in vhost '${place.virtualHost}'`;
}
