#!/usr/bin/env node
/** `npm run conformance`: starts a Leveret in memory and judges it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startLeveret } from './start-leveret.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

function judge(url: string): Promise<number> {
  const args = [PROGRAM, 'conformance', url, ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const { url, stop } = await startLeveret(PROGRAM);
const exitCode = await judge(url);
stop();
process.exit(exitCode);
