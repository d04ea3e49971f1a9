/** The conformance suite: its own parts, and its verdict on Leveret. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBrokerUrl } from '../conformance/broker-url.js';
import { type Case, section } from '../conformance/case.js';
import { expectEqual } from '../conformance/expect.js';
import { matchesGlob } from '../conformance/glob.js';
import { FORBIDDEN_VHOST, LIMITED_PERMISSIONS, parseLimitedUser } from '../conformance/limited-user.js';
import { type JudgeOptions, judge } from '../conformance/main.js';
import { failedIn, failureText, reportOf, skippedIn, summaryText } from '../conformance/report.js';
import { chooseCases, findCases, type RunOptions, runCases } from '../conformance/runner.js';
import { type BrokerOptions, createBroker, type EmbeddedBroker } from '../src/index.js';

const EVERYTHING = { configure: '.*', write: '.*', read: '.*' };
const LIMITED_USER = { name: 'limited', password: 'a:b' };

const OPTIONS: BrokerOptions = {
  virtualHosts: ['/', FORBIDDEN_VHOST],
  users: [
    { name: 'guest', password: 'guest', tags: ['administrator'] },
    { ...LIMITED_USER, tags: [] },
  ],
  permissions: [
    { user: 'guest', virtualHost: '/', ...EVERYTHING },
    { user: 'limited', virtualHost: '/', ...LIMITED_PERMISSIONS },
  ],
};

let broker: EmbeddedBroker;
beforeAll(async () => {
  broker = await createBroker(OPTIONS);
});
afterAll(() => broker.close());

const define = section({ area: 'sample', source: 'a "clause" <1>', tags: ['core'] });
const DIALECT = 'rabbitmq-4';

const run = (cases: readonly Case[], options: Partial<RunOptions> = {}) =>
  runCases(cases, {
    broker: parseBrokerUrl(broker.url),
    dialect: DIALECT,
    limitedUser: LIMITED_USER,
    ...options,
  });

describe('Leveret', () => {
  it('passes every case', async () => {
    const cases = chooseCases(await findCases(), { dialect: DIALECT });
    expect(cases.length).toBeGreaterThan(600);
    expect(failedIn(await run(cases)).map(failureText)).toEqual([]);
  }, 120_000);

  it('passes every case of RabbitMQ 3 as 3.13', async () => {
    const dialect = 'rabbitmq-3';
    const older = await createBroker({ ...OPTIONS, compat: '3.13' });
    try {
      const cases = chooseCases(await findCases(), { dialect });
      const results = await run(cases, { broker: parseBrokerUrl(older.url), dialect });
      expect(failedIn(results).map(failureText)).toEqual([]);
      expect(skippedIn(results)).toEqual([]);
    } finally {
      await older.close();
    }
  }, 120_000);
});

describe('a case', () => {
  it('fails with what was expected and what came', async () => {
    const [result] = await run([
      define('wrong', 'title', 'rule', async (t) => {
        const client = await t.openChannel();
        const queue = await t.declareQueue(client);
        expectEqual('counts', (await t.counts(client, queue)).messageCount, 7);
      }),
    ]);
    expect(result!.failure).toBe('counts: expected 7, got 0');
  });

  it('fails when it takes too long, and others go on', async () => {
    const results = await run(
      [
        define('hangs', 'title', 'rule', () => new Promise(() => {})),
        define('ends', 'title', 'rule', async () => {}),
      ],
      { timeLimitMs: 20 },
    );
    expect(results.map(({ failure }) => failure)).toEqual(['the case was not done within 20 ms', undefined]);
  });

  it('that waits holds up no other', async () => {
    const wait = section({ area: 'sample', source: 'source', tags: ['core'], waits: true });
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const cases = [
      wait('waits', 'title', 'rule', () => ended),
      define('ends', 'title', 'rule', async () => end()),
    ];
    const results = await run(cases, { concurrency: 1 });
    expect(results.map(({ of, failure }) => [of.id, failure])).toEqual([
      ['sample/waits', undefined],
      ['sample/ends', undefined],
    ]);
  });

  it('leaves nothing that has its names behind, passed or failed', async () => {
    let queue = '';
    let exchange = '';
    const [first] = await run([
      define('declares', 'title', 'rule', async (t) => {
        const client = await t.openChannel();
        queue = t.name('shared');
        await client.call(1, 'queue.declare', { queue });
        exchange = await t.declareExchange(client, 'fanout');
        throw new Error('on purpose');
      }),
    ]);
    expect(first!.failure).toBe('on purpose');
    const [second] = await run([
      define('looks', 'title', 'rule', async (t) => {
        const client = await t.openChannel();
        client.send(1, 'queue.declare', { queue, passive: true });
        expectEqual('queue', (await client.anyMethod(1)).name, 'channel.close');
        client.send(1, 'channel.close-ok');
        await client.openChannel(1);
        client.send(1, 'exchange.declare', { exchange, passive: true });
        expectEqual('exchange', (await client.anyMethod(1)).name, 'channel.close');
      }),
    ]);
    expect(second!.failure).toBeUndefined();
  });
});

describe('a case that needs a limited user', () => {
  const needy = section({ area: 'needy', source: 'source', tags: ['core'], needs: 'limited-user' });
  const cases = [
    needy('needs', 'title', 'rule', async (t) => {
      await t.openLimited();
    }),
  ];

  it('is run with one, and skipped with the reason without', async () => {
    expect(await run(cases)).toMatchObject([{ failure: undefined }]);
    const [result] = await run(cases, { limitedUser: undefined });
    expect(result!.skipped).toContain('--limited-user');
  });

  it('stands as skipped in every report, and does not count as passed', async () => {
    const results = await run([...cases, define('good', 'title', 'rule', async () => {})], {
      limitedUser: undefined,
    });
    const verdict = { broker: 'b:1', product: 'P 1', dialect: DIALECT, results, elapsedMs: 5 } as const;
    expect(JSON.parse(reportOf(verdict, 'json'))).toMatchObject({
      cases: [
        { passed: false, skipped: results[0]!.skipped },
        { passed: true, skipped: null },
      ],
    });
    expect(reportOf(verdict, 'junit')).toMatch(
      /tests="2" failures="0" skipped="1"[\s\S]*<skipped message="it needs/,
    );
    expect(reportOf(verdict, 'markdown')).toContain('Skipped 1 case: it needs');
    expect(summaryText(verdict)).toMatch(
      /^needy +0 of 1, 1 skipped$[\s\S]*^SKIPPED 1 case: it needs.*^P 1.*all that ran passed/ms,
    );
  });

  it('reads NAME:PASSWORD, whatever the password', () => {
    expect(parseLimitedUser('limited:a:b')).toEqual(LIMITED_USER);
    for (const wrong of ['limited', ':secret', ''])
      expect(() => parseLimitedUser(wrong)).toThrow('NAME:PASSWORD');
  });
});

describe('the choice of cases', () => {
  const cases = [
    define('a', 'title', 'rule', async () => {}),
    define('b', 'title', 'rule', async () => {}, ['rabbitmq', 'rabbitmq-3']),
    define('c', 'title', 'rule', async () => {}, ['rabbitmq', 'rabbitmq-4']),
  ];
  const ids = (chosen: readonly Case[]): string[] => chosen.map(({ id }) => id);

  it('goes by dialect, glob and tag', () => {
    expect(ids(chooseCases(cases, { dialect: 'rabbitmq-3' }))).toEqual(['sample/a', 'sample/b']);
    expect(ids(chooseCases(cases, { dialect: 'rabbitmq-4' }))).toEqual(['sample/a', 'sample/c']);
    expect(ids(chooseCases(cases, { dialect: 'rabbitmq-4', tag: 'rabbitmq' }))).toEqual(['sample/c']);
    expect(ids(chooseCases(cases, { dialect: 'rabbitmq-4', only: '*/a' }))).toEqual(['sample/a']);
  });

  it.each([
    ['queue/*', 'queue/declare', true],
    ['*declare', 'queue/declare', true],
    ['queue/declare', 'queue/declare-twice', false],
    ['q?eue/*-*', 'queue/declare-twice', true],
    ['*a*b*c', 'xaxbxc', true],
    ['*a*b*c', 'xaxbx', false],
    ['', 'x', false],
  ])('%j of %j: %s', (glob, text, matches) => {
    expect(matchesGlob(text, glob)).toBe(matches);
  });
});

