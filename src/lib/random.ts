import { randomBytes, randomFillSync } from 'node:crypto';

/** Randomness as an argument: the same seed gives the same names and choices. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Buffer;
  /** An integer of 32 bits, unsigned. */
  uint32(): number;
}

/** A whole number from 0 up to, and without, `bound`, which is at most 2^32; each is equally likely. */
export function below(random: Random, bound: number): number {
  return Math.floor((random.uint32() / 4_294_967_296) * bound);
}

/** Numbers drawn from the system at once: a call for each would cost more than the rest of a choice. */
const POOL_NUMBERS = 1024;

export class SystemRandom implements Random {
  private readonly pool = new Uint32Array(POOL_NUMBERS);
  private taken = POOL_NUMBERS;

  bytes(count: number): Buffer {
    return randomBytes(count);
  }

  uint32(): number {
    if (this.taken === POOL_NUMBERS) {
      randomFillSync(this.pool);
      this.taken = 0;
    }
    return this.pool[this.taken++]!;
  }
}

/** A small deterministic generator (mulberry32): for tests and simulations, never for secrets. */
export class SeededRandom implements Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let i = 0; i < count; i++) bytes[i] = this.uint32() & 0xff;
    return bytes;
  }

  uint32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}
