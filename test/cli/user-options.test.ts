import { describe, expect, it } from 'vitest';
import { CommandError, EXIT_CONFIGURATION, EXIT_USAGE } from '../../src/cli/command-error.js';
import type { Setting } from '../../src/cli/setting.js';
import { resolveUsers, type UserSettings } from '../../src/cli/user-options.js';

const NONE: UserSettings = {
  user: undefined,
  permission: undefined,
  loopbackUsers: undefined,
  anonymousUser: undefined,
};
const USERS = ['app:secret', 'boss:secret:administrator'];

function flag(label: string, ...values: readonly string[]): Setting {
  return { source: 'flag', label, values };
}

function fromFile(label: string, ...values: readonly unknown[]): Setting {
  return { source: 'file', label, values };
}

function resolve(settings: Partial<UserSettings>, virtualHosts: readonly string[] = ['/']) {
  return resolveUsers({ ...NONE, ...settings }, { virtualHosts, mayBeMore: false });
}

function refusal(settings: Partial<UserSettings>): string {
  const isFile = Object.values(settings).some((setting) => setting?.source === 'file');
  try {
    resolve(settings);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    expect(error.exitCode).toBe(isFile ? EXIT_CONFIGURATION : EXIT_USAGE);
    expect(error.message).not.toContain('secret');
    return error.message;
  }
  throw new Error('it was not refused');
}

describe('without users', () => {
  it('guest is created, and may do everything', () => {
    expect(resolve({})).toEqual({
      users: [{ name: 'guest', password: 'guest', tags: ['administrator'] }],
      permissions: [],
      unrestrictedUsers: ['guest'],
      loopbackUsers: ['guest'],
      anonymousUser: 'guest',
    });
  });

  it('guest can be restricted', () => {
    const { permissions, unrestrictedUsers } = resolve({ permission: flag('--permission', 'guest:/::.*:') });
    expect(unrestrictedUsers).toEqual([]);
    expect(permissions).toEqual([{ user: 'guest', virtualHost: '/', configure: '', write: '.*', read: '' }]);
  });
});

describe('with users', () => {
  it('there is no guest, and nobody to be anonymous', () => {
    const { users, anonymousUser, loopbackUsers } = resolve({ user: flag('--user', ...USERS) });
    expect(users).toEqual([
      { name: 'app', password: 'secret', tags: [] },
      { name: 'boss', password: 'secret', tags: ['administrator'] },
    ]);
    expect(anonymousUser).toBeUndefined();
    expect(loopbackUsers).toEqual(['guest']);
  });

  it('a permission takes the implied ones of that user only', () => {
    const { permissions, unrestrictedUsers } = resolve(
      { user: flag('--user', ...USERS), permission: flag('--permission', 'app:orders:^$:^amq\\.:.*') },
      ['/', 'orders'],
    );
    expect(permissions).toEqual([
      { user: 'app', virtualHost: 'orders', configure: '^$', write: '^amq\\.', read: '.*' },
    ]);
    expect(unrestrictedUsers).toEqual(['boss']);
  });

  it('can be protected and be anonymous', () => {
    const options = resolve({
      user: flag('--user', ...USERS),
      loopbackUsers: flag('--loopback-users', 'boss', 'guest'),
      anonymousUser: flag('--anonymous-user', 'app'),
    });
    expect(options).toMatchObject({ loopbackUsers: ['boss', 'guest'], anonymousUser: 'app' });
  });

  it('none is nobody', () => {
    const options = resolve({
      loopbackUsers: flag('--loopback-users', 'none'),
      anonymousUser: flag('--anonymous-user', 'none'),
    });
    expect(options).toMatchObject({ loopbackUsers: [], anonymousUser: undefined });
  });

  it('can have any password and tag in the file', () => {
    const user = fromFile('"user"', { name: 'a:b', password: 'x:y z', tags: ['own'] });
    const permission = fromFile('"permission"', {
      user: 'a:b',
      vhost: '/',
      configure: 'a:',
      write: '',
      read: '.*',
    });
    expect(resolve({ user, permission })).toMatchObject({
      users: [{ name: 'a:b', password: 'x:y z', tags: ['own'] }],
      permissions: [{ user: 'a:b', virtualHost: '/', configure: 'a:', write: '', read: '.*' }],
    });
  });
});

const TAGS_MESSAGE =
  '--user must end in tags out of administrator, monitoring, policymaker, management, impersonator; ' +
  'other tags, and a password with a colon, can be set in the configuration file';

