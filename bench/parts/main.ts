/**
 * `npm run bench:parts`: nanoseconds for one operation of the parts a message passes.
 * `node dist/bench/parts/main.js [--dist DIRECTORY] [--only NAMES] [--samples NUMBER] [--json]`
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { matchesGlob } from '../glob.js';
import { Build, type Part } from './part.js';
import { parts } from './parts.js';
import { type PartResult, timeOf } from './timing.js';

const OWN_BUILD = fileURLToPath(new URL('../../', import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      dist: { type: 'string', default: OWN_BUILD },
      only: { type: 'string', default: '*' },
      samples: { type: 'string', default: '15' },
      json: { type: 'boolean', default: false },
    },
  });
  const globs = values.only.split(',');
  const chosen = parts.filter(({ name }) => globs.some((glob) => matchesGlob(name, glob)));
  if (chosen.length === 0)
    throw new Error(`no part fits --only: ${parts.map(({ name }) => name).join(', ')}`);
  const samples = Number(values.samples);
  if (!Number.isInteger(samples) || samples < 1) throw new Error('--samples takes a whole number from 1 on');
  const build = new Build(values.dist);
  const results: PartResult[] = [];
  for (const part of chosen) {
    const result = await resultOf(part, build, samples);
    results.push(result);
    if (!values.json) process.stdout.write(textOf(result));
    if ('failure' in result) process.exitCode = values.json ? 0 : 1;
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
}

async function resultOf(part: Part, build: Build, samples: number): Promise<PartResult> {
  try {
    return await timeOf(part, build, samples);
  } catch (error) {
    return { name: part.name, failure: (error as Error).message };
  }
}

function textOf(result: PartResult): string {
  if ('failure' in result) return `${result.name.padEnd(20)} FAILED: ${result.failure}\n`;
  const { name, title, median, min, max } = result;
  const figures = `${median.toFixed(1)} ns (${min.toFixed(1)} to ${max.toFixed(1)})`;
  return `${name.padEnd(20)} ${figures.padEnd(32)} ${title}\n`;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
  process.exitCode = 1;
}
