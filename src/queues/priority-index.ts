/**
 * Ready messages by priority (rabbitmq.com/docs/priority): one index for each level from 0 to the queue's highest,
 * the highest first, first in first out within a level. A message above the highest level counts as the highest.
 */
import type { ColdRun } from './cold-run.js';
import { QueueIndex } from './queue-index.js';
import type { HandOut, PeekVisitor, ReadyIndex } from './ready-index.js';

/** Sequence numbers carry the level: sequence * LEVELS + level. */
const LEVELS = 256;

export class PriorityIndex implements ReadyIndex {
  length = 0;
  lastSequence = 0;
  lastRedelivered = false;
  readonly lastCounts = 0;
  /** By level; made when first used. */
  private readonly levels: (QueueIndex | undefined)[];
  private readonly highest: number;
  /** No level above this one holds a message. */
  private top = 0;

  constructor(highest: number) {
    this.highest = highest;
    this.levels = new Array<QueueIndex | undefined>(highest + 1).fill(undefined);
  }

  get hasPresumedHandOuts(): boolean {
    return this.levels.some((level) => level?.hasPresumedHandOuts === true);
  }

  push(position: number, priority: number): void {
    this.level(Math.min(priority, this.highest)).push(position);
    this.length++;
  }

  recover(position: number, handOut: HandOut, priority: number): void {
    this.level(Math.min(priority, this.highest)).recover(position, handOut);
    this.length++;
  }

  shift(): number {
    const level = this.firstLevel();
    const index = this.levels[level]!;
    const position = index.shift();
    this.lastSequence = index.lastSequence * LEVELS + level;
    this.lastRedelivered = index.lastRedelivered;
    this.length--;
    return position;
  }

  peek(): number {
    return this.length === 0 ? -1 : this.levels[this.firstLevel()]!.peek();
  }

  visitHead(count: number, visit: PeekVisitor): void {
    let left = count;
    for (let level = this.highest; level >= 0 && left > 0; level--) {
      const index = this.levels[level];
      if (index === undefined) continue;
      index.visitHead(left, visit);
      left -= index.length;
    }
  }

  restore(position: number, sequence: number): void {
    this.level(sequence % LEVELS).restore(position, Math.floor(sequence / LEVELS));
    this.length++;
  }

  recoverRun(): never {
    throw new Error('a run does not tell the priorities of its messages');
  }

  /** No level is ever cold: the log does not know priorities. */
  get coldHead(): undefined {
    return undefined;
  }

  get nextRun(): undefined {
    return undefined;
  }

  *stretches(): IterableIterator<Float64Array | ColdRun> {
    for (const level of this.levels) if (level !== undefined) yield* level.stretches();
  }

  peekBehindHead(): number {
    return this.length === 0 ? -1 : this.levels[this.firstLevel()]!.peekBehindHead();
  }

  warm(): boolean {
    return false;
  }

  clear(visit: (position: number) => void): void {
    while (this.length > 0) visit(this.shift());
  }

  private firstLevel(): number {
    while (this.top > 0 && (this.levels[this.top]?.length ?? 0) === 0) this.top--;
    return this.top;
  }

  /** The index of a level that is about to get a message. */
  private level(level: number): QueueIndex {
    if (level > this.top) this.top = level;
    let index = this.levels[level];
    if (index === undefined) this.levels[level] = index = new QueueIndex();
    return index;
  }
}
