/** A consumer of a crash test: acknowledges most, returns some, rejects some, and keeps some for later. */
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Choices } from './choices.js';
import type { Copy, Ledger } from './ledger.js';
import { arrivalOf } from './messages.js';
import { WORK_QUEUE } from './topology.js';

const PREFETCH_MAX = 100;
const BARRIER_INTERVAL_MS = 50;

interface Unacked {
  readonly message: ConsumeMessage;
  readonly copy: Copy;
}

export interface ConsumingOptions {
  readonly queue: string;
  readonly channel: Channel;
  readonly ledger: Ledger;
  readonly choices: Choices;
  readonly isStopped: () => boolean;
}

export class Consuming {
  private readonly options: ConsumingOptions;
  private readonly prefetch: number;
  /** In the order of their delivery tags. */
  private readonly unacked = new Set<Unacked>();
  /** Settled since the last barrier was sent. */
  private settled: Copy[] = [];

  constructor(options: ConsumingOptions) {
    this.options = options;
    this.prefetch = options.choices.between(2, PREFETCH_MAX);
  }

  async start(): Promise<void> {
    const { channel, queue } = this.options;
    await channel.prefetch(this.prefetch);
    await channel.consume(queue, (message) => {
      if (message !== null) this.receive(message);
    });
  }

  /** Learns again and again which acks the broker has processed, until it is stopped. */
  async confirmAcks(): Promise<void> {
    const { channel, ledger, isStopped } = this.options;
    while (!isStopped()) {
      const settled = this.settled;
      this.settled = [];
      // Any method with an answer would do: the methods of a channel are processed in order (AMQP 0-9-1, 4.7).
      await channel.prefetch(this.prefetch);
      ledger.processed(settled, performance.now());
      await new Promise((resolve) => setTimeout(resolve, BARRIER_INTERVAL_MS));
    }
  }

  private receive(message: ConsumeMessage): void {
    const { channel, ledger, choices, queue } = this.options;
    const copy = ledger.delivered(arrivalOf(queue, message));
    // What came in behind the kill has been seen, but nothing can be done with it any more.
    if (copy === undefined || this.options.isStopped()) return;
    const delivery = { message, copy };
    this.unacked.add(delivery);
    if (choices.chance(10)) {
      if (this.unacked.size > this.prefetch / 2) this.ackAllUpTo(delivery);
      return;
    }
    if (choices.chance(5)) {
      this.unacked.delete(delivery);
      channel.nack(message, false, true);
      ledger.requeued(copy);
    } else if (queue === WORK_QUEUE && choices.chance(30)) {
      this.unacked.delete(delivery);
      channel.nack(message, false, false);
      ledger.rejected(copy);
      this.settled.push(copy);
    } else if (choices.chance(10)) {
      this.ackAllUpTo(delivery);
    } else {
      channel.ack(message);
      this.settle(delivery);
    }
  }

  private ackAllUpTo(last: Unacked): void {
    this.options.channel.ack(last.message, true);
    for (const delivery of [...this.unacked]) this.settle(delivery);
  }

  private settle(delivery: Unacked): void {
    this.unacked.delete(delivery);
    this.options.ledger.acked(delivery.copy);
    this.settled.push(delivery.copy);
  }
}
