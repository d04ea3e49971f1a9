/** Seeded choices of a crash test. */
import { SeededRandom } from '../../src/lib/random.js';

export class Choices {
  private readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /** Choices of its own for somebody whose timing must not change those of the others. */
  fork(): Choices {
    return new Choices(this.random.uint32());
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + (this.random.uint32() % (max - min + 1));
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.random.uint32() % 100 < percent;
  }
}

const POOL_BYTES = 524_288;
const pool = new SeededRandom(1).bytes(POOL_BYTES);

/** A body from 0 B to 200 KB: mostly small ones, as in life, and always some that span frames. */
export function chooseBody(choices: Choices): Buffer {
  const length = choices.between(0, bodyBytesMax(choices.between(0, 99)));
  const start = choices.between(0, POOL_BYTES - length);
  return pool.subarray(start, start + length);
}

function bodyBytesMax(percent: number): number {
  if (percent < 10) return 0;
  if (percent < 70) return 300;
  if (percent < 92) return 4096;
  if (percent < 99) return 40_000;
  return 204_800;
}
