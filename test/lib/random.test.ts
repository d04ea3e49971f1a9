import { describe, expect, it } from 'vitest';
import { SeededRandom, SystemRandom } from '../../src/lib/random.js';

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
});
