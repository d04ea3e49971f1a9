/**
 * `npm run conformance:mutations`: judges the conformance suite. Breaks Leveret in small ways (mutations.mjs), one at a
 * time and in a copy, and runs the suite against each. Prints which cases noticed; a fault that none did ends the
 * program with 1. Names as arguments, or parts of them, choose some.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS } from './mutations.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A broken broker may keep the suite waiting; each case has an end of its own. */
const SUITE_TIMEOUT_MS = 300_000;
const CASES_SHOWN_MAX = 4;

/** A copy of what the broker is built from, beside the suite as it is. */
function makeCopy() {
  const copy = mkdtempSync(join(tmpdir(), 'leveret-mutation-'));
  for (const name of ['src', 'tsconfig.json', 'package.json', 'dist']) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function mutate(copy, { name, file, from, to }) {
  const source = readFileSync(join(ROOT, 'src', file), 'utf8');
  if (source.split(from).length !== 2) {
    throw new Error(`'${name}': what it changes is not there exactly once in src/${file}; write it anew`);
  }
  writeFileSync(
    join(copy, 'src', file),
    source.replace(from, () => to),
  );
  // What only a type says is no matter: the fault has to run.
  const compiler = join(ROOT, 'node_modules/.bin/tsc');
  spawnSync(compiler, ['-p', copy, '--noCheck', '--noEmitOnError', 'false'], { stdio: 'inherit' });
}

function restore(copy, { file }) {
  cpSync(join(ROOT, 'src', file), join(copy, 'src', file));
}

/** @returns the ids of the cases that failed, or undefined when the suite did not come to its end */
function judge(copy) {
  const judgeProgram = join(copy, 'dist/conformance/judge-leveret.js');
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [judgeProgram, '--report', 'json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: SUITE_TIMEOUT_MS,
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', () => {
      try {
        const { cases } = JSON.parse(output);
        resolve(cases.filter(({ failure }) => failure !== null).map(({ id }) => id));
      } catch {
        resolve(undefined);
      }
    });
  });
}

const chosen = process.argv.slice(2);
const copy = makeCopy();
const missed = [];
try {
  for (const mutation of MUTATIONS) {
    if (chosen.length > 0 && !chosen.some((part) => mutation.name.includes(part))) continue;
    mutate(copy, mutation);
    const failed = await judge(copy);
    restore(copy, mutation);
    const shown = failed?.slice(0, CASES_SHOWN_MAX).join(', ');
    if (failed === undefined) console.log(`caught  ${mutation.name}: the suite could not be run`);
    else if (failed.length > 0) console.log(`caught  ${mutation.name}: ${failed.length} cases (${shown})`);
    else missed.push(mutation.name);
    if (failed?.length === 0) console.log(`MISSED  ${mutation.name}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.exit(missed.length === 0 ? 0 : 1);
