/**
 * The ready order of a queue: positions in the message log, first in first out.
 *
 * Every message a queue accepts gets the next sequence number, which is its place in the order for good. Fresh
 * messages are a dense run of sequence numbers, so theirs are not stored; messages that were handed out and came
 * back go to `ReturnedMessages`, ordered by theirs, and all of them precede the fresh ones.
 *
 *   returned | head | cold ... cold | packed ... packed | loose ... loose | tail
 *                     ColdRun         PackedChunk         Float64Array
 *
 * Positions are pushed to the tail and shifted from the head, chunks of typed arrays. In a deep queue the chunks
 * between them are packed, and once their segment of the log can tell which records the queue has in it, nothing is
 * kept of them but a run: its ends and its length. A run that comes to the head has to be warmed: the queue asks the
 * log for its positions.
 */
import { RingBuffer } from '../lib/ring-buffer.js';
import type { ColdRun, Cooler } from './cold-run.js';
import { type PackedChunk, packChunk, unpackChunk } from './packed-chunk.js';
import { HandOut, type PeekVisitor, type ReadyIndex } from './ready-index.js';
import { ReturnedMessages } from './returned-messages.js';

/** Entries of a chunk: 4 KiB. */
const CHUNK_ENTRIES = 512;

/** Entries of the only chunk of a queue that was never longer: thousands of short queues cost little. */
const FIRST_CHUNK_ENTRIES = 8;

/** A first chunk that is full becomes so many times larger. */
const FIRST_CHUNK_GROWTH = 8;

const EMPTY_CHUNK = new Float64Array(0);

/** Chunks before the tail that stay as they are: a queue of fewer messages is never packed. */
const LOOSE_CHUNKS_MAX = 16;

/** Packed chunks that may become cold with each chunk that is filled: more than come. */
const COOLED_CHUNKS_MAX = 2;

export class QueueIndex implements ReadyIndex {
  private head: Float64Array = EMPTY_CHUNK;
  private headEntry = 0;
  private readonly cold = new RingBuffer<ColdRun | Float64Array>();
  /** The last of `cold`, while it may grow: nobody has looked at it yet. */
  private growingRun: { first: number; last: number; count: number } | undefined;
  private readonly packed = new RingBuffer<PackedChunk | Float64Array>();
  private readonly loose = new RingBuffer<Float64Array>();
  private tail: Float64Array = EMPTY_CHUNK;
  private tailEntry = 0;
  private spare: Float64Array | undefined;
  private freshCount = 0;
  private headSequence = 0;
  /** Entries below these sequence numbers were handed out before a restart; by a note or presumedly, and presumedly. */
  private handedOutEnd = 0;
  private presumedEnd = 0;
  private readonly returned = new ReturnedMessages();
  private readonly cooler: Cooler | undefined;

  /** Sequence number of the entry that the last `shift` took. */
  lastSequence = 0;
  /** Whether the entry that the last `shift` took had been handed out before. */
  lastRedelivered = false;
  /** Nobody counts. */
  readonly lastCounts = 0;

  /** @param cooler absent: every position stays in memory */
  constructor(cooler?: Cooler) {
    this.cooler = cooler;
  }

  get length(): number {
    return this.freshCount + this.returned.length;
  }

  get hasPresumedHandOuts(): boolean {
    return this.presumedEnd > this.headSequence;
  }

  push(position: number): void {
    if (this.tailEntry === this.tail.length) this.makeRoom();
    this.tail[this.tailEntry++] = position;
    this.freshCount++;
  }

  recover(position: number, handOut: HandOut): void {
    this.push(position);
    this.markRecovered(handOut);
  }

  recoverRun(run: ColdRun, handOut: HandOut): void {
    this.freeze();
    this.cold.push(run);
    this.freshCount += run.count;
    this.markRecovered(handOut);
  }

  /** Takes the first entry. There must be one, and it must not be cold. */
  shift(): number {
    if (this.returned.length > 0) {
      this.lastSequence = this.returned.firstSequence;
      this.lastRedelivered = true;
      return this.returned.shift();
    }
    const position = this.head[this.headEntry++]!;
    this.lastRedelivered = this.headSequence < this.handedOutEnd;
    this.lastSequence = this.headSequence++;
    this.freshCount--;
    if (this.freshCount === 0) this.rewind();
    else if (this.headEntry === this.head.length) this.nextHead();
    return position;
  }

