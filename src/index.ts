/**
 * Leveret in your process:
 *
 *     import { createBroker } from 'leveret';
 *     const broker = await createBroker();
 *     const connection = await amqplib.connect(broker.url);
 *     ...
 *     await broker.close();
 */
import { totalmem } from 'node:os';
import {
  BROKER_CONFIG_DEFAULTS,
  type PermissionConfig,
  type PolicyConfig,
  type TopicPermissionConfig,
  type UserConfig,
} from './broker/broker-config.js';
import type { Generation } from './broker/generations/generation.js';
import { GENERATION_NAMES, type GenerationName, generationNamed } from './broker/generations/names.js';
import { type Logger, silentLogger } from './lib/logger.js';
import { type RunningServer, startServer } from './server/server.js';

export type {
  PermissionConfig,
  PolicyConfig,
  TopicPermissionConfig,
  UserConfig,
} from './broker/broker-config.js';
export type { GenerationName } from './broker/generations/names.js';
export type { Logger } from './lib/logger.js';

export interface BrokerOptions {
  /** Address to listen on; 127.0.0.1 when absent. */
  readonly host?: string;
  /** Port to listen on; a free one when absent or 0. */
  readonly port?: number;
  /** Follows that generation of RabbitMQ exactly; when absent 4.2's answers, and whatever 3.x to 4.2 accept. */
  readonly compat?: GenerationName;
  /** Virtual hosts that exist from the start; only `/` when absent. */
  readonly virtualHosts?: readonly string[];
  /** Users that exist from the start, each with all permissions on every virtual host unless `permissions` are given. */
  readonly users?: readonly UserConfig[];
  readonly permissions?: readonly PermissionConfig[];
  /** Which routing keys users may publish and bind with on topic exchanges; all of them where nothing is said. */
  readonly topicPermissions?: readonly TopicPermissionConfig[];
  /** Each applies to `/` unless it names a virtual host. */
  readonly policies?: readonly PolicyOption[];
  readonly operatorPolicies?: readonly PolicyOption[];
  /** `maxConnections` and `maxQueues` by virtual host. */
  readonly virtualHostLimits?: readonly VirtualHostLimits[];
  /** `maxConnections` and `maxChannels` by user. */
  readonly userLimits?: readonly UserLimits[];
  /** Offered to clients, in seconds; 0 is none. 60 when absent. */
  readonly heartbeatSeconds?: number;
  /** Largest frame, in bytes; 131072 when absent. */
  readonly frameMax?: number;
  /** Channels per connection; 2047 when absent. */
  readonly channelMax?: number;
  /** Largest message body, in bytes; 16 MiB when absent (128 MiB for 3.13). */
  readonly messageBytesMax?: number;
  /** Time to acknowledge a delivery, in milliseconds, before the channel is closed; half an hour when absent. */
  readonly consumerTimeoutMs?: number | 'none';
  /** Publishers are blocked while messages hold more memory than this, in bytes; 60% of the machine's when absent (40% for 3.13). */
  readonly memoryLimitBytes?: number;
  /** Told what happens; a pino logger fits. Nothing is logged when absent. */
  readonly logger?: Logger;
}

export type PolicyOption = Omit<PolicyConfig, 'virtualHost'> & Partial<Pick<PolicyConfig, 'virtualHost'>>;

export interface VirtualHostLimits {
  readonly virtualHost: string;
  readonly maxConnections?: number;
  readonly maxQueues?: number;
}

export interface UserLimits {
  readonly user: string;
  readonly maxConnections?: number;
  readonly maxChannels?: number;
}

/** A broker that runs in this process. */
export interface EmbeddedBroker {
  /** What a client connects to: `amqp://guest:guest@127.0.0.1:41823/%2F`, with the first user and virtual host. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The address of one virtual host, for one user (the first when absent). */
  urlFor(virtualHost: string, userName?: string): string;
  /** Closes clients (320 CONNECTION_FORCED), frees the port and leaves nothing open. Calling it again is harmless. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a broker in this process, in memory. Any number can run side by side.
 * @throws when the port is taken, or an option is wrong
 */
export async function createBroker(options: BrokerOptions = {}): Promise<EmbeddedBroker> {
  const { host = '127.0.0.1', port = 0, logger = silentLogger } = options;
  const defaults = BROKER_CONFIG_DEFAULTS;
  const generation = options.compat === undefined ? defaults.generation : checkedGeneration(options.compat);
  const virtualHosts = options.virtualHosts ?? defaults.virtualHosts;
  const users = options.users ?? defaults.users;
  const config = {
    ...defaults,
    generation,
    virtualHosts,
    users,
    permissions: options.permissions ?? [],
    topicPermissions: options.topicPermissions ?? [],
    policies: (options.policies ?? []).map((policy) => ({ virtualHost: '/', ...policy })),
    operatorPolicies: (options.operatorPolicies ?? []).map((policy) => ({ virtualHost: '/', ...policy })),
    virtualHostLimits: (options.virtualHostLimits ?? []).map(
      ({ virtualHost, maxConnections, maxQueues }) => ({
        virtualHost,
        limits: given({ 'max-connections': maxConnections, 'max-queues': maxQueues }),
      }),
    ),
    userLimits: (options.userLimits ?? []).map(({ user, maxConnections, maxChannels }) => ({
      user,
      limits: given({ 'max-connections': maxConnections, 'max-channels': maxChannels }),
    })),
    unrestrictedUsers: options.permissions === undefined ? users.map(({ name }) => name) : [],
    heartbeatSeconds: options.heartbeatSeconds ?? defaults.heartbeatSeconds,
    frameMax: options.frameMax ?? defaults.frameMax,
    channelMax: options.channelMax ?? defaults.channelMax,
    messageBytesMax: options.messageBytesMax ?? generation.messageBytesMaxDefault,
    consumerTimeoutMs: checkedTimeout(options.consumerTimeoutMs ?? defaults.consumerTimeoutMs),
    memoryLimitBytes: options.memoryLimitBytes ?? Math.floor(totalmem() * generation.memoryLimitRatioDefault),
  };
  const server = await startServer({ config, hosts: [host], port, logger });
  return embed(server, host, virtualHosts, users);
}

/** Not every caller has types. */
function checkedGeneration(name: GenerationName): Generation {
  if (GENERATION_NAMES.includes(name)) return generationNamed(name);
  throw new Error(
    `the option compat must be one of ${GENERATION_NAMES.join(', ')}, not ${JSON.stringify(name)}`,
  );
}

function checkedTimeout(timeoutMs: number | 'none'): number {
  if (timeoutMs === 'none') return Number.POSITIVE_INFINITY;
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1) return timeoutMs;
  throw new Error(
    `the option consumerTimeoutMs must be a whole number of milliseconds from 1 on, or 'none', not ${JSON.stringify(timeoutMs)}`,
  );
}

/** Without what is undefined. */
function given(limits: Readonly<Record<string, number | undefined>>): object {
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

function embed(
  server: RunningServer,
  host: string,
  virtualHosts: readonly string[],
  users: readonly UserConfig[],
): EmbeddedBroker {
  const { port } = server;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const urlFor = (virtualHost: string, userName?: string): string => {
    const user = userName === undefined ? users[0] : users.find(({ name }) => name === userName);
    if (user === undefined) throw new Error(`there is no user '${userName}' to make a URL for`);
    const login = `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}`;
    return `amqp://${login}@${authority}/${encodeURIComponent(virtualHost)}`;
  };
  const close = (): Promise<void> => server.close();
  const url = urlFor(virtualHosts[0] ?? '/');
  return { url, host, port, urlFor, close, [Symbol.asyncDispose]: close };
}
