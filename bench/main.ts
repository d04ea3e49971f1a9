#!/usr/bin/env node
/**
 * Runs scenarios against one or more brokers: `npm run bench -- [URL ...] [--runs N] [--only NAME,NAME] [--json]`.
 * Without a URL it starts a Leveret of its own, in memory. The brokers take turns (A B A B), medians are compared,
 * and with several brokers each figure is also given as a ratio to the last one.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { RunResult } from './load.js';
import { type Scenario, scenarios } from './scenarios.js';

const HELP = `usage: npm run bench -- [URL ...] [--runs N] [--only NAME,NAME] [--json]

Without a URL a Leveret is started for the purpose, in memory.
Scenarios: ${scenarios.map(({ name }) => name).join(', ')}
`;

interface Target {
  readonly label: string;
  readonly url: string;
  /** Known when the broker was started here. */
  readonly pid: number | undefined;
}

interface Figure {
  readonly scenario: string;
  readonly title: string;
  readonly perSecond: readonly number[];
  readonly publishSeconds: readonly number[];
  /** Resident memory of the broker after each run, in bytes; only of a broker started here. */
  readonly residentBytes: readonly number[];
}

const execute = promisify(execFile);
const loadProgram = fileURLToPath(new URL('./load.js', import.meta.url));
const leveretProgram = fileURLToPath(new URL('../main.js', import.meta.url));

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) {
    throw new Error(`--runs takes a whole number from 1 on, not '${values.runs}'`);
  }
  const chosen = chooseScenarios(values.only);
  const started = positionals.length === 0 ? await startLeveret() : undefined;
  const targets: Target[] =
    started === undefined
      ? positionals.map((url) => ({ label: url.replace(/\/\/[^@]*@/, '//'), url, pid: undefined }))
      : [started.target];
  try {
    const results = await measure(targets, chosen, runs, !values.json);
    process.stdout.write(
      values.json ? `${JSON.stringify(results, undefined, 2)}\n` : table(targets, results),
    );
  } finally {
    started?.child.kill();
  }
}

function chooseScenarios(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return scenarios;
  return only.split(',').map((name) => {
    const scenario = scenarios.find((candidate) => candidate.name === name);
    if (scenario === undefined) {
      throw new Error(`no scenario '${name}'; there are ${scenarios.map((one) => one.name).join(', ')}`);
    }
    return scenario;
  });
}

/** By broker, by scenario. */
async function measure(
  targets: readonly Target[],
  chosen: readonly Scenario[],
  runs: number,
  isVerbose: boolean,
): Promise<Figure[][]> {
  const results: Figure[][] = targets.map(() => []);
  for (const scenario of chosen) {
    const figures = targets.map(() => ({
      scenario: scenario.name,
      title: scenario.title,
      perSecond: [] as number[],
      publishSeconds: [] as number[],
      residentBytes: [] as number[],
    }));
    for (let run = 0; run <= runs; run++) {
      for (const [i, target] of targets.entries()) {
        if (isVerbose) process.stderr.write(`${scenario.name}: run ${run} of ${runs}, ${target.label}\r`);
        // The first round warms up: compiled code, grown buffers.
        const messages = run === 0 ? Math.ceil(scenario.messages / 4) : scenario.messages;
        const result = await load(target, scenario, messages);
        if (run === 0) continue;
        figures[i]!.perSecond.push(result.perSecond);
        figures[i]!.publishSeconds.push(result.publishSeconds);
        if (target.pid !== undefined) figures[i]!.residentBytes.push(residentBytes(target.pid));
      }
    }
    for (const [i, figure] of figures.entries()) results[i]!.push(figure);
  }
  if (isVerbose) process.stderr.write('\n');
  return results;
}

async function load(target: Target, scenario: Scenario, messages: number): Promise<RunResult> {
  const args = [loadProgram, target.url, scenario.name, String(messages)];
  const { stdout } = await execute(process.execPath, args, { timeout: 300_000 });
  return JSON.parse(stdout) as RunResult;
}

async function startLeveret(): Promise<{ child: ChildProcess; target: Target }> {
  const args = [
    leveretProgram,
    'start',
    '--in-memory',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--log-format',
    'json',
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve, reject) => {
    let output = '';
    child.once('exit', (code) => reject(new Error(`the broker ended with code ${code}: ${output}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      for (const line of output.split('\n')) {
        if (!line.includes('Server startup complete')) continue;
        const found = /"port":(\d+)/.exec(line);
        if (found !== null) resolve(Number(found[1]));
      }
    });
  });
  const url = `amqp://guest:guest@127.0.0.1:${port}/%2F`;
  return { child, target: { label: 'leveret', url, pid: child.pid } };
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024;
}

function table(targets: readonly Target[], results: readonly (readonly Figure[])[]): string {
  const lines: string[] = [];
  for (const [s, { title }] of results[0]!.entries()) {
    lines.push(title);
    const last = median(results.at(-1)![s]!.perSecond);
    for (const [i, target] of targets.entries()) {
      const { perSecond, publishSeconds, residentBytes: resident } = results[i]![s]!;
      const middle = median(perSecond);
      const parts = [
        `${thousands(middle)} messages/s`,
        `(${thousands(Math.min(...perSecond))} to ${thousands(Math.max(...perSecond))})`,
      ];
      if (publishSeconds[0]! > 0) {
        const published = median(publishSeconds);
        parts.push(`published in ${published.toFixed(2)} s`);
      }
      if (resident.length > 0) parts.push(`${Math.round(median(resident) / 1_048_576)} MB resident`);
      if (targets.length > 1 && i < targets.length - 1)
        parts.push(`${(middle / last).toFixed(2)} times the last`);
      lines.push(`  ${target.label}: ${parts.join(', ')}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
