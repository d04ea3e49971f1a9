/** The built program as a process of its own: what it prints, what it exits with, how it ends. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const IN_MEMORY = ['start', '--in-memory', '--host', '127.0.0.1', '--port', '0'];

let directory = '';
const running = new Set<ChildProcess>();

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: run `npm run build`');
  directory = mkdtempSync(join(tmpdir(), 'leveret-cli-'));
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface LogLine {
  readonly msg: string;
  readonly level: string;
  readonly port?: number;
  readonly startupMs?: number;
}

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The port of the ready line; rejects when the program ends without one. */
  readonly ready: Promise<number>;
}

/** Starts the program in a directory of its own, with no `LEVERET_*` variable but those given. */
function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Program {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('LEVERET_'));
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: directory,
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
  });
  const ready = new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.includes('Server startup complete')) return;
      // As JSON or as text.
      resolve(Number(/"port":(\d+)|port=(\d+)/.exec(line)?.slice(1).join('')));
    });
    ended.then(({ stderr: text }) => reject(new Error(`it ended before it was ready: ${text}`)));
  });
  // Most tests do not wait for it.
  ready.catch(() => {});
  return { child, ended, ready };
}

function logOf({ stdout }: Ended): readonly LogLine[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);
}

/** Whether something accepts connections there. */
function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('help and version', () => {
  it('are printed on standard output', async () => {
    const [help, startHelp, version] = await Promise.all([
      start(['--help']).ended,
      start(['start', '-h']).ended,
      start(['--version']).ended,
    ]);
    for (const { code, stderr } of [help, startHelp, version])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { stdout } of [help, startHelp]) {
      expect(stdout).toContain('--data-dir');
      expect(stdout).toContain('LEVERET_DATA_DIR');
    }
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('the conformance suite', () => {
  it('judges a broker', async () => {
    const { child, ready, ended } = start(IN_MEMORY);
    const url = `amqp://guest:guest@127.0.0.1:${await ready}`;
    const judged = await start(['conformance', url, '--only', 'channel/*']).ended;
    expect([judged.code, judged.stderr]).toEqual([0, '']);
    expect(judged.stdout).toContain('all passed');
    const nobody = await start(['conformance', url, '--limited-user', 'nobody']).ended;
    expect([nobody.code, nobody.stdout]).toEqual([64, '']);
    expect(nobody.stderr).toContain("'nobody' is no user for --limited-user; write NAME:PASSWORD");
    const compared = await start(['conformance', 'diff', url, url, '--sequences', '1', '--seed', '1']).ended;
    expect([compared.code, compared.stderr]).toEqual([0, '']);
    expect(compared.stdout).toContain('0 unexplained kinds of difference');
    child.kill('SIGTERM');
    await ended;
    const unreachable = await start(['conformance', url]).ended;
    expect(unreachable.code).toBe(1);
    expect(unreachable.stderr).toContain('ECONNREFUSED');
  });

  it('writes a long report to a pipe as a whole', async () => {
    const { child, ready, ended } = start(IN_MEMORY);
    const url = `amqp://guest:guest@127.0.0.1:${await ready}`;
    // The reader is late on purpose: a report that is not waited for is cut off where the pipe is full.
    const script = `"$0" "$1" conformance "$2" --tag core --report json | (sleep 3; cat)`;
    const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, MAIN, url], {
      maxBuffer: 10_000_000,
    });
    child.kill('SIGTERM');
    await ended;
    // More than a pipe takes at once.
    expect(stdout.length).toBeGreaterThan(65_536);
    expect(() => JSON.parse(stdout)).not.toThrow();
  });

  it('lists its cases', async () => {
    const { code, stdout } = await start(['conformance', '--list', '--tag', 'core']).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('channel/open-1 ');
  });
});

describe('the benchmark', () => {
  it('measures a broker that it starts, and stops it', async () => {
    const args = ['bench', '--only', 'connect,ack-1?', '--runs', '1', '--messages-scale', '0.002', '--json'];
    const { code, stdout } = await start(args).ended;
    expect(code).toBe(0);
    const reports = JSON.parse(stdout) as { name: string; failures: []; figures: { brokers: object[] }[] }[];
    expect(reports.map(({ name }) => name)).toEqual(['ack-16', 'ack-1k', 'connect']);
    for (const { failures, figures } of reports) {
      expect(failures).toEqual([]);
      expect(figures[0]!.brokers).toHaveLength(1);
    }
  });

  it('fails when a broker is not there', async () => {
    const { code, stderr } = await start(['bench', 'amqp://127.0.0.1:1', '--only', 'connect']).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('cannot open a connection to the broker at 127.0.0.1:1');
  });

  it('lists its scenarios', async () => {
    const { code, stdout } = await start(['bench', '--list', '--only', 'durable-*']).ended;
    expect([code, stdout.split('\n').length]).toEqual([0, 4]);
  });
});

describe('wrong usage', () => {
  it.each([
    [['stop'], "unknown command 'stop'; see leveret --help"],
    [['strat'], "unknown command 'strat'; did you mean start?"],
    [
      ['start', 'extra'],
      "unexpected argument 'extra'; every option of start begins with --, see leveret --help",
    ],
    [['start', '--prot', '5'], 'unknown flag --prot; did you mean --port?'],
    [['--data-dirr=x'], 'unknown flag --data-dirr; did you mean --data-dir?'],
    [['--dataDir', 'x'], 'unknown flag --dataDir; did you mean --data-dir?'],
    [['--no-in-memory'], 'unknown flag --no-in-memory; did you mean --in-memory?'],
    [['-x'], 'unknown flag -x; see leveret --help'],
    [['--port'], '--port needs a value; see leveret --help'],
    [['--port', '--host', '::1'], '--port needs a value; see leveret --help'],
    [['--port', '1', '--port', '2'], '--port was given 2 times; give it once'],
    [['--in-memory=maybe'], '--in-memory takes no value; write --in-memory or leave it out'],
    [['start', '--', 'x'], "'--' has no meaning here; leave it out"],
    [['--in-memory', '--data-dir', 'x'], '--data-dir and --in-memory contradict each other; leave one out'],
    [['conformance', '--onyl', 'x'], 'unknown flag --onyl; did you mean --only?'],
    [
      ['conformance', 'amqp://a', 'amqp://b'],
      "unexpected argument 'amqp://b'; conformance judges one broker at a time",
    ],
    [
      ['conformance', 'diff', 'amqp://a'],
      'conformance diff needs the URLs of two brokers, amqp://user:password@host:port; see leveret --help',
    ],
    [
      ['conformance', 'diff', 'amqp://a', 'amqp://b', 'amqp://c'],
      "unexpected argument 'amqp://c'; conformance diff compares two brokers",
    ],
    [['conformance', 'diff', 'a', 'b', '--sed', '1'], 'unknown flag --sed; did you mean --seed?'],
    [
      ['conformance', 'diff', 'a', 'b', '--steps', '0'],
      "--steps must be a whole number from 1 to 4294967295, not '0'",
    ],
    [['conformance', 'diff', 'a', 'b', '--keep', '1'], '--keep is of one sequence; name it with --sequence'],
    [['conformance', '--dialect', '5'], "--dialect must be one of rabbitmq-4, rabbitmq-3, not '5'"],
    [['conformance', '--tag', 'core', '--tag', 'x'], '--tag was given 2 times; give it once'],
    [['conformance', '--list=yes'], '--list takes no value; write --list or leave it out'],
    [['bench', '--rnus', '3'], 'unknown flag --rnus; did you mean --runs?'],
    [['bench', '--runs', '0'], "--runs must be a whole number from 1 to 1000, not '0'"],
    [['bench', '--messages-scale', 'x'], "--messages-scale must be a number above 0, at most 1000, not 'x'"],
    [['bench', '--json=yes'], '--json takes no value; write --json or leave it out'],
    [['--user', 'secret'], '--user must be NAME:PASSWORD or NAME:PASSWORD:TAG,TAG'],
  ])('%j is one sentence and exit code 64', async (args, message) => {
    expect(await start(args).ended).toEqual({
      code: 64,
      signal: null,
      stdout: '',
      stderr: `leveret: ${message}\n`,
    });
  });
});

describe('wrong configuration', () => {
  it('in a variable or the file is one sentence and exit code 78', async () => {
    writeFileSync(join(directory, 'wrong.json'), '{"port": "x"}');
    const [variable, file] = await Promise.all([
      start(['start'], { LEVERET_PROT: '1' }).ended,
      start(['start', '--config', 'wrong.json']).ended,
    ]);
    expect(variable).toMatchObject({
      code: 78,
      stdout: '',
      stderr: 'leveret: unknown environment variable LEVERET_PROT; did you mean LEVERET_PORT?\n',
    });
    expect(file).toMatchObject({
      code: 78,
      stdout: '',
      stderr: 'leveret: "port" in wrong.json must be a number, not \'x\'\n',
    });
  });
});

describe('a broker', () => {
  it('logs JSON into a pipe, listens where it says, and ends with 0 on SIGTERM', async () => {
    const program = start(IN_MEMORY);
    const port = await program.ready;
    expect(await isListening(port)).toBe(true);
    program.child.kill('SIGTERM');
    const ended = await program.ended;
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const log = logOf(ended);
    expect(log.map(({ level }) => level)).not.toContain('warning');
    expect(log[0]!.msg).toBe(`started TCP listener on 127.0.0.1:${port}`);
    const ready = log.find(({ msg }) => msg.includes('Server startup complete'));
    expect(ready).toMatchObject({ level: 'info', port });
    expect(ready?.startupMs).toBeGreaterThan(0);
    expect(await isListening(port)).toBe(false);
  });

  it('ends with 130 on SIGINT, also without a command', async () => {
    const program = start(IN_MEMORY.slice(1));
    await program.ready;
    program.child.kill('SIGINT');
    expect(await program.ended).toMatchObject({ code: 130, signal: null, stderr: '' });
  });

  it('takes its options from variables and a file too', async () => {
    writeFileSync(join(directory, 'right.json'), '{"in-memory": true, "host": "127.0.0.1", "port": 1}');
    const program = start([], {
      LEVERET_CONFIG: 'right.json',
      LEVERET_PORT: '0',
      LEVERET_LOG_FORMAT: 'text',
    });
    expect(await isListening(await program.ready)).toBe(true);
    program.child.kill('SIGTERM');
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^\d{4}-\d\d-\d\d [\d:.]+ \[info\] Server startup complete in \d+ ms port=\d+ startupMs=\d+$/m,
    );
  });

  it('listens on the loopback addresses of both families by default', async () => {
    const program = start(['start', '--in-memory', '--port', '0']);
    const port = await program.ready;
    program.child.kill('SIGTERM');
    const listeners = logOf(await program.ended)
      .map(({ msg }) => msg)
      .filter((msg) => msg.startsWith('started TCP listener'));
    expect(listeners).toContain(`started TCP listener on 127.0.0.1:${port}`);
    for (const listener of listeners) expect(listener).toMatch(/ on (127\.0\.0\.1|\[::1\]):\d+$/);
  });

  it('says who has its port, and ends with 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      const args = ['start', '--in-memory', '--host', '127.0.0.1', '--port', String(port)];
      expect(await start(args).ended).toMatchObject({
        code: 1,
        stderr: `leveret: port ${port} on 127.0.0.1 is already in use; stop the other broker or choose another with --port\n`,
      });
    } finally {
      other.close();
    }
  });

  it('does not share its data directory, and gives it back when it is killed', async () => {
    const args = ['start', '--data-dir', 'data', '--host', '127.0.0.1', '--port', '0'];
    const first = start(args);
    await first.ready;
    expect(await start(args).ended).toMatchObject({
      code: 1,
      stderr:
        'leveret: the data directory data is in use by another broker; ' +
        'stop it, or give this one its own with --data-dir\n',
    });
    first.child.kill('SIGKILL');
    await first.ended;
    const second = start(args);
    await second.ready;
    second.child.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ code: 0 });
  });

  it('in memory makes no directory', async () => {
    const program = start(IN_MEMORY);
    await program.ready;
    program.child.kill('SIGTERM');
    await program.ended;
    expect(existsSync(join(directory, 'leveret-data'))).toBe(false);
  });
});
