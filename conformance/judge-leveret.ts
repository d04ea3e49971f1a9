#!/usr/bin/env node
/** `npm run conformance`: starts a Leveret in memory, in a process of its own, and judges it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

/** Starts a broker on a free port and returns its URL and what ends it. */
async function startLeveret(): Promise<{ readonly url: string; readonly stop: () => void }> {
  const args = [
    PROGRAM,
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
    child.once('exit', (code) => reject(new Error(`leveret start ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, port: found } = JSON.parse(line) as { readonly msg: string; readonly port?: number };
      if (msg.includes('Server startup complete') && found !== undefined) resolve(found);
    });
  });
  return { url: `amqp://guest:guest@127.0.0.1:${port}`, stop: () => child.kill('SIGTERM') };
}

function judge(url: string): Promise<number> {
  const args = [PROGRAM, 'conformance', url, ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const { url, stop } = await startLeveret();
const exitCode = await judge(url);
stop();
process.exit(exitCode);
