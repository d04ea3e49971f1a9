/**
 * `npm run bench:compare -- [REF]`: whether this build is slower than an earlier commit, the one before if none is
 * named. Parts and some scenarios are run in turns with both builds, by the same programs, this build's; what is
 * compared is CPU time, which other work on the machine hardly changes. Exits with 1 when something is slower.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Broker, LEVERET, startLeveret } from '../brokers.js';
import { cleanUp, cleanUpOnSignal } from '../cleanup.js';
import { MEASURE_DEFAULTS, measure } from '../measure.js';
import type { Scenario } from '../scenario.js';
import { scenarios } from '../scenarios.js';
import { type Comparison, compare } from './comparison.js';
import { buildEarlier } from './earlier-build.js';
import type { PartResult } from './timing.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PARTS_PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url));
const SCENARIOS = ['ack-16', 'ack-1k', 'durable-1k', 'fan-out-20', 'topic-1000', 'durable-backlog-100'];
const MESSAGES_SCALE = 0.4;
const SAMPLES_PER_ROUND = 5;
/** Slower than so many times the cost before fails. Parts are shorter, so chance has a larger share. */
const PART_THRESHOLD = 1.15;
const SCENARIO_THRESHOLD = 1.08;

const execute = promisify(execFile);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function compareParts(beforeDist: string, rounds: number, only: string): Promise<Comparison[]> {
  const before = new Map<string, number[]>();
  const now = new Map<string, number[]>();
  const run = async (dist: string, into: Map<string, number[]>): Promise<void> => {
    const args = [
      PARTS_PROGRAM,
      '--dist',
      dist,
      '--only',
      only,
      '--samples',
      String(SAMPLES_PER_ROUND),
      '--json',
    ];
    const { stdout } = await execute(process.execPath, args);
    for (const result of JSON.parse(stdout) as readonly PartResult[]) {
      if ('failure' in result) {
        if (into === now) throw new Error(`${result.name}: ${result.failure}`);
        continue;
      }
      const { name, median } = result;
      into.set(name, [...(into.get(name) ?? []), median]);
    }
  };
  for (let round = 1; round <= rounds; round++) {
    say(`parts: round ${round} of ${rounds}`);
    await run(beforeDist, before);
    await run(join(ROOT, 'dist'), now);
  }
  return [...now].flatMap(([name, values]) => {
    const earlier = before.get(name);
    if (earlier !== undefined) return [compare(name, earlier, values, PART_THRESHOLD)];
    say(`${name}: not to be compared, the earlier build has another interface`);
    return [];
  });
}

async function compareScenarios(beforeDist: string, runs: number, scale: number): Promise<Comparison[]> {
  const found: Comparison[] = [];
  const before = await startLeveret(join(beforeDist, 'main.js'), 'before');
  const brokers = [before, await startLeveret(LEVERET, 'now')];
  for (const name of SCENARIOS) {
    const scenario = scenarios.find((candidate) => candidate.name === name)!;
    found.push(...(await compareScenario(scenario, brokers, runs, scale)));
  }
  return found;
}

async function compareScenario(
  scenario: Scenario,
  brokers: readonly Broker[],
  runs: number,
  scale: number,
): Promise<Comparison[]> {
  const { stallMs } = MEASURE_DEFAULTS;
  const { runs: measured } = await measure(scenario, brokers, {
    runs,
    messagesScale: scale,
    stallMs,
    onProgress: say,
  });
  const [before, now] = measured;
  const failure = before!.failure ?? now!.failure;
  if (failure !== undefined) throw new Error(`${scenario.name} failed: ${failure}`);
  return scenario.figures.map(({ key }) => {
    const costs = (results: typeof before): number[] =>
      results!.results.map(({ figures }) => {
        const { value, brokerMicros } = figures[key]!;
        // Where the CPU time is not known, the time it took.
        return brokerMicros > 0 ? brokerMicros * 1000 : 1e9 / value;
      });
    const name = key === '' ? scenario.name : `${scenario.name}/${key}`;
    return compare(name, costs(before), costs(now), SCENARIO_THRESHOLD);
  });
}

function textOf({ name, before, now, ratio, isSlower }: Comparison): string {
  const costs = `${before.toFixed(1)} ns before, ${now.toFixed(1)} ns now`;
  return `${name.padEnd(30)} ${ratio.toFixed(2)}  ${costs}${isSlower ? '  SLOWER' : ''}\n`;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '7' },
      'messages-scale': { type: 'string', default: String(MESSAGES_SCALE) },
      'parts-only': { type: 'string' },
    },
  });
  const runs = Number(values.runs);
  const scale = Number(values['messages-scale']);
  if (!Number.isInteger(runs) || runs < 3) throw new Error('--runs takes a whole number from 3 on');
  if (!(scale > 0)) throw new Error('--messages-scale takes a number above 0');
  const ignoreSignals = cleanUpOnSignal();
  try {
    const earlier = await buildEarlier(ROOT, positionals[0] ?? 'HEAD~1');
    const found = await compareParts(earlier.dist, runs, values['parts-only'] ?? '*');
    if (values['parts-only'] === undefined)
      found.push(...(await compareScenarios(earlier.dist, runs, scale)));
    process.stdout.write(`CPU time of one operation, of this build divided by that of ${earlier.commit}\n`);
    for (const comparison of found) process.stdout.write(textOf(comparison));
    return found.some(({ isSlower }) => isSlower) ? 1 : 0;
  } finally {
    await cleanUp();
    ignoreSignals();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
