/**
 * The ready order of a quorum queue (rabbitmq.com/docs/quorum-queues): what came back goes first, in the order in
 * which it came back; behind it the fresh messages, in an order that depends on the generation of RabbitMQ. A queue
 * without a delivery limit puts what it gets back behind the fresh ones instead: nothing it cannot get rid of may stand
 * in the way.
 *
 * The sequence number of an entry is its counts (return-counts.ts): all that has to be known when it comes back.
 */
import type { ColdRun } from './cold-run.js';
import { NumberedPositions } from './numbered-positions.js';
import type { HandOut, PeekVisitor, ReadyIndex } from './ready-index.js';

export class QuorumIndex implements ReadyIndex {
  lastSequence = 0;
  lastRedelivered = false;
  lastCounts = 0;
  private readonly fresh: ReadyIndex;
  /** Each with its counts. */
  private readonly returned = new NumberedPositions();
  /** Of those that came back and are among the fresh ones. */
  private readonly counts = new Map<number, number>();

  constructor(fresh: ReadyIndex) {
    this.fresh = fresh;
  }

  get length(): number {
    return this.returned.length + this.fresh.length;
  }

  get hasPresumedHandOuts(): boolean {
    return this.fresh.hasPresumedHandOuts;
  }

  push(position: number, priority: number): void {
    this.fresh.push(position, priority);
  }

  recover(position: number, handOut: HandOut, priority: number): void {
    this.fresh.recover(position, handOut, priority);
  }

  recoverRun(run: ColdRun, handOut: HandOut): void {
    this.fresh.recoverRun(run, handOut);
  }

  shift(): number {
    const { returned, fresh } = this;
    if (returned.length > 0) {
      this.lastSequence = this.lastCounts = returned.firstNumber;
      this.lastRedelivered = true;
      return returned.shift();
    }
    const position = fresh.shift();
    const counts = this.counts.size === 0 ? 0 : this.takeCounts(position);
    this.lastSequence = this.lastCounts = counts;
    this.lastRedelivered = counts > 0 || fresh.lastRedelivered;
    return position;
  }

  peek(): number {
    return this.returned.length > 0 ? this.returned.firstPosition : this.fresh.peek();
  }

  visitHead(count: number, visit: PeekVisitor): void {
    const { returned } = this;
    const returns = Math.min(count, returned.length);
    for (let i = 0; i < returns; i++) visit(returned.positionAt(i), true, returned.numberAt(i));
    if (count === returns) return;
    this.fresh.visitHead(count - returns, (position, redelivered) => {
      const counts = this.counts.get(position) ?? 0;
      visit(position, redelivered || counts > 0, counts);
    });
  }

  /** Puts back an entry behind those that came back before. */
  restore(position: number, counts: number): void {
    this.returned.push(position, counts);
  }

  /** As `restore`, but behind all of that priority that wait. */
  restoreToBack(position: number, counts: number, priority: number): void {
    this.counts.set(position, counts);
    this.fresh.push(position, priority);
  }

  get coldHead(): ColdRun | undefined {
    return this.returned.length > 0 ? undefined : this.fresh.coldHead;
  }

  get nextRun(): ColdRun | undefined {
    return this.fresh.nextRun;
  }

  *stretches(): IterableIterator<Float64Array | ColdRun> {
    yield this.returned.all();
    yield* this.fresh.stretches();
  }

  peekBehindHead(): number {
    return this.fresh.peekBehindHead();
  }

  warm(run: ColdRun, positions: Float64Array): boolean {
    return this.fresh.warm(run, positions);
  }

  clear(visit: (position: number) => void, visitRun: (run: ColdRun) => void): void {
    while (this.returned.length > 0) visit(this.returned.shift());
    this.fresh.clear(visit, visitRun);
    this.counts.clear();
  }

  private takeCounts(position: number): number {
    const counts = this.counts.get(position) ?? 0;
    this.counts.delete(position);
    return counts;
  }
}
