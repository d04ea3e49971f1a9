import { describe, expect, it } from 'vitest';
import { below, SeededRandom, SystemRandom } from '../../src/lib/random.js';

describe('SeededRandom', () => {
  it('gives the same bytes for the same seed', () => {
    const bytes = new SeededRandom(42).bytes(32);
    expect(new SeededRandom(42).bytes(32)).toEqual(bytes);
    expect(new SeededRandom(43).bytes(32)).not.toEqual(bytes);
  });

  it('goes on instead of starting anew', () => {
    const random = new SeededRandom(7);
    expect(random.bytes(16)).not.toEqual(random.bytes(16));
  });

  it('gives unsigned 32-bit numbers that are spread over the whole range', () => {
    const random = new SeededRandom(1);
    const quarters = [0, 0, 0, 0];
    for (let i = 0; i < 4_000; i++) {
      const value = random.uint32();
      expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32).toBe(true);
      quarters[value >>> 30]!++;
    }
    for (const count of quarters) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('accepts any seed', () => {
    for (const seed of [0, -1, 2 ** 32, 1.5]) expect(new SeededRandom(seed).bytes(4)).toHaveLength(4);
  });
});

describe('SystemRandom', () => {
  it('gives as many bytes as asked for', () => {
    const random = new SystemRandom();
    expect(random.bytes(0)).toHaveLength(0);
    expect(random.bytes(16)).not.toEqual(random.bytes(16));
  });

  it('gives unsigned 32-bit numbers, also past its pool', () => {
    const random = new SystemRandom();
    const quarters = [0, 0, 0, 0];
    const values = new Set<number>();
    for (let i = 0; i < 4_000; i++) {
      const value = random.uint32();
      values.add(value);
      quarters[value >>> 30]!++;
    }
    expect(values.size).toBeGreaterThan(3_990);
    for (const count of quarters) expect(Math.abs(count - 1_000)).toBeLessThan(220);
  });
});

describe('below', () => {
  it('gives every number under the bound, and only those', () => {
    const random = new SeededRandom(3);
    const counts = [0, 0, 0];
    for (let i = 0; i < 3_000; i++) counts[below(random, 3)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
    const extremes = [0, 0xffff_ffff].map((value) =>
      below({ bytes: () => Buffer.alloc(0), uint32: () => value }, 7),
    );
    expect(extremes).toEqual([0, 6]);
  });
});
