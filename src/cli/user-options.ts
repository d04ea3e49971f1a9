/** Users and what they may do: from flags, variables and the configuration file to the broker's own form. */
import { compilePermissionPattern } from '../auth/permission-pattern.js';
import {
  BROKER_CONFIG_DEFAULTS,
  type BrokerConfig,
  type PermissionConfig,
  type UserConfig,
} from '../broker/broker-config.js';
import { SHORT_STRING_BYTES_MAX } from '../lib/limits.js';
import {
  fiveParts,
  quote,
  readNames,
  readText,
  refuse,
  refuseOthers,
  type Setting,
  takeText,
} from './setting.js';

/** Each undefined when no source sets it. */
export interface UserSettings {
  readonly user: Setting | undefined;
  readonly permission: Setting | undefined;
  readonly loopbackUsers: Setting | undefined;
  readonly anonymousUser: Setting | undefined;
}

type UserOptions = Pick<
  BrokerConfig,
  'users' | 'permissions' | 'unrestrictedUsers' | 'loopbackUsers' | 'anonymousUser'
>;

/** Names that other options may refer to. */
export interface KnownNames {
  readonly virtualHosts: readonly string[];
  /** There is a data directory, which may have more: whether a name exists shows once it has been read. */
  readonly mayBeMore: boolean;
}

/**
 * As RabbitMQ's `default_user`, any configured user takes the place of guest. A user that no permission names
 * has every permission on every virtual host.
 *
 * @throws CommandError naming the setting to blame; a password is never part of a message
 */
export function resolveUsers(settings: UserSettings, known: KnownNames): UserOptions {
  const users = settings.user === undefined ? BROKER_CONFIG_DEFAULTS.users : readUsers(settings.user);
  const configured = new Set(users.map((user) => user.name));
  const isUser = (name: string): boolean => known.mayBeMore || configured.has(name);
  const isVirtualHost = (name: string): boolean => known.mayBeMore || known.virtualHosts.includes(name);
  const permissions =
    settings.permission === undefined ? [] : readPermissions(settings.permission, isUser, isVirtualHost);
  const restricted = new Set(permissions.map((permission) => permission.user));
  return {
    users,
    permissions,
    unrestrictedUsers: [...configured].filter((name) => !restricted.has(name)),
    loopbackUsers: readLoopbackUsers(settings.loopbackUsers, isUser),
    anonymousUser: readAnonymousUser(settings.anonymousUser, isUser),
  };
}

type IsKnown = (name: string) => boolean;

/** The word that stands for no user at all. */
const NOBODY = 'none';

/** What the tags of rabbitmq.com/docs/management and /docs/validated-user-id let a user do; others mean nothing. */
const KNOWN_TAGS = ['administrator', 'monitoring', 'policymaker', 'management', 'impersonator'];

function readUsers(setting: Setting): readonly UserConfig[] {
  const users = setting.values.map((value) =>
    typeof value === 'string' ? userOfText(setting, value) : userOfObject(setting, value as object),
  );
  const names = new Set<string>();
  for (const { name, password } of users) {
    if (name === '' || Buffer.byteLength(name) > SHORT_STRING_BYTES_MAX) {
      refuse(setting, `must have names of 1 to ${SHORT_STRING_BYTES_MAX} bytes`);
    }
    // `none` would read as nobody in --loopback-users and --anonymous-user.
    if (name === NOBODY) refuse(setting, `cannot be named '${NOBODY}'; choose another name`);
    if (names.has(name)) refuse(setting, `has the user ${quote(name)} twice; leave one out`);
    names.add(name);
    // RabbitMQ refuses every login with an empty password (rabbitmq.com/docs/passwords).
    if (password === '') refuse(setting, `has no password for the user ${quote(name)}; give it one`);
  }
  return users;
}

function userOfText(setting: Setting, text: string): UserConfig {
  const [name, password, tags, ...rest] = text.split(':');
  if (name === undefined || password === undefined)
    refuse(setting, 'must be NAME:PASSWORD or NAME:PASSWORD:TAG,TAG');
  const list = tags === undefined || tags === '' ? [] : tags.split(',');
  // The end of a password that contains a colon must not be taken for tags, and the password for its beginning.
  if (rest.length > 0 || list.some((tag) => !KNOWN_TAGS.includes(tag))) {
    refuse(
      setting,
      `must end in tags out of ${KNOWN_TAGS.join(', ')}; other tags, and a password with a colon, ` +
        'can be set in the configuration file',
    );
  }
  return { name, password, tags: list };
}

