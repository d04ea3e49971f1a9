/**
 * The fresh messages of a quorum queue as RabbitMQ 4.0 to 4.2 orders them
 * (rabbitmq.com/docs/quorum-queues#priorities): two levels, high above the priority 4 and normal. Two high messages
 * go for each normal one, as long as both wait; but a normal message never goes before a high one that came first.
 */
import type { ColdRun, Cooler } from './cold-run.js';
import { NumberedPositions } from './numbered-positions.js';
import { QueueIndex } from './queue-index.js';
import { HandOut, type PeekVisitor, type ReadyIndex } from './ready-index.js';

/** Messages of a higher priority are high. */
export const NORMAL_PRIORITY_MAX = 4;

/** High messages in a row before it is the turn of a normal one. */
const HIGH_IN_A_ROW = 2;

export class TwoLevelIndex implements ReadyIndex, Cooler {
  /** Fresh messages need no place of their own to go back to. */
  readonly lastSequence = 0;
  readonly lastCounts = 0;
  lastRedelivered = false;
  private readonly cooler: Cooler | undefined;
  private readonly normal: QueueIndex;
  /** Each with the count of normal messages that came before it. */
  private readonly high = new NumberedPositions();
  private normalPushed = 0;
  private normalShifted = 0;
  /** Messages taken since it was last the turn of a normal one. */
  private turn = 0;
  /** So many at the head of `high` count as handed out before a restart. */
  private presumedHigh = 0;
  private hasSeenHigh = false;

  /** @param cooler absent: every position stays in memory */
  constructor(cooler?: Cooler) {
    this.cooler = cooler;
    this.normal = new QueueIndex(cooler === undefined ? undefined : this);
  }

  get length(): number {
    return this.normal.length + this.high.length;
  }

  get hasPresumedHandOuts(): boolean {
    return this.presumedHigh > 0 || this.normal.hasPresumedHandOuts;
  }

  push(position: number, priority: number): void {
    if (priority <= NORMAL_PRIORITY_MAX) {
      this.normal.push(position);
      this.normalPushed++;
    } else {
      this.high.push(position, this.normalPushed);
      this.hasSeenHigh = true;
    }
  }

  recover(position: number, handOut: HandOut, priority: number): void {
    if (priority <= NORMAL_PRIORITY_MAX) {
      this.normal.recover(position, handOut);
      this.normalPushed++;
    } else {
      this.push(position, priority);
      if (handOut !== HandOut.Never) this.presumedHigh = this.high.length;
    }
  }

  recoverRun(run: ColdRun, handOut: HandOut): void {
    this.normal.recoverRun(run, handOut);
    this.normalPushed += run.count;
  }

  shift(): number {
    const isHigh = this.isHighNext(this.turn, 0, 0);
    this.turn = nextTurn(this.turn);
    if (!isHigh) {
      const position = this.normal.shift();
      this.lastRedelivered = this.normal.lastRedelivered;
      this.normalShifted++;
      return position;
    }
    this.lastRedelivered = this.presumedHigh > 0;
    if (this.presumedHigh > 0) this.presumedHigh--;
    return this.high.shift();
  }

  peek(): number {
    return this.isHighNext(this.turn, 0, 0) ? this.high.firstPosition : this.normal.peek();
  }

  visitHead(count: number, visit: PeekVisitor): void {
    const normal: { readonly position: number; readonly redelivered: boolean }[] = [];
    this.normal.visitHead(count, (position, redelivered) => normal.push({ position, redelivered }));
    let turn = this.turn;
    let highs = 0;
    let normals = 0;
    for (let left = count; left > 0; left--) {
      if (this.isHighNext(turn, highs, normals)) {
        visit(this.high.positionAt(highs), highs < this.presumedHigh, 0);
        highs++;
      } else {
        const next = normal[normals++];
        if (next === undefined) return;
        visit(next.position, next.redelivered, 0);
      }
      turn = nextTurn(turn);
    }
  }

  restore(): never {
    throw new Error('what comes back to a quorum queue is not fresh any more');
  }

  get coldHead(): ColdRun | undefined {
    return this.isHighNext(this.turn, 0, 0) ? undefined : this.normal.coldHead;
  }

  get nextRun(): ColdRun | undefined {
    return this.normal.nextRun;
  }

  *stretches(): IterableIterator<Float64Array | ColdRun> {
    yield this.high.all();
    yield* this.normal.stretches();
  }

  peekBehindHead(): number {
    return this.normal.peekBehindHead();
  }

  warm(run: ColdRun, positions: Float64Array): boolean {
    if (!this.normal.warm(run, positions)) return false;
    this.normalShifted += run.count - positions.length;
    return true;
  }

  clear(visit: (position: number) => void, visitRun: (run: ColdRun) => void): void {
    while (this.high.length > 0) visit(this.high.shift());
    this.normal.clear(visit, visitRun);
    this.normalShifted = this.normalPushed;
    this.presumedHigh = 0;
  }

  /** A run stands for all records of the queue between its ends, and high ones lie anywhere. */
  countCoolable(positions: Float64Array, from: number): number {
    return this.hasSeenHigh ? -1 : this.cooler!.countCoolable(positions, from);
  }

  isSameSegment(position: number, other: number): boolean {
    return this.cooler!.isSameSegment(position, other);
  }

  /** Whose turn it is when so many high and normal ones more have gone. */
  private isHighNext(turn: number, highs: number, normals: number): boolean {
    if (this.high.length <= highs) return false;
    if (turn < HIGH_IN_A_ROW || this.normal.length <= normals) return true;
    return this.high.numberAt(highs) <= this.normalShifted + normals;
  }
}

function nextTurn(turn: number): number {
  return turn === HIGH_IN_A_ROW ? 0 : turn + 1;
}
