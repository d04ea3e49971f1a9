/** Finds the cases, runs them side by side against one broker, and keeps what each came to. */
import { basename, dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fastGlob from 'fast-glob';
import type { BrokerUrl } from './broker-url.js';
import { appliesTo, areaOf, type Case, type Dialect, type Tag } from './case.js';
import { CaseContext } from './context.js';
import { matchesGlob } from './glob.js';
import type { LimitedUser } from './limited-user.js';

export interface CaseResult {
  readonly of: Case;
  /** Undefined when the case passed, or was skipped. */
  readonly failure: string | undefined;
  /** Why the case was not run; undefined when it was. */
  readonly skipped?: string | undefined;
  readonly elapsedMs: number;
}

export interface RunOptions {
  readonly broker: BrokerUrl;
  readonly dialect: Dialect;
  readonly limitedUser?: LimitedUser | undefined;
  /** How many cases run at once, besides those that wait. */
  readonly concurrency?: number;
  readonly timeLimitMs?: number;
  readonly onResult?: (result: CaseResult, doneCount: number) => void;
}

const CONCURRENCY = 8;
const TIME_LIMIT_MS = 15_000;
const WITHOUT_LIMITED_USER = 'it needs a second user with few permissions: give --limited-user';

/** Every case under `cases/<area>/`, in the order of their ids. */
export async function findCases(): Promise<Case[]> {
  // Compiled or as they are written: whatever this file is itself.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const cwd = fileURLToPath(new URL('./cases/', import.meta.url));
  const paths = await fastGlob(`*/*.${extension}`, { cwd, absolute: true, ignore: ['**/*.d.ts'] });
  const cases: Case[] = [];
  for (const path of paths.sort()) {
    const file = (await import(pathToFileURL(path).href)) as { readonly cases?: readonly Case[] };
    if (file.cases === undefined) throw new Error(`${path} exports no cases`);
    const stray = file.cases.find((found) => areaOf(found) !== basename(dirname(path)));
    if (stray !== undefined) throw new Error(`${stray.id} is in ${path}, the folder of another area`);
    cases.push(...file.cases);
  }
  const seen = new Set<string>();
  for (const { id } of cases) {
    if (seen.has(id)) throw new Error(`there are two cases named ${id}`);
    seen.add(id);
  }
  return cases.sort((a, b) => (a.id < b.id ? -1 : 1));
}

export interface Choice {
  readonly dialect: Dialect;
  readonly only?: string | undefined;
  readonly tag?: Tag | undefined;
}

/** The cases that apply to the dialect, of those that were asked for. */
export function chooseCases(cases: readonly Case[], { dialect, only = '*', tag }: Choice): Case[] {
  return cases.filter(
    (one) =>
      appliesTo(one, dialect) && matchesGlob(one.id, only) && (tag === undefined || one.tags.includes(tag)),
  );
}

/** @returns the results in the order of the cases */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<CaseResult[]> {
  const { concurrency = CONCURRENCY, onResult } = options;
  const results: CaseResult[] = [];
  let doneCount = 0;
  const runAt = async (i: number): Promise<void> => {
    const result = await runCase(cases[i]!, options);
    results[i] = result;
    onResult?.(result, ++doneCount);
  };
  const indexes = [...cases.keys()];
  const waiting = indexes.filter((i) => cases[i]!.waits === true);
  const working = indexes.filter((i) => cases[i]!.waits !== true);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < working.length; i = next++) await runAt(working[i]!);
  };
  await Promise.all([
    ...waiting.map(runAt),
    ...Array.from({ length: Math.min(concurrency, working.length) }, work),
  ]);
  return results;
}

async function runCase(of: Case, options: RunOptions): Promise<CaseResult> {
  const { broker, dialect, limitedUser, timeLimitMs = TIME_LIMIT_MS } = options;
  if (of.needs === 'limited-user' && limitedUser === undefined) {
    return { of, failure: undefined, skipped: WITHOUT_LIMITED_USER, elapsedMs: 0 };
  }
  const context = new CaseContext(broker, dialect, limitedUser);
  const startMs = performance.now();
  let failure: string | undefined;
  try {
    await withinLimit(of.run(context), timeLimitMs, 'the case');
  } catch (error) {
    failure = messageOf(error);
  }
  try {
    await withinLimit(context.close(), timeLimitMs, 'its clean-up');
  } catch (error) {
    failure ??= `could not clean up: ${messageOf(error)}`;
  }
  return { of, failure, elapsedMs: performance.now() - startMs };
}

async function withinLimit(work: Promise<void>, limitMs: number, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} was not done within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
