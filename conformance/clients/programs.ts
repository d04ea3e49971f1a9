/** The programs of a client: which there are, and what one of them prints when it runs against a broker. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BrokerUrl } from '../broker-url.js';
import type { Client, Command } from './clients.js';

/** A program of a client, as `client/name`. */
export interface Program {
  readonly id: string;
  readonly client: Client;
  readonly file: string;
}

/** Where programs run, and against what. */
export interface ProgramContext {
  readonly url: string;
  readonly broker: BrokerUrl;
  /** A folder for what compilers make, which the caller deletes. */
  readonly scratchFolder: string;
}

/** What a program printed on a broker, with all that differs from run to run taken out. */
export interface Printed {
  readonly text: string;
  /** Why it did not end well, with what it wrote to its standard error. */
  readonly failure?: string;
}

const PROGRAM_LIMIT_MS = 30_000;
const COMPILE_LIMIT_MS = 60_000;

/** @param folder - the source folder `conformance/clients`, which the package does not carry */
export function findPrograms(folder: string, client: Client): Program[] {
  return readdirSync(join(folder, client.name))
    .filter((file) => file.endsWith(client.extension) && !file.startsWith(client.shared))
    .sort()
    .map((file) => ({
      // Java names a class, and so its file, WorkQueue, where the others say work-queue.
      id: `${client.name}/${kebabCase(file.slice(0, -client.extension.length))}`,
      client,
      file: join(folder, client.name, file),
    }));
}

function kebabCase(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase();
}

/** Compiles the programs of a client that need it. Rejects with what the compiler said. */
export async function compilePrograms(folder: string, client: Client, scratchFolder: string): Promise<void> {
  if (client.compile === undefined) return;
  const outputFolder = join(scratchFolder, client.name);
  mkdirSync(outputFolder, { recursive: true });
  const sources = readdirSync(join(folder, client.name))
    .filter((file) => file.endsWith(client.extension))
    .map((file) => join(folder, client.name, file));
  const { status, stdout, stderr } = await run(client.compile(sources, outputFolder), COMPILE_LIMIT_MS);
  if (status !== 0) throw new Error(`the ${client.name} programs do not compile:\n${stdout}${stderr}`);
}

/** Runs a program with a name of its own for its queues and exchanges. */
export async function runProgram(program: Program, context: ProgramContext): Promise<Printed> {
  const name = `clients.${program.id.replace('/', '.')}.${randomBytes(6).toString('hex')}`;
  const command = program.client.command(program.file, join(context.scratchFolder, program.client.name));
  const { status, stdout, stderr } = await run([...command, context.url, name], PROGRAM_LIMIT_MS);
  const text = withoutWhatVaries(stdout, name, context.broker);
  if (status === 0) return { text };
  const how =
    status === null ? `was killed after ${PROGRAM_LIMIT_MS / 1000} s` : `ended with exit status ${status}`;
  return { text, failure: `${how}\n${stderr.trimEnd()}`.trimEnd() };
}

function withoutWhatVaries(text: string, name: string, { host, port, user }: BrokerUrl): string {
  return text
    .replaceAll(name, 'NAME')
    .replaceAll(`${host}:${port}`, 'HOST:PORT')
    .replaceAll(`'${user}'`, "'USER'")
    .replaceAll(`Username: ${user},`, 'Username: USER,')
    .replaceAll(/\bamq\.gen-[\w-]+/g, 'amq.gen-*')
    .replaceAll(/\bamq\.ctag-[\w-]+/g, 'amq.ctag-*')
    .replaceAll(/\bamq\.rabbitmq\.reply-to\.[\w+/=.-]+/g, 'amq.rabbitmq.reply-to.*');
}

interface Outcome {
  /** Null when it was killed. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run([program, ...args]: Command, limitMs: number): Promise<Outcome> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...output }));
  });
}
