/** The broker's own users and permissions: the default `AuthBackend`. Whoever keeps them is told of every change. */

import type { Access, AuthBackend, Authentication, User } from './auth-backend.js';
import { hashPassword, PASSWORD_HASH_BYTES, PASSWORD_SALT_BYTES, verifyPassword } from './password.js';
import { compilePermissionPattern, type PermissionPattern } from './permission-pattern.js';
import { areSameLimits, NO_LIMITS, type ResourceLimits } from './resource-limits.js';
import { type TopicAccess, type TopicPermissionRow, TopicPermissionTable } from './topic-permissions.js';

/** The patterns of one user in one virtual host (rabbitmq.com/docs/access-control). */
export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** A permission as definitions and the HTTP API list it. */
export interface PermissionRow extends Permissions {
  readonly user: string;
  readonly virtualHost: string;
}

/** Users that may log in from this machine only, unless the operator says otherwise. */
export const DEFAULT_LOOPBACK_USERS: readonly string[] = ['guest'];

/** Told of each change once it is made. */
export interface UserChanges {
  /** A user is new, or has another password or other tags. */
  userSet(user: User): void;
  /** With everything the user was permitted. */
  userDeleted(name: string): void;
  permissionsSet(row: PermissionRow): void;
  permissionsCleared(user: string, virtualHost: string): void;
  topicPermissionsSet(row: TopicPermissionRow): void;
  topicPermissionsCleared(user: string, virtualHost: string, exchange: string): void;
  /** All limits of the user, be it none. */
  limitsSet(user: string, limits: ResourceLimits): void;
}

export interface UserDirectoryOptions {
  /** `n` random bytes, for the salts of passwords. */
  readonly randomBytes: (n: number) => Buffer;
  /** Names of users that may log in from this machine only; `DEFAULT_LOOPBACK_USERS` when absent. */
  readonly loopbackUsers?: Iterable<string>;
  readonly changes?: UserChanges;
}

type CompiledPermissions = Readonly<Record<Access, PermissionPattern>>;

/** Verified when the user is unknown, so that the time of a refusal does not tell which names exist. */
const UNKNOWN_USER_HASH = Buffer.alloc(PASSWORD_HASH_BYTES).toString('base64');

export class UserDirectory implements AuthBackend {
  readonly loopbackUsers: ReadonlySet<string>;
  readonly #randomBytes: (n: number) => Buffer;
  readonly #changes: UserChanges | undefined;
  readonly #users = new Map<string, User>();
  /** User name to virtual host to patterns. */
  readonly #permissions = new Map<string, Map<string, CompiledPermissions>>();
  readonly #topicPermissions = new TopicPermissionTable();
  readonly #limits = new Map<string, ResourceLimits>();
  #generation = 0;

  constructor(options: UserDirectoryOptions) {
    this.#randomBytes = options.randomBytes;
    this.#changes = options.changes;
    this.loopbackUsers = new Set(options.loopbackUsers ?? DEFAULT_LOOPBACK_USERS);
  }

  get generation(): number {
    return this.#generation;
  }

