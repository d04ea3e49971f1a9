/**
 * The quorum queue as a client of one node sees it (rabbitmq.com/docs/quorum-queues): durable, every message kept
 * over a restart, and every message with a count of how often it was handed out.
 *
 *   - What comes back goes before what is fresh, in the order in which it comes back. Its next delivery says how often
 *     it was handed out before; past the delivery limit it dies instead. Without a limit it goes to the back.
 *   - `reject-publish` is approximate: what is over the limit is noticed when it is there, and from then on the queue
 *     refuses until it is well below the limit again.
 *   - With the strategy at-least-once dead messages stay here, counted but unseen, until they are safe elsewhere.
 */
import { notImplemented, resourceLocked } from '../amqp/errors.js';
import { IMAGE_FLAGS, IMAGE_HAS_PRIORITY, IMAGE_PRIORITY } from '../amqp/message-image.js';
import { QUORUM_UNACKED_MAX } from '../lib/limits.js';
import type { MessageLog } from '../store/message-log.js';
import type { Cooler } from './cold-run.js';
import { CompetingQueue } from './competing-queue.js';
import { DyingBodies } from './dying-bodies.js';
import { isLimited } from './length-limit.js';
import { PriorityIndex } from './priority-index.js';
import {
  type Consumer,
  type DeadLetterReason,
  type QueueHost,
  type QueueProperties,
  Return,
} from './queue.js';
import { keepsDeadLetters, type QueueSettings } from './queue-arguments.js';
import { QueueIndex } from './queue-index.js';
import { QuorumIndex } from './quorum-index.js';
import type { QuorumRules } from './quorum-rules.js';
import type { HandOut, ReadyIndex } from './ready-index.js';
import { acquiredCountOf, deliveryCountOf, returnCounts } from './return-counts.js';
import { NORMAL_PRIORITY_MAX, TwoLevelIndex } from './two-level-index.js';

/** Of a message that has none: neither high nor low. */
const PRIORITY_DEFAULT = 4;

/** A message of a higher priority than this may overtake others. */
const ORDINARY_PRIORITY_MAX = {
  none: Number.POSITIVE_INFINITY,
  'two-levels': NORMAL_PRIORITY_MAX,
  strict: -1,
} as const;

/** RabbitMQ 4.3 has levels from 0 to this one. */
const STRICT_PRIORITY_MAX = 31;

export class QuorumQueue extends CompetingQueue {
  readonly typeName = 'quorum';
  readonly persistsAll = true;
  readonly supportsGlobalPrefetch = false;
  readonly unlimitedPrefetch = QUORUM_UNACKED_MAX;
  declare protected readonly index: QuorumIndex;
  private readonly ordinaryPriorityMax: number;
  private readonly generation: QuorumRules;
  /** Where messages go to the back they are not in the order of the log, by which it finds them again. */
  private readonly mayGoToBack: boolean;
  /** Infinity is without limit. */
  private deliveryLimit: number;
  /** x-overflow reject-publish: the limit was exceeded, and what comes is refused. */
  private isRefusing = false;
  /** What died and is not safe elsewhere, for the strategy at-least-once. */
  private dying: DyingBodies | undefined;
  /** Recovered past the delivery limit: they die once the broker is there. */
  private overdue: number[] | undefined;

  constructor(
    properties: QueueProperties,
    virtualHostName: string,
    log: MessageLog,
    host: QueueHost,
    generation: QuorumRules,
  ) {
    const { settings } = properties;
    const deliveryLimit = deliveryLimitOf(settings, generation);
    const isUnlimited = deliveryLimit === Number.POSITIVE_INFINITY;
    const isCoolable = !isLimited(settings) && !isUnlimited && generation.priorities !== 'strict';
    const index = new QuorumIndex(freshIndexFor(generation, isCoolable ? log : undefined));
    const yieldsToHigher = generation.singleActiveFollowsPriority;
    super(properties, { virtualHostName, log, host, index, yieldsToHigher });
    this.generation = generation;
    this.mayGoToBack = !isCoolable;
    this.ordinaryPriorityMax = ORDINARY_PRIORITY_MAX[generation.priorities];
    this.deliveryLimit = deliveryLimit;
    this.dying = keepsDeadLetters(settings) ? new DyingBodies(log) : undefined;
  }

  get recoversByMessage(): boolean {
    return this.rules.limit !== undefined || this.generation.priorities === 'strict';
  }

