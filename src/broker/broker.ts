/** The broker: virtual hosts, users, the message log and the turn. It knows nothing of sockets. */
import { areSameLimits, type LimitName } from '../auth/resource-limits.js';
import type { TopicPermissionRow } from '../auth/topic-permissions.js';
import { type Permissions, type UserChanges, UserDirectory } from '../auth/users.js';
import type { Clock } from '../lib/clock.js';
import { GuardedClock } from '../lib/guarded-clock.js';
import {
  ASSEMBLIES_IDLE_MAX,
  OUTPUT_SLAB_BYTES,
  OUTPUT_SLABS_IDLE_MAX,
  RECORD_ADOPTED_BYTES_MIN,
} from '../lib/limits.js';
import type { Logger } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { SlabPool } from '../lib/slab-pool.js';
import type { DefinitionRecord, DefinitionsLog } from '../store/definitions-log.js';
import { MessageLog } from '../store/message-log.js';
import type { BrokerConfig } from './broker-config.js';
import { ClientCounts } from './client-counts.js';
import {
  permissionGoneRecord,
  permissionRecord,
  userGoneRecord,
  userRecord,
  virtualHostGoneRecord,
  virtualHostRecord,
} from './definitions.js';
import type { Generation } from './generations/generation.js';
import {
  topicPermissionGoneRecord,
  topicPermissionRecord,
  userLimitsRecord,
  virtualHostLimitsRecord,
} from './limit-definitions.js';
import { parseUserLimits, parseVirtualHostLimits } from './limit-input.js';
import { ResourceAlarms } from './resource-alarms.js';
import { Scheduler } from './scheduler.js';
import { VirtualHost, type VirtualHostEnvironment } from './virtual-host.js';

export interface BrokerDependencies {
  readonly config: BrokerConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Arms a turn: calls it once, soon, from the event loop. */
  readonly defer: (turn: () => void) => void;
}

/** Closes the connections that it is true for, and tells them the reason. */
export type CloseClients = (
  isAffected: (userName: string, virtualHost: string) => boolean,
  reason: string,
) => void;

/** Starts empty: `applyConfig`, or the recovery of a data directory, gives it virtual hosts and users. */
export class Broker implements VirtualHostEnvironment {
  readonly config: BrokerConfig;
  readonly generation: Generation;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly users: UserDirectory;
  readonly log: MessageLog;
  readonly scheduler: Scheduler;
  readonly slabs = new SlabPool(OUTPUT_SLAB_BYTES, OUTPUT_SLABS_IDLE_MAX);
  /** For messages that come in pieces and are copied into the log when they are whole. */
  readonly assemblies = new SlabPool(RECORD_ADOPTED_BYTES_MIN, ASSEMBLIES_IDLE_MAX);
  readonly alarms: ResourceAlarms;
  readonly clients = new ClientCounts();
  /** Wall time of the bytes being handled, in milliseconds: read once per socket read, not per message. */
  receivedAtMs: number;
  private readonly virtualHostsByName = new Map<string, VirtualHost>();
  /** Never given to another queue, also not after a restart. */
  lastQueueId = 0;
  /** Keeps durable definitions; undefined for a broker in memory. */
  definitions: DefinitionsLog | undefined;
  /** Whoever has the connections sets this; until then there are none to close. */
  closeClients: CloseClients = () => {};

  constructor({ config, clock, random, logger, defer }: BrokerDependencies) {
    this.config = config;
    this.generation = config.generation;
    this.clock = new GuardedClock(clock, (error) =>
      logger.error({ err: error }, 'a timer of the broker failed; this is a bug in the broker'),
    );
    this.receivedAtMs = clock.nowMs();
    this.random = random;
    this.logger = logger;
    this.alarms = new ResourceAlarms((resource, isActive) => {
      const fields = { resource, heldBytes: this.log.bytesHeld, limitBytes: config.memoryLimitBytes };
      if (isActive)
        logger.warn(fields, `low on ${resource}: publishers are blocked until there is room again`);
      else logger.info(fields, `no longer low on ${resource}`);
    });
    this.log = new MessageLog({
      onBytesHeldChanged: (heldBytes) => this.alarms.set('memory', heldBytes > config.memoryLimitBytes),
    });
    this.scheduler = new Scheduler(defer, (error) =>
      logger.error({ err: error }, 'a step of the turn failed; this is a bug in the broker'),
    );
    this.users = new UserDirectory({
      randomBytes: (count) => random.bytes(count),
      loopbackUsers: config.loopbackUsers,
      changes: this.userChanges(),
    });
  }

  virtualHost(name: string): VirtualHost | undefined {
    return this.virtualHostsByName.get(name);
  }

