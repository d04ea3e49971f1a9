/**
 * Virtual hosts, users, permissions, limits and policies as the options say them, put into a broker that may have stored ones.
 *
 * Defaults are RabbitMQ's `default_vhost` and `default_user`: they count only where nothing has been stored yet, so
 * that a guest who was deleted stays deleted. What an operator says counts at every start: it adds, or changes what
 * is stored. Nothing is deleted for not being said, and what is said again changes nothing.
 */
import type { UserDirectory } from '../auth/users.js';
import type { Broker } from './broker.js';
import type {
  BrokerConfig,
  PermissionConfig,
  PolicyConfig,
  TopicPermissionConfig,
  UserConfig,
} from './broker-config.js';
import { policyRecord } from './definitions.js';
import { topicPermissionRecord } from './limit-definitions.js';
import { type Policy, type PolicyKind, parsePolicy } from './policy.js';

/** Which definitions a data directory keeps already, be it none of a kind that are left. */
export interface StoredKinds {
  readonly virtualHosts: boolean;
  readonly users: boolean;
}

export const NOTHING_STORED: StoredKinds = { virtualHosts: false, users: false };

const EVERYTHING = { configure: '.*', write: '.*', read: '.*' } as const;

/** An option names a user or a virtual host that neither the options nor the data directory have. */
export class UnknownNameError extends Error {}

type PolicyFlag = '--policy' | '--operator-policy';

/** @throws UnknownNameError, PolicyError, LimitError */
export function applyConfig(broker: Broker, stored: StoredKinds): void {
  const { config, users } = broker;
  const added: string[] = [];
  if (!stored.virtualHosts || !config.defaulted.has('virtualHosts')) {
    for (const name of config.virtualHosts) if (broker.addVirtualHost(name)) added.push(name);
  }
  const areUsersMeant = !stored.users || !config.defaulted.has('users');
  if (areUsersMeant) for (const user of config.users) applyUser(users, user);
  for (const permission of config.permissions) applyPermission(broker, permission);
  for (const permission of config.topicPermissions) applyTopicPermission(broker, permission);
  applyLimits(broker, config);
  for (const [option, policy] of policiesOf(config)) {
    const { name, virtualHost } = policy;
    checkVirtualHost(broker, `${option} has the policy '${name}' for`, virtualHost);
    parsePolicy(kindOf(option), policy, config.generation);
  }
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
  checkNames(broker, 'a permission', user, virtualHost);
  broker.setPermissions(user, virtualHost, patterns);
}

function applyTopicPermission(broker: Broker, row: TopicPermissionConfig): void {
  checkNames(broker, 'a topic permission', row.user, row.virtualHost);
  const stored = [...broker.users.topicPermissions()].some(
    (other) => JSON.stringify(topicPermissionRecord(other)) === JSON.stringify(topicPermissionRecord(row)),
  );
  if (!stored) broker.setTopicPermissions(row);
}

function applyLimits(broker: Broker, { virtualHostLimits, userLimits }: BrokerConfig): void {
  for (const { virtualHost, limits } of virtualHostLimits) {
    checkVirtualHost(broker, '--vhost-limits names', virtualHost);
    broker.setVirtualHostLimits(virtualHost, limits);
  }
  for (const { user, limits } of userLimits) {
    if (broker.users.user(user) === undefined) {
      throw new UnknownNameError(
        `--user-limits names the user '${user}', but there is no such user; add the user (--user)`,
      );
    }
    broker.setUserLimits(user, limits);
  }
}

/**
 * The policies of the options. Behind the messages of a data directory: for them it is a change like any other, and they
 * keep the time to live that they came with. `applyConfig` has checked them.
 */
export function applyPolicies(broker: Broker): void {
  for (const [option, { virtualHost, ...input }] of policiesOf(broker.config)) {
    const kind = kindOf(option);
    const { policies } = broker.virtualHost(virtualHost)!;
    const record = (policy: Policy): string => JSON.stringify(policyRecord(kind, virtualHost, policy));
    const said = record(parsePolicy(kind, input, broker.generation));
    if (!policies.list(kind).some((policy) => record(policy) === said)) policies.set(kind, input);
  }
}

function kindOf(option: PolicyFlag): PolicyKind {
  return option === '--policy' ? 'policy' : 'operator-policy';
}

function policiesOf({ policies, operatorPolicies }: BrokerConfig): (readonly [PolicyFlag, PolicyConfig])[] {
  return [
    ...policies.map((policy) => ['--policy', policy] as const),
    ...operatorPolicies.map((policy) => ['--operator-policy', policy] as const),
  ];
}

function checkNames(broker: Broker, what: string, user: string, virtualHost: string): void {
  const where = `${what} names the user '${user}' and the virtual host '${virtualHost}'`;
  if (broker.users.user(user) === undefined) {
    throw new UnknownNameError(`${where}, but there is no such user; add the user (--user)`);
  }
  if (broker.virtualHost(virtualHost) === undefined) {
    throw new UnknownNameError(`${where}, but there is no such virtual host; add it (--vhost)`);
  }
}

function checkVirtualHost(broker: Broker, what: string, name: string): void {
  if (broker.virtualHost(name) !== undefined) return;
  throw new UnknownNameError(
    `${what} the virtual host '${name}', but there is no such virtual host; add it (--vhost)`,
  );
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
