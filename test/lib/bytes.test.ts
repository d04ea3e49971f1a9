import { describe, expect, it } from 'vitest';
import { allocateBlock, type ByteBlock, blockOver, copyBytes, equalBytes } from '../../src/lib/bytes.js';

const LENGTH_MAX = 400;
const OFFSETS = [0, 1, 2, 3, 4, 5, 7, 8, 9];

/** No two neighbouring bytes are equal, so a byte copied to the wrong place is seen. */
function numbered(length: number): ByteBlock {
  return blockOver(Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 37 + 11) & 0xff)));
}

/** A block that does not begin where its memory does, as the bytes of a socket do. */
function inside(block: ByteBlock): ByteBlock {
  const around = Buffer.alloc(block.bytes.length + 13, 0xee);
  block.bytes.copy(around, 13);
  return blockOver(around.subarray(13));
}

describe('copyBytes', () => {
  it.each(OFFSETS)('copies every length to offset %i and touches nothing else', (toOffset) => {
    const source = inside(numbered(LENGTH_MAX + 16));
    for (const fromOffset of OFFSETS) {
      for (let length = 0; length <= LENGTH_MAX; length++) {
        const expected = Buffer.alloc(LENGTH_MAX + 16, 0xaa);
        source.bytes.copy(expected, toOffset, fromOffset, fromOffset + length);
        const target = inside(blockOver(Buffer.alloc(LENGTH_MAX + 16, 0xaa)));
        copyBytes(source, fromOffset, target, toOffset, length);
        if (!target.bytes.equals(expected)) expect({ fromOffset, toOffset, length }).toBe('copied exactly');
      }
    }
  });

  it('copies up to the last byte of both blocks', () => {
    for (let length = 0; length <= LENGTH_MAX; length++) {
      const source = numbered(length);
      const target = allocateBlock(length);
      copyBytes(source, 0, target, 0, length);
      if (!target.bytes.equals(source.bytes)) expect(length).toBe('copied exactly');
    }
  });
});

describe('equalBytes', () => {
  it('compares exactly the bytes named', () => {
    const a = Buffer.from('xxabcyy');
    const b = Buffer.from('abcz');
    expect(equalBytes(a, 2, b, 0, 3)).toBe(true);
    expect(equalBytes(a, 2, b, 0, 4)).toBe(false);
    expect(equalBytes(a, 1, b, 0, 3)).toBe(false);
    expect(equalBytes(a, 0, b, 0, 0)).toBe(true);
  });
});

describe('allocateBlock', () => {
  it('is memory of its own, which its view and its bytes share', () => {
    const block = allocateBlock(24);
    expect(block.bytes.buffer.byteLength).toBe(24);
    block.view.setUint32(4, 0x01020304);
    expect([...block.bytes.subarray(4, 8)]).toEqual([1, 2, 3, 4]);
  });
});
