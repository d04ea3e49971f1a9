/** The `leveret` command: flags in, exit code out, and one clear sentence on standard error when it fails. */
import { createRequire } from 'node:module';
import yargs from 'yargs';
import { BENCH_FLAGS, BENCH_SWITCHES, benchCommand } from './bench-command.js';
import { CommandError, EXIT_FAILURE, EXIT_USAGE } from './command-error.js';
import { CONFORMANCE_FLAGS, conformanceCommand } from './conformance-command.js';
import { CONFORMANCE_DIFF_FLAGS } from './conformance-diff-command.js';
import { suggestion } from './nearest-name.js';
import { START_OPTIONS } from './option-list.js';
import { quote } from './setting.js';
import { ChosenCommand, startCommand } from './start-command.js';

/**
 * Runs the command the arguments name; help and version go to standard output.
 *
 * @param args without the program: `process.argv.slice(2)`
 * @param writeError takes the sentence that says why it failed, with its line break
 * @returns the exit code
 */
export async function runCommandLine(
  args: readonly string[],
  writeError: (text: string) => void,
): Promise<number> {
  try {
    refuseWhatYargsLetsPass(args);
    return await carryOut(args);
  } catch (error) {
    if (error instanceof CommandError) {
      writeError(`leveret: ${error.message}\n`);
      return error.exitCode;
    }
    writeError(`leveret: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT_FAILURE;
  }
}

async function carryOut(args: readonly string[]): Promise<number> {
  try {
    await commandLine(args).parseAsync();
  } catch (error) {
    if (error instanceof ChosenCommand) return error.run();
    throw error;
  }
  // Help and version are answered by yargs.
  return 0;
}

/** Names of commands, for suggestions. */
const COMMANDS = ['start', 'conformance', 'bench'];
const START_FLAGS = START_OPTIONS.map((option) => `--${option.name}`);
const FLAGS_OF: ReadonlyMap<string | undefined, readonly string[]> = new Map([
  ['conformance', CONFORMANCE_FLAGS],
  ['bench', BENCH_FLAGS],
]);

function commandLine(args: readonly string[]) {
  return (
    yargs([...args])
      .scriptName('leveret')
      .usage('$0 [command] [options]\n\nA RabbitMQ-compatible AMQP 0-9-1 broker.')
      // The errors below are recognised by their English text; a locale would also be looked up on disk.
      .locale('en')
      .parserConfiguration({
        // `--data-dir` has one spelling, `--no-in-memory` is no flag, and no value is anything but text.
        'camel-case-expansion': false,
        'boolean-negation': false,
        'dot-notation': false,
        'short-option-groups': false,
        'parse-numbers': false,
        'parse-positional-numbers': false,
      })
      .command(startCommand())
      .command(conformanceCommand())
      .command(benchCommand())
      .alias('help', 'h')
      .version(packageVersion())
      .strict()
      .exitProcess(false)
      .fail((message: string | null, error: Error | undefined) => {
        // Yargs reports some wrong usage as text, some as an error of its own; other errors come from the command.
        if (error !== undefined && error.name !== 'YError') throw error;
        throw new CommandError(explain(error?.message ?? message ?? 'wrong usage', args), EXIT_USAGE);
      })
      .wrap(HELP_COLUMNS)
  );
}

const SWITCHES = [
  ...START_OPTIONS.filter((option) => option.kind === 'switch').map((option) => `--${option.name}`),
  '--list',
  '--quorum',
  ...BENCH_SWITCHES,
];
/** A longer flag is cut in messages. */
const FLAG_LENGTH_MAX = 60;
const HELP_COLUMNS = 110;

/** Yargs takes any value of a switch for false, and everything after `--` for nothing. */
function refuseWhatYargsLetsPass(args: readonly string[]): void {
  for (const arg of args) {
    if (arg === '--') throw new CommandError("'--' has no meaning here; leave it out", EXIT_USAGE);
    const flag = SWITCHES.find((name) => arg.startsWith(`${name}=`));
    if (flag === undefined || arg === `${flag}=true` || arg === `${flag}=false`) continue;
    throw new CommandError(`${flag} takes no value; write ${flag} or leave it out`, EXIT_USAGE);
  }
}

/** A sentence for a message of yargs. */
function explain(message: string, args: readonly string[]): string {
  const withoutValue = /^Not enough arguments following: (.+)$/s.exec(message)?.[1];
  if (withoutValue !== undefined) return `--${withoutValue} needs a value; see leveret --help`;
  if (/^Not enough non-option arguments/.test(message)) {
    return 'conformance diff needs the URLs of two brokers, amqp://user:password@host:port; see leveret --help';
  }
  const unknown = /^Unknown (?:arguments?|commands?): (.+)$/s.exec(message)?.[1]?.split(', ')[0];
  if (unknown === undefined) return `${message}; see leveret --help`;
  const flag = args.find((arg) => /^-/.test(arg) && arg.replace(/^-+/, '').split('=')[0] === unknown);
  const isConformance = args[0] === 'conformance';
  const isDiff = isConformance && args[1] === 'diff';
  if (flag === undefined) {
    if (isDiff) return `unexpected argument ${quote(unknown)}; conformance diff compares two brokers`;
    if (isConformance)
      return `unexpected argument ${quote(unknown)}; conformance judges one broker at a time`;
    if (args.some((arg) => COMMANDS.includes(arg))) {
      return `unexpected argument ${quote(unknown)}; every option of start begins with --, see leveret --help`;
    }
    return `unknown command ${quote(unknown)}${advice(unknown, COMMANDS)}`;
  }
  const name = flag.split('=')[0]!.slice(0, FLAG_LENGTH_MAX);
  const known = isDiff ? CONFORMANCE_DIFF_FLAGS : (FLAGS_OF.get(args[0]) ?? START_FLAGS);
  return `unknown flag ${name}${advice(name, [...known, '--help', '--version'])}`;
}

function advice(name: string, knownNames: readonly string[]): string {
  return suggestion(name, knownNames) || '; see leveret --help';
}

function packageVersion(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };
  return version;
}
