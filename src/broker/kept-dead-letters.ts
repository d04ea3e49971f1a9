/**
 * Dead letters of a queue with the strategy at-least-once (rabbitmq.com/docs/quorum-queues#dead-lettering): a message
 * stays with its queue until every queue that its dead-letter exchange routes it to has a copy that is safe. What is
 * routed nowhere, or refused, is tried again after a while. Few are under way at a time: the others wait behind them.
 */
import type { Timer } from '../lib/clock.js';
import { DEAD_LETTER_RETRY_MS, DEAD_LETTERS_UNDER_WAY_MAX } from '../lib/limits.js';
import { RingBuffer } from '../lib/ring-buffer.js';
import type { DeadLetterReason, Queue } from '../queues/queue.js';
import { keepsDeadLetters } from '../queues/queue-arguments.js';
import { copyDead, type Death } from './dead-letter.js';
import type { VirtualHost } from './virtual-host.js';

/** Waits for its turn with the others; has copies that are not safe yet; or has failed, and is tried again. */
type Stage = 'queued' | 'unsafe' | 'failed';

export class KeptDeath implements Death {
  stage: Stage = 'queued';
  /** When it is tried again. */
  retryMs = Number.POSITIVE_INFINITY;
  /** They have a copy. */
  readonly takers = new Set<Queue>();

  constructor(
    readonly queue: Queue,
    readonly position: number,
    readonly reason: DeadLetterReason,
    readonly diedMs: number,
    readonly keeper: KeptDeadLetters,
  ) {}
}

export class KeptDeadLetters {
  private readonly virtualHost: VirtualHost;
  private readonly queue: Queue;
  private readonly enqueue: (death: KeptDeath) => void;
  private readonly waiting = new RingBuffer<KeptDeath>();
  private readonly underWay = new Set<KeptDeath>();
  private timer: Timer | undefined;
  /** Those that are tried again go before those that wait. */
  private isRetrying = false;

  /** @param enqueue has `publish` called with the death, once its message can be read */
  constructor(virtualHost: VirtualHost, queue: Queue, enqueue: (death: KeptDeath) => void) {
    this.virtualHost = virtualHost;
    this.queue = queue;
    this.enqueue = enqueue;
  }

  add(position: number, reason: DeadLetterReason): void {
    const { queue, virtualHost } = this;
    this.waiting.push(new KeptDeath(queue, position, reason, virtualHost.clock.nowMs(), this));
    this.advance();
  }

  /** Publishes to the queues that have no copy yet. */
  publish(death: KeptDeath): void {
    const { log } = this.virtualHost;
    if (this.queue.isDeleted || log.isDamaged(death.position)) return this.finish(death);
    const copy = copyDead(this.virtualHost, death);
    if (copy === undefined) return this.fail(death);
    const { position, route, isDurable } = copy;
    if (route.length > 0) log.retain(position, route.length);
    for (const target of route) if (target.publish(position)) death.takers.add(target);
    if (!route.every((target) => death.takers.has(target))) return this.fail(death);
    death.stage = 'unsafe';
    if (isDurable) this.finishWhenSafe(death, log.journal!.nextCommit);
    else this.finish(death);
  }

  /** The queue is gone: what it kept goes too. */
  close(): void {
    this.stop();
    for (let death = this.waiting.shift(); death !== undefined; death = this.waiting.shift()) {
      this.queue.forget(death.position);
    }
    // Those that are queued find out when it is their turn.
    for (const death of this.underWay) if (death.stage !== 'queued') this.finish(death);
  }

  /** The queue does not keep them any more: each is tried once more, and what gets nowhere is dropped. */
  giveUp(): void {
    this.stop();
    for (const death of this.underWay) death.retryMs = Number.NEGATIVE_INFINITY;
    this.retry();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private advance(): void {
    while (!this.isRetrying && this.underWay.size < DEAD_LETTERS_UNDER_WAY_MAX) {
      const death = this.waiting.shift();
      if (death === undefined) return;
      this.underWay.add(death);
      this.enqueue(death);
    }
  }

  private finishWhenSafe(death: KeptDeath, commit: number): void {
    if (!this.underWay.has(death)) return;
    const { durable } = this.virtualHost.log.journal!;
    if (durable.value >= commit) this.finish(death);
    else durable.onceAdvanced(() => this.finishWhenSafe(death, commit));
  }

  private finish(death: KeptDeath): void {
    this.underWay.delete(death);
    this.queue.forget(death.position);
    this.advance();
  }

  private fail(death: KeptDeath): void {
    if (!keepsDeadLetters(this.queue.settings)) return this.finish(death);
    death.stage = 'failed';
    death.retryMs = this.virtualHost.clock.nowMs() + DEAD_LETTER_RETRY_MS;
    this.armTimer(death.retryMs);
  }

  private armTimer(dueMs: number): void {
    const { clock } = this.virtualHost;
    // Deaths fail in order, so the first timer is the earliest.
    this.timer ??= clock.after(dueMs - clock.nowMs(), () => this.retry());
  }

  private retry(): void {
    this.timer = undefined;
    const nowMs = this.virtualHost.clock.nowMs();
    this.isRetrying = true;
    for (const death of [...this.underWay]) {
      if (death.stage !== 'failed') continue;
      if (death.retryMs > nowMs) {
        this.armTimer(death.retryMs);
        continue;
      }
      death.stage = 'queued';
      this.enqueue(death);
    }
    this.isRetrying = false;
    this.advance();
  }
}
