/**
 * `leveret bench`: the load generator, run against any brokers. Like the conformance suite it shares nothing with the
 * broker, is compiled beside it, and is found by its place when this command is given.
 */
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

const OPTIONS = {
  runs: {
    type: 'string',
    requiresArg: true,
    description: 'NUMBER: runs of each scenario, after one to warm up; medians are compared',
    defaultDescription: '5',
  },
  only: {
    type: 'string',
    requiresArg: true,
    description: 'NAMES: runs the scenarios with these names or globs, such as "ack-16,durable-*"',
  },
  'messages-scale': {
    type: 'string',
    requiresArg: true,
    description: 'FACTOR: times the messages of each scenario; below 1 it is sooner done',
    defaultDescription: '1',
  },
  'vs-rabbitmq': {
    type: 'boolean',
    description: "starts Debian's RabbitMQ, installing it when it is missing, to compare with",
  },
  scaling: {
    type: 'boolean',
    description: 'measures what a message costs with more and more queues, bindings, connections, messages',
  },
  json: { type: 'boolean', description: 'writes the figures as JSON' },
  list: { type: 'boolean', description: 'names what there is to measure, and measures nothing' },
} as const;

export const BENCH_FLAGS: readonly string[] = Object.keys(OPTIONS).map((name) => `--${name}`);
export const BENCH_SWITCHES: readonly string[] = Object.entries(OPTIONS)
  .filter(([, option]) => option.type === 'boolean')
  .map(([name]) => `--${name}`);

const RUNS_MAX = 1000;
const SCALE_MAX = 1000;

/** What `bench/main.ts` exports, as far as it is used here. */
interface Bench {
  bench(
    options: {
      readonly urls: readonly string[];
      readonly runs: number | undefined;
      readonly only: string | undefined;
      readonly messagesScale: number | undefined;
      readonly list: boolean;
      readonly json: boolean;
      readonly isVsRabbit: boolean;
      readonly isScaling: boolean;
    },
    output: ToolOutput,
  ): Promise<number>;
}

const PROGRAM = new URL('../bench/main.js', import.meta.url);

export function benchCommand(): CommandModule {
  return {
    command: 'bench [urls..]',
    describe:
      'measure brokers by their URLs, or a Leveret that is started for it; the last one is compared with',
    builder: (yargs) =>
      yargs
        .positional('urls', { type: 'string', array: true, description: 'amqp://user:password@host:port' })
        .options(OPTIONS),
    handler: (argv) => {
      throw new ChosenCommand(() => runBench(argv));
    },
  };
}

async function runBench(argv: ToolArguments): Promise<number> {
  const options = {
    urls: (argv['urls'] as readonly string[] | undefined) ?? [],
    runs: numberOf(argv, 'runs', /^\d+$/, 1, RUNS_MAX),
    only: textOf(argv, 'only'),
    messagesScale: numberOf(argv, 'messages-scale', /^\d*\.?\d+$/, Number.MIN_VALUE, SCALE_MAX),
    list: argv['list'] === true,
    json: argv['json'] === true,
    isVsRabbit: argv['vs-rabbitmq'] === true,
    isScaling: argv['scaling'] === true,
  };
  const { bench } = (await import(PROGRAM.href)) as Bench;
  const exitCode = await bench(options, PROCESS_OUTPUT);
  await outputWritten();
  return exitCode;
}

function numberOf(
  argv: ToolArguments,
  name: string,
  pattern: RegExp,
  min: number,
  max: number,
): number | undefined {
  const text = textOf(argv, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (pattern.test(text) && value >= min && value <= max) return value;
  const kind = min === 1 ? `a whole number from 1 to ${max}` : `a number above 0, at most ${max}`;
  throw new CommandError(`--${name} must be ${kind}, not ${quote(text)}`, EXIT_USAGE);
}
