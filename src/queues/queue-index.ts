/**
 * The ready order of a queue: positions in the message log, first in first out, in chunks of typed arrays.
 *
 * Every message a queue accepts gets the next sequence number, which is its place in the order for good. Fresh
 * messages are a dense run of sequence numbers, so theirs are not stored; messages that were handed out and came
 * back go to `ReturnedMessages`, ordered by theirs, and all of them precede the fresh ones.
 *
 *   head chunk | packed ... packed | last few chunks, tail
 *
 * The chunks between the head and the tail of a deep queue are packed, and unpacked as they become the head.
 */
import { type PackedChunk, packChunk, unpackChunk } from './packed-chunk.js';
import type { ReadyIndex } from './ready-index.js';
import { ReturnedMessages } from './returned-messages.js';

/** Entries of a chunk: 4 KiB, so an empty queue costs nothing and a short one little. */
const CHUNK_ENTRIES = 512;

const EMPTY_CHUNK = new Float64Array(0);

/** Chunks at either end that stay as they are: a queue this short is never packed. */
const LOOSE_CHUNKS = 8;

export class QueueIndex implements ReadyIndex {
  private chunks: (Float64Array | PackedChunk)[] = [];
  /** The chunk that `push` fills, and the one that `shift` empties. */
  private tail: Float64Array = EMPTY_CHUNK;
  private head: Float64Array = EMPTY_CHUNK;
  private headChunk = 0;
  private headEntry = 0;
  private tailEntry = CHUNK_ENTRIES;
  private spare: Float64Array | undefined;
  private freshCount = 0;
  private headSequence = 0;
  /** Entries below this sequence number were there before a restart. */
  private recoveredEnd = 0;
  private readonly returned = new ReturnedMessages();

  /** Sequence number of the entry that the last `shift` took. */
  lastSequence = 0;
  /** Whether the entry that the last `shift` took had been handed out before. */
  lastRedelivered = false;

  get length(): number {
    return this.freshCount + this.returned.length;
  }

  push(position: number): void {
    if (this.tailEntry === CHUNK_ENTRIES) this.addChunk();
    this.tail[this.tailEntry++] = position;
    this.freshCount++;
  }

  recover(position: number): void {
    this.push(position);
    this.recoveredEnd = this.headSequence + this.freshCount;
  }

  /** Takes the first entry. The index must not be empty. */
  shift(): number {
    if (this.returned.length > 0) {
      this.lastSequence = this.returned.firstSequence;
      this.lastRedelivered = true;
      return this.returned.shift();
    }
    const position = this.head[this.headEntry++]!;
    this.lastRedelivered = this.headSequence < this.recoveredEnd;
    this.lastSequence = this.headSequence++;
    this.freshCount--;
    if (this.headEntry === CHUNK_ENTRIES) this.dropHeadChunk();
    else if (this.freshCount === 0) this.rewind();
    return position;
  }

  /** The first entry's position without taking it, or -1. */
  peek(): number {
    if (this.returned.length > 0) return this.returned.firstPosition;
    return this.freshCount === 0 ? -1 : this.head[this.headEntry]!;
  }

  /** Puts back an entry that `shift` took, at the place its sequence number gives it. */
  restore(position: number, sequence: number): void {
    this.returned.add(position, sequence);
  }

  private addChunk(): void {
    const { chunks } = this;
    this.tail = this.spare ?? new Float64Array(CHUNK_ENTRIES);
    this.spare = undefined;
    this.tailEntry = 0;
    if (chunks.length === this.headChunk) this.head = this.tail;
    chunks.push(this.tail);
    const middle = chunks.length - 1 - LOOSE_CHUNKS;
    const chunk = middle >= this.headChunk + LOOSE_CHUNKS ? chunks[middle] : undefined;
    if (chunk instanceof Float64Array) chunks[middle] = packChunk(chunk) ?? chunk;
  }

  private dropHeadChunk(): void {
    const emptied = this.head;
    const { chunks } = this;
    chunks[this.headChunk++] = EMPTY_CHUNK;
    this.headEntry = 0;
    if (this.headChunk === chunks.length) {
      chunks.length = 0;
      this.headChunk = 0;
      this.tailEntry = CHUNK_ENTRIES;
      this.spare = emptied;
      return;
    }
    const next = chunks[this.headChunk]!;
    if (next instanceof Float64Array) {
      this.head = next;
      this.spare = emptied;
    } else {
      unpackChunk(next, emptied);
      this.head = emptied;
      chunks[this.headChunk] = emptied;
    }
    if (this.headChunk >= 64 && this.headChunk * 2 >= chunks.length) {
      this.chunks = chunks.slice(this.headChunk);
      this.headChunk = 0;
    }
  }

  /** An index that ran empty starts its chunk anew: consumers that keep up stay within one chunk. */
  private rewind(): void {
    this.headEntry = 0;
    this.tailEntry = 0;
  }
}
