/**
 * Virtual hosts, users and permissions as the options say them, put into a broker that may have stored ones.
 *
 * Defaults are RabbitMQ's `default_vhost` and `default_user`: they count only where nothing has been stored yet, so
 * that a guest who was deleted stays deleted. What an operator says counts at every start: it adds, or changes what
 * is stored. Nothing is deleted for not being said, and what is said again changes nothing.
 */
import type { UserDirectory } from '../auth/users.js';
import type { Broker } from './broker.js';
import type { PermissionConfig, UserConfig } from './broker-config.js';

/** Which definitions a data directory keeps already, be it none of a kind that are left. */
export interface StoredKinds {
  readonly virtualHosts: boolean;
  readonly users: boolean;
}

export const NOTHING_STORED: StoredKinds = { virtualHosts: false, users: false };

const EVERYTHING = { configure: '.*', write: '.*', read: '.*' } as const;

/** An option names a user or a virtual host that neither the options nor the data directory have. */
export class UnknownNameError extends Error {}

/** @throws UnknownNameError */
export function applyConfig(broker: Broker, stored: StoredKinds): void {
  const { config, users } = broker;
  const added: string[] = [];
  if (!stored.virtualHosts || !config.defaulted.has('virtualHosts')) {
    for (const name of config.virtualHosts) if (broker.addVirtualHost(name)) added.push(name);
  }
  const areUsersMeant = !stored.users || !config.defaulted.has('users');
  if (areUsersMeant) for (const user of config.users) applyUser(users, user);
  for (const permission of config.permissions) applyPermission(broker, permission);
  // A default user that is there already gets nothing anew, but is let into what is added for it.
  const virtualHosts = areUsersMeant ? broker.allVirtualHosts().map(({ name }) => name) : added;
  for (const name of config.unrestrictedUsers) {
    if (users.user(name) === undefined) continue;
    for (const virtualHost of virtualHosts) {
      if (!users.hasAccess(name, virtualHost)) users.setPermissions(name, virtualHost, EVERYTHING);
    }
  }
  checkSpecialUsers(broker);
}

/** The hash of a password that has not changed stays: each hash has a salt of its own. */
function applyUser(users: UserDirectory, { name, password, tags }: UserConfig): void {
  const user = users.user(name);
  if (user === undefined || !users.authenticate(name, password, true).ok) {
    users.addUser(name, password, tags);
  } else if (JSON.stringify(user.tags) !== JSON.stringify(tags)) {
    users.setTags(name, tags);
  }
}

function applyPermission(broker: Broker, { user, virtualHost, ...patterns }: PermissionConfig): void {
  const where = `a permission names the user '${user}' and the virtual host '${virtualHost}'`;
  if (broker.users.user(user) === undefined) {
    throw new UnknownNameError(`${where}, but there is no such user; add the user (--user)`);
  }
  if (broker.virtualHost(virtualHost) === undefined) {
    throw new UnknownNameError(`${where}, but there is no such virtual host; add it (--vhost)`);
  }
  broker.setPermissions(user, virtualHost, patterns);
}

/** A name of no user would protect nobody, and let nobody in, without a word. */
function checkSpecialUsers({ config, users }: Broker): void {
  for (const name of config.loopbackUsers) {
    // guest may be protected also where it does not exist: it is RabbitMQ's default.
    if (name !== 'guest' && users.user(name) === undefined) refuseUnknownUser('--loopback-users', name);
  }
  const { anonymousUser } = config;
  if (anonymousUser === undefined || config.defaulted.has('anonymousUser')) return;
  if (users.user(anonymousUser) === undefined) refuseUnknownUser('--anonymous-user', anonymousUser);
}

function refuseUnknownUser(option: string, name: string): never {
  throw new UnknownNameError(
    `${option} names the user '${name}', but there is no such user; add the user (--user), or say 'none'`,
  );
}
