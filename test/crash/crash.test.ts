/**
 * Kills the broker, again and again, and holds what it has afterwards against the ledger of what it had promised.
 *
 * LEVERET_CRASH_ROUNDS   how many kills; 20 by default, `npm run test:crash` runs 500
 * LEVERET_CRASH_SEED     of the first data directory; each further one counts up. A failure prints the seed of its own:
 *                        set it, with 5 rounds, to run that directory's kind of rounds again
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCrashRounds } from './crash-rounds.js';
import type { Ledger, ViolationKind } from './ledger.js';

const ROUNDS = Number(process.env['LEVERET_CRASH_ROUNDS'] ?? 20);
const SEED = Number(process.env['LEVERET_CRASH_SEED'] ?? randomInt(1_000_000));
const ROUNDS_PER_DIRECTORY = 5;
const ROUND_LIMIT_MS = 20_000;
const VIOLATIONS_SHOWN_MAX = 12;

/** Runs rounds on a directory of their own. It stays when it holds what somebody wants to look at. */
async function runOnNewDirectory(
  seed: number,
  rounds: number,
  damage?: (directory: string) => void,
): Promise<{ readonly ledger: Ledger; readonly report: string }> {
  const parent = mkdtempSync(join(tmpdir(), 'leveret-crash-'));
  const directory = join(parent, 'data');
  let isClean = false;
  try {
    const ledger = await runCrashRounds({
      seed,
      rounds,
      directory,
      ...(damage === undefined ? {} : { damage }),
    });
    isClean = ledger.violations.length === 0 || damage !== undefined;
    const shown = ledger.violations
      .slice(0, VIOLATIONS_SHOWN_MAX)
      .map(({ kind, detail }) => `${kind}: ${detail}`);
    const report = [`seed ${seed}, ${rounds} rounds, data in ${directory}`, ...shown].join('\n');
    return { ledger, report };
  } finally {
    if (isClean) rmSync(parent, { recursive: true });
  }
}

describe('a broker that is killed', () => {
  const totals = { confirmed: 0, returned: 0, settledForGood: 0, rejected: 0 };

  const directories = Math.ceil(ROUNDS / ROUNDS_PER_DIRECTORY);
  for (let i = 0; i < directories; i++) {
    const seed = SEED + i;
    const rounds = Math.min(ROUNDS_PER_DIRECTORY, ROUNDS - i * ROUNDS_PER_DIRECTORY);
    it(`keeps its promises over ${rounds} rounds, LEVERET_CRASH_SEED=${seed}`, {
      timeout: rounds * ROUND_LIMIT_MS,
    }, async () => {
      const { ledger, report } = await runOnNewDirectory(seed, rounds);
      expect(ledger.violations.length, report).toBe(0);
      for (const name of ['confirmed', 'returned', 'settledForGood', 'rejected'] as const) {
        totals[name] += ledger.counts[name];
      }
    });
  }

  afterAll(() => {
    // Rounds in which nothing was at stake would prove nothing.
    if (ROUNDS >= 20) for (const count of Object.values(totals)) expect(count).toBeGreaterThan(100);
  });
});

describe('the oracle', () => {
  it.each([
    ['lost', 'the newest log of messages', newestOf('messages', '.log')],
    ['resurrected', 'the acks', allOf('messages', '.ack')],
    ['definition', 'the definitions', allOf('.', 'definitions.log')],
  ] as const)('reports "%s" without %s', { timeout: 2 * ROUND_LIMIT_MS }, async (kind, _what, choose) => {
    const { ledger } = await runOnNewDirectory(SEED, 1, (directory) => {
      const paths = choose(directory);
      expect(paths.length).toBeGreaterThan(0);
      for (const path of paths) rmSync(path);
    });
    expect(kindsOf(ledger)).toContain(kind);
  });
});

function kindsOf({ violations }: Ledger): readonly ViolationKind[] {
  return [...new Set(violations.map(({ kind }) => kind))];
}

function allOf(folder: string, ending: string): (directory: string) => readonly string[] {
  return (directory) => {
    const names = readdirSync(join(directory, folder)).filter((name) => name.endsWith(ending));
    return names.sort().map((name) => join(directory, folder, name));
  };
}

function newestOf(folder: string, ending: string): (directory: string) => readonly string[] {
  return (directory) => allOf(folder, ending)(directory).slice(-1);
}
