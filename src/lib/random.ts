import { randomBytes } from 'node:crypto';

/** Randomness as an argument: the same seed gives the same names and choices. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Buffer;
}

export class SystemRandom implements Random {
  bytes(count: number): Buffer {
    return randomBytes(count);
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