  override applySettings(settings: QueueSettings): void {
    this.deliveryLimit = deliveryLimitOf(settings, this.generation);
    // What died before goes as it was to go; and as long as some of it waits, the rest does too.
    if (keepsDeadLetters(settings)) this.dying ??= new DyingBodies(this.log);
    else if (this.dying?.length === 0) this.dying = undefined;
    super.applySettings(settings);
    if (this.rules.limit?.countsBytes === true) this.dying?.measureAll();
    if (this.rules.limit?.dropsHead === false) this.enforceLimit();
    else this.isRefusing = false;
    this.tryResume();
  }

  override publish(position: number, ownDeadlineMs: number = Number.POSITIVE_INFINITY): boolean {
    const priority = this.priorityOf(position);
    if (!this.isPlain || ownDeadlineMs !== Number.POSITIVE_INFINITY) {
      return this.admit(position, ownDeadlineMs, priority);
    }
    // What came before it and can be delivered already was delivered before it.
    if (priority > this.ordinaryPriorityMax) this.catchUp();
    this.index.push(position, priority);
    if (this.consumers.size > 0) this.host.scheduleRun(this);
    return true;
  }

  override acknowledge(position: number, _sequence: number): void {
    this.unackedCount--;
    this.letGo(position);
    this.onSettled();
  }

  requeue(position: number, sequence: number, cause: Return = Return.GivenBack): void {
    if (this.isDeleted) return this.acknowledge(position, sequence);
    if (this.mustRead(position)) {
      return this.log.fetch(position, () => this.requeue(position, sequence, cause));
    }
    this.unackedCount--;
    // Noted also when it dies now: should the broker end before it is safe elsewhere, it is known to be overdue.
    const isFailure = this.isFailure(cause);
    this.log.noteReturn(position, this.id, isFailure);
    const counts = this.countReturn(sequence, isFailure);
    if (deliveryCountOf(counts) > this.deliveryLimit) {
      this.die(position, 'delivery_limit');
    } else {
      if (this.isToBack(cause)) this.index.restoreToBack(position, counts, PRIORITY_DEFAULT);
      else this.index.restore(position, counts);
      this.settleReturn(position);
    }
    this.onSettled();
  }

  /** What came back is handed out before the limit is looked at (rabbit_fifo.erl, checkout). */
  override closeReturns(): void {
    this.areReturnsOpen = this.rules.limit !== undefined;
    for (let hasMore = this.areReturnsOpen && this.isScheduled; hasMore; ) hasMore = this.run();
    super.closeReturns();
  }

  reject(position: number, sequence: number): void {
    if (this.isDeleted) return this.acknowledge(position, sequence);
    if (this.dying !== undefined && this.mustRead(position)) {
      return this.log.fetch(position, () => this.reject(position, sequence));
    }
    this.unackedCount--;
    // Should the broker end before it is safe elsewhere, it is ready again, and known to have been handed out.
    if (this.dying !== undefined) this.log.noteReturn(position, this.id, true);
    this.die(position, 'rejected');
    this.onSettled();
  }

  override subscribe(consumer: Consumer): void {
    super.subscribe(consumer);
    // It may stand above the one that is served, and wait only for what that holds.
    this.onSettled();
  }

  /** To declare the queue again does not renew its lease (rabbitmq.com/docs/quorum-queues). */
  override touch(): void {}

  override forget(position: number): void {
    this.dying?.remove(position);
    this.letGo(position);
    this.tryResume();
  }

  checkGet(): void {
    if (this.single === undefined) return;
    throw resourceLocked(
      `cannot obtain access to locked ${this.place}. basic.get operations are not supported by quorum queues with ` +
        'single active consumer',
    );
  }

  checkDelete(ifUnused: boolean, ifEmpty: boolean): void {
    if (!ifUnused && !ifEmpty) return;
    throw notImplemented(
      `cannot delete ${this.place}. queue.delete operations with ${ifUnused ? 'if-unused' : 'if-empty'} flag set are ` +
        'not supported by quorum queues',
    );
  }

  recover(position: number, handOut: HandOut, returnCount: number, failureCount: number): void {
    if (failureCount > this.deliveryLimit) {
      this.overdue ??= [];
      this.overdue.push(position);
      return;
    }
    // What another generation gave back without counting it does not count here either, but was handed out.
    const counts = returnCounts(failureCount, this.generation.hasAcquiredCount ? returnCount : 0);
    if (counts > 0) this.index.restore(position, counts);
    else this.index.recover(position, handOut, this.priorityOf(position));
    this.settleRecovery(position);
    if (this.rules.limit?.dropsHead === false) this.enforceLimit();
  }

