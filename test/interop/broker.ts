/**
 * The broker that the interop tests talk to.
 *
 * With LEVERET_TEST_URL set (`amqp://guest:guest@127.0.0.1:5672`) the tests run against that broker, whatever
 * it is: the same files then say whether RabbitMQ itself behaves as the tests claim. Without it, each test
 * file starts its own Leveret from the built command line program, in memory, on a port the system chooses.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';

/** A running broker. `url` has no path, which every client reads as the virtual host `/`. */
export interface InteropBroker {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Registers a broker for the whole test file: started before its first test, stopped after its last.
 * Returns a function because the address is known only once the broker is up.
 */
export function useBroker(): () => string {
  let broker: InteropBroker | undefined;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(async () => {
    await broker?.stop();
  });
  return () => {
    if (broker === undefined) throw new Error('the broker is not running: call this inside a test');
    return broker.url;
  };
}

/** Starts the broker under test. Rejects with the broker's last log lines if it does not come up. */
export async function startBroker(): Promise<InteropBroker> {
  const url = process.env['LEVERET_TEST_URL'];
  if (url !== undefined && url !== '') return { url, stop: async () => {} };

  const mainPath = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  if (!existsSync(mainPath)) {
    throw new Error('dist/main.js is missing: run `npm run build`, or set LEVERET_TEST_URL to a broker');
  }
  const child = spawn(process.execPath, [mainPath, ...START_ARGUMENTS], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const guard = guardAgainstOrphan(child);
  const log = new RecentLines();
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  child.stderr.on('data', (text: Buffer) => log.add(text.toString()));
  try {
    const port = await listeningPort(child.stdout, exited, log);
    return { url: `amqp://guest:guest@127.0.0.1:${port}`, stop: () => stop(child, guard, exited, log) };
  } catch (error) {
    child.kill('SIGKILL');
    guard.kill('SIGKILL');
    throw error;
  }
}

const START_ARGUMENTS = [
  'start',
  '--in-memory',
  '--host',
  '127.0.0.1',
  '--port',
  '0',
  '--log-format',
  'json',
] as const;

// Below vitest's hook timeout of 20 s, so that the failure shows the broker's log and not only a timeout.
const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 10_000;

function listeningPort(stdout: Readable, exited: Promise<string>, log: RecentLines): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the broker did not start: ${why}\n${log.text()}`));
    const limit = setTimeout(() => fail(`no listener after ${START_LIMIT_MS} ms`), START_LIMIT_MS);
    createInterface({ input: stdout }).on('line', (line) => {
      log.add(line);
      if (!line.includes('Server startup complete')) return;
      clearTimeout(limit);
      const { port } = JSON.parse(line) as { readonly port?: unknown };
      if (typeof port === 'number') resolve(port);
      else fail('its start-up log line has no port');
    });
    exited.then((how) => {
      clearTimeout(limit);
      fail(how);
    });
  });
}

/** Ends the broker as an operator would, and fails if it had already died or does not obey. */
async function stop(child: ChildProcess, guard: ChildProcess, exited: Promise<string>, log: RecentLines) {
  const diedBefore = child.exitCode !== null || child.signalCode !== null;
  let obeyed = true;
  const limit = setTimeout(() => {
    obeyed = false;
    child.kill('SIGKILL');
  }, STOP_LIMIT_MS);
  child.kill('SIGTERM');
  const how = await exited;
  clearTimeout(limit);
  guard.kill('SIGKILL');
  if (diedBefore) throw new Error(`the broker died during the tests: ${how}\n${log.text()}`);
  if (!obeyed)
    throw new Error(`the broker was still running ${STOP_LIMIT_MS} ms after SIGTERM\n${log.text()}`);
  if (how !== 'exit code 0' && how !== 'signal SIGTERM') {
    throw new Error(`the broker did not stop cleanly on SIGTERM: ${how}\n${log.text()}`);
  }
}

/**
 * A test process that is killed runs no exit handler, and its broker would live on. This small process holds
 * the other end of a pipe from the test process: when the pipe closes, for whatever reason, the broker dies.
 */
function guardAgainstOrphan(child: ChildProcess): ChildProcess {
  const script =
    "process.stdin.resume().on('end', () => { try { process.kill(Number(process.argv[1]), 'SIGKILL') } catch {} })";
  return spawn(process.execPath, ['-e', script, String(child.pid)], { stdio: ['pipe', 'ignore', 'ignore'] });
}

/** The last lines a process wrote, for the message of a failure. */
class RecentLines {
  readonly #lines: string[] = [];

  add(text: string): void {
    this.#lines.push(text.trimEnd());
    if (this.#lines.length > 50) this.#lines.shift();
  }

  text(): string {
    return this.#lines.join('\n');
  }
}
