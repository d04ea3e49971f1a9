import { beforeEach, describe, expect, it } from 'vitest';
import type { Access } from '../../src/auth/auth-backend.js';
import { verifyPassword } from '../../src/auth/password.js';
import { UserDirectory } from '../../src/auth/users.js';

const ALL = { configure: '.*', write: '.*', read: '.*' };

let saltByte: number;
let users: UserDirectory;

beforeEach(() => {
  saltByte = 0;
  users = new UserDirectory({ randomBytes: (n) => Buffer.alloc(n, ++saltByte) });
});

describe('logging in', () => {
  it('gives the user for the right password and nothing for another', () => {
    const alice = users.addUser('alice', 'secret', ['monitoring']);
    expect(alice.tags).toEqual(['monitoring']);
    expect(users.authenticate('alice', 'secret', false)).toEqual({ ok: true, user: alice });
    for (const [name, password] of [
      ['alice', 'Secret'],
      ['alice', ''],
      ['bob', 'secret'],
      ['bob', ''],
      ['', ''],
      ['__proto__', ''],
    ] as const) {
      expect(users.authenticate(name, password, true)).toEqual({ ok: false, reason: 'wrong' });
    }
  });

  it('is not possible with a blank password, even one that was set, nor without a password', () => {
    users.addUser('blank', '');
    users.addUser('none', undefined);
    expect(users.authenticate('blank', '', true)).toEqual({ ok: false, reason: 'wrong' });
    expect(users.authenticate('none', '', true)).toEqual({ ok: false, reason: 'wrong' });
    expect(users.user('none')?.passwordHash).toBe('');
  });

  it('as guest is possible from this machine only', () => {
    users.addUser('guest', 'guest');
    expect(users.authenticate('guest', 'guest', true).ok).toBe(true);
    expect(users.authenticate('guest', 'guest', false)).toEqual({ ok: false, reason: 'loopback-only' });
    expect(users.authenticate('guest', 'wrong', false)).toEqual({ ok: false, reason: 'wrong' });
  });

  it('is limited to this machine for the users the operator names', () => {
    const custom = new UserDirectory({ randomBytes: (n) => Buffer.alloc(n), loopbackUsers: ['ops'] });
    custom.addUser('guest', 'guest');
    custom.addUser('ops', 'ops');
    expect(custom.authenticate('guest', 'guest', false).ok).toBe(true);
    expect(custom.authenticate('ops', 'ops', false)).toEqual({ ok: false, reason: 'loopback-only' });
  });

  it('follows a change of password, with a fresh salt', () => {
    const before = users.addUser('alice', 'old').passwordHash;
    const after = users.addUser('alice', 'old').passwordHash;
    expect(after).not.toBe(before);
    expect(verifyPassword(after, 'old')).toBe(true);
    users.addUser('alice', 'new');
    expect(users.authenticate('alice', 'old', true).ok).toBe(false);
    expect(users.authenticate('alice', 'new', true).ok).toBe(true);
  });

  it('works for a restored hash and ends with the user', () => {
    users.restoreUser({
      name: 'alice',
      passwordHash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR',
      tags: [],
    });
    expect(users.authenticate('alice', 'test12', true).ok).toBe(true);
    expect(users.deleteUser('alice')).toBe(true);
    expect(users.deleteUser('alice')).toBe(false);
    expect(users.authenticate('alice', 'test12', true).ok).toBe(false);
  });
});

