#!/usr/bin/env node
/** `npm run conformance`: starts a Leveret in memory and judges it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FORBIDDEN_VHOST, LIMITED_PERMISSIONS } from './limited-user.js';
import { startLeveret } from './start-leveret.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));
const LIMITED_USER = 'limited:limited';
/** The generation of Leveret that speaks the dialect; without one it answers as RabbitMQ 4. */
const GENERATION_OF_RABBITMQ_3 = '3.13';

/** Whether the arguments of the suite hold the broker to RabbitMQ 3. */
function isRabbitmq3(args: readonly string[]): boolean {
  const at = args.indexOf('--dialect');
  return at < 0 ? args.includes('--dialect=rabbitmq-3') : args[at + 1] === 'rabbitmq-3';
}

/** What the broker is started with: the limited user beside guest, and the generation that speaks the dialect. */
function startOptions(generation: string | undefined): readonly string[] {
  const { configure, write, read } = LIMITED_PERMISSIONS;
  return [
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
}

function judge(url: string, options: readonly string[]): Promise<number> {
  const args = [PROGRAM, 'conformance', url, '--limited-user', LIMITED_USER, ...options];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const options = process.argv.slice(2);
const generation = isRabbitmq3(options) ? GENERATION_OF_RABBITMQ_3 : undefined;
const { url, stop } = await startLeveret(PROGRAM, startOptions(generation));
const exitCode = await judge(url, options);
stop();
process.exit(exitCode);
