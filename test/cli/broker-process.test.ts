import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { BROKER_CONFIG_DEFAULTS } from '../../src/broker/broker-config.js';
import { UnknownNameError } from '../../src/broker/configured-definitions.js';
import { type ProcessSurroundings, runBroker } from '../../src/cli/broker-process.js';
import { CommandError, EXIT_CONFIGURATION, EXIT_FAILURE } from '../../src/cli/command-error.js';
import type { StartSettings } from '../../src/cli/start-options.js';
import type { Logger } from '../../src/lib/logger.js';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { RunningServer, ServerOptions } from '../../src/server/server.js';

const SETTINGS: StartSettings = {
  config: { ...BROKER_CONFIG_DEFAULTS, memoryLimitBytes: 1_000_000 },
  hosts: ['127.0.0.1', '::1'],
  areHostsDefault: true,
  port: 5672,
  dataDirectory: undefined,
  syncMode: 'always',
  diskFreeLimitBytes: 50_000_000,
  logLevel: 'info',
  logFormat: 'json',
};

interface Entry {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

interface OpenPromise {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function openPromise(): OpenPromise {
  let resolve = (): void => {};
  const promise = new Promise<void>((resolvePromise) => {
    resolve = resolvePromise;
  });
  return { promise, resolve: () => resolve() };
}

/** A process that is none: what happened to it is in `events`, what it said in `log`. */
class Surroundings implements ProcessSurroundings {
  readonly log: Entry[] = [];
  readonly happened: string[] = [];
  readonly events = new EventEmitter();
  readonly clock = new ManualClock();
  readonly logger: Logger;
  readonly started: ServerOptions[] = [];
  addresses = new Set(['127.0.0.1', '::1']);
  /** What startServer throws, one after the other, before it succeeds. */
  listenErrors: unknown[] = [];
  dataDirectoryError: Error | undefined;
  /** Resolved by the test: the last client has gone. */
  closed = openPromise();
  /** Resolved when the ready line is logged. */
  readonly ready = openPromise();