  protected refuses(position: number): boolean {
    if (this.isRefusing) this.letGo(position);
    return this.isRefusing;
  }

  protected override enforceLimit(): void {
    const limit = this.rules.limit!;
    if (this.areReturnsOpen) return;
    if (limit.dropsHead) return super.enforceLimit();
    if (limit.isExceededBy(this.countedLength, this.dyingBytes)) this.isRefusing = true;
  }

  protected override take(): number {
    const position = super.take();
    this.tryResume();
    return position;
  }

  protected override catchUp(): void {
    const { overdue } = this;
    this.overdue = undefined;
    if (overdue !== undefined) for (const position of overdue) this.endOverdue(position);
    super.catchUp();
  }

  private endOverdue(position: number): void {
    if (this.mustRead(position)) return this.log.fetch(position, () => this.endOverdue(position));
    this.die(position, 'delivery_limit');
  }

  protected override die(position: number, reason: DeadLetterReason): void {
    this.dying?.add(position, this.rules.limit?.countsBytes === true);
    super.die(position, reason);
    if (this.rules.limit?.dropsHead === false) this.enforceLimit();
  }

  protected override get heldCount(): number {
    return this.unackedCount + (this.dying?.length ?? 0);
  }

  override purge(): number {
    const count = super.purge();
    this.tryResume();
    return count;
  }

  /** A delivery was settled: another consumer may be the active one now. */
  private onSettled(): void {
    if (this.single?.settled() === true && this.index.length > 0) this.host.scheduleRun(this);
  }

  private tryResume(): void {
    if (!this.isRefusing) return;
    if (this.rules.limit!.isWellBelow(this.countedLength, this.dyingBytes)) this.isRefusing = false;
  }

  /** Messages that count toward the limit: the ready ones, and those that died. */
  private get countedLength(): number {
    return this.index.length + (this.dying?.length ?? 0);
  }

  private get dyingBytes(): number {
    return this.dying?.bytes ?? 0;
  }

  private isFailure(cause: Return): boolean {
    return this.generation.countsEveryReturn || cause === Return.Failed || cause === Return.Abandoned;
  }

  private countReturn(counts: number, isFailure: boolean): number {
    const deliveryCount = deliveryCountOf(counts) + (isFailure ? 1 : 0);
    return returnCounts(deliveryCount, this.generation.hasAcquiredCount ? acquiredCountOf(counts) + 1 : 0);
  }

  /**
   * RabbitMQ, "Repeated Requeues": without a limit what is given back goes to the back. Where basic.reject counts for
   * more than basic.nack, what it gives back goes to the front all the same (rabbit_fifo.erl, #modify).
   */
  private isToBack(cause: Return): boolean {
    if (!this.mayGoToBack || this.deliveryLimit !== Number.POSITIVE_INFINITY) return false;
    return cause === Return.GivenBack || (cause === Return.Failed && this.generation.countsEveryReturn);
  }

  /** Whether the size of its body will be asked for, and it has left memory. */
  private mustRead(position: number): boolean {
    return this.rules.limit?.countsBytes === true && !this.log.isReadable(position);
  }

  protected priorityOf(position: number): number {
    // What has left memory has no priority worth a look: its hint says so.
    if (!this.log.isReadable(position)) return PRIORITY_DEFAULT;
    const { bytes } = this.log.segmentOf(position);
    const image = this.log.payloadOffset(position);
    const hasPriority = (bytes[image + IMAGE_FLAGS]! & IMAGE_HAS_PRIORITY) !== 0;
    return hasPriority ? bytes[image + IMAGE_PRIORITY]! : PRIORITY_DEFAULT;
  }
}

/** The order in which fresh messages are served. */
function freshIndexFor({ priorities }: QuorumRules, cooler: Cooler | undefined): ReadyIndex {
  if (priorities === 'none') return new QueueIndex(cooler);
  return priorities === 'two-levels' ? new TwoLevelIndex(cooler) : new PriorityIndex(STRICT_PRIORITY_MAX);
}

function deliveryLimitOf({ deliveryLimit }: QueueSettings, generation: QuorumRules): number {
  const limit = deliveryLimit ?? generation.deliveryLimitDefault;
  return limit < 0 && generation.hasNegativeLimit ? Number.POSITIVE_INFINITY : limit;
}
