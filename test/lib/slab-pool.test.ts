import { describe, expect, it } from 'vitest';
import { allocateBlock } from '../../src/lib/bytes.js';
import { SlabPool } from '../../src/lib/slab-pool.js';

describe('SlabPool', () => {
  it('lends slabs of its size and lends out again what came back', () => {
    const pool = new SlabPool(64, 2);
    const slab = pool.take();
    expect(slab.bytes.byteLength).toBe(64);
    expect(pool.take()).not.toBe(slab);
    pool.give(slab);
    expect(pool.idleCount).toBe(1);
    expect(pool.take()).toBe(slab);
    expect(pool.idleCount).toBe(0);
  });

  it('keeps a bounded number of idle slabs', () => {
    const pool = new SlabPool(64, 2);
    for (const slab of [pool.take(), pool.take(), pool.take()]) pool.give(slab);
    expect(pool.idleCount).toBe(2);
  });

  it('never lends a block of another size', () => {
    const pool = new SlabPool(64, 2);
    pool.give(allocateBlock(65));
    expect(pool.idleCount).toBe(0);
    expect(pool.take().bytes.byteLength).toBe(64);
  });
});