describe('permissions', () => {
  beforeEach(() => {
    users.addUser('alice', 'secret');
    users.addUser('bob', 'secret');
  });

  it('are none without a row', () => {
    expect(users.hasAccess('alice', '/')).toBe(false);
    expect(users.isAllowed('alice', '/', 'read', '')).toBe(false);
  });

  it('hold for one user, one virtual host and one kind of access', () => {
    users.setPermissions('alice', 'a', { configure: '^c$', write: '^w$', read: '^r$' });
    expect(users.hasAccess('alice', 'a')).toBe(true);
    expect(users.hasAccess('alice', 'b')).toBe(false);
    expect(users.hasAccess('bob', 'a')).toBe(false);
    for (const access of ['configure', 'write', 'read'] satisfies Access[]) {
      for (const name of ['configure', 'write', 'read']) {
        expect(users.isAllowed('alice', 'a', access, name.charAt(0))).toBe(access === name);
        expect(users.isAllowed('alice', 'b', access, name.charAt(0))).toBe(false);
        expect(users.isAllowed('bob', 'a', access, name.charAt(0))).toBe(false);
      }
    }
  });

  it('with blank patterns give access to the virtual host and to nothing in it', () => {
    users.setPermissions('alice', '/', { configure: '', write: '', read: '' });
    expect(users.hasAccess('alice', '/')).toBe(true);
    expect(users.isAllowed('alice', '/', 'read', 'q')).toBe(false);
  });

  it('are replaced, cleared, and deleted with the user', () => {
    users.setPermissions('alice', '/', ALL);
    users.setPermissions('alice', '/', { ...ALL, read: '^$' });
    expect(users.isAllowed('alice', '/', 'read', 'q')).toBe(false);
    expect(users.isAllowed('alice', '/', 'write', 'q')).toBe(true);
    expect(users.clearPermissions('alice', '/')).toBe(true);
    expect(users.clearPermissions('alice', '/')).toBe(false);
    expect(users.hasAccess('alice', '/')).toBe(false);

    users.setPermissions('alice', '/', ALL);
    users.deleteUser('alice');
    users.addUser('alice', 'other');
    expect(users.hasAccess('alice', '/')).toBe(false);
  });

  it('of a deleted virtual host are gone for every user', () => {
    for (const name of ['alice', 'bob']) users.setPermissions(name, 'gone', ALL);
    users.setPermissions('bob', 'kept', ALL);
    users.clearVirtualHost('gone');
    expect([...users.permissions()]).toEqual([{ user: 'bob', virtualHost: 'kept', ...ALL }]);
  });

  it('with a bad pattern change nothing', () => {
    users.setPermissions('alice', '/', ALL);
    const { generation } = users;
    expect(() => users.setPermissions('alice', '/', { ...ALL, read: '(' })).toThrow(
      "invalid permission pattern '('",
    );
    expect(users.isAllowed('alice', '/', 'read', 'q')).toBe(true);
    expect(users.generation).toBe(generation);
  });

  it('need a user', () => {
    expect(() => users.setPermissions('eve', '/', ALL)).toThrow("no user 'eve'");
    expect(() => users.setTags('eve', [])).toThrow("no user 'eve'");
  });
});

describe('generation', () => {
  it('increases with every change and with nothing else', () => {
    const changes: (() => void)[] = [
      () => users.addUser('alice', 'secret'),
      () => users.setTags('alice', ['administrator']),
      () => users.setPermissions('alice', '/', ALL),
      () => users.clearPermissions('alice', '/'),
      () => users.setPermissions('alice', '/', ALL),
      () => users.clearVirtualHost('/'),
      () => users.deleteUser('alice'),
    ];
    for (const change of changes) {
      const before = users.generation;
      change();
      expect(users.generation).toBeGreaterThan(before);
    }
    const { generation } = users;
    users.deleteUser('alice');
    users.clearPermissions('alice', '/');
    users.clearVirtualHost('/');
    users.authenticate('alice', 'secret', true);
    users.isAllowed('alice', '/', 'read', 'q');
    expect(users.generation).toBe(generation);
  });

  it('leaves a user handed out before as it was', () => {
    const tags = ['monitoring'];
    const before = users.addUser('alice', 'secret', tags);
    tags.push('administrator');
    users.setTags('alice', ['policymaker']);
    expect(before.tags).toEqual(['monitoring']);
    expect(users.user('alice')).toEqual({ ...before, tags: ['policymaker'] });
    expect([...users.users()]).toHaveLength(1);
  });
});

