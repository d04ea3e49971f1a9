/**
 * The ready order of a quorum queue (rabbitmq.com/docs/quorum-queues): what came back goes first, in the order in
 * which it came back; behind it the fresh messages, in an order that depends on the generation of RabbitMQ.
 *
 * The sequence number of an entry is how often it was handed out before: all that has to be known when it comes back.
 */
import type { ColdRun } from './cold-run.js';
import { NumberedPositions } from './numbered-positions.js';
import type { HandOut, PeekVisitor, ReadyIndex } from './ready-index.js';

export class QuorumIndex implements ReadyIndex {
  lastSequence = 0;
  lastRedelivered = false;
  lastDeliveryCount = 0;
  private readonly fresh: ReadyIndex;
  /** Each with how often it was handed out. */
  private readonly returned = new NumberedPositions();

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
      this.lastSequence = this.lastDeliveryCount = returned.firstNumber;
      this.lastRedelivered = true;
      return returned.shift();
    }
    const position = fresh.shift();
    this.lastSequence = this.lastDeliveryCount = 0;
    this.lastRedelivered = fresh.lastRedelivered;
    return position;
  }

  peek(): number {
    return this.returned.length > 0 ? this.returned.firstPosition : this.fresh.peek();
  }

  visitHead(count: number, visit: PeekVisitor): void {
    const { returned } = this;
    const returns = Math.min(count, returned.length);
    for (let i = 0; i < returns; i++) visit(returned.positionAt(i), true, returned.numberAt(i));
    if (count > returns) this.fresh.visitHead(count - returns, visit);
  }

  /** Puts back an entry behind those that came back before; `sequence` is how often it is handed out by now. */
  restore(position: number, sequence: number): void {
    this.returned.push(position, sequence);
  }

  get coldHead(): ColdRun | undefined {
    return this.returned.length > 0 ? undefined : this.fresh.coldHead;
  }

  get nextRun(): ColdRun | undefined {
    return this.fresh.nextRun;
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
  }
}
