/**
 * Messages on their way to a dead-letter exchange. A dead letter may push others out of a full queue: those wait
 * here for their turn, or the calls would nest as deep as queues are long.
 */
import { RingBuffer } from '../lib/ring-buffer.js';
import type { DeadLetterReason, Queue } from '../queues/queue.js';
import { keepsDeadLetters } from '../queues/queue-arguments.js';
import { type Death, deadLetter } from './dead-letter.js';
import { KeptDeadLetters, KeptDeath } from './kept-dead-letters.js';
import type { VirtualHost } from './virtual-host.js';

export class DyingMessages {
  private readonly virtualHost: VirtualHost;
  /** The first is being published. */
  private readonly deaths = new RingBuffer<Death>();
  /** Of the queues that keep their dead messages until they are safe elsewhere. */
  private readonly keepers = new Map<Queue, KeptDeadLetters>();

  constructor(virtualHost: VirtualHost) {
    this.virtualHost = virtualHost;
  }

  /** Takes over the queue's reference of a record, and lets the queue forget it once its copy is safe. */
  add(queue: Queue, position: number, reason: DeadLetterReason): void {
    if (keepsDeadLetters(queue.settings)) this.keeperOf(queue).add(position, reason);
    else this.enqueue({ queue, position, reason, diedMs: this.virtualHost.clock.nowMs() });
  }

  /** A policy changed what holds for a queue. */
  settingsChanged(queue: Queue): void {
    if (!keepsDeadLetters(queue.settings)) this.keepers.get(queue)?.giveUp();
  }

  queueDeleted(queue: Queue): void {
    this.keepers.get(queue)?.close();
    this.keepers.delete(queue);
  }

  /** Ends the timers: the broker is closing. */
  stop(): void {
    for (const keeper of this.keepers.values()) keeper.stop();
  }

  private keeperOf(queue: Queue): KeptDeadLetters {
    let keeper = this.keepers.get(queue);
    if (keeper === undefined) {
      keeper = new KeptDeadLetters(this.virtualHost, queue, (death) => this.enqueue(death));
      this.keepers.set(queue, keeper);
    }
    return keeper;
  }

  private enqueue(death: Death): void {
    this.deaths.push(death);
    if (this.deaths.length === 1) this.publishAll();
  }

  private publishAll(): void {
    const { log } = this.virtualHost;
    for (let death = this.deaths.peek(); death !== undefined; death = this.deaths.peek()) {
      if (!log.isReadable(death.position)) return log.fetch(death.position, () => this.publishAll());
      try {
        if (death instanceof KeptDeath) death.keeper.publish(death);
        else this.publish(death);
      } finally {
        this.deaths.shift();
      }
    }
  }

  private publish(death: Death): void {
    const { queue, position } = death;
    const { log } = this.virtualHost;
    let isCopyDurable = false;
    try {
      if (!log.isDamaged(position)) isCopyDurable = deadLetter(this.virtualHost, death);
    } finally {
      // The source may be forgotten only when the copy is safe: a crash in between must not lose both.
      if (isCopyDurable) this.forgetWhenSafe(queue, position, log.journal!.nextCommit);
      else queue.forget(position);
    }
  }

  private forgetWhenSafe(queue: Queue, position: number, commit: number): void {
    const { durable } = this.virtualHost.log.journal!;
    if (durable.value >= commit) queue.forget(position);
    else durable.onceAdvanced(() => this.forgetWhenSafe(queue, position, commit));
  }
}
