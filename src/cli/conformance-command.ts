/**
 * `leveret conformance`: the black-box suite, run against any broker. The suite is a product of its own that shares
 * nothing with the broker, so it is compiled beside it and found by its place, when this command is given.
 */
import type { CommandModule } from 'yargs';
import { CommandError, EXIT_USAGE } from './command-error.js';
import { conformanceDiffCommand } from './conformance-diff-command.js';
import { quote } from './setting.js';
import { ChosenCommand } from './start-command.js';
import {
  outputWritten,
  PROCESS_OUTPUT,
  type ToolArguments,
  type ToolOutput,
  textOf,
} from './tool-arguments.js';

const DIALECTS = ['rabbitmq-4', 'rabbitmq-3'] as const;
const FORMATS = ['junit', 'json', 'markdown'] as const;
const TAGS = ['core', 'rabbitmq', 'rabbitmq-3', 'rabbitmq-4'] as const;

const OPTIONS = {
  only: {
    type: 'string',
    requiresArg: true,
    description: 'GLOB: runs the cases whose id it matches, such as "queue/*"',
  },
  tag: { type: 'string', requiresArg: true, description: `TAG: runs the cases with it: ${TAGS.join(', ')}` },
  dialect: {
    type: 'string',
    requiresArg: true,
    description: `NAME: the generation of RabbitMQ to hold the broker to: ${DIALECTS.join(' or ')}`,
    defaultDescription: DIALECTS[0],
  },
  'limited-user': {
    type: 'string',
    requiresArg: true,
    description:
      'NAME:PASSWORD: user with few permissions, for the cases about them; conformance/README.md says which',
  },
  report: {
    type: 'string',
    requiresArg: true,
    description: `FORMAT: writes a report to standard output: ${FORMATS.join(', ')}`,
  },
  list: { type: 'boolean', description: 'names the cases and runs none' },
} as const;

/** Of this command, and not of the one below it. */
const OWN = { global: false } as const;

export const CONFORMANCE_FLAGS: readonly string[] = Object.keys(OPTIONS).map((name) => `--${name}`);

/** What `conformance/main.ts` exports, as far as it is used here. */
interface Suite {
  judge(
    options: {
      readonly url: string | undefined;
      readonly dialect: (typeof DIALECTS)[number];
      readonly only: string | undefined;
      readonly tag: (typeof TAGS)[number] | undefined;
      readonly limitedUser: string | undefined;
      readonly report: (typeof FORMATS)[number] | undefined;
      readonly list: boolean;
    },
    output: ToolOutput,
  ): Promise<number>;
}

const SUITE = new URL('../conformance/main.js', import.meta.url);

export function conformanceCommand(): CommandModule {
  return {
    command: 'conformance [url]',
    describe: 'judge a broker by its URL, amqp://user:password@host:port, with the conformance suite',
    builder: (yargs) =>
      yargs
        .command(conformanceDiffCommand())
        .positional('url', { type: 'string', description: 'the broker to judge; not needed with --list' })
        .options(
          Object.fromEntries(Object.entries(OPTIONS).map(([name, option]) => [name, { ...option, ...OWN }])),
        ),
    handler: (argv) => {
      throw new ChosenCommand(() => runSuite(argv));
    },
  };
}

async function runSuite(argv: ToolArguments): Promise<number> {
  const options = {
    url: argv['url'] as string | undefined,
    dialect: oneOf(argv, 'dialect', DIALECTS) ?? DIALECTS[0],
    only: textOf(argv, 'only'),
    tag: oneOf(argv, 'tag', TAGS),
    limitedUser: textOf(argv, 'limited-user'),
    report: oneOf(argv, 'report', FORMATS),
    list: argv['list'] === true,
  };
  const { judge } = (await import(SUITE.href)) as Suite;
  const exitCode = await judge(options, PROCESS_OUTPUT);
  await outputWritten();
  return exitCode;
}

function oneOf<T extends string>(argv: ToolArguments, name: string, values: readonly T[]): T | undefined {
  const text = textOf(argv, name);
  const found = values.find((value) => value === text);
  if (text === undefined || found !== undefined) return found;
  throw new CommandError(`--${name} must be one of ${values.join(', ')}, not ${quote(text)}`, EXIT_USAGE);
}