  peek(): number {
    if (this.returned.length > 0) return this.returned.firstPosition;
    return this.freshCount > 0 && this.headEntry < this.head.length ? this.head[this.headEntry]! : -1;
  }

  visitHead(count: number, visit: PeekVisitor): void {
    let left = count - this.returned.visitFirst(count, (position) => visit(position, true, 0));
    let sequence = this.headSequence;
    const visitChunk = (chunk: Float64Array, from: number, to: number): void => {
      const end = Math.min(to, from + left);
      left -= Math.max(0, end - from);
      for (let i = from; i < end; i++) visit(chunk[i]!, sequence++ < this.handedOutEnd, 0);
    };
    if (this.freshCount === 0) return;
    const isTail = this.head === this.tail;
    visitChunk(this.head, this.headEntry, isTail ? this.tailEntry : this.head.length);
    if (isTail) return;
    for (const chunk of this.cold) {
      if (!(chunk instanceof Float64Array)) return;
      visitChunk(chunk, 0, chunk.length);
    }
    for (const chunks of [this.packed, this.loose]) {
      for (const chunk of chunks) {
        if (left <= 0) return;
        const positions = unpacked(chunk);
        visitChunk(positions, 0, positions.length);
      }
    }
    visitChunk(this.tail, 0, this.tail.length === 0 ? 0 : this.tailEntry);
  }

  /** Puts back an entry that `shift` took, at the place its sequence number gives it. */
  restore(position: number, sequence: number): void {
    this.returned.add(position, sequence);
  }

  get coldHead(): ColdRun | undefined {
    const isHeadCold = this.freshCount > 0 && this.headEntry === this.head.length;
    return isHeadCold && this.returned.length === 0 ? this.nextRun : undefined;
  }

  get nextRun(): ColdRun | undefined {
    const first = this.cold.peek();
    if (first === undefined || first instanceof Float64Array) return undefined;
    if (first === this.growingRun) this.growingRun = undefined;
    return first;
  }

  peekBehindHead(): number {
    const next = this.cold.peek() ?? this.packed.peek() ?? this.loose.peek();
    if (next === undefined) return -1;
    return next instanceof Float64Array ? next[0]! : next.first;
  }

  *stretches(): IterableIterator<Float64Array | ColdRun> {
    yield this.returned.all();
    if (this.freshCount === 0) return;
    const isTailOnly = this.head === this.tail;
    yield this.head.subarray(this.headEntry, isTailOnly ? this.tailEntry : this.head.length);
    // What has been seen must not grow any more.
    this.growingRun = undefined;
    yield* this.cold;
    for (const chunk of this.packed) yield unpacked(chunk);
    yield* this.loose;
    if (!isTailOnly) yield this.tail.subarray(0, this.tailEntry);
  }

  warm(run: ColdRun, positions: Float64Array): boolean {
    if (this.cold.peek() !== run) return false;
    const lost = run.count - positions.length;
    this.freshCount -= lost;
    if (this.handedOutEnd > this.headSequence) this.handedOutEnd -= lost;
    if (this.presumedEnd > this.headSequence) this.presumedEnd -= lost;
    this.cold.shift();
    if (positions.length > 0) this.cold.unshift(positions);
    if (this.freshCount === 0) this.rewind();
    else if (this.headEntry === this.head.length) this.nextHead();
    return true;
  }

  clear(visit: (position: number) => void, visitRun: (run: ColdRun) => void): void {
    while (this.length > 0) {
      const run = this.coldHead;
      if (run === undefined) {
        visit(this.shift());
        continue;
      }
      visitRun(run);
      this.headSequence += run.count;
      this.freshCount -= run.count;
      this.cold.shift();
      if (this.freshCount === 0) this.rewind();
      else this.nextHead();
    }
  }

  /** What is handed out is the oldest: all that precedes a message that was handed out counts as such. */
  private markRecovered(handOut: HandOut): void {
    const end = this.headSequence + this.freshCount;
    if (handOut !== HandOut.Never) this.handedOutEnd = end;
    if (handOut === HandOut.Presumed) this.presumedEnd = end;
  }

  /** The tail is full. */
  private makeRoom(): void {
    if (this.tail.length > 0 && this.tail.length < CHUNK_ENTRIES) this.growFirstChunk();
    else this.addChunk();
  }

