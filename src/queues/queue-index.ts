/**
 * The ready order of a queue: positions in the message log, first in first out, in chunks of typed arrays.
 *
 * Every message a queue accepts gets the next sequence number, which is its place in the order for good. Fresh
 * messages are a dense run of sequence numbers, so theirs are not stored; messages that were handed out and came
 * back go to `ReturnedMessages`, ordered by theirs, and all of them precede the fresh ones.
 */
import type { ReadyIndex } from './ready-index.js';
import { ReturnedMessages } from './returned-messages.js';

/** Entries of a chunk: 4 KiB, so an empty queue costs nothing and a short one little. */
const CHUNK_ENTRIES = 512;

export class QueueIndex implements ReadyIndex {
  private chunks: Float64Array[] = [];
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
    this.chunks[this.chunks.length - 1]![this.tailEntry++] = position;
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
    const position = this.chunks[this.headChunk]![this.headEntry++]!;
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
    return this.freshCount === 0 ? -1 : this.chunks[this.headChunk]![this.headEntry]!;
  }

  /** Puts back an entry that `shift` took, at the place its sequence number gives it. */
  restore(position: number, sequence: number): void {
    this.returned.add(position, sequence);
  }

  private addChunk(): void {
    this.chunks.push(this.spare ?? new Float64Array(CHUNK_ENTRIES));
    this.spare = undefined;
    this.tailEntry = 0;
  }

  private dropHeadChunk(): void {
    this.spare = this.chunks[this.headChunk];
    this.chunks[this.headChunk] = EMPTY_CHUNK;
    this.headChunk++;
    this.headEntry = 0;
    if (this.headChunk === this.chunks.length) {
      this.chunks.length = 0;
      this.headChunk = 0;
      this.tailEntry = CHUNK_ENTRIES;
    } else if (this.headChunk >= 64 && this.headChunk * 2 >= this.chunks.length) {
      this.chunks = this.chunks.slice(this.headChunk);
      this.headChunk = 0;
    }
  }

  /** An index that ran empty starts its chunk anew: consumers that keep up stay within one chunk. */
  private rewind(): void {
    this.headEntry = 0;
    this.tailEntry = 0;
  }
}

const EMPTY_CHUNK = new Float64Array(0);