describe('a report', () => {
  it('is there in three formats, whatever the broker said', async () => {
    const results = await run([
      define('good', 'title', 'rule', async () => {}),
      define('bad', 'title', 'rule', async () => {
        throw new Error('a <b> & "c"\u0000\nd');
      }),
    ]);
    const verdict = { broker: 'b:1', product: 'P 1', dialect: DIALECT, results, elapsedMs: 5 } as const;
    const { cases } = JSON.parse(reportOf(verdict, 'json')) as { cases: { id: string; passed: boolean }[] };
    expect(cases.map(({ id, passed }) => [id, passed])).toEqual([
      ['sample/good', true],
      ['sample/bad', false],
    ]);
    const junit = reportOf(verdict, 'junit');
    expect(junit).toContain('tests="2" failures="1"');
    expect(junit).toContain('<failure message="a &lt;b&gt; &amp; &quot;c&quot;?&#10;d">');
    expect(reportOf(verdict, 'markdown')).toContain('| sample | 1 | 2 |');
  });
});

describe('judging', () => {
  async function outcome(options: Partial<JudgeOptions>) {
    let stdout = '';
    let stderr = '';
    const exitCode = await judge(
      { dialect: DIALECT, ...options },
      {
        write: (text) => {
          stdout += text;
        },
        writeError: (text) => {
          stderr += text;
        },
      },
    );
    return { exitCode, stdout, stderr };
  }

  it('tells the result by area, and exits with 0', async () => {
    const { exitCode, stdout, stderr } = await outcome({ url: broker.url, only: 'channel/open-*' });
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^channel +6 of 6$/m);
    expect(stdout).toContain('all passed');
  });

  it('keeps a report apart from what people read', async () => {
    const { stdout, stderr } = await outcome({ url: broker.url, only: 'channel/max', report: 'json' });
    expect(JSON.parse(stdout)).toMatchObject({
      dialect: DIALECT,
      cases: [{ id: 'channel/max', passed: true }],
    });
    expect(stderr).toContain('all passed');
  });

  it('says what is wrong with a broker that cannot be reached, and with the question', async () => {
    const closed = await createBroker();
    await closed.close();
    const unreachable = await outcome({ url: closed.url });
    expect(unreachable.exitCode).toBe(1);
    expect(unreachable.stderr).toMatch(/^leveret conformance: cannot open a connection .* ECONNREFUSED/);
    const refused = await outcome({ url: broker.url.replace('guest:guest', 'guest:wrong') });
    expect(refused.stderr).toContain('ACCESS_REFUSED');
    expect((await outcome({ url: 'amqps://x' })).exitCode).toBe(64);
    expect((await outcome({ url: broker.url, limitedUser: 'limited' })).exitCode).toBe(64);
    expect((await outcome({ url: broker.url, limitedUser: 'limited:wrong' })).exitCode).toBe(1);
    expect((await outcome({})).exitCode).toBe(64);
    expect((await outcome({ url: broker.url, only: 'nothing' })).exitCode).toBe(64);
  });

  it('lists the cases without a broker', async () => {
    const { exitCode, stdout } = await outcome({ list: true, only: 'channel/max' });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^channel\/max {2}\[core\] {2}as many channels/);
  });
});
