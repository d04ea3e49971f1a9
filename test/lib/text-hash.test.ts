import { describe, expect, it } from 'vitest';
import { hashText, mixed } from '../../src/lib/text-hash.js';

describe('hashText', () => {
  it('stays what it was: places of messages depend on it', () => {
    expect([hashText(''), hashText('a'), hashText('order.1'), hashText('é')]).toMatchInlineSnapshot(`
      [
        2872998923,
        444641715,
        1095855390,
        3136788073,
      ]
    `);
  });

  it('spreads texts that differ little over the whole range', () => {
    const buckets = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i++) buckets[hashText(`key-${i}`) >>> 26]!++;
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(160);
  });

  it('tells texts apart', () => {
    const hashes = new Set(Array.from({ length: 10_000 }, (_, i) => hashText(String(i))));
    expect(hashes.size).toBeGreaterThan(9_990);
  });
});

describe('mixed', () => {
  it('lets one bit of the input change about half of the result', () => {
    for (let bit = 0; bit < 32; bit++) {
      let changed = 0;
      for (let i = 0; i < 200; i++) {
        const difference = mixed(i * 7919) ^ mixed((i * 7919) ^ (1 << bit));
        changed += (difference >>> 0).toString(2).replaceAll('0', '').length;
      }
      expect(Math.abs(changed / 200 - 16)).toBeLessThan(1.5);
    }
  });
});
