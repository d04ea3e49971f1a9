/**
 * Runs clients that are programs: Python scripts for pika and the C tools of librabbitmq. What a machine lacks
 * is a failure that says what to install: a test that is skipped proves nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { CLIENTS, PYTHON } from '../../conformance/clients/clients.js';
import { Inbox } from './inbox.js';

/** One line a pika script printed: see pika/common.py. */
export interface ScriptEvent {
  readonly event: string;
  readonly [name: string]: unknown;
}

/** A script that runs. */
export interface Script {
  /** What it prints, as it prints it. */
  readonly events: Inbox<ScriptEvent>;
  /** Everything it printed, once it has ended with exit status 0. Rejects with its errors otherwise. */
  finished(): Promise<readonly ScriptEvent[]>;
  /** Ends it as a crash does, whatever it is doing (SIGKILL), and waits until it is gone. */
  kill(): Promise<void>;
}

/** How a program ended. `status` is null when a signal ended it. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Fails unless Debian's Python can import pika. */
export function requirePika(): void {
  requireClient('python');
}

/** Fails unless the command line tools of librabbitmq are there. */
export function requireAmqpTools(): void {
  requireClient('shell');
}

/** Fails unless a client of the conformance suite can run here. */
export function requireClient(name: string): void {
  const { library, packages, isInstalled } = CLIENTS.find((client) => client.name === name)!;
  if (isInstalled()) return;
  throw new Error(`${library} is missing: apt-get install ${packages.join(' ')} (Debian packages)`);
}

/** Starts `pika/<script>.py URL NAME ...more`. It is killed if the test ends before it does. */
export function startPika(script: string, url: string, name: string, ...more: readonly string[]): Script {
  const path = fileURLToPath(new URL(`pika/${script}.py`, import.meta.url));
  const child = spawn(PYTHON, [path, url, name, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // No byte code in the source tree; UTF-8 whatever the locale of the machine.
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1' },
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const events = new Inbox<ScriptEvent>();
  const all: ScriptEvent[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as ScriptEvent;
    all.push(event);
    events.push(event);
  });
  const ended = outcome(child);
  const finished = async () => {
    const { status, stderr } = await ended;
    if (status !== 0)
      throw new Error(`${script}.py ended with status ${status} after ${JSON.stringify(all)}\n${stderr}`);
    return all;
  };
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { events, finished, kill };
}

/** Runs a pika script to its end and returns everything it printed. */
export function runPika(script: string, url: string, name: string, ...more: readonly string[]) {
  return startPika(script, url, name, ...more).finished();
}

/** Runs a program to its end, with this text as its standard input. It is killed if the test ends first. */
export function runProgram(command: string, arguments_: readonly string[], input = ''): Promise<Outcome> {
  const child = spawn(command, arguments_, { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  // A program that ends without reading its input closes the pipe: that is no failure of the test.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return outcome(child);
}

function outcome(child: ChildProcess): Promise<Outcome> {
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...output }));
  });
}
