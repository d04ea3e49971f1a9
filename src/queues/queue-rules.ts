/**
 * What makes ready messages of a queue go by themselves: too many of them (rabbitmq.com/docs/maxlength), or too
 * old (rabbitmq.com/docs/ttl). Policies may change both while there are messages.
 */
import type { Clock } from '../lib/clock.js';
import type { MessageLog } from '../store/message-log.js';
import { BodyCount } from './body-count.js';
import { LengthLimit } from './length-limit.js';
import { MessageExpiry } from './message-expiry.js';
import type { DeadLetterReason } from './queue.js';
import type { QueueSettings } from './queue-arguments.js';
import type { ReadyHead } from './ready-head.js';
import type { ReadyIndex } from './ready-index.js';

export interface QueueRulesOwner {
  readonly id: number;
  /** The head dies; there is one, and it is known. */
  dropHead(reason: DeadLetterReason): void;
}

export interface QueueRulesParts {
  readonly index: ReadyIndex;
  readonly head: ReadyHead;
  readonly log: MessageLog;
  readonly clock: Clock;
}

export class QueueRules {
  limit: LengthLimit | undefined;
  readonly expiry: MessageExpiry;
  /** Set with the first message that can expire: until then nothing looks at deadlines. */
  expires = false;
  private readonly owner: QueueRulesOwner;
  private readonly index: ReadyIndex;
  private readonly head: ReadyHead;
  private readonly log: MessageLog;
  private readonly clock: Clock;
  /** Under way while a limit of bytes came to messages that nobody had counted. */
  private bodyCount: BodyCount | undefined;

  constructor(owner: QueueRulesOwner, settings: QueueSettings, parts: QueueRulesParts) {
    const { index, head, log, clock } = parts;
    this.owner = owner;
    this.index = index;
    this.head = head;
    this.log = log;
    this.clock = clock;
    this.limit = LengthLimit.of(settings, log);
    this.expiry = new MessageExpiry(log, clock, ttlOf(settings), this);
  }

  /** The settings have changed. @param isUsed whether the queue has messages, ready or not */
  change(settings: QueueSettings, isUsed: boolean): void {
    this.expiry.changeTtl(ttlOf(settings), isUsed);
    this.expires ||= isUsed && this.expiry.isForAll;
    this.changeLimit(LengthLimit.of(settings, this.log));
    if (this.limit !== undefined) this.dropOverLimit();
    if (this.expires) this.dropExpired();
  }

  /** rabbitmq.com/docs/maxlength: the oldest ready messages make room; with priorities, those of the highest. */
  dropOverLimit(): void {
    const limit = this.limit!;
    const { index, head } = this;
    if (!limit.dropsHead) return;
    while (limit.isExceededBy(index.length)) {
      const { length } = index;
      // To be dropped a message must be known, and read where its size counts.
      if ((limit.countsBytes || index.peek() < 0) && !head.isReadable()) return;
      if (index.length === 0) return limit.clear();
      // A head that turned out to be damaged is gone already.
      if (index.length === length) this.owner.dropHead('maxlen');
    }
  }

  /** rabbitmq.com/docs/ttl: messages expire at the head; what waits behind a live head waits on. */
  dropExpired(): void {
    const { index, head, clock } = this;
    if (index.length === 0) return;
    const { expiry } = this;
    const nowMs = clock.nowMs();
    while (head.isReadable() && index.length > 0) {
      const deadlineMs = expiry.deadlineOf(index.peek());
      if (deadlineMs > nowMs) return expiry.watch(deadlineMs);
      this.owner.dropHead('expired');
    }
  }

  /** No message is ready any more. */
  clear(): void {
    this.limit?.clear();
    this.endBodyCount();
    this.expiry.stop();
  }

  private changeLimit(limit: LengthLimit | undefined): void {
    const previous = this.limit;
    const { log, owner, index, head } = this;
    this.limit = limit;
    if (limit?.countsBytes !== true) {
      this.endBodyCount();
    } else if (previous?.countsBytes === true) {
      limit.takeOver(previous);
    } else if (index.length > 0) {
      head.hold();
      this.bodyCount = new BodyCount(log, owner.id, index);
      this.bodyCount.start((byteCount) => {
        this.limit!.addBytes(byteCount);
        this.endBodyCount();
      });
    }
  }

  private endBodyCount(): void {
    if (this.bodyCount === undefined) return;
    this.bodyCount.cancel();
    this.bodyCount = undefined;
    this.head.letGo();
  }
}

function ttlOf({ messageTtlMs }: QueueSettings): number {
  return messageTtlMs ?? Number.POSITIVE_INFINITY;
}
