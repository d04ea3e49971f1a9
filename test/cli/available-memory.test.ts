import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableMemoryBytes, smallerMemoryLimit } from '../../src/cli/available-memory.js';

describe('smallerMemoryLimit', () => {
  it("is the container's limit when that is smaller", () => {
    expect(smallerMemoryLimit(8_000, 2_000)).toBe(2_000);
  });

  it.each([0, undefined, 18_446_744_073_709_552_000])(
    'is the machine when the limit is %s',
    (constrained) => {
      expect(smallerMemoryLimit(8_000, constrained)).toBe(8_000);
    },
  );
});

describe('availableMemoryBytes', () => {
  it('is some of the memory of this machine', () => {
    expect(availableMemoryBytes()).toBeGreaterThan(0);
    expect(availableMemoryBytes()).toBeLessThanOrEqual(totalmem());
  });
});
