/** How the values of a policy meet the arguments of a queue. */
import { describe, expect, it } from 'vitest';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { areSameSettings, withPolicy } from '../../src/queues/effective-settings.js';
import { type QueueSettings, readQueueArguments } from '../../src/queues/queue-arguments.js';

type Value = string | number;

const declare = (type: string, args: readonly FieldEntry[] = []): QueueSettings =>
  readQueueArguments(FieldTable.of([['x-queue-type', longstr(type)], ...args]));
const field = (value: Value): ReturnType<typeof longstr> | ReturnType<typeof signedint> =>
  typeof value === 'string' ? longstr(value) : signedint(value);

/** Type of queue, key of the policy, what it becomes, then cases of argument, policy, outcome. */
type Row = readonly [
  type: string,
  key: string,
  setting: keyof QueueSettings,
  ...cases: readonly (readonly [argument: Value | undefined, policy: Value, outcome: unknown])[],
];

const MIN: readonly (readonly [number | undefined, number, number])[] = [
  [undefined, 7, 7],
  [5, 7, 5],
  [9, 7, 7],
];

const ROWS: readonly Row[] = [
  ['classic', 'message-ttl', 'messageTtlMs', ...MIN, [5, 0, 0]],
  ['quorum', 'message-ttl', 'messageTtlMs', ...MIN],
  ['classic', 'expires', 'expiresMs', ...MIN],
  ['quorum', 'expires', 'expiresMs', ...MIN],
  ['classic', 'max-length', 'maxLength', ...MIN, [0, 7, 0]],
  ['quorum', 'max-length', 'maxLength', ...MIN],
  ['classic', 'max-length-bytes', 'maxLengthBytes', ...MIN],
  ['quorum', 'max-length-bytes', 'maxLengthBytes', ...MIN],
  ['stream', 'max-length-bytes', 'maxLengthBytes', [undefined, 7, 7], [5, 7, 7]],
  ['classic', 'dead-letter-exchange', 'deadLetterExchange', [undefined, 'p', 'p'], ['a', 'p', 'a']],
  ['quorum', 'dead-letter-exchange', 'deadLetterExchange', [undefined, 'p', 'p'], ['a', 'p', 'a']],
  ['classic', 'dead-letter-routing-key', 'deadLetterRoutingKey', [undefined, 'p', 'p']],
  [
    'quorum',
    'dead-letter-strategy',
    'deadLetterStrategy',
    [undefined, 'at-least-once', 'at-least-once'],
    ['at-most-once', 'at-least-once', 'at-most-once'],
  ],
  [
    'classic',
    'overflow',
    'overflow',
    [undefined, 'reject-publish', 'reject-publish'],
    ['drop-head', 'reject-publish', 'drop-head'],
  ],
  [
    'quorum',
    'overflow',
    'overflow',
    [undefined, 'reject-publish', 'reject-publish'],
    ['drop-head', 'reject-publish', 'reject-publish'],
    ['reject-publish', 'reject-publish-dlx', 'drop-head'],
  ],
  ['quorum', 'delivery-limit', 'deliveryLimit', ...MIN, [-1, 7, 7], [7, -1, 7], [-1, -3, -1]],
  ['classic', 'consumer-timeout', 'consumerTimeoutMs', ...MIN],
  ['quorum', 'consumer-timeout', 'consumerTimeoutMs', ...MIN],
  ['stream', 'consumer-timeout', 'consumerTimeoutMs', ...MIN],
  ['stream', 'max-age', 'maxAgeMs', [undefined, '2s', 2000], ['1s', '2s', 2000]],
  ['stream', 'stream-max-segment-size-bytes', 'maxSegmentBytes', [undefined, 7, 7], [5, 7, 7]],
  ['stream', 'stream-filter-size-bytes', 'filterBytes', [undefined, 20, 20], [30, 20, 20]],
];

const NAMED = ROWS.map(([type, key, setting, ...cases]) => ({ type, key, setting, cases }));

describe.each(NAMED)('a $type queue with $key', ({ type, key, setting, cases }) => {
  it.each(cases)('declared with %j, of a policy with %j, has %j', (argument, policy, outcome) => {
    const declared = declare(type, argument === undefined ? [] : [[`x-${key}`, field(argument)]]);
    const settings = withPolicy(declared, new Map([[key, policy]]));
    expect(settings[setting]).toBe(outcome);
    // Nothing else is touched.
    const others = { ...declared, [setting]: outcome } as QueueSettings;
    expect(areSameSettings(settings, others)).toBe(true);
  });
});

describe('settings', () => {
  it('a routing key of the argument counts first', () => {
    const declared = declare('classic', [
      ['x-dead-letter-exchange', longstr('a')],
      ['x-dead-letter-routing-key', longstr('b')],
    ]);
    const settings = withPolicy(
      declared,
      new Map([
        ['dead-letter-exchange', 'p'],
        ['dead-letter-routing-key', 'q'],
      ]),
    );
    expect([settings.deadLetterExchange, settings.deadLetterRoutingKey]).toEqual(['a', 'b']);
  });

  it.each(['alternate-exchange', 'queue-mode', 'queue-version', 'queue-leader-locator', 'max-age'])(
    'of a classic queue do not know %s',
    (key) => {
      const declared = declare('classic');
      expect(areSameSettings(withPolicy(declared, new Map([[key, '2s']])), declared)).toBe(true);
    },
  );

  it('differ where one has what the other has not', () => {
    expect(areSameSettings(declare('classic'), { ...declare('classic'), maxLength: 1 })).toBe(false);
    expect(areSameSettings({ ...declare('classic'), maxLength: 1 }, declare('classic'))).toBe(false);
    expect(areSameSettings(declare('classic'), { ...declare('classic'), maxLength: undefined })).toBe(true);
  });
});
