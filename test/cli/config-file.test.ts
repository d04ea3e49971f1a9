import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandError, EXIT_CONFIGURATION } from '../../src/cli/command-error.js';
import { parseConfig, readConfigFile } from '../../src/cli/config-file.js';

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    expect(error.exitCode).toBe(EXIT_CONFIGURATION);
    return error.message;
  }
  throw new Error('it was not refused');
}

describe('parseConfig', () => {
  it('takes every kind of value as it is', () => {
    const settings = parseConfig(
      JSON.stringify({
        port: 5673,
        host: '::',
        vhost: ['/', 'orders'],
        'in-memory': true,
        'memory-limit': '40%',
        'max-message-size': 1000,
        user: [{ name: 'app', password: 'secret' }],
      }),
      'leveret.json',
    );
    expect(new Map([...settings].map(([name, setting]) => [name, setting.values]))).toEqual(
      new Map<string, unknown>([
        ['port', [5673]],
        ['host', ['::']],
        ['vhost', ['/', 'orders']],
        ['in-memory', [true]],
        ['memory-limit', ['40%']],
        ['max-message-size', [1000]],
        ['user', [{ name: 'app', password: 'secret' }]],
      ]),
    );
    expect(settings.get('port')).toMatchObject({ source: 'file', label: '"port" in leveret.json' });
  });

  it('takes an empty list for nothing', () => {
    expect(parseConfig('{"user": [], "vhost": []}', 'c.json').size).toBe(0);
  });

  it.each([
    ['{"prot": 1}', "unknown key 'prot' in the configuration file c.json; did you mean port?"],
    ['{"dataDir": "x"}', "unknown key 'dataDir' in the configuration file c.json; did you mean data-dir?"],
    [
      '{"config": "d.json"}',
      "unknown key 'config' in the configuration file c.json; remove it, or see leveret --help for the options",
    ],
    [
      '{"__proto__": 1}',
      "unknown key '__proto__' in the configuration file c.json; remove it, or see leveret --help for the options",
    ],
    ['[1]', 'the configuration file c.json must hold one JSON object, not [1]'],
    ['null', 'the configuration file c.json must hold one JSON object, not null'],
    ['{"port": "5672"}', '"port" in c.json must be a number, not \'5672\''],
    ['{"heartbeat": null}', '"heartbeat" in c.json must be a number, not null'],
    [
      '{"memory-limit": true}',
      '"memory-limit" in c.json must be a number of bytes or a string such as "64MiB", not true',
    ],
    ['{"data-dir": 5}', '"data-dir" in c.json must be a string, not 5'],
    ['{"in-memory": "yes"}', '"in-memory" in c.json must be true or false, not \'yes\''],
    ['{"vhost": ["/", 5]}', '"vhost" in c.json must be a string or a list of strings, not ["/",5]'],
    [
      '{"user": "app:secret"}',
      '"user" in c.json must be a list of objects with "name", "password" and, if wanted, a list of "tags"',
    ],
    [
      '{"permission": ["a:b:c:d:e"]}',
      '"permission" in c.json must be a list of objects with "user", "vhost", "configure", "write" and "read", ' +
        'not ["a:b:c:d:e"]',
    ],
  ])('refuses %s', (text, message) => {
    expect(refusal(() => parseConfig(text, 'c.json'))).toBe(message);
  });

  it('says what is wrong with text that is no JSON, on one line', () => {
    const message = refusal(() => parseConfig('{\n  "port": 5672,\n}\n', 'c.json'));
    expect(message).toMatch(/^the configuration file c\.json is not valid JSON: .+$/);
  });

  it('refuses any text with a CommandError or reads it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseConfig(text, 'c.json');
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
        }
      }),
    );
  });
});

describe('readConfigFile', () => {
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'leveret-config-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('reads a file, with or without a byte order mark', () => {
    const path = join(directory, 'a.json');
    writeFileSync(path, '\ufeff{"port": 1}');
    expect(readConfigFile(path).get('port')?.values).toEqual([1]);
    writeFileSync(path, '{"port": 2}');
    expect(readConfigFile(path).get('port')?.values).toEqual([2]);
  });

  it('refuses another ending, a missing file and a directory', () => {
    expect(refusal(() => readConfigFile('leveret.yaml'))).toBe(
      'the configuration file leveret.yaml must be JSON and its name must end in .json',
    );
    const missing = join(directory, 'missing.json');
    expect(refusal(() => readConfigFile(missing))).toBe(
      `the configuration file ${missing} does not exist; check the path`,
    );
  });

  it('says why a file cannot be read', () => {
    const path = join(directory, 'a.json', 'b.json');
    expect(refusal(() => readConfigFile(path))).toBe(
      `the configuration file ${path} cannot be read (ENOTDIR); check the path and its mode`,
    );
  });
});
