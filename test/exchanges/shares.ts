import { expect } from 'vitest';

/** Standard deviations a count may be off: one fair test in a few hundred thousand would fail. */
const DEVIATIONS_MAX = 5;

/** That a number of independent choices fell on names in the proportion of `shares`, and on no others. */
export function expectShares(
  counts: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
): void {
  expect(Object.keys(counts).filter((name) => !(name in shares))).toEqual([]);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const whole = Object.values(shares).reduce((sum, share) => sum + share, 0);
  for (const [name, share] of Object.entries(shares)) {
    const likelihood = share / whole;
    const deviation = Math.sqrt(total * likelihood * (1 - likelihood));
    const off = Math.abs((counts[name] ?? 0) - total * likelihood);
    expect(off, `${name}: ${counts[name]} of ${total}`).toBeLessThanOrEqual(DEVIATIONS_MAX * deviation);
  }
}
