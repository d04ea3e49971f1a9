/**
 * One broker as a process: from the data directory to the listeners, and back again on a signal.
 *
 *     starting --listeners open--> running --SIGTERM, SIGINT--> closing --clients gone--> exit 0, 130
 *                                                                  \--another signal----> exit at once
 *
 * A signal while starting is kept until the listeners are open: as process 1 of a container, where the system
 * ends nobody for SIGTERM, the broker would otherwise miss it.
 */
import { resolve } from 'node:path';
import { UnknownNameError } from '../broker/configured-definitions.js';
import type { Clock } from '../lib/clock.js';
import type { FileSystem } from '../lib/file-system.js';
import type { Logger } from '../lib/logger.js';
import type { RunningServer, ServerOptions, startServer } from '../server/server.js';
import { NewerFormatError } from '../store/batch-format.js';
import type { DataDirectory, openDataDirectory } from '../store/data-directory.js';
import { DamagedDefinitionsError } from '../store/definitions-log.js';
import {
  CommandError,
  EXIT_CONFIGURATION,
  EXIT_FAILURE,
  EXIT_INTERRUPTED,
  EXIT_TERMINATED,
} from './command-error.js';
import type { StartSettings } from './start-options.js';

/** What the process around the broker is: arguments, so that a test needs no process of its own. */
export interface ProcessSurroundings {
  readonly logger: Logger;
  /** Its monotonic time counts from the start of the process. */
  readonly clock: Clock;
  /** Emits `SIGTERM`, `SIGINT` and `uncaughtException`, as `process` does. */
  readonly events: NodeJS.EventEmitter;
  /** Ends the process at once, whatever is going on. */
  readonly exit: (code: number) => void;
  /** Whether this machine has that network address. */
  readonly hasAddress: (address: string) => boolean;
  readonly startServer: typeof startServer;
  readonly openDataDirectory: typeof openDataDirectory;
  readonly fileSystem: FileSystem;
}

/**
 * Runs a broker until a signal ends it.
 *
 * @returns the exit code: 0 after SIGTERM, 130 after SIGINT
 * @throws CommandError when it cannot start: the data directory is in use, an address is taken
 */
export async function runBroker(settings: StartSettings, surroundings: ProcessSurroundings): Promise<number> {
  const { logger, clock } = surroundings;
  const signals = new StopSignals(surroundings);
  const dropCrashHandler = exitOnCrash(surroundings);
  let dataDirectory: DataDirectory | undefined;
  try {
    dataDirectory = await openDirectory(settings, surroundings);
    const server = await listen(settings, surroundings);
    const startupMs = Math.round(clock.monotonicMs());
    logger.info({ port: server.port, startupMs }, `Server startup complete in ${startupMs} ms`);
    const signal = await signals.first;
    logger.info({ signal }, 'closing client connections');
    // The server's own reason: 320 CONNECTION_FORCED with 'shutdown', as RabbitMQ says it.
    await server.close();
    logger.info({}, 'stopped');
    return signal === 'SIGINT' ? EXIT_INTERRUPTED : 0;
  } finally {
    await dataDirectory?.close();
    dropCrashHandler();
    signals.drop();
  }
}

type StopSignal = 'SIGTERM' | 'SIGINT';

class StopSignals {
  /** The first signal; it stays the first if it came before anyone waited. */
  readonly first: Promise<StopSignal>;
  readonly #events: NodeJS.EventEmitter;
  readonly #exit: (code: number) => void;
  #resolveFirst: ((signal: StopSignal) => void) | undefined;

  constructor(surroundings: ProcessSurroundings) {
    this.#events = surroundings.events;
    this.#exit = surroundings.exit;
    this.first = new Promise((resolveFirst) => {
      this.#resolveFirst = resolveFirst;
    });
    this.#events.on('SIGTERM', this.#onTerminate);
    this.#events.on('SIGINT', this.#onInterrupt);
  }

  drop(): void {
    this.#events.off('SIGTERM', this.#onTerminate);
    this.#events.off('SIGINT', this.#onInterrupt);
  }

  readonly #onTerminate = (): void => this.#receive('SIGTERM');
  readonly #onInterrupt = (): void => this.#receive('SIGINT');