  constructor() {
    const add = (level: string) => (fields: object, message: string) => {
      this.log.push({ level, fields, message });
      if (message.startsWith('Server startup complete')) this.ready.resolve();
    };
    this.logger = { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
  }

  readonly hasAddress = (address: string): boolean => this.addresses.has(address);
  readonly exit = (code: number): void => {
    this.happened.push(`exit ${code}`);
  };
  readonly startServer = async (options: ServerOptions): Promise<RunningServer> => {
    this.started.push(options);
    const error = this.listenErrors.shift();
    if (error !== undefined) throw error;
    this.happened.push('listen');
    const close = async (reason?: string): Promise<void> => {
      this.happened.push(`close ${reason}`);
      await this.closed.promise;
    };
    return { port: 40_000, addresses: [], connectionCount: 0, close } as unknown as RunningServer;
  };
  readonly fileSystem = new SimulatedFileSystem();
  readonly openDataDirectory = async (path: string) => {
    if (this.dataDirectoryError !== undefined) throw this.dataDirectoryError;
    this.happened.push('lock');
    return {
      path,
      close: async () => {
        this.happened.push('unlock');
      },
    };
  };
}

function listenError(code: string, details: object = {}): Error {
  return Object.assign(new Error(`listen ${code}`), { code, ...details });
}

describe('a broker process', () => {
  it('says when it is ready, with its port and how long it took', async () => {
    const surroundings = new Surroundings();
    surroundings.clock.advance(123.4);
    const running = runBroker(SETTINGS, surroundings);
    await surroundings.ready.promise;
    expect(surroundings.log).toEqual([
      {
        level: 'info',
        fields: { port: 40_000, startupMs: 123 },
        message: 'Server startup complete in 123 ms',
      },
    ]);
    surroundings.closed.resolve();
    surroundings.events.emit('SIGTERM');
    await running;
  });

  it.each([
    ['SIGTERM', 0],
    ['SIGINT', 130],
  ])('closes its clients on %s and returns %d once they are gone', async (signal, exitCode) => {
    const surroundings = new Surroundings();
    const running = runBroker({ ...SETTINGS, dataDirectory: '/data' }, surroundings);
    await surroundings.ready.promise;
    surroundings.events.emit(signal);
    // Both are promise callbacks: a turn of the event loop later nothing more can come by itself.
    await new Promise((resolve) => setImmediate(resolve));
    expect(surroundings.happened).toEqual(['lock', 'listen', 'close undefined']);
    surroundings.closed.resolve();
    expect(await running).toBe(exitCode);
    // The lock goes last: nobody else may open the directory while this broker still serves.
    expect(surroundings.happened).toEqual(['lock', 'listen', 'close undefined', 'unlock']);
    expect(surroundings.events.eventNames()).toEqual([]);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('exits at once on %s while it closes', async (signal, exitCode) => {
    const surroundings = new Surroundings();
    const running = runBroker(SETTINGS, surroundings);
    await surroundings.ready.promise;
    surroundings.events.emit('SIGTERM');
    expect(surroundings.happened).not.toContain(`exit ${exitCode}`);
    surroundings.events.emit(signal);
    expect(surroundings.happened).toContain(`exit ${exitCode}`);
    surroundings.closed.resolve();
    await running;
  });

  it('stops for a signal that came while it started', async () => {
    const surroundings = new Surroundings();
    surroundings.closed.resolve();
    const running = runBroker(SETTINGS, surroundings);
    surroundings.events.emit('SIGTERM');
    expect(await running).toBe(0);
    expect(surroundings.happened).toEqual(['listen', 'close undefined']);
  });

  it('logs an error nobody caught and exits with 1', async () => {
    const surroundings = new Surroundings();
    const running = runBroker(SETTINGS, surroundings);
    await surroundings.ready.promise;
    const err = new Error('bug');
    surroundings.events.emit('uncaughtException', err, 'unhandledRejection');
    expect(surroundings.log.at(-1)).toEqual({
      level: 'error',
      fields: { err, origin: 'unhandledRejection' },
      message: 'an error nobody caught ends the broker',
    });
    expect(surroundings.happened.at(-1)).toBe('exit 1');
    surroundings.closed.resolve();
    surroundings.events.emit('SIGTERM');
    await running;
  });
});

describe('the data directory', () => {
  it('is locked before the listeners open, and given to the server', async () => {
    const surroundings = new Surroundings();
    surroundings.closed.resolve();
    const running = runBroker({ ...SETTINGS, dataDirectory: '/data', syncMode: 'interval' }, surroundings);
    surroundings.events.emit('SIGTERM');
    await running;
    expect(surroundings.happened[0]).toBe('lock');
    expect(surroundings.started[0]?.storage).toMatchObject({ directory: '/data', syncMode: 'interval' });
  });

  it('whose disk fails ends the process', async () => {
    const surroundings = new Surroundings();
    surroundings.closed.resolve();
    const running = runBroker({ ...SETTINGS, dataDirectory: '/data' }, surroundings);
    await surroundings.ready.promise;
    surroundings.started[0]?.storage?.onFatal(new Error('EIO: sync'));
    expect(surroundings.happened).toContain('exit 1');
    surroundings.events.emit('SIGTERM');
    await running;
  });

  it('that is in use stops the start', async () => {
    const surroundings = new Surroundings();
    surroundings.dataDirectoryError = new Error('the data directory /data is in use');
    const running = runBroker({ ...SETTINGS, dataDirectory: '/data' }, surroundings);
    await expect(running).rejects.toEqual(
      new CommandError('the data directory /data is in use', EXIT_FAILURE),
    );
    expect(surroundings.happened).toEqual([]);
    expect(surroundings.events.eventNames()).toEqual([]);
  });

  it('that has no user of a name an option refers to stops the start', async () => {
    const surroundings = new Surroundings();
    surroundings.listenErrors = [new UnknownNameError("--loopback-users names the user 'x'")];
    await expect(runBroker({ ...SETTINGS, dataDirectory: '/data' }, surroundings)).rejects.toEqual(
      new CommandError("/data: --loopback-users names the user 'x'", EXIT_CONFIGURATION),
    );
    expect(surroundings.happened).toEqual(['lock', 'unlock']);
  });

  it('is released when a port is taken', async () => {
    const surroundings = new Surroundings();
    surroundings.listenErrors = [listenError('EADDRINUSE')];
    await expect(runBroker({ ...SETTINGS, dataDirectory: '/data' }, surroundings)).rejects.toThrow();
    expect(surroundings.happened).toEqual(['lock', 'unlock']);
  });
});

describe('listening', () => {
  async function hostsOf(surroundings: Surroundings, settings: StartSettings): Promise<readonly string[]> {
    surroundings.closed.resolve();
    const running = runBroker(settings, surroundings);
    surroundings.events.emit('SIGTERM');
    await running;
    return surroundings.started.at(-1)!.hosts;
  }

  it('leaves out the default ::1 where there is none, and only that', async () => {
    const surroundings = new Surroundings();
    expect(await hostsOf(surroundings, SETTINGS)).toEqual(['127.0.0.1', '::1']);
    surroundings.addresses = new Set(['127.0.0.1']);
    expect(await hostsOf(surroundings, SETTINGS)).toEqual(['127.0.0.1']);
    expect(await hostsOf(surroundings, { ...SETTINGS, hosts: ['::1'], areHostsDefault: false })).toEqual([
      '::1',
    ]);
  });

  it.each([
    [
      listenError('EADDRINUSE', { address: '127.0.0.1' }),
      'port 5672 on 127.0.0.1 is already in use; stop the other broker or choose another with --port',
    ],
    [
      listenError('EACCES', { address: '::1' }),
      'port 5672 on ::1 may not be used by this user; choose another with --port',
    ],
    [
      listenError('EADDRNOTAVAIL', { address: '10.0.0.1' }),
      'this machine does not have the address 10.0.0.1; choose another with --host',
    ],
    [listenError('ENOTFOUND'), 'the host 127.0.0.1 or ::1 has no address; choose another with --host'],
  ])('%s is explained', async (error, message) => {
    const surroundings = new Surroundings();
    surroundings.listenErrors = [error];
    await expect(runBroker(SETTINGS, surroundings)).rejects.toEqual(new CommandError(message, EXIT_FAILURE));
    expect(surroundings.started).toHaveLength(1);
  });

  it('tries again when the free port it was given is taken on the next address', async () => {
    const surroundings = new Surroundings();
    surroundings.listenErrors = [listenError('EADDRINUSE'), listenError('EADDRINUSE')];
    surroundings.closed.resolve();
    const running = runBroker({ ...SETTINGS, port: 0 }, surroundings);
    surroundings.events.emit('SIGTERM');
    expect(await running).toBe(0);
    expect(surroundings.started).toHaveLength(3);
  });

  it('gives up when that does not end', async () => {
    const surroundings = new Surroundings();
    surroundings.listenErrors = Array.from({ length: 100 }, () => listenError('EADDRINUSE'));
    await expect(runBroker({ ...SETTINGS, port: 0 }, surroundings)).rejects.toBeInstanceOf(CommandError);
    expect(surroundings.started).toHaveLength(5);
  });

  it('passes on what is no listen error', async () => {
    const surroundings = new Surroundings();
    const bug = new TypeError('bug');
    surroundings.listenErrors = [bug];
    await expect(runBroker(SETTINGS, surroundings)).rejects.toBe(bug);
  });
});
