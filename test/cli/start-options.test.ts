import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BROKER_CONFIG_DEFAULTS } from '../../src/broker/broker-config.js';
import { RABBITMQ_3_13 } from '../../src/broker/generations/3-13.js';
import { RABBITMQ_4_2 } from '../../src/broker/generations/4-2.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import { CommandError, EXIT_CONFIGURATION, EXIT_USAGE } from '../../src/cli/command-error.js';
import { readFlags } from '../../src/cli/start-command.js';
import { resolveStartSettings, type StartSettings } from '../../src/cli/start-options.js';

const MEMORY_BYTES = 1_000_000_000;
let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'leveret-options-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

type Flags = Readonly<Record<string, unknown>>;

function resolve(flags: Flags = {}, environment: NodeJS.ProcessEnv = {}): StartSettings {
  return resolveStartSettings({ flags: readFlags(flags), environment, availableMemoryBytes: MEMORY_BYTES });
}

function configFile(content: object): string {
  const path = join(directory, 'leveret.json');
  writeFileSync(path, JSON.stringify(content));
  return path;
}

function refusal(flags: Flags, environment: NodeJS.ProcessEnv = {}): { message: string; exitCode: number } {
  try {
    resolve(flags, environment);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { message: error.message, exitCode: error.exitCode };
  }
  throw new Error('it was not refused');
}

describe('defaults', () => {
  it('are those of RabbitMQ', () => {
    expect(resolve()).toEqual({
      config: { ...BROKER_CONFIG_DEFAULTS, memoryLimitBytes: 600_000_000 },
      hosts: ['127.0.0.1', '::1'],
      areHostsDefault: true,
      port: 5672,
      dataDirectory: './leveret-data',
      syncMode: 'always',
      diskFreeLimitBytes: 50_000_000,
      logLevel: 'info',
      logFormat: 'auto',
    });
  });
});

describe('virtual hosts, users and the anonymous user', () => {
  const defaulted = (...args: Parameters<typeof resolve>) => [...resolve(...args).config.defaulted].sort();

  it('are defaults until a source names them', () => {
    expect(defaulted()).toEqual(['anonymousUser', 'users', 'virtualHosts']);
    expect(defaulted({ vhost: 'a' })).toEqual(['anonymousUser', 'users']);
    expect(defaulted({}, { LEVERET_USER: 'a:b' })).toEqual(['anonymousUser', 'virtualHosts']);
    const config = configFile({ 'anonymous-user': 'guest', user: [{ name: 'a', password: 'b' }] });
    expect(defaulted({ config })).toEqual(['virtualHosts']);
  });

  it('are what the operator said even where that is the default', () => {
    const flags = { vhost: '/', user: 'guest:guest:administrator', 'anonymous-user': 'guest' };
    expect(defaulted(flags)).toEqual([]);
    expect(resolve(flags).config).toEqual({
      ...BROKER_CONFIG_DEFAULTS,
      memoryLimitBytes: 600_000_000,
      defaulted: new Set(),
    });
  });

  it('must exist where there is no data directory that may have more', () => {
    const flags = { permission: 'app:/:::' };
    expect(refusal({ ...flags, 'in-memory': true })).toEqual({
      message: "--permission names the user 'app', who is not configured; add it with --user",
      exitCode: EXIT_USAGE,
    });
    expect(resolve(flags).config.permissions).toHaveLength(1);
  });
});

describe('precedence', () => {
  it('is flag, variable, file, default', () => {
    const config = configFile({ port: 3, heartbeat: 3, 'channel-max': 3 });
    const settings = resolve({ config, port: '1' }, { LEVERET_PORT: '2', LEVERET_HEARTBEAT: '2' });
    expect(settings.port).toBe(1);
    expect(settings.config.heartbeatSeconds).toBe(2);
    expect(settings.config.channelMax).toBe(3);
    expect(settings.config.frameMax).toBe(BROKER_CONFIG_DEFAULTS.frameMax);
  });

  it('replaces a list, it does not add to it', () => {
    const config = configFile({ vhost: ['a', 'b'] });
    expect(resolve({ config, vhost: ['c'] }).config.virtualHosts).toEqual(['c']);
    expect(resolve({ config }).config.virtualHosts).toEqual(['a', 'b']);
  });

  it('finds the file named by a variable', () => {
    expect(resolve({}, { LEVERET_CONFIG: configFile({ port: 7 }) }).port).toBe(7);
  });
});

