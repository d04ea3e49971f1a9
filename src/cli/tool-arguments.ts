/** What the commands that measure and judge brokers have in common: how they read their options, and where they write. */
import { CommandError, EXIT_USAGE } from './command-error.js';

/** Options and positionals as yargs hands them over: nothing but text, switches apart. */
export type ToolArguments = Readonly<Record<string, unknown>>;

export interface ToolOutput {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

export const PROCESS_OUTPUT: ToolOutput = {
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
};

/** The value of an option. @throws CommandError when it was given more than once */
export function textOf(argv: ToolArguments, name: string): string | undefined {
  const value = argv[name];
  if (Array.isArray(value)) {
    throw new CommandError(`--${name} was given ${value.length} times; give it once`, EXIT_USAGE);
  }
  return value as string | undefined;
}

/** Resolves when all has left: a pipe takes 64 KiB at once, and what waits when the process ends is lost. */
export function outputWritten(): Promise<void> {
  return new Promise((resolve) => process.stdout.write('', () => resolve()));
}
