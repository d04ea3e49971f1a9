import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColdRun, Cooler } from '../../src/queues/cold-run.js';
import { QueueIndex } from '../../src/queues/queue-index.js';
import { HandOut } from '../../src/queues/ready-index.js';

/** Positions as a log gives them: a segment, and a place in it. */
const SEGMENT = 1_000_000;

/** A log whose segments below `coldEnd` have left memory; every seventh keeps nothing on the disk. */
class FakeLog implements Cooler {
  coldEnd = 0;

  countCoolable(positions: Float64Array, from: number): number {
    const segment = this.segmentOf(positions[from]!);
    if (segment % 7 === 6) return -1;
    if (segment >= this.coldEnd) return 0;
    let end = from + 1;
    while (end < positions.length && this.segmentOf(positions[end]!) === segment) end++;
    return end - from;
  }

  isSameSegment(position: number, other: number): boolean {
    return this.segmentOf(position) === this.segmentOf(other);
  }

  private segmentOf(position: number): number {
    return Math.floor(position / SEGMENT);
  }
}

class Bench {
  readonly log = new FakeLog();
  readonly index = new QueueIndex(this.log);
  /** All that was pushed, of which the first `taken` are gone. */
  readonly ready: number[] = [];
  taken = 0;
  warmed = 0;
  private segment = 0;
  private place = 0;

  constructor(private readonly perSegment: number) {}

  get length(): number {
    return this.ready.length - this.taken;
  }

  push(count: number): void {
    for (let i = 0; i < count; i++) {
      if (this.place === this.perSegment) {
        this.place = 0;
        // Slots are used again: a later segment may have a lower number.
        this.segment += this.segment % 5 === 4 ? -3 : 7;
        this.log.coldEnd = Math.max(this.log.coldEnd, this.segment - 20);
      }
      const position = this.segment * SEGMENT + this.place++ * 3;
      this.index.push(position);
      this.ready.push(position);
    }
  }

  /** The positions of a run, as a log that has lost nothing finds them. */
  find({ first, last, count }: ColdRun): Float64Array {
    const from = this.ready.indexOf(first, this.taken);
    expect(this.ready[from + count - 1]).toBe(last);
    return Float64Array.from(this.ready.slice(from, from + count));
  }

  warm(run: ColdRun): void {
    this.warmed++;
    expect(this.index.warm(run, this.find(run))).toBe(true);
  }

  shift(): number {
    const run = this.index.coldHead;
    if (run !== undefined) {
      expect(this.index.peek()).toBe(-1);
      this.warm(run);
    }
    const peeked = this.index.peek();
    const position = this.index.shift();
    if (peeked !== position || position !== this.ready[this.taken]) {
      expect.unreachable(`peeked ${peeked} and took ${position}, not ${this.ready[this.taken]}`);
    }
    this.taken++;
    return position;
  }
}

describe('the middle of a deep queue', () => {
  it('leaves memory and comes back in order, whatever is pushed, taken and warmed ahead meanwhile', () => {
    const step = fc.record({
      kind: fc.constantFrom('push' as const, 'push' as const, 'shift' as const, 'ahead' as const),
      count: fc.oneof(fc.nat(50), fc.nat(9_000)),
    });
    let warmed = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(90, 700, 5_000), (steps, perSegment) => {
        const bench = new Bench(perSegment);
        bench.push(20_000);
        for (const { kind, count } of steps) {
          if (kind === 'push') bench.push(count);
          else if (kind === 'ahead' && bench.index.nextRun !== undefined) bench.warm(bench.index.nextRun);
          else for (let i = 0; i < count && bench.length > 0; i++) bench.shift();
          expect(bench.index.length).toBe(bench.length);
        }
        let sequence = -1;
        while (bench.length > 0) {
          bench.shift();
          if (bench.index.lastSequence <= sequence) expect.unreachable('sequence numbers ascend');
          sequence = bench.index.lastSequence;
        }
        expect([bench.index.length, bench.index.peek(), bench.index.coldHead]).toEqual([0, -1, undefined]);
        warmed += bench.warmed;
      }),
      { numRuns: 40 },
    );
    expect(warmed).toBeGreaterThan(100);
  });

  it('takes no memory but for its runs', () => {
    const bench = new Bench(5_000);
    bench.push(200_000);
    const runs: ColdRun[] = [];
    let kept = 0;
    bench.index.clear(
      () => kept++,
      (run) => runs.push(run),
    );
    expect(kept + runs.reduce((sum, { count }) => sum + count, 0)).toBe(200_000);
    expect(runs.length).toBeLessThan(80);
    expect(kept).toBeLessThan(70_000);
    expect(bench.index.length).toBe(0);
    bench.push(3);
    expect(bench.index.length).toBe(3);
  });

  it('may have lost messages when it comes back: they do not count any more', () => {
    const bench = new Bench(5_000);
    bench.push(60_000);
    while (bench.index.coldHead === undefined) bench.shift();
    const run = bench.index.coldHead;
    const found = bench.find(run).slice(0, 10);
    bench.index.warm(run, found);
    expect(bench.index.length).toBe(bench.length - run.count + 10);
    expect(bench.index.warm(run, found)).toBe(false);
    for (const position of found) expect(bench.index.shift()).toBe(position);
    expect(bench.index.peekBehindHead()).not.toBe(-1);
  });

  it('is what a restart leaves of a queue, with the messages that came back between its runs', () => {
    const index = new QueueIndex(new FakeLog());
    const run = (first: number, count: number): ColdRun => ({ first, last: first + count - 1, count });
    index.recover(1, HandOut.Noted);
    index.recoverRun(run(10, 3), HandOut.Never);
    index.recover(20, HandOut.Never);
    index.recover(21, HandOut.Noted);
    index.recoverRun(run(30, 2), HandOut.Never);
    index.push(40);
    expect(index.length).toBe(9);
    const taken: (readonly [number, boolean])[] = [];
    while (index.length > 0) {
      const cold = index.coldHead;
      if (cold !== undefined)
        index.warm(
          cold,
          Float64Array.from({ length: cold.count }, (_, i) => cold.first + i),
        );
      taken.push([index.shift(), index.lastRedelivered]);
    }
    // What is handed out is the oldest, so what precedes a message that was out counts as such.
    expect(taken).toEqual([
      ...[1, 10, 11, 12, 20, 21].map((position) => [position, true]),
      ...[30, 31, 40].map((position) => [position, false]),
    ]);
    expect(index.hasPresumedHandOuts).toBe(false);
  });
});
