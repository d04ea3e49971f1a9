import { describe, expect, it } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.js';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import {
  bool,
  double,
  type FieldValue,
  long,
  longstr,
  signedint,
  table,
} from '../../src/amqp/field-value.js';
import { ARGUMENT_RULES, KNOWN_ARGUMENTS } from '../../src/queues/queue-argument-rules.js';
import {
  checkTypeProperties,
  deadLetterExchangeOf,
  parseQueueArguments,
  type QueueSettings,
  type QueueType,
  queueTypeOf,
} from '../../src/queues/queue-arguments.js';
import { ROWS, TYPES } from './queue-arguments-rows.js';

const PLACE = { queue: 'q', virtualHost: '/' };

const argumentsOf = (type: QueueType, entries: readonly FieldEntry[]): FieldTable =>
  FieldTable.of([['x-queue-type', longstr(type)], ...entries]);
const parse = (type: QueueType, ...entries: FieldEntry[]): QueueSettings =>
  parseQueueArguments(argumentsOf(type, entries), PLACE, ARGUMENT_RULES);

function replyTextOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof AmqpError) return error.replyText;
    throw error;
  }
  return 'accepted';
}

const refusal = (type: QueueType, ...entries: FieldEntry[]): string =>
  replyTextOf(() => parse(type, ...entries));
const badValue = (key: string, fault: string): string =>
  `PRECONDITION_FAILED - invalid arg '${key}' for queue 'q' in vhost '/': ${fault}`;
const otherType = (key: string, type: QueueType): string =>
  `PRECONDITION_FAILED - invalid arg '${key}' for queue 'q' in vhost '/' of queue type rabbit_${type}_queue`;

describe.each(ROWS)('$key', (row) => {
  const beside = row.with ?? [];

  it.each(row.legal)('is accepted and read on a %s queue', (type) => {
    for (const [value, settings] of row.accepted) {
      expect(parse(type, ...beside, [row.key, value])).toMatchObject({ type, ...settings });
    }
  });

  it.each(row.legal)('is refused out of its type or range on a %s queue', (type) => {
    for (const [value, fault] of row.refused) {
      expect(refusal(type, ...beside, [row.key, value])).toBe(badValue(row.key, fault));
    }
  });

  it('is refused by the types that do not know it, whatever its value', () => {
    for (const type of TYPES.filter((other) => !row.legal.includes(other))) {
      for (const value of [row.accepted[0]![0], longstr('anything')]) {
        expect(refusal(type, [row.key, value])).toBe(otherType(row.key, type));
      }
    }
  });

  it('is compared on a redeclare by the types that know it', () => {
    for (const type of TYPES) expect(KNOWN_ARGUMENTS[type].includes(row.key)).toBe(row.legal.includes(type));
  });
});

describe('x-queue-type', () => {
  it('is classic when absent', () => {
    expect(parseQueueArguments(FieldTable.EMPTY, PLACE, ARGUMENT_RULES)).toMatchObject({
      type: 'classic',
      singleActiveConsumer: false,
    });
  });

  it.each([
    ['classic', 'classic'],
    ['quorum', 'quorum'],
    ['stream', 'stream'],
    ['rabbit_quorum_queue', 'quorum'],
  ])('%s is %s', (name, type) => {
    const args = FieldTable.of([['x-queue-type', longstr(name)]]);
    expect(parseQueueArguments(args, PLACE, ARGUMENT_RULES).type).toBe(type);
    expect(queueTypeOf(args, ARGUMENT_RULES)).toBe(type);
  });

  it.each([
    [longstr('foo'), '"unsupported queue type \'foo\'"'],
    [longstr(''), '"unsupported queue type \'\'"'],
    [longstr('a"b\\'), '"unsupported queue type \'a\\"b\\\\\'"'],
    [bool(true), '{unacceptable_type,bool}'],
  ])('is refused: %j', (value, fault) => {
    const args = FieldTable.of([
      ['x-expires', signedint(0)],
      ['x-queue-type', value],
    ]);
    expect(replyTextOf(() => parseQueueArguments(args, PLACE, ARGUMENT_RULES))).toBe(
      badValue('x-queue-type', fault),
    );
  });
});

describe('dead-letter arguments', () => {
  it('refuses an exchange that is not a string, before all else', () => {
    const text =
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'";
    const args = FieldTable.of([
      ['x-queue-type', longstr('foo')],
      ['x-dead-letter-exchange', signedint(5)],
    ]);
    expect(replyTextOf(() => parseQueueArguments(args, PLACE, ARGUMENT_RULES))).toBe(text);
    expect(replyTextOf(() => deadLetterExchangeOf(args, PLACE))).toBe(text);
    expect(deadLetterExchangeOf(FieldTable.EMPTY, PLACE)).toBeUndefined();
    expect(deadLetterExchangeOf(FieldTable.of([['x-dead-letter-exchange', longstr('')]]), PLACE)).toBe('');
  });

  it('refuses a routing key without an exchange', () => {
    expect(refusal('classic', ['x-dead-letter-routing-key', longstr('k')])).toBe(
      badValue('x-dead-letter-routing-key', 'routing_key_but_no_dlx_defined'),
    );
  });
});

