import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEGMENTS_IDLE_MAX } from '../../src/lib/limits.js';
import { MessageLog, RECORD_HEADER_BYTES } from '../../src/store/message-log.js';

const SEGMENT_BYTES = 256;

/** A record as its writer remembers it. */
interface Held {
  readonly position: number;
  readonly fill: number;
  readonly length: number;
  references: number;
}

function write(log: MessageLog, length: number, fill: number): Held {
  const position = log.append(length);
  const at = log.payloadOffset(position);
  log.segmentOf(position).bytes.fill(fill, at, at + length);
  return { position, fill, length, references: 0 };
}

function adopt(log: MessageLog, length: number, fill: number): Held {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + length);
  bytes.fill(fill, RECORD_HEADER_BYTES);
  return { position: log.adopt(bytes), fill, length, references: 0 };
}

function expectIntact(log: MessageLog, record: Held): void {
  const segment = log.segmentOf(record.position);
  const at = log.payloadOffset(record.position);
  expect(log.payloadLength(record.position)).toBe(record.length);
  expect(at + record.length).toBeLessThanOrEqual(segment.bytes.length);
  const payload = segment.bytes.subarray(at, at + record.length);
  expect(payload.every((byte) => byte === record.fill)).toBe(true);
}

function expectDisjoint(log: MessageLog, records: readonly Held[]): void {
  const seen = new Map<number, Held>();
  const ranges = records.map((record) => {
    const { slot } = log.segmentOf(record.position);
    const start = log.payloadOffset(record.position) - RECORD_HEADER_BYTES;
    return { slot, start, end: start + RECORD_HEADER_BYTES + record.length, record };
  });
  ranges.sort((a, b) => a.slot - b.slot || a.start - b.start);
  for (let i = 1; i < ranges.length; i++) {
    const [before, after] = [ranges[i - 1]!, ranges[i]!];
    if (before.slot === after.slot) expect(before.end).toBeLessThanOrEqual(after.start);
  }
  for (const { record } of ranges) {
    expect(seen.get(record.position)).toBeUndefined();
    seen.set(record.position, record);
  }
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      // Small ones, ones that just fit or just do not, and ones that need a segment of their own.
      length: fc.oneof(fc.nat(60), fc.integer({ min: 240, max: 256 }), fc.nat(2_000)),
      references: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('adopt' as const),
      length: fc.nat(60).map((units) => units * 8),
      references: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retain' as const), which: fc.nat() }) },
  { weight: 7, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat() }) },
);

