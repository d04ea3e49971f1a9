/**
 * Messages on their way to a dead-letter exchange. A dead letter may push others out of a full queue: those wait
 * here for their turn, or the calls would nest as deep as queues are long.
 */
import { RingBuffer } from '../lib/ring-buffer.js';
import type { DeadLetterReason, Queue } from '../queues/queue.js';
import { deadLetter } from './dead-letter.js';
import type { VirtualHost } from './virtual-host.js';

interface Death {
  readonly queue: Queue;
  readonly position: number;
  readonly reason: DeadLetterReason;
}

export class DyingMessages {
  private readonly virtualHost: VirtualHost;
  /** The first is being published. */
  private readonly deaths = new RingBuffer<Death>();

  constructor(virtualHost: VirtualHost) {
    this.virtualHost = virtualHost;
  }

  /** Takes over the queue's reference of a record, and lets the queue forget it once its copy is safe. */
  add(queue: Queue, position: number, reason: DeadLetterReason): void {
    this.deaths.push({ queue, position, reason });
    if (this.deaths.length === 1) this.publishAll();
  }

  private publishAll(): void {
    const { log } = this.virtualHost;
    for (let death = this.deaths.peek(); death !== undefined; death = this.deaths.peek()) {
      const { queue, position, reason } = death;
      if (!log.isReadable(position)) return log.fetch(position, () => this.publishAll());
      let isCopyDurable = false;
      try {
        if (!log.isDamaged(position)) isCopyDurable = deadLetter(this.virtualHost, queue, position, reason);
      } finally {
        this.deaths.shift();
        // The source may be forgotten only when the copy is safe: a crash in between must not lose both.
        if (isCopyDurable) this.forgetWhenSafe(queue, position, log.journal!.nextCommit);
        else queue.forget(position);
      }
    }
  }

  private forgetWhenSafe(queue: Queue, position: number, commit: number): void {
    const { durable } = this.virtualHost.log.journal!;
    if (durable.value >= commit) queue.forget(position);
    else durable.onceAdvanced(() => this.forgetWhenSafe(queue, position, commit));
  }
}
