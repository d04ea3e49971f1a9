/** Whether one build is slower than another: by how much, and beyond what is noise. */
import { median, quartilesOf } from '../statistics.js';

export interface Comparison {
  readonly name: string;
  /** What one operation costs; more is slower. */
  readonly before: number;
  readonly now: number;
  readonly ratio: number;
  readonly isSlower: boolean;
}

/**
 * Slower is what costs more than `threshold` times as much in the median, and where the better three quarters of the
 * runs before cost less than the better quarter of those now: a few runs that something else disturbed prove nothing.
 */
export function compare(
  name: string,
  before: readonly number[],
  now: readonly number[],
  threshold: number,
): Comparison {
  const ratio = median(now) / median(before);
  const isBeyondNoise = quartilesOf(now).lower > quartilesOf(before).upper;
  return {
    name,
    before: median(before),
    now: median(now),
    ratio,
    isSlower: ratio > threshold && isBeyondNoise,
  };
}