describe('MessageLog', () => {
  it('keeps every record unchanged, and apart from the others, until its last reference goes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        let told = 0;
        const log = new MessageLog({
          segmentBytes: SEGMENT_BYTES,
          onBytesHeldChanged: (bytes) => {
            told = bytes;
          },
        });
        const held: Held[] = [];
        let fill = 0;
        const release = (index: number): void => {
          const record = held[index]!;
          expectIntact(log, record);
          if (--record.references === 0) held.splice(index, 1);
          log.release(record.position);
        };
        for (const action of steps) {
          if (action.kind === 'append' || action.kind === 'adopt') {
            fill = (fill + 1) & 0xff;
            const make = action.kind === 'append' ? write : adopt;
            const record = make(log, action.length, fill);
            record.references = action.references;
            log.retain(record.position, action.references);
            held.push(record);
          } else if (held.length > 0) {
            const index = action.which % held.length;
            if (action.kind === 'release') release(index);
            else {
              held[index]!.references++;
              log.retain(held[index]!.position, 1);
            }
          }
          expect(told).toBe(log.bytesHeld);
        }
        for (const record of held) expectIntact(log, record);
        expectDisjoint(log, held);
        const segments = new Set(held.map(({ position }) => log.segmentOf(position)));
        // Those that hold records, and the open one.
        expect(log.segmentCount - segments.size).toBeGreaterThanOrEqual(0);
        expect(log.segmentCount - segments.size).toBeLessThanOrEqual(1);
        while (held.length > 0) release(held.length - 1);
        expect(log.segmentCount).toBe(1);
        expect(log.bytesHeld).toBe(SEGMENT_BYTES);
      }),
      { numRuns: 150 },
    );
  });

  it('uses the open segment again and again when its records go before it is full', () => {
    const log = new MessageLog({ segmentBytes: SEGMENT_BYTES });
    const first = write(log, 32, 1);
    log.retain(first.position, 1);
    log.release(first.position);
    for (let i = 0; i < 1_000; i++) {
      const record = write(log, 32, 1);
      expect(record.position).toBe(first.position);
      log.retain(record.position, 1);
      log.release(record.position);
    }
    expect(log.bytesHeld).toBe(SEGMENT_BYTES);
  });

  it('lets a full segment go when nobody kept its records', () => {
    const log = new MessageLog({ segmentBytes: SEGMENT_BYTES });
    for (let i = 0; i < 10; i++) write(log, 200, i);
    expect([log.segmentCount, log.bytesHeld]).toEqual([1, SEGMENT_BYTES]);
  });

  it('gives a record that exceeds a segment one of exactly its size, and leaves the open one open', () => {
    const log = new MessageLog({ segmentBytes: SEGMENT_BYTES });
    const small = write(log, 8, 1);
    log.retain(small.position, 1);
    const big = write(log, 1_001, 2);
    log.retain(big.position, 1);
    expect(log.segmentOf(big.position).bytes.length).toBe(1_016);
    expect(log.payloadOffset(big.position)).toBe(RECORD_HEADER_BYTES);
    expect(log.bytesHeld).toBe(SEGMENT_BYTES + 1_016);
    const next = write(log, 8, 3);
    log.retain(next.position, 1);
    expect(log.segmentOf(next.position)).toBe(log.segmentOf(small.position));
    log.release(big.position);
    expect(log.bytesHeld).toBe(SEGMENT_BYTES);
    expectIntact(log, small);
    expectIntact(log, next);
  });

  it('fills a segment to its last byte', () => {
    const log = new MessageLog({ segmentBytes: SEGMENT_BYTES });
    const record = write(log, SEGMENT_BYTES - RECORD_HEADER_BYTES, 7);
    log.retain(record.position, 1);
    expect(log.segmentCount).toBe(1);
    const next = write(log, 0, 8);
    log.retain(next.position, 1);
    expect(log.segmentCount).toBe(2);
    expectIntact(log, record);
  });

  it('takes over an assembled record without copying it', () => {
    const log = new MessageLog({ segmentBytes: SEGMENT_BYTES });
    const bytes = Buffer.alloc(RECORD_HEADER_BYTES + 4_000, 5);
    const position = log.adopt(bytes);
    log.retain(position, 1);
    expect(log.segmentOf(position).bytes).toBe(bytes);
    expect(log.payloadLength(position)).toBe(4_000);
    log.release(position);
    expect(log.bytesHeld).toBe(SEGMENT_BYTES);
  });

  it('reuses the memory of dead segments, of a bounded number of them', () => {
    const log = new MessageLog({ segmentBytes: SEGMENT_BYTES });
    const fillSegments = (count: number): Held[] =>
      Array.from({ length: count }, (_, i) => {
        const record = write(log, SEGMENT_BYTES - RECORD_HEADER_BYTES, i & 0xff);
        log.retain(record.position, 1);
        return record;
      });
    const before = fillSegments(SEGMENTS_IDLE_MAX + 4);
    const buffers = new Set(before.map(({ position }) => log.segmentOf(position).bytes));
    for (const { position } of before) log.release(position);
    const after = fillSegments(SEGMENTS_IDLE_MAX + 4);
    const reused = after.filter(({ position }) => buffers.has(log.segmentOf(position).bytes));
    // The open one starts anew, and the idle ones come back.
    expect(reused).toHaveLength(SEGMENTS_IDLE_MAX + 1);
  });

  it('refuses a segment size that its positions cannot address', () => {
    expect(() => new MessageLog({ segmentBytes: 100 })).toThrow(RangeError);
    expect(() => new MessageLog({ segmentBytes: 64 * 1024 * 1024 + 8 })).toThrow(RangeError);
  });
});
