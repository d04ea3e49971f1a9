/** Every key a policy may have: rabbitmq.com/docs/parameters#policies, with the texts of rabbit_policies. */
import { describe, expect, it } from 'vitest';
import { RABBITMQ_3_13 } from '../../src/broker/generations/3-13.js';
import { RABBITMQ_4_2 } from '../../src/broker/generations/4-2.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import { DEFAULT_GENERATION } from '../../src/broker/generations/default.js';
import type { Generation } from '../../src/broker/generations/generation.js';
import { PolicyError, type PolicyInput, type PolicyKind, parsePolicy } from '../../src/broker/policy.js';
import { isSupportedBy, joinPolicies } from '../../src/broker/policy-keys.js';
import type { QueueType } from '../../src/queues/queue-arguments.js';

type Value = string | number;

interface Row {
  readonly key: string;
  readonly accepted: readonly Value[];
  /** Values that are not accepted, and what is said of them. */
  readonly refused: readonly (readonly [value: unknown, text: string])[];
  /** For an operator policy: user value, operator value, what counts. Absent: not for operators. */
  readonly joined?: readonly (readonly [user: Value, operator: Value, counts: Value])[];
  readonly unsupportedBy?: readonly QueueType[];
}

const notInteger = (text: string): Row['refused'] => [
  ['1', `<<"1">> ${text}`],
  [1.5, `1.5 ${text}`],
  [true, `true ${text}`],
  [null, `null ${text}`],
  [[1, 'a'], `[1,<<"a">>] ${text}`],
  [{ a: 1 }, `#{<<"a">> => 1} ${text}`],
];
const notText = (text: string): Row['refused'] => [
  [1, `1 ${text}`],
  [false, `false ${text}`],
];
const MIN: Row['joined'] = [
  [5, 3, 3],
  [2, 3, 2],
];
const MAX: Row['joined'] = [
  [5, 3, 5],
  [2, 3, 3],
];

const limit = (key: string, what: string, rest: Partial<Row> = {}): Row => {
  const text = `is not a valid ${what}`;
  return {
    key,
    accepted: [0, 1, 1e15],
    refused: [[-1, `-1 ${text}`], ...notInteger(text)],
    joined: MIN,
    ...rest,
  };
};
const choice = (key: string, what: string, accepted: readonly Value[], rest: Partial<Row> = {}): Row => ({
  key,
  accepted,
  refused: [
    ['other', `<<"other">> ${what}`],
    [7, `7 ${what}`],
  ],
  ...rest,
});