describe('every option', () => {
  it('has a flag', () => {
    const settings = resolve({
      port: '0',
      host: ['0.0.0.0', '::'],
      'data-dir': '/data',
      heartbeat: '0',
      'frame-max': '4096',
      'channel-max': '0',
      'max-message-size': '1MiB',
      'memory-limit': '25%',
      'consumer-timeout': '60000',
      'handshake-timeout': '500',
      'log-level': 'none',
      'log-format': 'text',
    });
    expect(settings).toMatchObject({
      port: 0,
      hosts: ['0.0.0.0', '::'],
      areHostsDefault: false,
      dataDirectory: '/data',
      logLevel: 'none',
      logFormat: 'text',
    });
    expect(settings.config).toMatchObject({
      heartbeatSeconds: 0,
      frameMax: 4096,
      channelMax: 0,
      messageBytesMax: 1_048_576,
      memoryLimitBytes: 250_000_000,
      consumerTimeoutMs: 60_000,
      handshakeTimeoutMs: 500,
    });
  });

  it('has a variable', () => {
    const { config, ...settings } = resolve(
      {},
      {
        LEVERET_HOST: '0.0.0.0 ::',
        LEVERET_IN_MEMORY: '1',
        LEVERET_MEMORY_LIMIT: '512MB',
        LEVERET_USER: 'a:b c:d:monitoring,management',
        LEVERET_LOG_LEVEL: 'debug',
      },
    );
    expect(settings).toMatchObject({ hosts: ['0.0.0.0', '::'], dataDirectory: undefined, logLevel: 'debug' });
    expect(config.memoryLimitBytes).toBe(512_000_000);
    expect(config.users).toEqual([
      { name: 'a', password: 'b', tags: [] },
      { name: 'c', password: 'd', tags: ['monitoring', 'management'] },
    ]);
  });
});

describe('--consumer-timeout', () => {
  it('can be none', () => {
    const none = { consumerTimeoutMs: Number.POSITIVE_INFINITY };
    expect(resolve({ 'consumer-timeout': 'none' }).config).toMatchObject(none);
    expect(resolve({}, { LEVERET_CONSUMER_TIMEOUT: 'none' }).config).toMatchObject(none);
    expect(resolve({ config: configFile({ 'consumer-timeout': 'none' }) }).config).toMatchObject(none);
    expect(resolve({ config: configFile({ 'consumer-timeout': 5 }) }).config.consumerTimeoutMs).toBe(5);
    const config = configFile({ 'consumer-timeout': 'half an hour' });
    expect(refusal({ config }).message).toBe(
      `"consumer-timeout" in ${config} must be a number of milliseconds or "none", not 'half an hour'`,
    );
  });
});

describe('--compat', () => {
  it.each([
    ['3.13', RABBITMQ_3_13, 134_217_728, 400_000_000],
    ['4.2', RABBITMQ_4_2, 16_777_216, 600_000_000],
    ['4.3', RABBITMQ_4_3, 16_777_216, 600_000_000],
  ] as const)('%s brings its defaults', (compat, generation, messageBytesMax, memoryLimitBytes) => {
    const followed = { generation, messageBytesMax, memoryLimitBytes };
    expect(resolve({ compat }).config).toMatchObject(followed);
    expect(resolve({}, { LEVERET_COMPAT: compat }).config).toMatchObject(followed);
    expect(resolve({ config: configFile({ compat }) }).config).toMatchObject(followed);
    const given = { 'max-message-size': '1MiB', 'memory-limit': '50%' };
    expect(resolve({ compat, ...given }).config).toMatchObject({
      generation,
      messageBytesMax: 1_048_576,
      memoryLimitBytes: 500_000_000,
    });
  });

  it('3.13 has no ANONYMOUS, so nobody may be named for it', () => {
    expect(refusal({ compat: '3.13', 'anonymous-user': 'guest' })).toEqual({
      message:
        "--anonymous-user is for SASL ANONYMOUS, which RabbitMQ 3.13.7 does not have; leave it out, or say 'none'",
      exitCode: EXIT_USAGE,
    });
    expect(resolve({ compat: '3.13', 'anonymous-user': 'none' }).config.anonymousUser).toBeUndefined();
    expect(resolve({ compat: '4.2', 'anonymous-user': 'guest' }).config.anonymousUser).toBe('guest');
  });
});

describe('the data directory', () => {
  it('is none in memory', () => {
    expect(resolve({ 'in-memory': true }).dataDirectory).toBeUndefined();
  });

  it('follows the first source that says anything about it', () => {
    expect(resolve({ 'in-memory': true }, { LEVERET_DATA_DIR: '/data' }).dataDirectory).toBeUndefined();
    expect(resolve({ 'data-dir': '/d' }, { LEVERET_IN_MEMORY: 'true' }).dataDirectory).toBe('/d');
    expect(resolve({ 'in-memory': false }, { LEVERET_IN_MEMORY: 'true' }).dataDirectory).toBe(
      './leveret-data',
    );
    expect(resolve({ 'in-memory': false, 'data-dir': '/d' }).dataDirectory).toBe('/d');
    expect(resolve({ 'in-memory': false }, { LEVERET_DATA_DIR: '/data' }).dataDirectory).toBe('/data');
  });

  it('cannot be both', () => {
    expect(refusal({ 'in-memory': true, 'data-dir': '/d' })).toEqual({
      message: '--data-dir and --in-memory contradict each other; leave one out',
      exitCode: EXIT_USAGE,
    });
    expect(refusal({}, { LEVERET_IN_MEMORY: 'true', LEVERET_DATA_DIR: '/d' })).toEqual({
      message: 'LEVERET_DATA_DIR and LEVERET_IN_MEMORY contradict each other; leave one out',
      exitCode: EXIT_CONFIGURATION,
    });
  });
});