describe('wrong users', () => {
  it.each([
    ['secret', '--user must be NAME:PASSWORD or NAME:PASSWORD:TAG,TAG'],
    [':secret', '--user must have names of 1 to 255 bytes'],
    [`${'x'.repeat(256)}:secret`, '--user must have names of 1 to 255 bytes'],
    ['app:', "--user has no password for the user 'app'; give it one"],
    ['none:secret', "--user cannot be named 'none'; choose another name"],
    ['app:part:secret', TAGS_MESSAGE],
    ['app:part:administrator:secret', TAGS_MESSAGE],
  ])('%.20s is refused', (text, message) => {
    expect(refusal({ user: flag('--user', text) })).toBe(message);
  });

  it('a name counts once', () => {
    expect(refusal({ user: flag('--user', 'app:secret1', 'app:secret2') })).toBe(
      "--user has the user 'app' twice; leave one out",
    );
  });

  it.each([
    [{ password: 'secret' }, '"user" must have a string as "name" in each of its objects'],
    [{ name: 'a', password: 5 }, '"user" must have a string as "password" in each of its objects'],
    [{ name: 'a', password: 'secret', tags: 'x' }, '"user" must have a list of strings as "tags"'],
    [
      { name: 'a', password: 'secret', tag: [] },
      '"user" has the unknown key \'tag\'; its objects have "name", "password" and "tags"',
    ],
  ])('%j is refused', (object, message) => {
    expect(refusal({ user: fromFile('"user"', object) })).toBe(message);
  });
});

describe('wrong permissions', () => {
  it.each([
    [
      'guest:/:.*:.*',
      "--permission must be USER:VHOST:CONFIGURE:WRITE:READ, not 'guest:/:.*:.*'; " +
        'a part with a colon can be set in the configuration file',
    ],
    [
      'guest:/:a:b:c:d',
      "--permission must be USER:VHOST:CONFIGURE:WRITE:READ, not 'guest:/:a:b:c:d'; " +
        'a part with a colon can be set in the configuration file',
    ],
    ['gast:/:::', "--permission names the user 'gast', who is not configured; add it with --user"],
    ['guest:x:::', "--permission names the virtual host 'x', which is not configured; add it with --vhost"],
  ])('%s is refused', (text, message) => {
    expect(refusal({ permission: flag('--permission', text) })).toBe(message);
  });

  it('a pattern must be a regular expression', () => {
    expect(refusal({ permission: flag('--permission', 'guest:/:(:.*:.*') })).toMatch(
      /^--permission has an invalid permission pattern '\(': .+; correct it$/,
    );
  });

  it('a user counts once per virtual host', () => {
    expect(refusal({ permission: flag('--permission', 'guest:/:::', 'guest:/:.*::') })).toBe(
      "--permission has the user 'guest' twice for the virtual host '/'; leave one out",
    );
  });

  it.each([
    [{ user: 'guest' }, '"permission" must have a string as "vhost" in each of its objects'],
    [
      { user: 'guest', vhost: '/', configure: '', write: '', read: '', raed: '' },
      '"permission" has the unknown key \'raed\'; its objects have "user", "vhost", "configure", "write" and "read"',
    ],
  ])('%j is refused', (object, message) => {
    expect(refusal({ permission: fromFile('"permission"', object) })).toBe(message);
  });
});

describe('wrong loopback and anonymous users', () => {
  it('are those who do not exist', () => {
    expect(refusal({ loopbackUsers: flag('--loopback-users', 'boss') })).toBe(
      "--loopback-users names the user 'boss', who is not configured; add it with --user, or say 'none'",
    );
    expect(
      refusal({ user: flag('--user', 'a:secret'), anonymousUser: flag('--anonymous-user', 'guest') }),
    ).toBe(
      "--anonymous-user names the user 'guest', who is not configured; add it with --user, or say 'none'",
    );
  });

  it('are none and somebody', () => {
    expect(refusal({ loopbackUsers: flag('--loopback-users', 'none', 'guest') })).toBe(
      "--loopback-users must be 'none' alone, or names without it",
    );
  });
});

describe('with a data directory', () => {
  const stored = { virtualHosts: ['/'], mayBeMore: true };

  it('names may be of users and virtual hosts that it has', () => {
    const settings = {
      ...NONE,
      permission: flag('--permission', 'stored:orders:::'),
      loopbackUsers: flag('--loopback-users', 'stored'),
      anonymousUser: flag('--anonymous-user', 'stored'),
    };
    expect(resolveUsers(settings, stored)).toMatchObject({
      permissions: [{ user: 'stored', virtualHost: 'orders', configure: '', write: '', read: '' }],
      unrestrictedUsers: ['guest'],
      loopbackUsers: ['stored'],
      anonymousUser: 'stored',
    });
  });

  it('guest may be there to be anonymous, also with users', () => {
    expect(resolveUsers({ ...NONE, user: flag('--user', ...USERS) }, stored).anonymousUser).toBe('guest');
  });
});