const ROWS: readonly Row[] = [
  {
    key: 'alternate-exchange',
    accepted: ['ae', ''],
    refused: notText('is not a valid alternate exchange name'),
  },
  {
    key: 'dead-letter-exchange',
    accepted: ['dlx', ''],
    refused: notText('is not a valid dead letter exchange name'),
    unsupportedBy: ['stream'],
  },
  {
    key: 'dead-letter-routing-key',
    accepted: ['rk', ''],
    refused: notText('is not a valid dead letter routing key'),
    unsupportedBy: ['stream'],
  },
  choice('dead-letter-strategy', 'is not a valid dead letter strategy', ['at-most-once', 'at-least-once'], {
    unsupportedBy: ['classic', 'stream'],
  }),
  limit('message-ttl', 'message TTL', { unsupportedBy: ['stream'] }),
  limit('expires', 'queue expiry', {
    accepted: [1, 1e15],
    refused: [[0, '0 is not a valid queue expiry'], ...notInteger('is not a valid queue expiry')],
    unsupportedBy: ['stream'],
  }),
  limit('max-length', 'maximum length', { unsupportedBy: ['stream'] }),
  limit('max-length-bytes', 'maximum length in bytes'),
  limit('max-in-memory-length', 'maximum memory in bytes', { unsupportedBy: ['classic', 'stream'] }),
  limit('max-in-memory-bytes', 'maximum memory in bytes', { unsupportedBy: ['classic', 'stream'] }),
  choice('overflow', 'is not a valid overflow value', ['drop-head', 'reject-publish', 'reject-publish-dlx'], {
    joined: [['drop-head', 'reject-publish', 'reject-publish']],
    unsupportedBy: ['stream'],
  }),
  limit('delivery-limit', 'delivery limit', {
    accepted: [0, 20, -1],
    refused: notInteger('is not a valid delivery limit'),
    joined: [
      [5, 3, 3],
      [-1, 3, 3],
      [5, -1, 5],
      [-2, -1, -1],
    ],
    unsupportedBy: ['classic', 'stream'],
  }),
  withoutJoin(limit('consumer-timeout', 'consumer timeout')),
  {
    ...withoutJoin(limit('consumer-disconnected-timeout', 'consumer disconnected timeout')),
    unsupportedBy: ['classic', 'stream'],
  },
  choice('queue-mode', 'is not a valid queue-mode value', ['default', 'lazy'], {
    unsupportedBy: ['quorum', 'stream'],
  }),
  choice('queue-version', 'is not a valid queue-version value', [1, 2], { joined: [[1, 2, 2]] }),
  choice(
    'queue-master-locator',
    'invalid queue-master-locator value',
    ['min-masters', 'client-local', 'random'],
    { joined: [['random', 'min-masters', 'min-masters']], unsupportedBy: ['quorum', 'stream'] },
  ),
  choice('queue-leader-locator', 'is not a valid queue leader locator value', [
    'client-local',
    'balanced',
    'random',
    'least-leaders',
  ]),
  {
    ...withoutJoin(limit('initial-cluster-size', 'cluster size')),
    unsupportedBy: ['classic', 'quorum'],
  },
  limit('target-group-size', 'target count', {
    accepted: [1, 3],
    refused: [[0, '0 is not a valid target count'], ...notInteger('is not a valid target count')],
    joined: MAX,
    unsupportedBy: ['classic', 'stream'],
  }),
];

function withoutJoin({ joined: _, ...row }: Row): Row {
  return row;
}

/** What is said against a policy; undefined when it is taken. */
function faultOf(
  kind: PolicyKind,
  input: Partial<PolicyInput>,
  generation: Generation = RABBITMQ_4_3,
): string | undefined {
  try {
    parsePolicy(kind, { name: 'p', pattern: '.*', definition: { expires: 1 }, ...input }, generation);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError);
    return (error as PolicyError).message;
  }
}

describe.each(ROWS)('the policy key $key', ({ key, accepted, refused, joined, unsupportedBy = [] }) => {
  it.each(accepted)('takes %j', (value) => {
    expect(faultOf('policy', { definition: { [key]: value } })).toBeUndefined();
  });

  it.each(refused)('refuses %j', (value, text) => {
    expect(faultOf('policy', { definition: { [key]: value } })).toBe(text);
  });

  it('is for operators, or is not', () => {
    const definition = { [key]: accepted[0]! };
    const text = typeof accepted[0] === 'string' ? `<<"${accepted[0]}">>` : accepted[0];
    const unknown = `[{<<"${key}">>,${text}}] are not recognised policy settings`;
    const isEmptyText = accepted[0] === '' ? unknown.replace('<<"">>', '<<>>') : unknown;
    expect(faultOf('operator-policy', { definition })).toBe(joined === undefined ? isEmptyText : undefined);
  });

  it('is known to some types of queues', () => {
    const values = new Map([[key, accepted[0]!]]);
    const types: readonly QueueType[] = ['classic', 'quorum', 'stream'];
    expect(types.filter((type) => !isSupportedBy(type, values))).toEqual(unsupportedBy);
  });

  it.each(joined ?? [])('of %j, and %j of an operator, is %j', (user, operator, counts) => {
    expect(joinPolicies(new Map([[key, user]]), new Map([[key, operator]]))).toEqual(
      new Map([[key, counts]]),
    );
  });
});