  /**
   * Adds a user, or gives the user of that name another password and other tags. Permissions stay.
   *
   * @param password undefined: the user cannot log in with a password
   */
  addUser(name: string, password: string | undefined, tags: readonly string[] = []): User {
    const passwordHash =
      password === undefined ? '' : hashPassword(password, this.#randomBytes(PASSWORD_SALT_BYTES));
    return this.restoreUser({ name, passwordHash, tags });
  }

  /** Adds or replaces a user whose password is hashed already: recovery and imported definitions. */
  restoreUser({ name, passwordHash, tags }: User): User {
    const user: User = { name, passwordHash, tags: [...tags] };
    this.#users.set(name, user);
    this.#generation++;
    this.#changes?.userSet(user);
    return user;
  }

  /** Deletes a user and everything the user was permitted. @returns whether there was one */
  deleteUser(name: string): boolean {
    if (!this.#users.delete(name)) return false;
    this.#permissions.delete(name);
    this.#forgetTopicPermissions([...this.#topicPermissions.rows(name)]);
    this.#limits.delete(name);
    this.#generation++;
    this.#changes?.userDeleted(name);
    return true;
  }

  /** @throws Error when there is no such user */
  setTags(name: string, tags: readonly string[]): void {
    this.restoreUser({ ...this.#existing(name), tags });
  }

  /** All limits of a user; none that was set before stays. @throws Error when there is no such user */
  setLimits(userName: string, limits: ResourceLimits): void {
    this.#existing(userName);
    if (areSameLimits(limits, this.limitsOf(userName))) return;
    if (limits.size === 0) this.#limits.delete(userName);
    else this.#limits.set(userName, limits);
    this.#changes?.limitsSet(userName, limits);
  }

  limitsOf(userName: string): ResourceLimits {
    return this.#limits.get(userName) ?? NO_LIMITS;
  }

  /** @throws Error when there is no such user, or naming the pattern that is not a regular expression */
  setTopicPermissions(row: TopicPermissionRow): void {
    this.#existing(row.user);
    this.#topicPermissions.set(row);
    this.#generation++;
    this.#changes?.topicPermissionsSet(row);
  }

  /** @returns whether there were any */
  clearTopicPermissions(userName: string, virtualHost: string, exchange: string): boolean {
    if (!this.#topicPermissions.delete(userName, virtualHost, exchange)) return false;
    this.#generation++;
    this.#changes?.topicPermissionsCleared(userName, virtualHost, exchange);
    return true;
  }

  /** @throws Error when there is no such user, or naming the pattern that is not a regular expression */
  setPermissions(userName: string, virtualHost: string, permissions: Permissions): void {
    this.#existing(userName);
    const compiled: CompiledPermissions = {
      configure: compilePermissionPattern(permissions.configure),
      write: compilePermissionPattern(permissions.write),
      read: compilePermissionPattern(permissions.read),
    };
    const byVirtualHost = this.#permissions.get(userName);
    if (byVirtualHost === undefined) this.#permissions.set(userName, new Map([[virtualHost, compiled]]));
    else byVirtualHost.set(virtualHost, compiled);
    this.#generation++;
    const { configure, write, read } = permissions;
    this.#changes?.permissionsSet({ user: userName, virtualHost, configure, write, read });
  }

  /** Takes a user's access to a virtual host away. @returns whether there was any */
  clearPermissions(userName: string, virtualHost: string): boolean {
    if (!this.#forgetPermissions(userName, virtualHost)) return false;
    this.#changes?.permissionsCleared(userName, virtualHost);
    return true;
  }

  /**
   * Clears every permission in a virtual host that is being deleted: a new one of that name starts with none.
   * Nobody is told: the end of the virtual host says it.
   */
  clearVirtualHost(virtualHost: string): void {
    for (const userName of [...this.#permissions.keys()]) this.#forgetPermissions(userName, virtualHost);
    this.#forgetTopicPermissions([...this.#topicPermissions.rows(undefined, virtualHost)]);
  }

  authenticate(name: string, password: string, isLoopbackPeer: boolean): Authentication {
    const user = this.#users.get(name);
    const isVerified = verifyPassword(user?.passwordHash ?? UNKNOWN_USER_HASH, password);
    if (user === undefined || !isVerified) return { ok: false, reason: 'wrong' };
    // After the password, as RabbitMQ does: a remote peer that guesses learns nothing about guest.
    if (!isLoopbackPeer && this.loopbackUsers.has(name)) return { ok: false, reason: 'loopback-only' };
    return { ok: true, user };
  }

  user(name: string): User | undefined {
    return this.#users.get(name);
  }

  hasAccess(userName: string, virtualHost: string): boolean {
    return this.#permissions.get(userName)?.has(virtualHost) === true;
  }

  isAllowed(userName: string, virtualHost: string, access: Access, resourceName: string): boolean {
    return this.#permissions.get(userName)?.get(virtualHost)?.[access].matches(resourceName) === true;
  }

  get topicPermissionCount(): number {
    return this.#topicPermissions.size;
  }

  isTopicAllowed(
    user: string,
    virtualHost: string,
    exchange: string,
    access: TopicAccess,
    key: string,
  ): boolean {
    return this.#topicPermissions.isAllowed(user, virtualHost, exchange, access, key);
  }

  topicPermissions(): IterableIterator<TopicPermissionRow> {
    return this.#topicPermissions.rows();
  }

  users(): IterableIterator<User> {
    return this.#users.values();
  }

  *permissions(): IterableIterator<PermissionRow> {
    for (const [user, byVirtualHost] of this.#permissions) {
      for (const [virtualHost, { configure, write, read }] of byVirtualHost) {
        yield {
          user,
          virtualHost,
          configure: configure.source,
          write: write.source,
          read: read.source,
        };
      }
    }
  }

  #forgetTopicPermissions(rows: readonly TopicPermissionRow[]): void {
    for (const { user, virtualHost, exchange } of rows) {
      if (this.#topicPermissions.delete(user, virtualHost, exchange)) this.#generation++;
    }
  }

  #forgetPermissions(userName: string, virtualHost: string): boolean {
    const byVirtualHost = this.#permissions.get(userName);
    if (byVirtualHost?.delete(virtualHost) !== true) return false;
    if (byVirtualHost.size === 0) this.#permissions.delete(userName);
    this.#generation++;
    return true;
  }

  #existing(name: string): User {
    const user = this.#users.get(name);
    if (user === undefined) throw new Error(`no user '${name}'`);
    return user;
  }
}
