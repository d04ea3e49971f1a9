/** Whether a program printed on a broker what it printed on RabbitMQ. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lineDifference } from './line-difference.js';
import type { Printed, Program } from './programs.js';

/** How a program fared: `undefined` when it printed what it is to print, otherwise why it did not, to be read. */
export type Complaint = string | undefined;

export function expectedFile(folder: string, { id }: Program): string {
  return join(folder, 'expected', `${id}.txt`);
}

export function judgeProgram(folder: string, program: Program, { text, failure }: Printed): Complaint {
  const file = expectedFile(folder, program);
  if (!existsSync(file))
    return 'nothing has been recorded for it: run with --record and the URL of a RabbitMQ';
  const expected = readFileSync(file, 'utf8');
  const complaints = [];
  if (failure !== undefined) complaints.push(failure);
  if (text !== expected) complaints.push(lineDifference(expected, text));
  return complaints.length === 0 ? undefined : complaints.join('\n');
}

/** Makes what was printed what is expected, unless the program failed. */
export function recordProgram(folder: string, program: Program, { text, failure }: Printed): Complaint {
  if (failure !== undefined) return failure;
  const file = expectedFile(folder, program);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return undefined;
}