  /** A chunk that is smaller than the others is the only one: head and tail. */
  private growFirstChunk(): void {
    const chunk = new Float64Array(this.tail.length * FIRST_CHUNK_GROWTH);
    chunk.set(this.tail.subarray(this.headEntry));
    this.tailEntry -= this.headEntry;
    this.tail = chunk;
    this.setHead(chunk);
  }

  private addChunk(): void {
    const full = this.tail;
    const isFirst = this.freshCount === 0 && this.spare === undefined;
    this.tail = isFirst ? new Float64Array(FIRST_CHUNK_ENTRIES) : this.takeSpare();
    this.tailEntry = 0;
    if (this.freshCount === 0) return this.setHead(this.tail);
    if (full !== this.head && full.length > 0) this.loose.push(full);
    if (this.loose.length <= LOOSE_CHUNKS_MAX) return;
    const chunk = this.loose.shift()!;
    this.packed.push(packChunk(chunk) ?? chunk);
    if (this.cooler !== undefined) this.cool(this.cooler);
  }

  /** An index that ran empty starts its chunk anew: consumers that keep up stay within one chunk. */
  private rewind(): void {
    if (this.tail.length > 0) this.tailEntry = 0;
    this.setHead(this.tail);
  }

  /** The head is empty: what comes next takes its place, unless that has to be warmed first. */
  private nextHead(): void {
    if (this.head.length === CHUNK_ENTRIES) this.spare = this.head;
    if (this.nextRun !== undefined) return this.setHead(EMPTY_CHUNK);
    const next = (this.cold.shift() as Float64Array | undefined) ?? this.packed.shift() ?? this.loose.shift();
    if (next === undefined) this.setHead(this.tail);
    else if (next instanceof Float64Array) this.setHead(next);
    else this.setHead(unpackChunk(next, this.takeSpare()));
  }

  private setHead(chunk: Float64Array): void {
    this.head = chunk;
    this.headEntry = 0;
  }

  private takeSpare(): Float64Array {
    const chunk = this.spare ?? new Float64Array(CHUNK_ENTRIES);
    this.spare = undefined;
    return chunk;
  }

  /** Everything behind the head becomes part of the cold stretch, as it is: a run is to follow it. */
  private freeze(): void {
    for (let chunk = this.packed.shift(); chunk !== undefined; chunk = this.packed.shift()) {
      this.cold.push(unpacked(chunk));
    }
    for (let chunk = this.loose.shift(); chunk !== undefined; chunk = this.loose.shift()) {
      this.cold.push(chunk);
    }
    if (this.freshCount === 0) this.setHead(EMPTY_CHUNK);
    else if (this.head === this.tail) this.head = this.tail.slice(0, this.tailEntry);
    else if (this.tail.length > 0) this.cold.push(this.tail.slice(0, this.tailEntry));
    this.tail = EMPTY_CHUNK;
    this.tailEntry = 0;
    this.growingRun = undefined;
  }

  /** The oldest packed chunks, as far as the log can find their positions again, become runs. */
  private cool(cooler: Cooler): void {
    for (let budget = COOLED_CHUNKS_MAX; budget > 0; budget--) {
      const chunk = this.packed.peek();
      if (chunk === undefined) return;
      const positions = unpacked(chunk);
      // Segments leave memory in the order in which they were filled, so the last position speaks for the others.
      if (cooler.countCoolable(positions, positions.length - 1) === 0) return;
      this.packed.shift();
      for (let from = 0; from < positions.length; ) from = this.coolFrom(positions, from, cooler);
    }
  }

  /** Makes a run of the positions from `from` on, or keeps them. @returns where the next ones begin */
  private coolFrom(positions: Float64Array, from: number, cooler: Cooler): number {
    const count = cooler.countCoolable(positions, from);
    if (count <= 0) {
      this.cold.push(from === 0 ? positions : positions.slice(from));
      this.growingRun = undefined;
      return positions.length;
    }
    const first = positions[from]!;
    const last = positions[from + count - 1]!;
    const { growingRun } = this;
    if (growingRun !== undefined && cooler.isSameSegment(growingRun.last, first)) {
      growingRun.last = last;
      growingRun.count += count;
    } else {
      this.growingRun = { first, last, count };
      this.cold.push(this.growingRun);
    }
    return from + count;
  }
}

function unpacked(chunk: PackedChunk | Float64Array): Float64Array {
  return chunk instanceof Float64Array ? chunk : unpackChunk(chunk, new Float64Array(CHUNK_ENTRIES));
}
