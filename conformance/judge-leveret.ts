#!/usr/bin/env node
/** `npm run conformance`: starts a Leveret in memory, in a process of its own, and judges it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FORBIDDEN_VHOST, LIMITED_PERMISSIONS } from './limited-user.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));
const LIMITED_USER = 'limited:limited';
/** The generation of Leveret that speaks the dialect; without one it answers as RabbitMQ 4. */
const GENERATION_OF_RABBITMQ_3 = '3.13';

/** Whether the arguments of the suite hold the broker to RabbitMQ 3. */
function isRabbitmq3(args: readonly string[]): boolean {
  const at = args.indexOf('--dialect');
  return at < 0 ? args.includes('--dialect=rabbitmq-3') : args[at + 1] === 'rabbitmq-3';
}

/** Starts a broker on a free port and returns its URL and what ends it. */
async function startLeveret(
  generation: string | undefined,
): Promise<{ readonly url: string; readonly stop: () => void }> {
  const { configure, write, read } = LIMITED_PERMISSIONS;
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
    '--user',
    'guest:guest:administrator',
    '--user',
    LIMITED_USER,
    '--vhost',
    '/',
    '--vhost',
    FORBIDDEN_VHOST,
    '--permission',
    ['limited', '/', configure, write, read].join(':'),
    ...(generation === undefined ? [] : ['--compat', generation]),
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

function judge(url: string, options: readonly string[]): Promise<number> {
  const args = [PROGRAM, 'conformance', url, '--limited-user', LIMITED_USER, ...options];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const options = process.argv.slice(2);
const { url, stop } = await startLeveret(isRabbitmq3(options) ? GENERATION_OF_RABBITMQ_3 : undefined);
const exitCode = await judge(url, options);
stop();
process.exit(exitCode);