describe.each([
  ['default', DEFAULT_GENERATION],
  ['3.13', RABBITMQ_3_13],
  ['4.2', RABBITMQ_4_2],
  ['4.3', RABBITMQ_4_3],
])('the policy keys of %s', (name, generation) => {
  const answer = (key: string, value: Value): string | undefined =>
    faultOf('policy', { definition: { [key]: value } }, generation);

  it.each([
    ['delayed-retry-type', 'disabled'],
    ['delayed-retry-min', 10],
    ['delayed-retry-max', 10],
    ['max-age', '7D'],
    ['stream-max-segment-size-bytes', 1_000],
    ['stream-filter-size-bytes', 32],
  ])('do not have %s, whose effect is missing', (key, value) => {
    const said = typeof value === 'number' ? value : `<<"${value}">>`;
    expect(answer(key, value)).toBe(`[{<<"${key}">>,${said}}] are not recognised policy settings`);
  });

  it('have consumer-disconnected-timeout from 4.3 on', () => {
    const unknown = '[{<<"consumer-disconnected-timeout">>,5}] are not recognised policy settings';
    expect(answer('consumer-disconnected-timeout', 5)).toBe(name === '4.3' ? undefined : unknown);
  });

  it('take a negative delivery limit from 4.0 on', () => {
    const fault = '-1 is not a valid delivery limit';
    expect(answer('delivery-limit', -1)).toBe(name === '3.13' ? fault : undefined);
    expect(answer('delivery-limit', 0)).toBeUndefined();
    const operator = { definition: { 'delivery-limit': 5 } };
    expect(faultOf('operator-policy', operator, generation)).toBeUndefined();
  });
});

describe('two policies', () => {
  it('are united; one alone is itself', () => {
    const user = new Map<string, Value>([
      ['max-length', 5],
      ['dead-letter-exchange', 'dlx'],
    ]);
    const operator = new Map<string, Value>([
      ['max-length', 3],
      ['expires', 100],
    ]);
    expect(joinPolicies(user, operator)).toEqual(
      new Map<string, Value>([
        ['max-length', 3],
        ['dead-letter-exchange', 'dlx'],
        ['expires', 100],
      ]),
    );
    expect(joinPolicies(user, undefined)).toBe(user);
    expect(joinPolicies(undefined, operator)).toBe(operator);
    expect(joinPolicies(undefined, undefined)).toBeUndefined();
  });
});

describe('a policy is refused', () => {
  it.each<[string, Partial<PolicyInput>, string]>([
    ['without settings', { definition: {} }, 'no policy provided'],
    ['with an empty list', { definition: [] }, 'no policy provided'],
    ['with a list', { definition: [1] }, 'definition must be a dictionary: [1]'],
    [
      'with a text',
      { definition: 'x' },
      'parse error while reading policy definition: <<"x">>. Validator: policy_validator.',
    ],
    [
      'with keys nobody knows, all of them',
      { definition: { zzz: 'a', expires: 1, 'ha-mode': 'all', größe: { a: [1.5] } } },
      '[{<<"größe"/utf8>>,#{<<"a">> => [1.5]}},{<<"ha-mode">>,<<"all">>},{<<"zzz">>,<<"a">>}] are not recognised policy settings',
    ],
    [
      'for a federation that is not there',
      { definition: { 'federation-upstream-set': 'all' } },
      '[{<<"federation-upstream-set">>,<<"all">>}] are not recognised policy settings',
    ],
    [
      'for a wrong value before an unknown key',
      { definition: { abc: 1, expires: 0 } },
      '0 is not a valid queue expiry',
    ],
    [
      'for what it applies to',
      { applyTo: 'x' },
      "apply-to 'x' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'",
    ],
    ['for its priority', { priority: '1' }, 'priority should be a number, actually was <<"1">>'],
    ['for a pattern that is no text', { pattern: 1 }, 'pattern should be a binary but was 1'],
    [
      'for a pattern that is no regular expression',
      { pattern: '(' },
      'pattern should be regular expression but is invalid: "error parsing regexp: missing closing ): `(`"',
    ],
    [
      'for everything at once',
      { definition: {}, priority: null, applyTo: 'x', pattern: undefined },
      "no policy provided\napply-to 'x' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'\npattern should be a binary but was undefined\npriority should be a number, actually was null",
    ],
  ])('%s', (_, input, text) => {
    expect(faultOf('policy', input)).toBe(text);
  });
});
