import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/lib/random.js';
import { ackKey, decodeAcks, encodeAcks } from '../../src/store/ack-format.js';
import { SegmentJournal } from '../../src/store/segment-journal.js';

interface Ack {
  readonly recordOffset: number;
  readonly queueId: number;
}

function entriesOf(acks: readonly Ack[]): Buffer {
  const entries = Buffer.alloc(acks.length * 8);
  acks.forEach(({ recordOffset, queueId }, i) => {
    entries.writeUInt32LE(recordOffset / 8, i * 8);
    entries.writeUInt32LE(queueId, i * 8 + 4);
  });
  return entries;
}

const keysOf = (chunks: readonly (readonly Ack[])[]): Set<number> =>
  new Set(chunks.flat().map(({ recordOffset, queueId }) => ackKey(recordOffset, queueId)));

/** Appends chunks to a file, as a journal does that opens it again. */
function append(file: Buffer, chunks: readonly (readonly Ack[])[]): Buffer {
  let bytes = file;
  for (const chunk of chunks) bytes = Buffer.concat([bytes, encodeAcks(entriesOf(chunk), bytes.length)]);
  return bytes;
}

function someChunks(count: number, seed: number): Ack[][] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + (random.uint32() % 12) }, () => ({
      recordOffset: (random.uint32() % 8_000) * 8,
      queueId: 1 + (random.uint32() % 50),
    })),
  );
}

const someAcks = fc.array(
  fc.record({
    recordOffset: fc.nat(8_388_607).map((unit) => unit * 8),
    queueId: fc.integer({ min: 1, max: 0xffff_ffff }),
  }),
  { minLength: 1, maxLength: 20 },
);

describe('an ack file', () => {
  it('gives back the acks it was given, each record and queue for itself', () => {
    fc.assert(
      fc.property(fc.array(someAcks, { maxLength: 10 }), (chunks) => {
        expect(decodeAcks(append(Buffer.alloc(0), chunks)).gone).toEqual(keysOf(chunks));
      }),
    );
  });

  it('cut at every byte keeps the whole chunks before the cut, whatever follows it', () => {
    const chunks = someChunks(40, 3);
    const whole = append(Buffer.alloc(0), chunks);
    const ends = chunks.map((_, i) => append(Buffer.alloc(0), chunks.slice(0, i + 1)).length);
    const noise = new SeededRandom(8).bytes(64);
    for (let cut = 0; cut <= whole.length; cut++) {
      const before = keysOf(chunks.slice(0, ends.filter((end) => end <= cut).length));
      const torn = whole.subarray(0, cut);
      expect(decodeAcks(torn).gone, `cut at ${cut}`).toEqual(before);
      expect(decodeAcks(Buffer.concat([torn, noise])).gone, `cut at ${cut}, noise`).toEqual(before);
    }
  });

  it('cut and gone on with takes nothing torn back, and loses nothing new', () => {
    const chunks = someChunks(12, 4);
    const whole = append(Buffer.alloc(0), chunks);
    const ends = chunks.map((_, i) => append(Buffer.alloc(0), chunks.slice(0, i + 1)).length);
    const later = someChunks(2, 5);
    for (let cut = 0; cut <= whole.length; cut++) {
      const before = chunks.slice(0, ends.filter((end) => end <= cut).length);
      const goneOn = append(whole.subarray(0, cut), later);
      expect(decodeAcks(goneOn).gone, `cut at ${cut}`).toEqual(keysOf([...before, ...later]));
    }
  });

  it('with any one bit flipped yields no ack that was not written, and loses those of one chunk at most', () => {
    const chunks = someChunks(30, 6);
    const bytes = append(Buffer.alloc(0), chunks);
    const all = keysOf(chunks);
    const largest = Math.max(...chunks.map(({ length }) => length));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const found = decodeAcks(bytes).gone;
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      for (const key of found) if (!all.has(key)) expect.unreachable(`bit ${bit} acknowledges ${key}`);
      if (found.size < all.size - largest || found.size === all.size + 1) expect.unreachable(`bit ${bit}`);
    }
  });

  it('tells ranges, and how often a record came back, queue by queue', () => {
    const journal = new SegmentJournal(1, 1);
    journal.noteAckRange(800, 1_600, 51, 7);
    journal.noteReturn(96, 7, true);
    journal.noteReturn(96, 7, false);
    journal.noteReturn(8, 7, false);
    journal.noteAck(96, 8);
    const acks = decodeAcks(encodeAcks(journal.takeAcks()));
    const gone = [792, 800, 1_200, 1_600, 1_608].map((offset) => acks.has(offset, 7));
    expect(gone).toEqual([false, true, true, true, false]);
    expect([acks.has(1_200, 8), acks.has(96, 8), acks.has(96, 7)]).toEqual([false, true, false]);
    expect([acks.returnCount(96, 7), acks.returnCount(96, 8), acks.returnCount(104, 7)]).toEqual([2, 0, 0]);
    expect([acks.failureCount(96, 7), acks.failureCount(96, 8), acks.failureCount(104, 7)]).toEqual([
      1, 0, 0,
    ]);
    expect([acks.returnCount(8, 7), acks.failureCount(8, 7), acks.has(8, 7)]).toEqual([1, 0, false]);
    expect([acks.isEmpty, decodeAcks(Buffer.alloc(0)).isEmpty]).toEqual([false, true]);
    expect(journal.ackCount).toBe(52);
  });
});