function userOfObject(setting: Setting, object: object): UserConfig {
  const fields = new Map<string, unknown>(Object.entries(object));
  const user = {
    name: takeText(setting, fields, 'name'),
    password: takeText(setting, fields, 'password'),
    tags: takeTags(setting, fields),
  };
  refuseOthers(setting, fields, '"name", "password" and "tags"');
  return user;
}

function takeTags(setting: Setting, fields: Map<string, unknown>): readonly string[] {
  const tags = fields.get('tags') ?? [];
  fields.delete('tags');
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  refuse(setting, 'must have a list of strings as "tags"');
}

function readPermissions(
  setting: Setting,
  isUser: IsKnown,
  isVirtualHost: IsKnown,
): readonly PermissionConfig[] {
  const permissions = setting.values.map((value) =>
    typeof value === 'string'
      ? permissionOfText(setting, value)
      : permissionOfObject(setting, value as object),
  );
  const places = new Set<string>();
  for (const { user, virtualHost, configure, write, read } of permissions) {
    if (!isUser(user))
      refuse(setting, `names the user ${quote(user)}, who is not configured; add it with --user`);
    if (!isVirtualHost(virtualHost)) {
      refuse(
        setting,
        `names the virtual host ${quote(virtualHost)}, which is not configured; add it with --vhost`,
      );
    }
    const place = JSON.stringify([user, virtualHost]);
    if (places.has(place)) {
      refuse(
        setting,
        `has the user ${quote(user)} twice for the virtual host ${quote(virtualHost)}; leave one out`,
      );
    }
    places.add(place);
    for (const pattern of [configure, write, read]) validatePattern(setting, pattern);
  }
  return permissions;
}

function permissionOfText(setting: Setting, text: string): PermissionConfig {
  const [user, virtualHost, configure, write, read] = fiveParts(
    setting,
    text,
    'USER:VHOST:CONFIGURE:WRITE:READ',
  );
  return { user, virtualHost, configure, write, read };
}

function permissionOfObject(setting: Setting, object: object): PermissionConfig {
  const fields = new Map<string, unknown>(Object.entries(object));
  const permission = {
    user: takeText(setting, fields, 'user'),
    virtualHost: takeText(setting, fields, 'vhost'),
    configure: takeText(setting, fields, 'configure'),
    write: takeText(setting, fields, 'write'),
    read: takeText(setting, fields, 'read'),
  };
  refuseOthers(setting, fields, '"user", "vhost", "configure", "write" and "read"');
  return permission;
}

function validatePattern(setting: Setting, pattern: string): void {
  try {
    compilePermissionPattern(pattern);
  } catch (error) {
    refuse(setting, `has an ${error instanceof Error ? error.message : String(error)}; correct it`);
  }
}

/** A name of no user would protect nobody, and somebody else would be left unprotected. */
function readLoopbackUsers(setting: Setting | undefined, isUser: IsKnown): readonly string[] {
  if (setting === undefined) return BROKER_CONFIG_DEFAULTS.loopbackUsers;
  const names = readNames(setting, SHORT_STRING_BYTES_MAX);
  if (names.includes(NOBODY)) {
    if (names.length > 1) refuse(setting, `must be '${NOBODY}' alone, or names without it`);
    return [];
  }
  for (const name of names) {
    // guest may be protected also where it does not exist: it is RabbitMQ's default.
    if (!isUser(name) && name !== 'guest') refuseUnknownUser(setting, name);
  }
  return names;
}

function readAnonymousUser(setting: Setting | undefined, isUser: IsKnown): string | undefined {
  if (setting === undefined) {
    const name = BROKER_CONFIG_DEFAULTS.anonymousUser;
    // Without guest there is nobody to log in as: the mechanism is not offered.
    return name !== undefined && isUser(name) ? name : undefined;
  }
  const name = readText(setting);
  if (name === NOBODY) return undefined;
  if (!isUser(name)) refuseUnknownUser(setting, name);
  return name;
}

function refuseUnknownUser(setting: Setting, name: string): never {
  refuse(
    setting,
    `names the user ${quote(name)}, who is not configured; add it with --user, or say '${NOBODY}'`,
  );
}
