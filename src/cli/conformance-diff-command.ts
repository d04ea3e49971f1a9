/** `leveret conformance diff`: random sequences of operations, compared on two brokers. Found as the suite is. */
import type { CommandModule } from 'yargs';
import { CommandError, EXIT_USAGE } from './command-error.js';
import { quote } from './setting.js';
import { ChosenCommand } from './start-command.js';
import {
  outputWritten,
  PROCESS_OUTPUT,
  type ToolArguments,
  type ToolOutput,
  textOf,
} from './tool-arguments.js';

const STEPS_DEFAULT = 40;
const SEQUENCES_DEFAULT = 100;
const SEED_MAX = 0xffff_ffff;

const OPTIONS = {
  seed: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBER: where the sequences come from',
    defaultDescription: 'another each time',
  },
  steps: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBER: operations in a sequence',
    defaultDescription: String(STEPS_DEFAULT),
  },
  sequences: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBER: how many sequences',
    defaultDescription: String(SEQUENCES_DEFAULT),
  },
  sequence: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBER: runs this sequence of the seed alone',
  },
  keep: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBERS: of that sequence, keeps these operations alone, such as 0,4,17',
  },
  quorum: { type: 'boolean', description: 'declares quorum queues too; slower' },
  concurrency: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBER: sequences at a time',
    defaultDescription: '16',
  },
} as const;

export const CONFORMANCE_DIFF_FLAGS: readonly string[] = Object.keys(OPTIONS).map((name) => `--${name}`);

/** What `conformance/diff/compare.ts` exports, as far as it is used here. */
interface Comparison {
  compareBrokers(
    options: {
      readonly urls: readonly [left: string, right: string];
      readonly seed: number | undefined;
      readonly stepCount: number;
      readonly sequenceCount: number;
      readonly sequence: number | undefined;
      readonly keep: readonly number[] | undefined;
      readonly quorum: boolean;
      readonly concurrency: number | undefined;
    },
    output: ToolOutput,
  ): Promise<number>;
}

const COMPARISON = new URL('../conformance/diff/compare.js', import.meta.url);

export function conformanceDiffCommand(): CommandModule {
  return {
    command: 'diff <url-a> <url-b>',
    describe: 'do the same random operations on two brokers, and show where they differ',
    builder: (yargs) =>
      yargs
        .positional('url-a', { type: 'string', description: 'one broker, amqp://user:password@host:port' })
        .positional('url-b', { type: 'string', description: 'the other' })
        // The one of the command above, which yargs passes on.
        .hide('url')
        .options(OPTIONS),
    handler: (argv) => {
      throw new ChosenCommand(() => compare(argv));
    },
  };
}

async function compare(argv: ToolArguments): Promise<number> {
  const sequence = numberOf(argv, 'sequence', 0);
  const keep = textOf(argv, 'keep')
    ?.split(',')
    .map((text) => wholeNumber('keep', text, 0));
  if (keep !== undefined && sequence === undefined) {
    throw new CommandError('--keep is of one sequence; name it with --sequence', EXIT_USAGE);
  }
  const options = {
    urls: [argv['url-a'] as string, argv['url-b'] as string] as const,
    seed: numberOf(argv, 'seed', 0),
    stepCount: numberOf(argv, 'steps', 1) ?? STEPS_DEFAULT,
    sequenceCount: numberOf(argv, 'sequences', 1) ?? SEQUENCES_DEFAULT,
    sequence,
    keep,
    quorum: argv['quorum'] === true,
    concurrency: numberOf(argv, 'concurrency', 1),
  };
  const { compareBrokers } = (await import(COMPARISON.href)) as Comparison;
  const exitCode = await compareBrokers(options, PROCESS_OUTPUT);
  await outputWritten();
  return exitCode;
}

function numberOf(argv: ToolArguments, name: string, least: number): number | undefined {
  const text = textOf(argv, name);
  return text === undefined ? undefined : wholeNumber(name, text, least);
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= SEED_MAX) return value;
  throw new CommandError(
    `--${name} must be a whole number from ${least} to ${SEED_MAX}, not ${quote(text)}`,
    EXIT_USAGE,
  );
}