describe('wrong flags', () => {
  it.each<[Flags, string]>([
    [{ port: 'amqp' }, "--port must be a whole number from 0 to 65535, not 'amqp'"],
    [{ port: '65536' }, "--port must be a whole number from 0 to 65535, not '65536'"],
    [{ port: '-1' }, "--port must be a whole number from 0 to 65535, not '-1'"],
    [{ port: '1e3' }, "--port must be a whole number from 0 to 65535, not '1e3'"],
    [{ port: '' }, "--port must be a whole number from 0 to 65535, not ''"],
    [{ port: ['1', '2'] }, '--port was given 2 times; give it once'],
    [{ host: ['a', 'a'] }, "--host has 'a' twice; leave one out"],
    [{ host: '' }, '--host must not be empty'],
    [{ 'data-dir': '' }, '--data-dir must not be empty'],
    [{ vhost: 'x'.repeat(256) }, `--vhost must be at most 255 bytes long, not "${'x'.repeat(59)}...`],
    [{ heartbeat: '65536' }, "--heartbeat must be a whole number from 0 to 65535, not '65536'"],
    [{ 'frame-max': '4095' }, "--frame-max must be a whole number from 4096 to 536870912, not '4095'"],
    [{ 'frame-max': '0' }, "--frame-max must be a whole number from 4096 to 536870912, not '0'"],
    [
      { 'frame-max': '8191', compat: '4.2' },
      "--frame-max must be a whole number from 8192 to 536870912, not '8191'",
    ],
    [{ compat: '4.1' }, "--compat must be 3.13, 4.2 or 4.3, not '4.1'"],
    [{ 'channel-max': '70000' }, "--channel-max must be a whole number from 0 to 65535, not '70000'"],
    [
      { 'max-message-size': '1GiB' },
      "--max-message-size must be a size from 1 to 536870912 bytes, such as 64MiB, not '1GiB'",
    ],
    [
      { 'memory-limit': '120%' },
      "--memory-limit must be a size above 0, such as 512MB, or a percentage up to 100%, such as 40%, not '120%'",
    ],
    [
      { 'memory-limit': '0' },
      "--memory-limit must be a size above 0, such as 512MB, or a percentage up to 100%, such as 40%, not '0'",
    ],
    [{ 'handshake-timeout': '0' }, "--handshake-timeout must be a whole number from 1 to 86400000, not '0'"],
    [
      { 'consumer-timeout': '0' },
      "--consumer-timeout must be a whole number of milliseconds from 1 to 315360000000, or none, not '0'",
    ],
    [{ 'log-level': 'warn' }, "--log-level must be debug, info, warning, error or none, not 'warn'"],
    [{ 'log-format': 'xml' }, "--log-format must be auto, json or text, not 'xml'"],
    [
      { 'log-level': '\u001b[31m\nx' },
      "--log-level must be debug, info, warning, error or none, not '\\u001b[31m\\nx'",
    ],
  ])('%j is refused', (flags, message) => {
    expect(refusal(flags)).toEqual({ message, exitCode: EXIT_USAGE });
  });
});

describe('wrong variables and keys', () => {
  it('are wrong configuration, and named as the operator knows them', () => {
    expect(refusal({}, { LEVERET_PORT: 'x' })).toEqual({
      message: "LEVERET_PORT must be a whole number from 0 to 65535, not 'x'",
      exitCode: EXIT_CONFIGURATION,
    });
    expect(refusal({}, { LEVERET_IN_MEMORY: 'yes' })).toEqual({
      message: "LEVERET_IN_MEMORY must be true or false, not 'yes'",
      exitCode: EXIT_CONFIGURATION,
    });
    const config = configFile({ port: 1.5 });
    expect(refusal({ config })).toEqual({
      message: `"port" in ${config} must be a whole number from 0 to 65535, not 1.5`,
      exitCode: EXIT_CONFIGURATION,
    });
  });

  it('count only where nothing of higher precedence is set', () => {
    expect(resolve({ port: '1' }, { LEVERET_PORT: 'x' }).port).toBe(1);
  });
});
