/** `leveret start`, and `leveret` alone: a broker in the foreground. */
import type { CommandModule } from 'yargs';
import { SystemClock } from '../lib/clock.js';
import { NodeFileSystem } from '../lib/node-file-system.js';
import { availableMemoryBytes } from './available-memory.js';
import { runBroker } from './broker-process.js';
import { variableOf } from './environment.js';
import { hasLocalAddress } from './local-address.js';
import { isRepeatable, type OptionName, START_OPTIONS, type StartOption } from './option-list.js';
import type { Setting, Settings } from './setting.js';
import { resolveStartSettings, type StartSettings } from './start-options.js';

/**
 * Thrown by the handler of a command instead of carrying it out: after a handler that returns, yargs lays out the whole
 * help and throws it away, which takes a tenth of the time to start.
 */
export class ChosenCommand extends Error {
  /** Carries it out. @returns what the process is to exit with */
  readonly run: () => Promise<number>;

  constructor(run: () => Promise<number>) {
    super('a command was chosen');
    this.run = run;
  }
}

export function startCommand(): CommandModule {
  return {
    command: ['start', '$0'],
    describe: 'start a broker in the foreground',
    builder: (yargs) => {
      for (const option of START_OPTIONS) yargs.option(option.name, yargsOption(option));
      return yargs.epilogue(EPILOGUE);
    },
    handler: (argv) => {
      throw new ChosenCommand(() => start(resolveSettings(argv)));
    },
  };
}

/** @param argv parsed by yargs: text by flag name, a list of texts for a flag that was repeated */
function resolveSettings(argv: Readonly<Record<string, unknown>>): StartSettings {
  return resolveStartSettings({
    flags: readFlags(argv),
    environment: process.env,
    availableMemoryBytes: availableMemoryBytes(),
  });
}

/** Flags that were given, as settings; see `resolveSettings` for `argv`. */
export function readFlags(argv: Readonly<Record<string, unknown>>): Settings {
  const flags = new Map<OptionName, Setting>();
  for (const { name } of START_OPTIONS) {
    const value = argv[name];
    if (value === undefined) continue;
    flags.set(name, { source: 'flag', label: `--${name}`, values: Array.isArray(value) ? value : [value] });
  }
  return flags;
}

async function start(settings: StartSettings): Promise<number> {
  // Loaded here: `leveret --help` and a wrong flag are answered without them, and a broker in memory never
  // loads what locks a directory.
  const [{ createLogger }, { startServer }] = await Promise.all([
    import('./log.js'),
    import('../server/server.js'),
  ]);
  return runBroker(settings, {
    logger: createLogger(settings.logLevel, settings.logFormat),
    clock: new SystemClock(),
    events: process,
    exit: (code) => process.exit(code),
    hasAddress: hasLocalAddress,
    startServer,
    fileSystem: new NodeFileSystem(),
    openDataDirectory: async (path) => (await import('../store/data-directory.js')).openDataDirectory(path),
  });
}

function yargsOption(option: StartOption) {
  const description = describe(option);
  if (option.kind === 'switch') return { type: 'boolean', description } as const;
  // Text, whatever it holds: the readers of setting.ts judge flags, variables and the file alike. There is no
  // yargs default, which could not be told from a flag.
  return {
    type: 'string',
    requiresArg: true,
    description,
    ...(option.defaultText === undefined ? {} : { defaultDescription: option.defaultText }),
  } as const;
}

function describe(option: StartOption): string {
  const placeholder = option.placeholder === '' ? '' : `${option.placeholder}: `;
  return `${placeholder}${option.description}${isRepeatable(option) ? ' (repeatable)' : ''}`;
}

/** The end of the help of `start`. */
const EPILOGUE =
  `Every option of start is also an environment variable, ${variableOf('data-dir')} for --data-dir, where white space ` +
  'separates several values; and a key of the file named by --config, "data-dir" for --data-dir. A flag counts ' +
  'before a variable, and a variable before the file. Everybody on this machine can read the passwords on its ' +
  'command lines: prefer a variable or the file.';
