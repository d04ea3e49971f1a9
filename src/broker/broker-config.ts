/** What an operator decides about a broker, with the defaults RabbitMQ has. */
import {
  CHANNEL_MAX_DEFAULT,
  CONSUMER_TIMEOUT_MS_DEFAULT,
  FRAME_BYTES_MAX_DEFAULT,
  HANDSHAKE_TIMEOUT_MS_DEFAULT,
  HEARTBEAT_SECONDS_DEFAULT,
} from '../lib/limits.js';
import { DEFAULT_GENERATION } from './generations/default.js';
import type { Generation } from './generations/generation.js';

export interface UserConfig {
  readonly name: string;
  readonly password: string;
  readonly tags: readonly string[];
}

/** Regular expressions over resource names, not anchored (rabbitmq.com/docs/access-control). */
export interface PermissionConfig {
  readonly user: string;
  readonly virtualHost: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** rabbitmq.com/docs/policies; what is not given is as `rabbitmqctl set_policy` has it. */
export interface PolicyConfig {
  readonly virtualHost: string;
  readonly name: string;
  /** A regular expression over names, not anchored. */
  readonly pattern: string;
  /** By the names of RabbitMQ: `{ 'max-length': 1000, 'dead-letter-exchange': 'dlx' }`. */
  readonly definition: object;
  /** 0 when absent. */
  readonly priority?: number;
  /** `all` when absent. */
  readonly applyTo?: string;
}

export interface VirtualHostLimitsConfig {
  readonly virtualHost: string;
  /** By the names of RabbitMQ: `{ 'max-connections': 10, 'max-queues': 100 }`; -1 is none. */
  readonly limits: object;
}

export interface UserLimitsConfig {
  readonly user: string;
  /** By the names of RabbitMQ: `{ 'max-connections': 10, 'max-channels': 100 }`; -1 is none. */
  readonly limits: object;
}

/** Regular expressions over routing keys, with `{username}` and `{vhost}`; not anchored. */
export interface TopicPermissionConfig {
  readonly user: string;
  readonly virtualHost: string;
  readonly exchange: string;
  readonly write: string;
  readonly read: string;
}

/** What a data directory may know better than a default. */
export type DefaultableOption = 'virtualHosts' | 'users' | 'anonymousUser';

/** How virtual hosts, users and permissions meet those of a data directory: see `configured-definitions.ts`. */
export interface BrokerConfig {
  /** The generation of RabbitMQ that is followed. */
  readonly generation: Generation;
  readonly virtualHosts: readonly string[];
  readonly users: readonly UserConfig[];
  readonly permissions: readonly PermissionConfig[];
  readonly topicPermissions: readonly TopicPermissionConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly operatorPolicies: readonly PolicyConfig[];
  readonly virtualHostLimits: readonly VirtualHostLimitsConfig[];
  readonly userLimits: readonly UserLimitsConfig[];
  /** Users who may do everything wherever no other permission is set for them. */
  readonly unrestrictedUsers: readonly string[];
  /** Options with the values of `BROKER_CONFIG_DEFAULTS` because nobody said anything. */
  readonly defaulted: ReadonlySet<DefaultableOption>;
  /** Users that may log in from this machine only. */
  readonly loopbackUsers: readonly string[];
  /** The user of SASL ANONYMOUS, or undefined: the mechanism is not offered. */
  readonly anonymousUser: string | undefined;
  /** Offered in connection.tune; 0 is no limit. */
  readonly channelMax: number;
  /** Bytes, offered in connection.tune. */
  readonly frameMax: number;
  /** Seconds, offered in connection.tune; 0 is none. */
  readonly heartbeatSeconds: number;
  readonly handshakeTimeoutMs: number;
  /** Largest body accepted, in bytes. */
  readonly messageBytesMax: number;
  /** How long a delivery may be unacknowledged, in milliseconds; Infinity is for ever. */
  readonly consumerTimeoutMs: number;
  /** Publishers are blocked while messages hold more memory than this, in bytes. */
  readonly memoryLimitBytes: number;
  /** Named in connection.start as `cluster_name`. */
  readonly clusterName: string;
}

/** The default virtual host, and guest/guest as its administrator, from this machine only. */
export const BROKER_CONFIG_DEFAULTS: Omit<BrokerConfig, 'memoryLimitBytes'> = {
  generation: DEFAULT_GENERATION,
  virtualHosts: ['/'],
  users: [{ name: 'guest', password: 'guest', tags: ['administrator'] }],
  permissions: [],
  topicPermissions: [],
  policies: [],
  operatorPolicies: [],
  virtualHostLimits: [],
  userLimits: [],
  unrestrictedUsers: ['guest'],
  defaulted: new Set<DefaultableOption>(['virtualHosts', 'users', 'anonymousUser']),
  loopbackUsers: ['guest'],
  anonymousUser: 'guest',
  channelMax: CHANNEL_MAX_DEFAULT,
  frameMax: FRAME_BYTES_MAX_DEFAULT,
  heartbeatSeconds: HEARTBEAT_SECONDS_DEFAULT,
  handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS_DEFAULT,
  messageBytesMax: DEFAULT_GENERATION.messageBytesMaxDefault,
  consumerTimeoutMs: CONSUMER_TIMEOUT_MS_DEFAULT,
  clusterName: 'leveret@localhost',
};
