/** From what the operator set, wherever, to what a broker starts with. */
import {
  BROKER_CONFIG_DEFAULTS,
  type BrokerConfig,
  type DefaultableOption,
} from '../broker/broker-config.js';
import type { Generation } from '../broker/generations/generation.js';
import { GENERATION_NAMES, generationNamed } from '../broker/generations/names.js';
import {
  BODY_BYTES_MAX,
  DISK_FREE_BYTES_MIN_DEFAULT,
  SHORT_STRING_BYTES_MAX,
  TTL_MS_MAX,
} from '../lib/limits.js';
import { SYNC_MODES, type SyncMode } from '../store/sync-mode.js';
import { readConfigFile } from './config-file.js';
import { readEnvironment } from './environment.js';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from './log-options.js';
import type { OptionName } from './option-list.js';
import { resolvePolicies } from './policy-options.js';
import {
  firstSetting,
  readChoice,
  readDuration,
  readInteger,
  readNames,
  readSize,
  readSizeOrPercent,
  readSwitch,
  readText,
  type Setting,
  type Settings,
  settingError,
} from './setting.js';
import { resolveUsers } from './user-options.js';

export interface StartSettings {
  readonly config: BrokerConfig;
  readonly hosts: readonly string[];
  /** No source names a host: an address this machine does not have is left out. */
  readonly areHostsDefault: boolean;
  /** 0: a free one. */
  readonly port: number;
  /** Undefined: in memory only. */
  readonly dataDirectory: string | undefined;
  readonly syncMode: SyncMode;
  readonly diskFreeLimitBytes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export interface StartSources {
  readonly flags: Settings;
  readonly environment: NodeJS.ProcessEnv;
  /** Memory this process may use, in bytes. */
  readonly availableMemoryBytes: number;
}

const PORT_DEFAULT = 5672;
const PORT_MAX = 65_535;
const HOSTS_DEFAULT: readonly string[] = ['127.0.0.1', '::1'];
const DATA_DIRECTORY_DEFAULT = './leveret-data';
/** connection.tune holds both numbers in 16 bits (AMQP 0-9-1, 1.4.2.5). */
const UINT16_MAX = 65_535;
/** The longest name a host can have (RFC 1035, 2.3.4). */
const HOST_BYTES_MAX = 255;
/** A day: a client that needs longer to open its connection is none. */
const HANDSHAKE_TIMEOUT_MS_MAX = 86_400_000;

/**
 * A flag counts before a variable, a variable before the file, the file before the default.
 *
 * @throws CommandError, 64 for a wrong flag, 78 for a wrong variable or file
 */
export function resolveStartSettings(sources: StartSources): StartSettings {
  const environment = readEnvironment(sources.environment);
  const configPath = firstSetting([sources.flags, environment], 'config');
  const file: Settings = configPath === undefined ? new Map() : readConfigFile(readText(configPath));
  const order = [sources.flags, environment, file];
  const hosts = firstSetting(order, 'host');
  const dataDirectory = resolveDataDirectory(order);
  return {
    config: resolveBrokerConfig(order, dataDirectory !== undefined, sources.availableMemoryBytes),
    hosts: hosts === undefined ? HOSTS_DEFAULT : readNames(hosts, HOST_BYTES_MAX),
    areHostsDefault: hosts === undefined,
    port: orDefault(order, 'port', PORT_DEFAULT, (setting) => readInteger(setting, 0, PORT_MAX)),
    dataDirectory,
    syncMode: orDefault(order, 'sync', 'always', (setting) => readChoice(setting, SYNC_MODES)),
    diskFreeLimitBytes: orDefault(order, 'disk-free-limit', DISK_FREE_BYTES_MIN_DEFAULT, (setting) =>
      readSize(setting, Number.MAX_SAFE_INTEGER),
    ),
    logLevel: orDefault(order, 'log-level', 'info', (setting) => readChoice(setting, LOG_LEVELS)),
    logFormat: orDefault(order, 'log-format', 'auto', (setting) => readChoice(setting, LOG_FORMATS)),
  };
}

function resolveBrokerConfig(
  order: readonly Settings[],
  isStored: boolean,
  availableMemoryBytes: number,
): BrokerConfig {
  const defaults = BROKER_CONFIG_DEFAULTS;
  const generation = orDefault(order, 'compat', defaults.generation, (setting) =>
    generationNamed(readChoice(setting, GENERATION_NAMES)),
  );
  const virtualHosts = orDefault(order, 'vhost', defaults.virtualHosts, (setting) =>
    readNames(setting, SHORT_STRING_BYTES_MAX),
  );
  const users = resolveUsers(
    {
      user: firstSetting(order, 'user'),
      permission: firstSetting(order, 'permission'),
      loopbackUsers: firstSetting(order, 'loopback-users'),
      anonymousUser: firstSetting(order, 'anonymous-user'),
    },
    { virtualHosts, mayBeMore: isStored },
  );
  checkAnonymousUser(order, generation, users.anonymousUser);
  const userNames = new Set(users.users.map(({ name }) => name));
  const policies = resolvePolicies(
    {
      policy: firstSetting(order, 'policy'),
      operatorPolicy: firstSetting(order, 'operator-policy'),
      vhostLimits: firstSetting(order, 'vhost-limits'),
      userLimits: firstSetting(order, 'user-limits'),
      topicPermission: firstSetting(order, 'topic-permission'),
    },
    {
      isUser: (name) => isStored || userNames.has(name),
      isVirtualHost: (name) => isStored || virtualHosts.includes(name),
    },
    generation,
  );
  return {
    ...defaults,
    ...users,
    ...policies,
    generation,
    virtualHosts,
    defaulted: defaultedOptions(order),
    heartbeatSeconds: orDefault(order, 'heartbeat', defaults.heartbeatSeconds, (setting) =>
      readInteger(setting, 0, UINT16_MAX),
    ),
    // A client could negotiate nothing below the smallest; a frame carries at most one body.
    frameMax: orDefault(order, 'frame-max', defaults.frameMax, (setting) =>
      readInteger(setting, generation.frameBytesMin, BODY_BYTES_MAX),
    ),
    channelMax: orDefault(order, 'channel-max', defaults.channelMax, (setting) =>
      readInteger(setting, 0, UINT16_MAX),
    ),
    messageBytesMax: orDefault(order, 'max-message-size', generation.messageBytesMaxDefault, (setting) =>
      readSize(setting, BODY_BYTES_MAX),
    ),
    consumerTimeoutMs: orDefault(order, 'consumer-timeout', defaults.consumerTimeoutMs, (setting) =>
      readDuration(setting, TTL_MS_MAX),
    ),
    handshakeTimeoutMs: orDefault(order, 'handshake-timeout', defaults.handshakeTimeoutMs, (setting) =>
      readInteger(setting, 1, HANDSHAKE_TIMEOUT_MS_MAX),
    ),
    memoryLimitBytes: orDefault(
      order,
      'memory-limit',
      Math.floor(availableMemoryBytes * generation.memoryLimitRatioDefault),
      (setting) => readSizeOrPercent(setting, availableMemoryBytes),
    ),
  };
}

/** @throws CommandError when somebody is to log in by a mechanism that the generation does not have */
function checkAnonymousUser(
  order: readonly Settings[],
  generation: Generation,
  anonymousUser: string | undefined,
): void {
  const setting = firstSetting(order, 'anonymous-user');
  if (setting === undefined || anonymousUser === undefined || generation.hasAnonymousLogin) return;
  throw settingError(
    setting.source,
    `${setting.label} is for SASL ANONYMOUS, which RabbitMQ ${generation.version} does not have; leave it out, or say 'none'`,
  );
}

/** The options that no source names. */
function defaultedOptions(order: readonly Settings[]): ReadonlySet<DefaultableOption> {
  const defaulted = new Set<DefaultableOption>();
  if (firstSetting(order, 'vhost') === undefined) defaulted.add('virtualHosts');
  if (firstSetting(order, 'user') === undefined) defaulted.add('users');
  if (firstSetting(order, 'anonymous-user') === undefined) defaulted.add('anonymousUser');
  return defaulted;
}

/**
 * Each source says at most one of the two, and the first source that says either decides: `--in-memory` holds
 * in a container whose image sets `LEVERET_DATA_DIR`.
 *
 * @throws CommandError when one source says both
 */
function resolveDataDirectory(order: readonly Settings[]): string | undefined {
  for (const settings of order) {
    const directory = settings.get('data-dir');
    const inMemory = settings.get('in-memory');
    const isInMemory = inMemory !== undefined && readSwitch(inMemory);
    if (inMemory !== undefined && isInMemory && directory !== undefined) {
      throw settingError(
        directory.source,
        `${directory.label} and ${inMemory.label} contradict each other; leave one out`,
      );
    }
    if (isInMemory) return undefined;
    if (directory !== undefined) return readText(directory);
    // An explicit false: not in memory, whatever the sources after this one say.
    if (inMemory !== undefined) return orDefault(order, 'data-dir', DATA_DIRECTORY_DEFAULT, readText);
  }
  return DATA_DIRECTORY_DEFAULT;
}

function orDefault<T>(
  order: readonly Settings[],
  name: OptionName,
  defaultValue: T,
  read: (setting: Setting) => T,
): T {
  const setting = firstSetting(order, name);
  return setting === undefined ? defaultValue : read(setting);
}