  allVirtualHosts(): VirtualHost[] {
    return [...this.virtualHostsByName.values()];
  }

  /** Adds a virtual host, which nobody may open yet. @returns false when there is one of that name */
  addVirtualHost(name: string): boolean {
    if (this.virtualHostsByName.has(name)) return false;
    this.virtualHostsByName.set(name, new VirtualHost(name, this));
    this.record(virtualHostRecord(name));
    return true;
  }

  /**
   * Deletes a virtual host with everything in it: queues and their messages, exchanges, bindings, permissions.
   * Its clients are told, and closed. One record says it all, so a crash leaves all of it or nothing.
   *
   * @returns whether there was one
   */
  deleteVirtualHost(name: string): boolean {
    const virtualHost = this.virtualHostsByName.get(name);
    if (virtualHost === undefined) return false;
    this.virtualHostsByName.delete(name);
    this.users.clearVirtualHost(name);
    this.record(virtualHostGoneRecord(name));
    virtualHost.delete();
    // Behind the queues, as RabbitMQ does: their consumers are cancelled before the connection is closed.
    this.closeClients((_userName, openedHost) => openedHost === name, `vhost '${name}' is deleted`);
    return true;
  }

  /** @throws Error when there is no such user or virtual host, or naming the pattern that is no regular expression */
  setPermissions(userName: string, virtualHost: string, permissions: Permissions): void {
    if (!this.virtualHostsByName.has(virtualHost)) throw new Error(`no virtual host '${virtualHost}'`);
    this.users.setPermissions(userName, virtualHost, permissions);
  }

  /** @throws Error when there is no such user or virtual host, or naming the pattern that is no regular expression */
  setTopicPermissions(row: TopicPermissionRow): void {
    if (!this.virtualHostsByName.has(row.virtualHost))
      throw new Error(`no virtual host '${row.virtualHost}'`);
    this.users.setTopicPermissions(row);
  }

  /**
   * All limits of a virtual host; none that was set before stays.
   * @param input `{ 'max-connections': 10, 'max-queues': 100 }`, each if wanted
   * @throws LimitError, or Error when there is no such virtual host
   */
  setVirtualHostLimits(name: string, input: object): void {
    const virtualHost = this.virtualHostsByName.get(name);
    if (virtualHost === undefined) throw new Error(`no virtual host '${name}'`);
    const limits = parseVirtualHostLimits(input);
    if (areSameLimits(limits, virtualHost.limits)) return;
    virtualHost.limits = limits;
    this.record(virtualHostLimitsRecord(name, virtualHost.limits));
  }

  /**
   * Some limits of a user; the others stay.
   * @param input `{ 'max-connections': 10, 'max-channels': 100 }`, each if wanted
   * @throws LimitError, or Error when there is no such user
   */
  setUserLimits(userName: string, input: object): void {
    this.users.setLimits(userName, new Map([...this.users.limitsOf(userName), ...parseUserLimits(input)]));
  }

  /** @throws Error when there is no such user */
  clearUserLimits(userName: string, limit: LimitName | 'all'): void {
    const limits = [...this.users.limitsOf(userName)];
    this.users.setLimits(userName, new Map(limits.filter(([name]) => limit !== 'all' && name !== limit)));
  }

  /** Ids up to this one were given before a restart. */
  continueQueueIds(lastQueueId: number): void {
    this.lastQueueId = Math.max(this.lastQueueId, lastQueueId);
  }

  nextQueueId(): number {
    return ++this.lastQueueId;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  /** A name nobody else has: RabbitMQ writes 16 random bytes as 22 characters of base64url behind a prefix. */
  generateName(prefix: string): string {
    return `${prefix}${this.random.bytes(16).toString('base64url')}`;
  }

  /** Drops everything. Connections have been closed before. */
  close(): void {
    for (const virtualHost of this.virtualHostsByName.values()) virtualHost.close();
    this.virtualHostsByName.clear();
  }

  private userChanges(): UserChanges {
    return {
      userSet: (user) => this.record(userRecord(user)),
      userDeleted: (name) => {
        this.record(userGoneRecord(name));
        this.closeClients((userName) => userName === name, `user '${name}' is deleted`);
      },
      permissionsSet: (row) => this.record(permissionRecord(row)),
      permissionsCleared: (user, virtualHost) => this.record(permissionGoneRecord(user, virtualHost)),
      topicPermissionsSet: (row) => this.record(topicPermissionRecord(row)),
      topicPermissionsCleared: (user, virtualHost, exchange) =>
        this.record(topicPermissionGoneRecord(user, virtualHost, exchange)),
      limitsSet: (user, limits) => this.record(userLimitsRecord(user, limits)),
    };
  }

  private record(record: DefinitionRecord): void {
    this.definitions?.append(record);
  }
}
