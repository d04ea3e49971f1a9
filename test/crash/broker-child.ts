/** A broker process that is there to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The built command line program, or another build of it, to ask whether that one had a fault too. */
const MAIN_PATH =
  process.env['LEVERET_CRASH_MAIN'] ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const START_LIMIT_MS = 15_000;
const LINES_KEPT_MAX = 50;

export class BrokerChild {
  port = 0;
  /** From the start of the process to its first listener. */
  startupMs = 0;
  /** Lines it logged as errors: a kill is no reason for one. */
  readonly errorLines: string[] = [];
  private readonly child: ChildProcess;
  private readonly guard: ChildProcess;
  private readonly exited: Promise<string>;
  private readonly lines: string[] = [];
  private onListening: (port: number) => void = () => {};
  private isExpectedToEnd = false;

  private constructor(directory: string, options: readonly string[] = []) {
    this.child = spawn(process.execPath, [MAIN_PATH, ...startArguments(directory), ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Variables of this name are options of the broker; those of the tests are none.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEVERET_'))),
    });
    this.guard = guardAgainstOrphan(this.child);
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(`could not be started: ${error.message}`));
      this.child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.read(line));
    this.child.stderr!.on('data', (text: Buffer) => this.errorLines.push(text.toString().trimEnd()));
  }

  /**
   * Starts a broker and waits for its listener.
   * @param options more of the command line
   * @throws Error with what it logged, if it does not come up
   */
  static async start(directory: string, options: readonly string[] = []): Promise<BrokerChild> {
    const startedAtMs = performance.now();
    const broker = new BrokerChild(directory, options);
    let limit: NodeJS.Timeout | undefined;
    const listening = new Promise<number | string>((resolve) => {
      broker.onListening = resolve;
      limit = setTimeout(() => resolve(`no listener after ${START_LIMIT_MS} ms`), START_LIMIT_MS);
    });
    const outcome = await Promise.race([listening, broker.exited]);
    clearTimeout(limit);
    if (typeof outcome === 'string') {
      await broker.end('SIGKILL');
      throw new Error(`the broker did not start: ${outcome}\n${broker.log()}`);
    }
    broker.port = outcome;
    broker.startupMs = performance.now() - startedAtMs;
    return broker;
  }

  /** Starts a broker and kills it soon, whatever it is doing then. @returns what it logged as errors */
  static async startAndKill(directory: string, afterMs: number): Promise<readonly string[]> {
    const broker = new BrokerChild(directory);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await broker.end('SIGKILL');
    return broker.errorLines;
  }

  /** Ends it and waits until it is gone. @throws Error if it had died before, or does not stop as it should */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const diedBefore = this.child.exitCode !== null || this.child.signalCode !== null;
    this.isExpectedToEnd = true;
    this.child.kill(signal);
    const how = await this.exited;
    this.guard.kill('SIGKILL');
    if (diedBefore && this.port !== 0)
      throw new Error(`the broker died before the kill: ${how}\n${this.log()}`);
    if (signal === 'SIGTERM' && how !== 'exit code 0' && how !== 'SIGTERM') {
      throw new Error(`the broker did not stop cleanly: ${how}\n${this.log()}`);
    }
  }

  get isRunning(): boolean {
    return !this.isExpectedToEnd;
  }

  private log(): string {
    return [...this.lines, ...this.errorLines].join('\n');
  }

  private read(line: string): void {
    this.lines.push(line);
    if (this.lines.length > LINES_KEPT_MAX) this.lines.shift();
    const { level, msg, port } = parse(line);
    if (level === 'error' || level === 'fatal') this.errorLines.push(line);
    if (msg?.includes('Server startup complete') === true && port !== undefined) this.onListening(port);
  }
}

function startArguments(directory: string): readonly string[] {
  return ['start', '--data-dir', directory, '--host', '127.0.0.1', '--port', '0', '--log-format', 'json'];
}

function parse(line: string): { readonly level?: string; readonly msg?: string; readonly port?: number } {
  try {
    return JSON.parse(line);
  } catch {
    // The last line of a killed process may be torn.
    return {};
  }
}

/** A test process that is killed runs no handler; this one sees its pipe close then, and ends the broker. */
function guardAgainstOrphan(child: ChildProcess): ChildProcess {
  return spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}
