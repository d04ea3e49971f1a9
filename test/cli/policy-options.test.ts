import { describe, expect, it } from 'vitest';
import { DEFAULT_GENERATION } from '../../src/broker/generations/default.js';
import { CommandError, EXIT_CONFIGURATION, EXIT_USAGE } from '../../src/cli/command-error.js';
import { parseConfig } from '../../src/cli/config-file.js';
import { readEnvironment } from '../../src/cli/environment.js';
import { type PolicySettings, resolvePolicies } from '../../src/cli/policy-options.js';
import type { Setting } from '../../src/cli/setting.js';
import { resolveStartSettings } from '../../src/cli/start-options.js';

const NONE: PolicySettings = {
  policy: undefined,
  operatorPolicy: undefined,
  vhostLimits: undefined,
  userLimits: undefined,
  topicPermission: undefined,
};

const NAMES = {
  isUser: (name: string): boolean => name === 'app',
  isVirtualHost: (name: string): boolean => name === '/' || name === 'a:b',
};

const flag = (label: string, ...values: readonly string[]): Setting => ({ source: 'flag', label, values });
const file = (label: string, ...values: readonly unknown[]): Setting => ({ source: 'file', label, values });

const resolve = (settings: Partial<PolicySettings>): ReturnType<typeof resolvePolicies> =>
  resolvePolicies({ ...NONE, ...settings }, NAMES, DEFAULT_GENERATION);

function refusal(settings: Partial<PolicySettings>): string {
  const isFile = Object.values(settings).some((setting) => setting?.source === 'file');
  try {
    resolve(settings);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    expect(error.exitCode).toBe(isFile ? EXIT_CONFIGURATION : EXIT_USAGE);
    return error.message;
  }
  throw new Error('it was not refused');
}

