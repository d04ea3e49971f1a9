/** Each part does its work once: that its figures are of something. Its own checks fail it when the work is wrong. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Build } from '../../bench/parts/part.js';
import { parts } from '../../bench/parts/parts.js';

const BUILD = new Build(fileURLToPath(new URL('../../dist/', import.meta.url)));

describe('every part', () => {
  it.each(parts.map((part) => [part.name, part] as const))('%s runs, twice', async (_, part) => {
    const prepared = await part.prepare(BUILD);
    expect(prepared.operations).toBeGreaterThan(0);
    await prepared.run();
    await prepared.run();
    await prepared.close?.();
  });

  it('has a name of its own', () => {
    expect(new Set(parts.map(({ name }) => name)).size).toBe(parts.length);
  });
});
