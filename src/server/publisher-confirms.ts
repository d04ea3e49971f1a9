/**
 * Publisher confirms of one channel: numbers every publish after confirm.select from 1 and tells the publisher,
 * once per turn, what became of them. Confirms leave in publish order, each run of accepted messages as one
 * basic.ack with `multiple` (rabbitmq.com/docs/confirms), a rejected message as a basic.nack of its own.
 */

import { MethodWriter } from '../amqp/method-writer.js';
import { encodeBasicAck, encodeBasicNack } from '../amqp/methods.generated.js';
import type { Confirmer, Scheduler } from '../broker/scheduler.js';
import { RingBuffer } from '../lib/ring-buffer.js';
import type { Watermark } from '../lib/watermark.js';
import type { Transport } from './transport.js';

/** Publishes in a row that wait for the same commit. */
interface WaitingRun {
  readonly commit: number;
  lastSequence: number;
}

export class PublisherConfirms implements Confirmer {
  private readonly channelNumber: number;
  private readonly transport: Transport;
  private readonly scheduler: Scheduler;
  /** Which commits of the journal are safe; undefined for a broker in memory. */
  private readonly durable: Watermark | undefined;
  private readonly writer = new MethodWriter(32);
  /** Number of the last publish. */
  private lastSequence = 0;
  /** Everything up to here has been told. */
  private toldSequence = 0;
  /** Rejected ones that have not been told, ascending. */
  private readonly rejected = new RingBuffer<number>();
  /** Runs of publishes that wait for a commit, ascending in both. */
  private readonly waiting = new RingBuffer<WaitingRun>();
  private newestRun: WaitingRun | undefined;
  private isScheduled = false;
  private isClosed = false;
  private readonly schedule = (): void => {
    if (this.isScheduled || this.isClosed) return;
    this.isScheduled = true;
    this.scheduler.scheduleConfirms(this);
  };

  constructor(channelNumber: number, transport: Transport, scheduler: Scheduler, durable?: Watermark) {
    this.channelNumber = channelNumber;
    this.transport = transport;
    this.scheduler = scheduler;
    this.durable = durable;
  }

  /**
   * The next publish was taken over by every queue it was routed to, or by none because there was none.
   * @param commit of the journal that has to be safe first; 0 for none
   */
  accept(commit = 0): void {
    this.lastSequence++;
    if (commit > 0 || this.newestRun !== undefined) this.await(commit);
    else if (!this.isScheduled) this.schedule();
  }

  /** A queue rejected the next publish. */
  reject(): void {
    this.rejected.push(++this.lastSequence);
    if (this.newestRun !== undefined) this.await(0);
    else this.schedule();
  }

  /** The channel is closing: pending confirms are lost. */
  close(): void {
    this.isClosed = true;
    this.durable?.forget(this.schedule);
  }

  writeConfirms(): void {
    this.isScheduled = false;
    if (this.isClosed) return;
    const safeSequence = this.findSafe();
    for (
      let next = this.rejected.peek();
      next !== undefined && next <= safeSequence;
      next = this.rejected.peek()
    ) {
      this.rejected.shift();
      this.writeAck(next - 1);
      this.writer.reset();
      encodeBasicNack(this.writer, next, false, false);
      this.transport.writeMethod(this.channelNumber, this.writer);
      this.toldSequence = next;
    }
    this.writeAck(safeSequence);
  }

  /** The last publish waits for a commit, or behind those that do. */
  private await(commit: number): void {
    const newest = this.newestRun;
    if (newest !== undefined && commit <= newest.commit) {
      newest.lastSequence = this.lastSequence;
      return;
    }
    this.newestRun = { commit, lastSequence: this.lastSequence };
    this.waiting.push(this.newestRun);
    if (this.waiting.length === 1) this.durable?.onceAdvanced(this.schedule);
  }

  /** The last publish of which, and of all before it, nothing is waited for. */
  private findSafe(): number {
    const reached = this.durable?.value ?? 0;
    let safe = this.toldSequence;
    for (
      let run = this.waiting.peek();
      run !== undefined && run.commit <= reached;
      run = this.waiting.peek()
    ) {
      safe = run.lastSequence;
      this.waiting.shift();
    }
    if (this.waiting.length > 0) {
      this.durable?.onceAdvanced(this.schedule);
      return safe;
    }
    this.newestRun = undefined;
    return this.lastSequence;
  }

  private writeAck(sequence: number): void {
    const count = sequence - this.toldSequence;
    if (count <= 0) return;
    this.writer.reset();
    encodeBasicAck(this.writer, sequence, count > 1);
    this.transport.writeMethod(this.channelNumber, this.writer);
    this.toldSequence = sequence;
  }
}