describe('policies', () => {
  it('stand in a flag as VHOST:NAME:PATTERN:JSON:PRIORITY:APPLY-TO', () => {
    const { policies, operatorPolicies } = resolve({
      policy: flag(
        '--policy',
        '/:short:^tmp\\.:{"max-length":10}',
        '/:dlx:a:b|c:{"dead-letter-exchange": "x:y", "overflow":"drop-head"}:-3',
        '/:all::{"expires":5}:7:queues',
      ),
      operatorPolicy: flag('--operator-policy', '/:op:.*:{"message-ttl":5}:1:classic_queues'),
    });
    expect(policies).toEqual([
      { virtualHost: '/', name: 'short', pattern: '^tmp\\.', definition: { 'max-length': 10 } },
      {
        virtualHost: '/',
        name: 'dlx',
        pattern: 'a:b|c',
        definition: { 'dead-letter-exchange': 'x:y', overflow: 'drop-head' },
        priority: -3,
      },
      {
        virtualHost: '/',
        name: 'all',
        pattern: '',
        definition: { expires: 5 },
        priority: 7,
        applyTo: 'queues',
      },
    ]);
    expect(operatorPolicies).toEqual([
      {
        virtualHost: '/',
        name: 'op',
        pattern: '.*',
        definition: { 'message-ttl': 5 },
        priority: 1,
        applyTo: 'classic_queues',
      },
    ]);
  });

  it('stand in a file with the keys of a definitions file', () => {
    const object = {
      vhost: 'a:b',
      name: 'p',
      pattern: ':{1}',
      definition: { 'max-length': 1 },
      priority: 2,
      'apply-to': 'exchanges',
    };
    const { priority: _, 'apply-to': __, ...shorter } = object;
    expect(resolve({ policy: file('"policy"', object, shorter) }).policies).toEqual([
      {
        virtualHost: 'a:b',
        name: 'p',
        pattern: ':{1}',
        definition: { 'max-length': 1 },
        priority: 2,
        applyTo: 'exchanges',
      },
      {
        virtualHost: 'a:b',
        name: 'p',
        pattern: ':{1}',
        definition: { 'max-length': 1 },
        priority: 0,
        applyTo: 'all',
      },
    ]);
  });

  const MUST = '--policy must be VHOST:NAME:PATTERN:JSON or VHOST:NAME:PATTERN:JSON:PRIORITY:APPLY-TO, not ';
  const HINT = '; what has colons in it can be set in the configuration file';
  it.each([
    ['x', `${MUST}'x'${HINT}`],
    ['/:p:.*', `${MUST}'/:p:.*'${HINT}`],
    ['/:p:.*:{"max-length"}', `${MUST}'/:p:.*:{\\"max-length\\"}'${HINT}`],
    ['/:p:.*:{"expires":1}:high', `${MUST}'/:p:.*:{\\"expires\\":1}:high'${HINT}`],
    ['/::.*:{"expires":1}', '--policy has a policy without a name; give it one'],
    [
      'x:p:.*:{"expires":1}',
      "--policy names the virtual host 'x', which is not configured; add it with --vhost",
    ],
    ['/:p:.*:{"expires":0}', "--policy has the policy 'p', which is wrong: 0 is not a valid queue expiry"],
    [
      '/:p:(:{}:1:nothing',
      "--policy has the policy 'p', which is wrong: no policy provided; apply-to 'nothing' unrecognised; should be one " +
        "of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'; pattern should be regular " +
        'expression but is invalid: "error parsing regexp: missing closing ): `(`"',
    ],
  ])('are refused: %s', (text, message) => {
    expect(refusal({ policy: flag('--policy', text) })).toBe(message);
  });

  it.each([
    [{ vhost: '/' }, '"policy" must have a string as "name" in each of its objects'],
    [
      { vhost: '/', name: 'p', pattern: '', definition: { expires: 1 }, applyto: 'all' },
      '"policy" has the unknown key \'applyto\'; its objects have "vhost", "name", "pattern", "definition" and, if wanted, "priority" and "apply-to"',
    ],
    [
      { vhost: '/', name: 'p', pattern: '', definition: 7, priority: '1' },
      '"policy" has the policy \'p\', which is wrong: parse error while reading policy definition: 7. Validator: policy_validator.; priority should be a number, actually was <<"1">>',
    ],
  ])('are refused in a file: %j', (object, message) => {
    expect(refusal({ policy: file('"policy"', object) })).toBe(message);
  });

  it('of an operator may have fewer keys', () => {
    const text = '/:p:.*:{"dead-letter-exchange":"x"}';
    expect(refusal({ operatorPolicy: flag('--operator-policy', text) })).toBe(
      "--operator-policy has the policy 'p', which is wrong: " +
        '[{<<"dead-letter-exchange">>,<<"x">>}] are not recognised policy settings',
    );
  });
});

describe('limits', () => {
  it('stand in flags and files', () => {
    expect(
      resolve({
        vhostLimits: flag('--vhost-limits', '/:{"max-queues":5}'),
        userLimits: file('"user-limits"', { user: 'app', 'max-channels': -1, 'max-connections': 0 }),
      }),
    ).toMatchObject({
      virtualHostLimits: [{ virtualHost: '/', limits: { 'max-queues': 5 } }],
      userLimits: [{ user: 'app', limits: { 'max-channels': -1, 'max-connections': 0 } }],
    });
  });

  it.each<[Partial<PolicySettings>, string]>([
    [{ vhostLimits: flag('--vhost-limits', '/') }, "--vhost-limits must be VHOST:JSON, not '/'"],
    [{ userLimits: flag('--user-limits', 'app:{') }, "--user-limits must be USER:JSON, not 'app:{'"],
    [
      { vhostLimits: flag('--vhost-limits', 'x:{}') },
      "--vhost-limits names the virtual host 'x', which is not configured; add it with --vhost",
    ],
    [
      { userLimits: flag('--user-limits', 'x:{}') },
      "--user-limits names the user 'x', who is not configured; add it with --user",
    ],
    [
      { vhostLimits: file('"vhost-limits"', { vhost: '/', 'max-channels': 1 }) },
      '"vhost-limits" has wrong limits for \'/\': Unrecognised terms [{<<"max-channels">>,1}] in limits',
    ],
    [
      { userLimits: file('"user-limits"', { 'max-channels': 1 }) },
      '"user-limits" must have a string as "user" in each of its objects',
    ],
  ])('are refused: %j', (settings, message) => {
    expect(refusal(settings)).toBe(message);
  });
});

