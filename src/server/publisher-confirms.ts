/**
 * Publisher confirms of one channel: numbers every publish after confirm.select from 1 and tells the publisher,
 * once per turn, what became of them. Confirms leave in publish order, each run of accepted messages as one
 * basic.ack with `multiple` (rabbitmq.com/docs/confirms), a rejected message as a basic.nack of its own.
 */

import { MethodWriter } from '../amqp/method-writer.js';
import { encodeBasicAck, encodeBasicNack } from '../amqp/methods.generated.js';
import type { Confirmer, Scheduler } from '../broker/scheduler.js';
import type { Transport } from './transport.js';

export class PublisherConfirms implements Confirmer {
  private readonly channelNumber: number;
  private readonly transport: Transport;
  private readonly scheduler: Scheduler;
  private readonly writer = new MethodWriter(32);
  /** Number of the last publish. */
  private lastSequence = 0;
  /** Everything up to here has been told. */
  private toldSequence = 0;
  /** Rejected ones that have not been told, ascending. */
  private readonly rejected: number[] = [];
  private isScheduled = false;
  private isClosed = false;

  constructor(channelNumber: number, transport: Transport, scheduler: Scheduler) {
    this.channelNumber = channelNumber;
    this.transport = transport;
    this.scheduler = scheduler;
  }

  /** The next publish was taken over by every queue it was routed to, or by none because there was none. */
  accept(): void {
    this.lastSequence++;
    if (!this.isScheduled) this.schedule();
  }

  /** A queue rejected the next publish. */
  reject(): void {
    this.rejected.push(++this.lastSequence);
    if (!this.isScheduled) this.schedule();
  }

  /** The channel is closing: pending confirms are lost. */
  close(): void {
    this.isClosed = true;
  }

  writeConfirms(): void {
    this.isScheduled = false;
    if (this.isClosed) return;
    for (const sequence of this.rejected) {
      this.writeAck(sequence - 1);
      this.writer.reset();
      encodeBasicNack(this.writer, sequence, false, false);
      this.transport.writeMethod(this.channelNumber, this.writer);
      this.toldSequence = sequence;
    }
    this.rejected.length = 0;
    this.writeAck(this.lastSequence);
  }

  private schedule(): void {
    this.isScheduled = true;
    this.scheduler.scheduleConfirms(this);
  }

  private writeAck(sequence: number): void {
    const count = sequence - this.toldSequence;
    if (count === 0) return;
    this.writer.reset();
    encodeBasicAck(this.writer, sequence, count > 1);
    this.transport.writeMethod(this.channelNumber, this.writer);
    this.toldSequence = sequence;
  }
}
