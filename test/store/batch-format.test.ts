import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/lib/random.js';
import {
  BATCH_HEADER_BYTES,
  FILE_HEADER_BYTES,
  isContentIntact,
  NewerFormatError,
  readBatchHeader,
  readFileHeader,
  scanSegment,
  visitRecords,
  writeFileHeader,
} from '../../src/store/batch-format.js';
import { type BuiltSegment, buildSegment } from '../helpers/segment-file.js';

const SEGMENT_BYTES = 65_536;

/** 64 KB in batches of about 1 KB. */
function bigSegment(): BuiltSegment {
  const random = new SeededRandom(7);
  const batches: Buffer[][] = [];
  for (let bytes = FILE_HEADER_BYTES; bytes < SEGMENT_BYTES - 1_300; ) {
    const payloads = Array.from({ length: 3 }, () => random.bytes(200 + (random.uint32() % 180)));
    batches.push(payloads);
    bytes += BATCH_HEADER_BYTES + payloads.reduce((sum, { length }) => sum + length + 24, 0);
  }
  return buildSegment(batches);
}

/** The start of every proven batch. */
const startsOf = (bytes: Buffer): number[] => scanSegment(bytes).batches.map(({ start }) => start);

describe('the file header', () => {
  const header = { epoch: 3, segmentNumber: 41, createdMs: 1_700_000_000_123, extent: 8_192 };

  it('reads back as it was written, for any numbers', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        fc.nat(Number.MAX_SAFE_INTEGER),
        fc.nat(2 ** 45),
        fc.nat(0xffff_ffff),
        (epoch, segmentNumber, createdMs, extent) => {
          const bytes = Buffer.alloc(FILE_HEADER_BYTES, 0xff);
          writeFileHeader(bytes, { epoch, segmentNumber, createdMs, extent });
          expect(readFileHeader(bytes)).toEqual({ epoch, segmentNumber, createdMs, extent });
        },
      ),
    );
  });

  it('is not believed when it is cut anywhere, or any bit of it is flipped', () => {
    const bytes = Buffer.alloc(FILE_HEADER_BYTES);
    writeFileHeader(bytes, header);
    for (let length = 0; length < FILE_HEADER_BYTES; length++) {
      expect(readFileHeader(bytes.subarray(0, length))).toBeUndefined();
    }
    for (let bit = 0; bit < FILE_HEADER_BYTES * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(readFileHeader(bytes), `bit ${bit}`).toBeUndefined();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(readFileHeader(bytes)).toEqual(header);
  });

  it('of a newer version is refused by name', () => {
    const { bytes } = buildSegment([[Buffer.from('a')]], { version: 2 });
    expect(() => readFileHeader(bytes)).toThrow(NewerFormatError);
  });
});