describe('reject-publish-dlx', () => {
  const entry: FieldEntry = ['x-overflow', longstr('reject-publish-dlx')];

  it('is itself on a classic queue and drop-head on a quorum queue', () => {
    expect(parse('classic', entry).overflow).toBe('reject-publish-dlx');
    expect(parse('quorum', entry).overflow).toBe('drop-head');
  });
});

describe('limits of streams', () => {
  it('refuses a segment size that is too large', () => {
    expect(refusal('stream', ['x-stream-max-segment-size-bytes', long(3_000_000_001)])).toBe(
      'PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes',
    );
  });

  it.each([
    [signedint(16), 16],
    [signedint(255), 255],
  ])('takes a filter size in range', (value, filterBytes) => {
    expect(parse('stream', ['x-stream-filter-size-bytes', value])).toMatchObject({ filterBytes });
  });

  it.each([
    [signedint(15), 'value'],
    [signedint(256), 'value'],
    [signedint(-1), 'value'],
    [double(32), 'type'],
    [longstr('32'), 'type'],
  ])('refuses another filter size: %j', (value, what) => {
    expect(refusal('stream', ['x-stream-filter-size-bytes', value])).toBe(
      `PRECONDITION_FAILED - Invalid ${what} for x-stream-filter-size-bytes`,
    );
  });
});

describe('arguments in no list', () => {
  it.each(TYPES)('are ignored on a %s queue, whatever their value', (type) => {
    const values = [longstr('x'), signedint(-1), bool(true), table([])];
    for (const value of values) {
      for (const key of [
        'x-foo',
        'x-message-deduplication',
        'x-consumer-timeout',
        'X-EXPIRES',
        '__proto__',
      ]) {
        expect(refusal(type, [key, value])).toBe('accepted');
      }
    }
  });

  it.each(TYPES)('a consumer timeout in milliseconds counts on a %s queue', (type) => {
    const timeout = (value: FieldValue) => parse(type, ['x-consumer-timeout', value]).consumerTimeoutMs;
    expect(timeout(signedint(60_000))).toBe(60_000);
    expect(timeout(signedint(-1))).toBe(-1);
    expect(timeout(longstr('60000'))).toBe(Number.POSITIVE_INFINITY);
    expect(parse(type).consumerTimeoutMs).toBeUndefined();
  });
});

describe('the order of the errors', () => {
  it("is RabbitMQ's order of checks, not the client's order", () => {
    const faulty: FieldEntry[] = [
      ['x-max-length', signedint(-1)],
      ['x-expires', signedint(0)],
    ];
    expect(refusal('classic', ...faulty)).toBe(badValue('x-expires', '{value_zero,0}'));
  });

  it('puts values before arguments of other types, and those in the order of the client', () => {
    const others: FieldEntry[] = [
      ['x-max-age', longstr('nonsense')],
      ['x-delivery-limit', signedint(1)],
    ];
    expect(refusal('classic', ...others)).toBe(otherType('x-max-age', 'classic'));
    expect(refusal('classic', ...others.toReversed())).toBe(otherType('x-delivery-limit', 'classic'));
    expect(refusal('classic', ...others, ['x-expires', signedint(0)])).toBe(
      badValue('x-expires', '{value_zero,0}'),
    );
  });

  it('looks at the first of a repeated key', () => {
    expect(parse('classic', ['x-expires', signedint(5)], ['x-expires', signedint(0)]).expiresMs).toBe(5);
  });
});

describe('properties of replicated queues', () => {
  const declared = { durable: true, exclusive: false, autoDelete: false };
  const check = (type: QueueType, properties: Partial<typeof declared>): string =>
    replyTextOf(() => checkTypeProperties(type, { ...declared, ...properties }, PLACE));
  const text = (property: string): string =>
    `PRECONDITION_FAILED - invalid property '${property}' for queue 'q' in vhost '/'`;

  it.each(['quorum', 'stream'] as const)('are durable, shared and permanent: %s', (type) => {
    expect(check(type, {})).toBe('accepted');
    expect(check(type, { durable: false, exclusive: true, autoDelete: true })).toBe(text('auto-delete'));
    expect(check(type, { durable: false, exclusive: true })).toBe(text('exclusive-owner'));
    expect(check(type, { durable: false })).toBe(text('non-durable'));
  });

  it('are free on classic queues', () => {
    expect(check('classic', { durable: false, exclusive: true, autoDelete: true })).toBe('accepted');
  });
});