describe('topic permissions', () => {
  const row = { user: 'app', exchange: 'amq.topic', write: '^{username}', read: '' };

  it('stand in flags and files', () => {
    expect(
      resolve({ topicPermission: flag('--topic-permission', 'app:/:amq.topic:^{username}:') })
        .topicPermissions,
    ).toEqual([{ ...row, virtualHost: '/' }]);
    expect(
      resolve({ topicPermission: file('"topic-permission"', { ...row, vhost: 'a:b' }) }).topicPermissions,
    ).toEqual([{ ...row, virtualHost: 'a:b' }]);
  });

  it.each([
    [
      'app:/:x:y',
      "--topic-permission must be USER:VHOST:EXCHANGE:WRITE:READ, not 'app:/:x:y'; a part with a colon can be set in the configuration file",
    ],
    ['x:/:x:y:z', "--topic-permission names the user 'x', who is not configured; add it with --user"],
    [
      'app:x:x:y:z',
      "--topic-permission names the virtual host 'x', which is not configured; add it with --vhost",
    ],
    [
      'app:/:x:(:z',
      "--topic-permission has an invalid permission pattern '(': error parsing regexp: missing closing ): `(`; correct it",
    ],
  ])('are refused: %s', (text, message) => {
    expect(refusal({ topicPermission: flag('--topic-permission', text) })).toBe(message);
  });

  it('are refused in a file with keys nobody knows', () => {
    expect(
      refusal({ topicPermission: file('"topic-permission"', { ...row, vhost: '/', configure: '' }) }),
    ).toBe(
      '"topic-permission" has the unknown key \'configure\'; its objects have "user", "vhost", "exchange", "write" and "read"',
    );
  });
});

describe('all three sources', () => {
  it('reach the broker', () => {
    const environment = {
      LEVERET_POLICY: '/:a:.*:{"max-length": 1, "expires": 2}\n  /:b:.*:{"expires": 3}\n',
      LEVERET_USER_LIMITS: 'guest:{"max-channels": 5}',
    };
    const { config } = resolveStartSettings({
      flags: new Map([
        ['vhost-limits', flag('--vhost-limits', '/:{"max-queues":5}')],
        ['topic-permission', flag('--topic-permission', 'guest:/:x::')],
        ['operator-policy', flag('--operator-policy', '/:o::{"expires":5}')],
        ['in-memory', { source: 'flag', label: '--in-memory', values: [true] }],
      ]),
      environment,
      availableMemoryBytes: 1e9,
    });
    expect(config.policies.map(({ name, definition }) => [name, definition])).toEqual([
      ['a', { 'max-length': 1, expires: 2 }],
      ['b', { expires: 3 }],
    ]);
    expect(config.operatorPolicies.map(({ name }) => name)).toEqual(['o']);
    expect(config.userLimits).toEqual([{ user: 'guest', limits: { 'max-channels': 5 } }]);
    expect(config.virtualHostLimits).toEqual([{ virtualHost: '/', limits: { 'max-queues': 5 } }]);
    expect(config.topicPermissions).toHaveLength(1);
    expect(readEnvironment(environment).get('policy')?.values).toHaveLength(2);
  });

  it.each(['policy', 'operator-policy', 'vhost-limits', 'user-limits', 'topic-permission'])(
    'want a list of objects as "%s" in a file',
    (key) => {
      expect(() => parseConfig(JSON.stringify({ [key]: ['x'] }), 'c.json')).toThrow(
        `"${key}" in c.json must be a list of objects with "`,
      );
      expect(parseConfig(JSON.stringify({ [key]: [{}] }), 'c.json').size).toBe(1);
    },
  );
});