describe('whoever keeps the users', () => {
  it('is told of each change once it is made, and of nothing else', () => {
    const told: string[] = [];
    const kept = new UserDirectory({
      randomBytes: (n) => Buffer.alloc(n),
      changes: {
        userSet: ({ name, tags }) => told.push(`user ${name} [${tags}] ${kept.user(name) !== undefined}`),
        userDeleted: (name) => told.push(`no user ${name} ${kept.user(name) === undefined}`),
        permissionsSet: (row) => told.push(`permission ${JSON.stringify(Object.values(row))}`),
        topicPermissionsSet: (row) => told.push(`topic ${row.user} ${row.exchange} ${row.write}`),
        topicPermissionsCleared: (user, _, exchange) => told.push(`topic- ${user} ${exchange}`),
        limitsSet: (user, limits) => told.push(`limits ${user} ${[...limits].join()}`),
        permissionsCleared: (user, virtualHost) => told.push(`no permission ${user} ${virtualHost}`),
      },
    });
    kept.addUser('alice', 'secret', ['a']);
    kept.setTags('alice', ['b']);
    kept.setPermissions('alice', '/', ALL);
    kept.setPermissions('alice', 'v', ALL);
    expect(() => kept.setPermissions('alice', 'v', { ...ALL, read: '(' })).toThrow('invalid');
    kept.clearPermissions('alice', '/');
    kept.clearPermissions('alice', '/');
    const topic = { user: 'alice', virtualHost: '/', exchange: 'x', write: 'w', read: 'r' };
    kept.setTopicPermissions(topic);
    kept.setTopicPermissions({ ...topic, virtualHost: 'v', exchange: 'y' });
    kept.clearTopicPermissions('alice', '/', 'x');
    kept.clearTopicPermissions('alice', '/', 'x');
    kept.setLimits('alice', new Map([['max-channels', 1]]));
    kept.setLimits('alice', new Map([['max-channels', 1]]));
    kept.setLimits('alice', new Map());
    // The end of a virtual host says this by itself.
    kept.clearVirtualHost('v');
    expect(kept.hasAccess('alice', 'v')).toBe(false);
    expect(kept.topicPermissionCount).toBe(0);
    kept.deleteUser('alice');
    kept.deleteUser('alice');
    expect(told).toEqual([
      'user alice [a] true',
      'user alice [b] true',
      'permission ["alice","/",".*",".*",".*"]',
      'permission ["alice","v",".*",".*",".*"]',
      'no permission alice /',
      'topic alice x w',
      'topic alice y w',
      'topic- alice x',
      'limits alice max-channels,1',
      'limits alice ',
      'no user alice true',
    ]);
  });
});

describe('topic permissions', () => {
  const topic = { user: 'alice', virtualHost: 'v', exchange: 'x', write: '^a', read: '' };

  function withTopic(row: Partial<typeof topic> = {}): UserDirectory {
    const users = new UserDirectory({ randomBytes: (n) => Buffer.alloc(n) });
    users.addUser('alice', 'secret');
    users.addUser('a.*', 'secret');
    users.setTopicPermissions({ ...topic, ...row });
    return users;
  }

  it('hold for their user, virtual host and exchange; elsewhere everything is allowed', () => {
    const users = withTopic();
    expect(users.isTopicAllowed('alice', 'v', 'x', 'write', 'a.b')).toBe(true);
    expect(users.isTopicAllowed('alice', 'v', 'x', 'write', 'b.a')).toBe(false);
    // An empty pattern finds the empty key only.
    expect(users.isTopicAllowed('alice', 'v', 'x', 'read', 'a')).toBe(false);
    expect(users.isTopicAllowed('alice', 'v', 'x', 'read', '')).toBe(true);
    expect(users.isTopicAllowed('alice', 'v', 'y', 'write', 'b')).toBe(true);
    expect(users.isTopicAllowed('alice', 'w', 'x', 'write', 'b')).toBe(true);
    expect(users.isTopicAllowed('bob', 'v', 'x', 'write', 'b')).toBe(true);
  });

  it('know the names of user and virtual host, put in as they are', () => {
    const users = withTopic({ write: '^{vhost}\\.{username}\\.{username}$' });
    expect(users.isTopicAllowed('alice', 'v', 'x', 'write', 'v.alice.alice')).toBe(true);
    expect(users.isTopicAllowed('alice', 'v', 'x', 'write', 'v.alice.bob')).toBe(false);
    const others = withTopic({ user: 'a.*', write: '^{username}$' });
    expect(others.isTopicAllowed('a.*', 'v', 'x', 'write', 'abc')).toBe(true);
    expect([...users.topicPermissions()]).toEqual([
      { ...topic, write: '^{vhost}\\.{username}\\.{username}$' },
    ]);
  });

  it('are counted, replaced, and go with the user or the virtual host', () => {
    const users = withTopic();
    const before = users.generation;
    users.setTopicPermissions({ ...topic, write: '^b' });
    expect(users.generation).toBeGreaterThan(before);
    expect(users.topicPermissionCount).toBe(1);
    expect(users.isTopicAllowed('alice', 'v', 'x', 'write', 'b')).toBe(true);
    users.clearVirtualHost('other');
    expect(users.topicPermissionCount).toBe(1);
    users.deleteUser('alice');
    expect(users.topicPermissionCount).toBe(0);
    expect(() => users.setTopicPermissions(topic)).toThrow("no user 'alice'");
    expect(() => withTopic({ read: '(' })).toThrow("invalid permission pattern '('");
  });
});
