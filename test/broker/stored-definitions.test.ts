/** Virtual hosts, users and permissions in a data directory, and how they meet the options of the next start. */
import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr } from '../../src/amqp/field-value.js';
import type { BrokerConfig, DefaultableOption, UserConfig } from '../../src/broker/broker-config.js';
import { UnknownNameError } from '../../src/broker/configured-definitions.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { type DefinitionRecord, DefinitionsLog, readDefinitions } from '../../src/store/definitions-log.js';
import { DiskPatience } from '../../src/store/disk-patience.js';
import {
  DATA_DIRECTORY,
  type DurableBroker,
  declareQueue,
  drainTexts,
  microtasks,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';

const ALL = { configure: '.*', write: '.*', read: '.*' };
const NARROW = { configure: '^$', write: '^a', read: 'b$' };

/** `--user`, `--vhost` and `--permission` as the command line gives them to a broker. */
interface Flags {
  readonly users?: readonly UserConfig[];
  readonly virtualHosts?: readonly string[];
  readonly permissions?: BrokerConfig['permissions'];
  readonly loopbackUsers?: readonly string[];
  readonly anonymousUser?: string;
}

function configOf(flags: Flags): Partial<BrokerConfig> {
  const options: readonly DefaultableOption[] = ['virtualHosts', 'users', 'anonymousUser'];
  const restricted = new Set(flags.permissions?.map(({ user }) => user));
  const names = flags.users?.map(({ name }) => name) ?? ['guest'];
  return {
    ...flags,
    unrestrictedUsers: names.filter((name) => !restricted.has(name)),
    defaulted: new Set(options.filter((option) => flags[option] === undefined)),
  };
}

const user = (name: string, password: string, ...tags: string[]): UserConfig => ({ name, password, tags });

/** Each start has other salts. */
let seed = 0;
function start(flags: Flags = {}, disk = new SimulatedFileSystem()): Promise<DurableBroker> {
  return openDurable(disk, { config: configOf(flags), seed: ++seed });
}

/** Ends the broker by a power cut once everything is quiet, and starts another on its directory. */
async function restart(durable: DurableBroker, flags: Flags = {}): Promise<DurableBroker> {
  await durable.settle();
  expect(durable.fatal).toEqual([]);
  return start(flags, durable.disk.powerCut());
}

const usersOf = ({ broker }: DurableBroker): string[] => [...broker.users.users()].map(({ name }) => name);
const virtualHostsOf = ({ broker }: DurableBroker): string[] =>
  broker.allVirtualHosts().map(({ name }) => name);
const permissionsOf = ({ broker }: DurableBroker): string[] =>
  [...broker.users.permissions()].map(
    ({ user: name, virtualHost, configure, write, read }) =>
      `${name} ${virtualHost} ${configure} ${write} ${read}`,
  );
const canLogIn = ({ broker }: DurableBroker, name: string, password: string): boolean =>
  broker.users.authenticate(name, password, true).ok;

async function recordsOf({ disk }: DurableBroker): Promise<readonly DefinitionRecord[]> {
  return (await readDefinitions(disk, DATA_DIRECTORY)).records;
}

/** A directory with the records of another version in it. */
async function diskWith(records: readonly DefinitionRecord[]): Promise<SimulatedFileSystem> {
  const disk = new SimulatedFileSystem();
  await disk.makeDirectory(DATA_DIRECTORY);
  const log = new DefinitionsLog({
    fileSystem: disk,
    directory: DATA_DIRECTORY,
    snapshot: () => records,
    patience: new DiskPatience(() => {}),
    onFatal: (error) => {
      throw error;
    },
  });
  await log.open();
  await log.close();
  return disk;
}

describe('users', () => {
  it('survive, with password, tags and permissions', async () => {
    const first = await start();
    first.broker.users.addUser('zoë', 'sécret', ['monitoring', 'own:tag']);
    first.broker.users.addUser('certified', undefined);
    first.broker.setPermissions('zoë', '/', NARROW);
    const second = await restart(first);
    expect(usersOf(second)).toEqual(['guest', 'zoë', 'certified']);
    expect(canLogIn(second, 'zoë', 'sécret')).toBe(true);
    expect(canLogIn(second, 'zoë', 'secret')).toBe(false);
    expect(second.broker.users.user('zoë')?.tags).toEqual(['monitoring', 'own:tag']);
    expect(second.broker.users.user('certified')?.passwordHash).toBe('');
    expect(permissionsOf(second)).toEqual(['guest / .* .* .*', 'zoë / ^$ ^a b$']);
    // Also from the snapshot that the second start wrote.
    expect(permissionsOf(await restart(second))).toEqual(permissionsOf(second));
  });

  it('are never in the file with their passwords', async () => {
    const durable = await start({ users: [user('app', 'clear-text')] });
    durable.broker.users.addUser('other', 'clear-text');
    await durable.settle();
    const text = JSON.stringify(await recordsOf(durable));
    expect(text).toContain('"other"');
    expect(text).not.toContain('clear-text');
  });

  it('survive their changes: tags, password, permissions', async () => {
    const first = await start();
    const { broker } = first;
    broker.users.addUser('app', 'old', ['management']);
    broker.setPermissions('app', '/', ALL);
    broker.users.setTags('app', []);
    const tagged = await restart(first);
    expect(tagged.broker.users.user('app')?.tags).toEqual([]);
    expect(canLogIn(tagged, 'app', 'old')).toBe(true);
    tagged.broker.users.addUser('app', 'new');
    tagged.broker.setPermissions('app', '/', NARROW);
    const changed = await restart(tagged);
    expect(canLogIn(changed, 'app', 'old')).toBe(false);
    expect(canLogIn(changed, 'app', 'new')).toBe(true);
    expect(permissionsOf(changed)).toContain('app / ^$ ^a b$');
    changed.broker.users.clearPermissions('app', '/');
    expect(permissionsOf(await restart(changed))).toEqual(['guest / .* .* .*']);
  });

  it('stay deleted, guest as well, also when none is left', async () => {
    const first = await start();
    first.broker.users.addUser('app', 'secret');
    first.broker.setPermissions('app', '/', ALL);
    first.broker.users.deleteUser('guest');
    const second = await restart(first);
    expect(usersOf(second)).toEqual(['app']);
    second.broker.users.deleteUser('app');
    const third = await restart(second);
    expect(usersOf(third)).toEqual([]);
    // A new user of that name inherits nothing.
    third.broker.users.addUser('app', 'secret');
    expect(permissionsOf(await restart(third))).toEqual([]);
  });

  it('have permissions only on virtual hosts that exist', async () => {
    const { broker } = await start();
    expect(() => broker.setPermissions('guest', 'none', ALL)).toThrow("no virtual host 'none'");
    expect(() => broker.setPermissions('nobody', '/', ALL)).toThrow("no user 'nobody'");
  });
});

describe('virtual hosts', () => {
  it('survive, and nobody gets into one that was added', async () => {
    const first = await start();
    expect(first.broker.addVirtualHost('orders')).toBe(true);
    expect(first.broker.addVirtualHost('orders')).toBe(false);
    const orders = first.broker.virtualHost('orders')!;
    declareQueue(orders, 'q');
    publish({ broker: first.broker, virtualHost: orders }, 'q', Buffer.from('kept'));
    const second = await restart(first);
    expect(virtualHostsOf(second)).toEqual(['/', 'orders']);
    expect(second.broker.users.hasAccess('guest', 'orders')).toBe(false);
    const virtualHost = second.broker.virtualHost('orders')!;
    expect(await drainTexts({ ...second, virtualHost }, 'q')).toEqual(['kept']);
  });

  it('stay deleted, with everything in them, also under a new one of the name', async () => {
    const first = await start({ virtualHosts: ['/', 'gone'] });
    const { broker } = first;
    const gone = broker.virtualHost('gone')!;
    const queue = declareQueue(gone, 'q', [['x-dead-letter-exchange', longstr('x')]]);
    const exchange = gone.addExchange({
      name: 'x',
      type: 'fanout',
      durable: true,
      autoDelete: false,
      internal: false,
      arguments: FieldTable.EMPTY,
    });
    gone.bind(exchange, queue, '', FieldTable.EMPTY);
    publish({ broker, virtualHost: gone }, 'q', Buffer.from('lost'));
    const kept = declareQueue(first.virtualHost, 'q');
    publish(first, 'q', Buffer.from('kept'));
    await first.settle();

    expect(broker.deleteVirtualHost('gone')).toBe(true);
    expect(broker.deleteVirtualHost('gone')).toBe(false);
    broker.addVirtualHost('gone');
    const lastId = broker.lastQueueId;
    const again = declareQueue(broker.virtualHost('gone')!, 'q');
    expect(again.id).toBeGreaterThan(lastId);

    for (let durable = await restart(first), starts = 0; starts < 2; starts++) {
      const virtualHost = durable.broker.virtualHost('gone')!;
      expect(virtualHost.queues.get('q')!.id).toBe(again.id);
      expect(virtualHost.exchanges.has('x')).toBe(false);
      expect(virtualHost.exchangeNamed('amq.fanout').bindingCount).toBe(0);
      expect(virtualHost.queues.get('q')!.counts().ready).toBe(0);
      expect(durable.virtualHost.queues.get('q')!.id).toBe(kept.id);
      expect(durable.virtualHost.queues.get('q')!.counts().ready).toBe(1);
      expect(permissionsOf(durable)).toEqual(['guest / .* .* .*']);
      expect(durable.complaints).toEqual([]);
      durable = await restart(durable);
    }
  });

  it('free the memory of their messages and never give a queue id again', async () => {
    const first = await start({ virtualHosts: ['/', 'gone'] });
    const gone = first.broker.virtualHost('gone')!;
    const { id } = declareQueue(gone, 'q');
    const body = Buffer.alloc(3_000);
    for (let i = 0; i < 20; i++) publish({ broker: first.broker, virtualHost: gone }, 'q', body);
    await first.settle();
    const heldBytes = first.broker.log.bytesHeld;
    first.broker.deleteVirtualHost('gone');
    await first.settle();
    expect(first.broker.log.bytesHeld).toBeLessThan(heldBytes);
    const second = await restart(first);
    expect(virtualHostsOf(second)).toEqual(['/']);
    expect(declareQueue(second.virtualHost, 'q').id).toBeGreaterThan(id);
    expect(await drainTexts(second, 'q')).toEqual([]);
  });

  it('end in one record, and close their clients', async () => {
    const durable = await start({ virtualHosts: ['/', 'gone'] });
    const gone = durable.broker.virtualHost('gone')!;
    declareQueue(gone, 'q');
    await durable.settle();
    const closed: string[] = [];
    durable.broker.closeClients = (isAffected, reason) => {
      for (const name of ['gone', '/']) if (isAffected('guest', name)) closed.push(`${name}: ${reason}`);
    };
    const before = durable.broker.definitions!.sequence;
    durable.broker.deleteVirtualHost('gone');
    expect(durable.broker.definitions!.sequence).toBe(before + 1);
    expect(gone.queues.size).toBe(0);
    expect(gone.exchanges.size).toBe(0);
    durable.broker.users.deleteUser('guest');
    expect(closed).toEqual([
      "gone: vhost 'gone' is deleted",
      "gone: user 'guest' is deleted",
      "/: user 'guest' is deleted",
    ]);
  });
});

describe('a power cut', () => {
  const STEPS: readonly ((durable: DurableBroker) => void)[] = [
    ({ broker }) => broker.users.addUser('app', 'secret', ['management']),
    ({ broker }) => broker.addVirtualHost('orders'),
    ({ broker }) => broker.setPermissions('app', 'orders', NARROW),
    ({ broker }) => declareQueue(broker.virtualHost('orders')!, 'a'),
    ({ broker }) => declareQueue(broker.virtualHost('orders')!, 'b'),
    ({ broker }) => broker.users.addUser('app', 'changed'),
    ({ broker }) => broker.setPermissions('guest', 'orders', ALL),
    ({ broker }) => broker.users.clearPermissions('app', 'orders'),
    ({ broker }) => broker.deleteVirtualHost('orders'),
    ({ broker }) => broker.addVirtualHost('orders'),
    ({ broker }) => broker.users.deleteUser('guest'),
  ];
  const stateOf = (durable: DurableBroker): string =>
    JSON.stringify([
      [...durable.broker.users.users()],
      permissionsOf(durable),
      durable.broker.allVirtualHosts().map(({ name, queues }) => [name, ...queues.keys()]),
    ]);

  /** @returns whether the cut came before everything was written */
  async function cutAfter(operations: number, progress: number): Promise<boolean> {
    const disk = new SimulatedFileSystem(operations);
    const durable = await start({}, disk);
    await durable.settle();
    disk.cutAt(disk.operations + operations);
    const states = [stateOf(durable)];
    for (const step of STEPS) {
      step(durable);
      states.push(stateOf(durable));
      await microtasks(progress);
    }
    await durable.settle();
    const { definitions } = durable.broker;
    // Each step is one record: what was promised is a number of steps.
    expect(definitions!.sequence).toBe(STEPS.length);
    const found = stateOf(await start({}, disk.powerCut()));
    expect(states.slice(definitions!.durable.value), `cut ${operations}, progress ${progress}`).toContain(
      found,
    );
    return durable.fatal.length > 0;
  }

  it.each([0, 3, 40])(
    'leaves a state that was, not older than what was promised (progress %d)',
    async (progress) => {
      let cuts = 0;
      while (await cutAfter(cuts + 1, progress)) cuts++;
      expect(cuts).toBeGreaterThan(3);
    },
  );
});

describe('the options of a later start', () => {
  it('are no guest where there are users', async () => {
    const first = await start({ users: [user('app', 'secret', 'administrator')], virtualHosts: ['orders'] });
    expect(usersOf(first)).toEqual(['app']);
    const second = await restart(first);
    expect(usersOf(second)).toEqual(['app']);
    expect(virtualHostsOf(second)).toEqual(['orders']);
    expect(permissionsOf(second)).toEqual(['app orders .* .* .*']);
  });

  it('change nothing, and no byte of a user, when they are the same', async () => {
    const flags: Flags = {
      users: [user('app', 'secret', 'management'), user('b', 'b')],
      virtualHosts: ['/', 'orders'],
      permissions: [{ user: 'app', virtualHost: 'orders', ...NARROW }],
    };
    const first = await start(flags);
    const records = (await recordsOf(first)).slice(1);
    const second = await restart(first, flags);
    expect((await recordsOf(second)).slice(1)).toEqual(records);
    expect((await recordsOf(await restart(second))).slice(1)).toEqual(records);
  });

  it('change the password and the tags of a user, and delete none', async () => {
    const first = await start({ users: [user('app', 'old'), user('b', 'b')] });
    const { passwordHash } = first.broker.users.user('b')!;
    const second = await restart(first, { users: [user('app', 'new'), user('b', 'b', 'monitoring')] });
    expect(canLogIn(second, 'app', 'old')).toBe(false);
    expect(canLogIn(second, 'app', 'new')).toBe(true);
    expect(second.broker.users.user('b')).toEqual({ name: 'b', passwordHash, tags: ['monitoring'] });
    const third = await restart(second, { users: [user('c', 'c')] });
    expect(usersOf(third)).toEqual(['app', 'b', 'c']);
    expect(canLogIn(third, 'app', 'new')).toBe(true);
  });

  it('add virtual hosts, with everything in them for guest and for the users they name', async () => {
    const first = await start();
    const second = await restart(first, { virtualHosts: ['orders'] });
    expect(virtualHostsOf(second)).toEqual(['/', 'orders']);
    expect(permissionsOf(second)).toEqual(['guest / .* .* .*', 'guest orders .* .* .*']);
    second.broker.users.clearPermissions('guest', '/');
    second.broker.setPermissions('guest', 'orders', NARROW);
    const third = await restart(second, { users: [user('app', 'secret')] });
    expect(permissionsOf(third)).toEqual(['guest orders ^$ ^a b$', 'app / .* .* .*', 'app orders .* .* .*']);
  });

  it('set a permission of a stored user, and widen none that they do not name', async () => {
    const first = await start({ users: [user('app', 'secret')] });
    const permissions = [{ user: 'app', virtualHost: '/', ...NARROW }];
    const second = await restart(first, { permissions });
    expect(permissionsOf(second)).toEqual(['app / ^$ ^a b$']);
    expect(permissionsOf(await restart(second, { users: [user('app', 'secret')] }))).toEqual([
      'app / ^$ ^a b$',
    ]);
  });

  it.each<[Flags, string]>([
    [
      { permissions: [{ user: 'app', virtualHost: '/', ...ALL }] },
      "a permission names the user 'app' and the virtual host '/', but there is no such user; add the user (--user)",
    ],
    [
      { permissions: [{ user: 'guest', virtualHost: 'x', ...ALL }] },
      "a permission names the user 'guest' and the virtual host 'x', but there is no such virtual host; add it (--vhost)",
    ],
    [
      { loopbackUsers: ['app'] },
      "--loopback-users names the user 'app', but there is no such user; add the user (--user), or say 'none'",
    ],
    [
      { anonymousUser: 'app' },
      "--anonymous-user names the user 'app', but there is no such user; add the user (--user), or say 'none'",
    ],
  ])('are refused with nothing touched: %j', async (flags, message) => {
    const first = await start();
    await first.settle();
    const disk = first.disk.powerCut();
    const before = await readDefinitions(disk, DATA_DIRECTORY);
    await expect(start({ ...flags, virtualHosts: ['new'] }, disk)).rejects.toThrow(
      new UnknownNameError(message),
    );
    expect(await readDefinitions(disk, DATA_DIRECTORY)).toEqual(before);
  });
});

describe('a directory', () => {
  it('from before users were kept gets those of the options, and keeps its virtual hosts', async () => {
    const old = [
      { t: 'broker', epoch: 3, lastQueueId: 7 },
      { t: 'vhost', name: '/' },
      { t: 'vhost', name: 'orders' },
      { t: 'queue', vhost: 'orders', name: 'q', id: 5, autoDelete: false, args: '' },
    ];
    const durable = await start({}, await diskWith(old));
    expect(virtualHostsOf(durable)).toEqual(['/', 'orders']);
    expect(canLogIn(durable, 'guest', 'guest')).toBe(true);
    expect(permissionsOf(durable)).toEqual(['guest / .* .* .*', 'guest orders .* .* .*']);
    expect(durable.broker.virtualHost('orders')!.queues.get('q')?.id).toBe(5);
    expect(declareQueue(durable.virtualHost, 'next').id).toBe(8);
  });

  it('may have records that nobody knows, and what belongs to nothing', async () => {
    const odd = [
      { t: 'broker', epoch: 1, lastQueueId: 0, keepsUsers: true },
      { t: 'policy', vhost: '/', name: 'later' },
      { t: 'vhost', name: '/' },
      { t: 'permission', user: 'nobody', vhost: '/', ...ALL },
      { t: 'user', name: 'app', hash: '', tags: [] },
      { t: 'permission', user: 'app', vhost: 'none', ...ALL },
      { t: 'queue', vhost: 'none', name: 'q', id: 41, autoDelete: false, args: '' },
    ];
    const durable = await start({}, await diskWith(odd));
    expect(usersOf(durable)).toEqual(['app']);
    expect(permissionsOf(durable)).toEqual([]);
    // Messages of that queue may still be there.
    expect(declareQueue(durable.virtualHost, 'next').id).toBe(42);
  });

  it('keeps everything when its definitions are rewritten, in an order to make it again in', async () => {
    const first = await start();
    const { broker } = first;
    broker.addVirtualHost('orders');
    declareQueue(broker.virtualHost('orders')!, 'q');
    broker.users.addUser('app', 'secret', ['management']);
    broker.setPermissions('app', 'orders', NARROW);
    // Enough changes for the file to be rewritten while the broker runs.
    for (let i = 0; i < 20_000; i++) broker.users.setTags('app', [`tag-${i}`]);
    await first.settle();
    broker.users.setTags('app', ['last']);
    await first.settle();
    const records = await recordsOf(first);
    expect(records.length).toBeLessThan(100);
    const kinds = records.map(({ t }) => t);
    expect([...new Set(kinds)]).toEqual(['broker', 'vhost', 'user', 'permission', 'queue']);
    const second = await restart(first);
    expect(second.broker.users.user('app')?.tags).toEqual(['last']);
    expect(canLogIn(second, 'app', 'secret')).toBe(true);
    expect(permissionsOf(second)).toEqual(['guest / .* .* .*', 'app orders ^$ ^a b$']);
    expect(second.broker.virtualHost('orders')!.queues.has('q')).toBe(true);
  });
});
