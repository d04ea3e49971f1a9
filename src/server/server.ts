/** The broker on the network: listeners, the connections they accept, and an orderly end. */
import { createServer, type Server, type Socket } from 'node:net';
import { ReplyCode } from '../amqp/errors.js';
import { Broker } from '../broker/broker.js';
import type { BrokerConfig } from '../broker/broker-config.js';
import { applyConfig, applyPolicies, NOTHING_STORED } from '../broker/configured-definitions.js';
import { openPersistence, type Persistence } from '../broker/persistence.js';
import { type Clock, SystemClock } from '../lib/clock.js';
import type { FileSystem } from '../lib/file-system.js';
import { SHUTDOWN_TIMEOUT_MS } from '../lib/limits.js';
import type { Logger } from '../lib/logger.js';
import { type Random, SystemRandom } from '../lib/random.js';
import type { SyncMode } from '../store/sync-mode.js';
import { Connection } from './connection.js';

export interface ServerOptions {
  readonly config: BrokerConfig;
  /** Addresses to listen on; all get the same port. */
  readonly hosts: readonly string[];
  /** 0 is any free port. */
  readonly port: number;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Where definitions and messages survive a restart; absent for a broker in memory. */
  readonly storage?: StorageOptions;
}

export interface StorageOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly syncMode: SyncMode;
  /** Publishers are blocked while the volume has less room than this, in bytes. */
  readonly diskFreeLimitBytes: number;
  /** The disk failed for good: the process should end, with nothing more confirmed. */
  readonly onFatal: (error: unknown) => void;
}

export interface RunningServer {
  readonly broker: Broker;
  readonly port: number;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Open connections. */
  readonly connectionCount: number;
  /** Closes clients with 320 CONNECTION_FORCED, waits for them a while, and releases everything. */
  close(reason?: string): Promise<void>;
}

/** Starts a broker and its listeners. @throws the listen error (code EADDRINUSE and so on), with nothing left open */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, logger, clock = new SystemClock(), random = new SystemRandom() } = options;
  const broker = new Broker({ config, clock, random, logger, defer: (turn) => setImmediate(turn) });
  const persistence = await fill(broker, options.storage);
  const connections = new ConnectionSet();
  broker.closeClients = (isAffected, reason) => connections.closeWhere(isAffected, reason);
  const accept = (socket: Socket): void => {
    // Small frames must not wait for the acknowledgement of earlier ones.
    socket.setNoDelay(true);
    connections.add(new Connection(broker, socket, (gone) => connections.remove(gone)));
  };
  const listeners: Server[] = [];
  const addresses: { host: string; port: number }[] = [];
  try {
    let { port } = options;
    for (const host of options.hosts) {
      const listener = await listen(accept, host, port);
      listeners.push(listener);
      port = portOf(listener);
      addresses.push({ host, port });
      logger.info(
        { host, port },
        `started TCP listener on ${host.includes(':') ? `[${host}]` : host}:${port}`,
      );
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    await persistence?.close();
    broker.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    broker,
    port: addresses[0]!.port,
    addresses,
    get connectionCount() {
      return connections.size;
    },
    close: (reason = 'shutdown') => {
      closing ??= shutDown(broker, persistence, listeners, connections, reason);
      return closing;
    },
  };
}

/** Gives a new broker its definitions and messages. */
async function fill(broker: Broker, storage: StorageOptions | undefined): Promise<Persistence | undefined> {
  try {
    if (storage !== undefined) return await openPersistence(broker, storage);
    applyConfig(broker, NOTHING_STORED);
    applyPolicies(broker);
    return undefined;
  } catch (error) {
    // What was recovered until then may have set timers.
    broker.close();
    throw error;
  }
}

/** The open connections. */
class ConnectionSet {
  private readonly members = new Set<Connection>();
  private onEmpty: (() => void)[] = [];

  get size(): number {
    return this.members.size;
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.members.values();
  }

  add(connection: Connection): void {
    this.members.add(connection);
  }

  remove(connection: Connection): void {
    this.members.delete(connection);
    if (this.members.size > 0) return;
    for (const resolve of this.onEmpty) resolve();
    this.onEmpty = [];
  }

  /** Closes those whose user and virtual host match, with 320 CONNECTION_FORCED. */
  closeWhere(isAffected: (userName: string, virtualHost: string) => boolean, reason: string): void {
    for (const connection of [...this.members]) {
      if (!connection.isRunning || !isAffected(connection.user.name, connection.virtualHost.name)) continue;
      connection.close(ReplyCode.ConnectionForced, reason);
    }
  }

  /** Resolves when there are none. */
  async emptied(): Promise<void> {
    if (this.members.size > 0) await new Promise<void>((resolve) => this.onEmpty.push(resolve));
  }
}

async function shutDown(
  broker: Broker,
  persistence: Persistence | undefined,
  listeners: readonly Server[],
  connections: ConnectionSet,
  reason: string,
): Promise<void> {
  const closed = listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve())));
  for (const connection of [...connections]) {
    connection.close(ReplyCode.ConnectionForced, `broker forced connection closure with reason '${reason}'`);
  }
  // A listener is closed once its last connection is gone: those that do not answer are dropped.
  const timer = broker.clock.after(SHUTDOWN_TIMEOUT_MS, () => {
    for (const connection of [...connections]) connection.destroy();
  });
  await Promise.all(closed);
  // The listener counts sockets; what hangs on them is released a moment later.
  await connections.emptied();
  timer.cancel();
  await persistence?.close();
  broker.close();
}

function listen(accept: (socket: Socket) => void, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const listener = createServer({ allowHalfOpen: false }, accept);
    listener.once('error', reject);
    listener.listen({ host, port, backlog: 1024 }, () => {
      listener.off('error', reject);
      resolve(listener);
    });
  });
}

function portOf(listener: Server): number {
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no port');
  return address.port;
}
