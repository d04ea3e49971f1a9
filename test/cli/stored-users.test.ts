/** The whole way, on a real disk: from the flags of one start to a login at the next. */
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runBroker } from '../../src/cli/broker-process.js';
import { readFlags } from '../../src/cli/start-command.js';
import { resolveStartSettings } from '../../src/cli/start-options.js';
import { silentLogger } from '../../src/lib/logger.js';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { NodeFileSystem } from '../../src/lib/node-file-system.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { openDataDirectory } from '../../src/store/data-directory.js';

function newDirectory(): string {
  const parent = mkdtempSync(join(tmpdir(), 'leveret-users-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  return join(parent, 'data');
}

/** One life of `leveret start` with these flags, ended by SIGTERM. */
async function live(
  directory: string,
  flags: Readonly<Record<string, unknown>>,
  use: (server: RunningServer) => Promise<void> = async () => {},
): Promise<void> {
  const settings = resolveStartSettings({
    flags: readFlags({ 'data-dir': directory, host: '127.0.0.1', port: '0', ...flags }),
    environment: {},
    availableMemoryBytes: 1e9,
  });
  const events = new EventEmitter();
  let announce = (_server: RunningServer): void => {};
  const started = new Promise<RunningServer>((resolve) => {
    announce = resolve;
  });
  const running = runBroker(settings, {
    logger: silentLogger,
    clock: new ManualClock(),
    events,
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
    hasAddress: () => true,
    startServer: async (options) => {
      const server = await startServer(options);
      announce(server);
      return server;
    },
    fileSystem: new NodeFileSystem(),
    openDataDirectory,
  });
  // A start that fails ends `running`.
  const server = await Promise.race([started, running]);
  if (typeof server === 'number') throw new Error('the broker ended by itself');
  try {
    await use(server);
  } finally {
    events.emit('SIGTERM');
    await running;
  }
}

async function logIn(server: RunningServer, user: string, virtualHost = '/'): Promise<string> {
  const path = encodeURIComponent(virtualHost);
  try {
    const connection = await connect(`amqp://${user}@127.0.0.1:${server.port}/${path}`);
    await connection.close();
    return 'in';
  } catch (error) {
    // amqplib names no code for a refused connection.open.
    return String(error).includes('Expected ConnectionOpenOk') ? '530' : String(error);
  }
}

describe('a data directory', () => {
  it('keeps the users of its first start, and those made since', async () => {
    const directory = newDirectory();
    const flags = { user: 'app:se-cret:administrator', vhost: ['/', 'orders'] };
    await live(directory, flags, async (server) => {
      expect(await logIn(server, 'app:se-cret', 'orders')).toBe('in');
      server.broker.users.addUser('late', 'la-te');
      server.broker.setPermissions('late', 'orders', { configure: '', write: '', read: '.*' });
    });
    await live(directory, {}, async (server) => {
      expect(await logIn(server, 'app:se-cret', 'orders')).toBe('in');
      expect(await logIn(server, 'late:la-te', 'orders')).toBe('in');
      expect(await logIn(server, 'late:la-te')).toContain('530');
      expect(await logIn(server, 'guest:guest')).toContain('403');
      server.broker.deleteVirtualHost('orders');
      server.broker.users.deleteUser('late');
    });
    await live(directory, { user: 'app:changed' }, async (server) => {
      expect(await logIn(server, 'app:changed')).toBe('in');
      expect(await logIn(server, 'app:se-cret')).toContain('403');
      expect(await logIn(server, 'late:la-te')).toContain('403');
      expect(await logIn(server, 'app:changed', 'orders')).toContain('530');
    });
    expect(readFileSync(join(directory, 'definitions.log'), 'latin1')).not.toMatch(/se-cret|la-te|changed/);
  });

  it('has the users that options refer to, or the start is refused', async () => {
    const directory = newDirectory();
    await live(directory, { user: 'app:secret' });
    await live(directory, { permission: 'app:/::.*:', 'loopback-users': 'app' });
    await expect(live(directory, { permission: 'guest:/::.*:' })).rejects.toThrow(
      `${directory}: a permission names the user 'guest' and the virtual host '/', but there is no such user`,
    );
  });
});