describe('batches', () => {
  it('give back every record as it was written', () => {
    const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.array(fc.array(payload, { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
        (batches) => {
          const { bytes } = buildSegment(batches);
          const scan = scanSegment(bytes);
          expect(scan.damaged).toEqual([]);
          const found = scan.batches.map((batch) => {
            const records: Buffer[] = [];
            visitRecords(bytes, batch, (offset, at) => {
              expect(offset).toBe(at);
              const length = bytes.readUInt32LE(at + 4);
              records.push(Buffer.from(bytes.subarray(at + 8, at + 8 + length)));
            });
            return records;
          });
          expect(found).toEqual(batches);
          expect(scan.batches.map(({ header }) => header.batchNumber)).toEqual(batches.map((_, i) => i + 1));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('behind damage are found, and the damage is told exactly', () => {
    const { bytes, batches } = bigSegment();
    const hit = batches[10]!;
    bytes.fill(0xa5, hit.start + 100, hit.start + 300);
    const scan = scanSegment(bytes);
    expect(scan.damaged).toEqual([{ start: hit.start, end: hit.end }]);
    expect(scan.batches).toHaveLength(batches.length - 1);
  });

  it('that lie inside a payload are not taken for batches, also when the batch around them is damaged', () => {
    const inner = buildSegment([[Buffer.from('inner')]]).bytes.subarray(FILE_HEADER_BYTES);
    const { bytes, batches } = buildSegment([[inner, Buffer.alloc(40, 1)], [Buffer.from('b')]]);
    expect(startsOf(bytes)).toEqual(batches.map(({ start }) => start));
    bytes[batches[0]!.end - 30]! ^= 1;
    expect(startsOf(bytes)).toEqual([batches[1]!.start]);
  });

  it('of another opening are not of this file', () => {
    const { bytes } = buildSegment([[Buffer.from('a')]], { epoch: 2 });
    const other = buildSegment([[Buffer.from('b')]], { epoch: 1 }).bytes.subarray(FILE_HEADER_BYTES);
    expect(startsOf(Buffer.concat([bytes, other]))).toEqual([FILE_HEADER_BYTES]);
  });
});

describe('a torn tail', () => {
  const { bytes, batches } = bigSegment();
  const random = new SeededRandom(11);
  const noise = random.bytes(SEGMENT_BYTES);
  // What an older file left on the same blocks: real batches of another opening, at shifted places.
  const stale = buildSegment(
    Array.from({ length: 60 }, () => [random.bytes(500), random.bytes(333)]),
    { epoch: 9, firstBatchNumber: 900 },
  ).bytes;

  /** The batches whose bytes are all there are found, and nothing else. */
  function check(cut: number, tail: Buffer): void {
    // What lies well before the cut is the same for each cut: it is looked at from the last three whole batches on.
    const near = batches.filter(({ end }) => end <= cut).at(-3)?.start ?? FILE_HEADER_BYTES;
    const header = bytes.subarray(0, FILE_HEADER_BYTES);
    const torn = Buffer.concat([header, bytes.subarray(near, cut), tail]);
    const shift = near - FILE_HEADER_BYTES;
    // A tail that happens to have the very bytes that were cut off completes a batch: padding is made of zeros.
    const isWhole = ({ start, end }: { start: number; end: number }): boolean =>
      start >= near &&
      start < cut &&
      (end <= cut ||
        (end - shift <= torn.length && bytes.compare(torn, cut - shift, end - shift, cut, end) === 0));
    const expected = batches.filter(isWhole).map(({ start }) => start - shift);
    const found = startsOf(torn);
    if (found.length !== expected.length || found.some((start, i) => start !== expected[i])) {
      expect(found, `cut at ${cut}`).toEqual(expected);
    }
  }

  it('is cut at every byte: the whole batches before it are found, and nothing else', () => {
    for (let cut = FILE_HEADER_BYTES; cut <= bytes.length; cut++) check(cut, Buffer.alloc(0));
    for (let cut = 0; cut < bytes.length; cut += 4_999) {
      const torn = bytes.subarray(0, cut);
      expect(startsOf(torn)).toEqual(batches.filter(({ end }) => end <= cut).map(({ start }) => start));
    }
  });

  it.each([
    ['zeros', (_cut: number, length: number) => Buffer.alloc(length)],
    ['random bytes', (cut: number, length: number) => noise.subarray(cut % 60_000, (cut % 60_000) + length)],
  ])('is cut at every byte and followed by %s', { timeout: 60_000 }, (_name, tailOf) => {
    for (let cut = FILE_HEADER_BYTES; cut <= bytes.length; cut++) check(cut, tailOf(cut, 1_200));
  });

  it('is cut at every byte and followed by stale bytes of another opening', { timeout: 60_000 }, () => {
    for (let cut = FILE_HEADER_BYTES; cut <= bytes.length; cut++) {
      check(cut, stale.subarray(cut, Math.min(stale.length, cut + 1_200)));
    }
  });
});

describe('a flipped bit', () => {
  it('anywhere in 64 KB makes its own batch unproven, and no other', { timeout: 120_000 }, () => {
    const { bytes, batches } = bigSegment();
    let flips = 0;
    for (const { start, end } of batches) {
      const own = Buffer.from(bytes.subarray(start, end));
      for (let bit = 0; bit < own.length * 8; bit++) {
        own[bit >> 3]! ^= 1 << (bit & 7);
        const header = readBatchHeader(own, 0);
        if (header !== undefined && isContentIntact(own, 0, header))
          expect.unreachable(`bit ${bit} of ${start}`);
        own[bit >> 3]! ^= 1 << (bit & 7);
        flips++;
      }
    }
    expect(flips).toBe((bytes.length - FILE_HEADER_BYTES) * 8);
  });

  it('leaves every other batch of the segment proven', () => {
    const { bytes, batches } = bigSegment();
    const random = new SeededRandom(5);
    for (let i = 0; i < 400; i++) {
      const bit = (FILE_HEADER_BYTES + (random.uint32() % (bytes.length - FILE_HEADER_BYTES))) * 8 + (i & 7);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const hit = batches.find(({ start, end }) => bit >> 3 >= start && bit >> 3 < end)!;
      expect(startsOf(bytes)).toEqual(batches.filter((batch) => batch !== hit).map(({ start }) => start));
      expect(scanSegment(bytes).damaged).toEqual([{ start: hit.start, end: hit.end }]);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });
});