  #receive(signal: StopSignal): void {
    if (this.#resolveFirst === undefined) {
      this.#exit(signal === 'SIGINT' ? EXIT_INTERRUPTED : EXIT_TERMINATED);
      return;
    }
    this.#resolveFirst(signal);
    this.#resolveFirst = undefined;
  }
}

/** After an error nobody caught, also in a promise, the state is unknown: whatever supervises starts afresh. */
function exitOnCrash({ events, exit, logger }: ProcessSurroundings): () => void {
  const onCrash = (error: unknown, origin: string): void => {
    logger.error({ err: error, origin }, 'an error nobody caught ends the broker');
    exit(EXIT_FAILURE);
  };
  // Node reports a rejected promise that nobody handles here too, with the origin 'unhandledRejection'.
  events.on('uncaughtException', onCrash);
  return () => events.off('uncaughtException', onCrash);
}

async function openDirectory(
  settings: StartSettings,
  { openDataDirectory }: ProcessSurroundings,
): Promise<DataDirectory | undefined> {
  if (settings.dataDirectory === undefined) return undefined;
  try {
    return await openDataDirectory(settings.dataDirectory);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), EXIT_FAILURE);
  }
}

async function listen(settings: StartSettings, surroundings: ProcessSurroundings): Promise<RunningServer> {
  const { config, port } = settings;
  const hosts = hostsOf(settings, surroundings);
  const storage = storageOf(settings, surroundings);
  for (let attempt = 1; ; attempt++) {
    try {
      return await surroundings.startServer({ config, hosts, port, logger: surroundings.logger, ...storage });
    } catch (error) {
      // The system chose a port that is free on the first address only.
      const isUnluckyChoice = port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (isUnluckyChoice && attempt < FREE_PORT_ATTEMPTS_MAX) continue;
      throw listenError(error, settings);
    }
  }
}

function storageOf(
  { dataDirectory, syncMode, diskFreeLimitBytes }: StartSettings,
  { fileSystem, logger, exit }: ProcessSurroundings,
): Pick<ServerOptions, 'storage'> {
  if (dataDirectory === undefined) return {};
  const onFatal = (error: unknown): void => {
    // What a failed sync was about may be gone whatever a second one says: only a restart shows what is there.
    logger.error({ err: error }, 'the disk failed: nothing more can be confirmed, the broker ends');
    exit(EXIT_FAILURE);
  };
  return {
    storage: { fileSystem, directory: resolve(dataDirectory), syncMode, diskFreeLimitBytes, onFatal },
  };
}

/** So often in a row only an address that has no free port at all fails. */
const FREE_PORT_ATTEMPTS_MAX = 5;

/** A machine without IPv6 is served on IPv4: the operator never asked for `::1`. */
function hostsOf(settings: StartSettings, { hasAddress }: ProcessSurroundings): readonly string[] {
  return settings.areHostsDefault ? settings.hosts.filter(hasAddress) : settings.hosts;
}

function listenError(error: unknown, settings: StartSettings): unknown {
  if (!(error instanceof Error)) return error;
  const { code, address = settings.hosts.join(' and ') } = error as NodeJS.ErrnoException & {
    readonly address?: string;
  };
  const { port } = settings;
  if (error instanceof NewerFormatError || error instanceof DamagedDefinitionsError)
    return failure(`${settings.dataDirectory}: ${error.message}`);
  if (error instanceof UnknownNameError) {
    return new CommandError(`${settings.dataDirectory}: ${error.message}`, EXIT_CONFIGURATION);
  }
  switch (code) {
    case 'EADDRINUSE':
      return failure(
        `port ${port} on ${address} is already in use; stop the other broker or choose another with --port`,
      );
    case 'EACCES':
      return failure(`port ${port} on ${address} may not be used by this user; choose another with --port`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return failure(`this machine does not have the address ${address}; choose another with --host`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failure(`the host ${settings.hosts.join(' or ')} has no address; choose another with --host`);
    default:
      return error;
  }
}

function failure(message: string): CommandError {
  return new CommandError(message, EXIT_FAILURE);
}
