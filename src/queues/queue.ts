/**
 * The plug point for queue types. A channel touches a queue only through this interface, and a queue sees a
 * channel only as a `Consumer`; messages pass between them as positions in the message log.
 *
 * Who holds a reference to the record of a message: the queue, from `publish` until the message is acknowledged,
 * discarded or purged. While a message is unacked the queue keeps the reference and the consumer's channel keeps
 * (position, sequence number), with which it settles.
 */
import type { FieldTable } from '../amqp/field-table.js';
import type { Clock } from '../lib/clock.js';
import type { ColdRun } from './cold-run.js';
import type { TtlEra } from './message-expiry.js';
import type { QueueSettings, QueueType } from './queue-arguments.js';
import type { HandOut } from './ready-index.js';

/** What a queue needs to know of a consumer. */
export interface Consumer {
  readonly tag: string;
  /** Higher is served first (x-priority). */
  readonly priority: number;
  readonly isExclusive: boolean;
  /** Automatic acknowledgement: a delivery is settled by being written. */
  readonly noAck: boolean;
  /** Set by the queue when it passed the consumer over; whoever removes the cause calls `consumerReady`. */
  isWaiting: boolean;
  /** Set by the queue with it: of two that it passed over the one that was first has the lower number. */
  waitingNumber: number;
  /** Deliveries it has not settled yet. */
  readonly unackedCount: number;
  /** Whether one more message may be delivered now: prefetch and the connection's output allow it. */
  canTake(): boolean;
  /**
   * Writes one delivery. Must not call back into the queue.
   * @param counts what the queue tells of earlier deliveries (return-counts.ts); 0 for nothing
   */
  deliver(position: number, sequence: number, redelivered: boolean, counts: number): void;
  /** The queue is gone; the consumer is no longer subscribed. */
  cancelledByQueue(): void;
}

export interface QueueProperties {
  /** Never reused within one data directory. */
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that owns an exclusive queue. */
  readonly exclusiveOwner: object | undefined;
  readonly arguments: FieldTable;
  /** What the arguments say, and the policies. */
  readonly settings: QueueSettings;
}

export interface QueueCounts {
  readonly ready: number;
  readonly unacked: number;
  readonly consumers: number;
}

/** A waiting message that somebody looked at, as its next delivery would be. */
export interface PeekedMessage {
  readonly position: number;
  readonly redelivered: boolean;
  readonly counts: number;
}

export interface Queue extends QueueProperties {
  /** The value of x-queue-type. */
  readonly typeName: QueueType;
  readonly isDeleted: boolean;
  /** Set by the scheduler while a run is due. */
  isScheduled: boolean;
  /** Where the last purge that left a mark stood. */
  purgeMark: PurgeMark | undefined;
  /** Whether it keeps every message over a restart, whatever its delivery mode. */
  readonly persistsAll: boolean;
  /** Whether its consumers obey the prefetch of their channel (basic.qos with global); if not, they refuse it. */
  readonly supportsGlobalPrefetch: boolean;
  /** Unacked deliveries that a consumer without a prefetch may hold; 0 is unlimited. */
  readonly unlimitedPrefetch: number;
  /** Until when messages got another time to live than they do now; another array after each change. */
  ttlEras: readonly TtlEra[];

  /** A policy changed what holds for the queue: from now on it is this, for what is in the queue too. */
  applySettings(settings: QueueSettings): void;
  /**
   * Offers a message. Takes over one reference of `position` in any case.
   * @param deadlineMs when the message expires by its own expiration; Infinity, or absent, without one
   * @returns false when the queue rejects it; the publisher then gets a basic.nack
   */
  publish(position: number, deadlineMs?: number): boolean;

  /** @throws AmqpError when nobody may take messages of this queue by basic.get */
  checkGet(): void;
  /** Whether the first ready message, if there is one, is in memory; before `get`. */
  isHeadReadable(): boolean;
  /** Reads the first ready message in, and calls back when it can be got. */
  fetchHead(onReadable: () => void): void;
  /** Takes the first ready message for basic.get: its position, or -1. The queue counts it as unacked. */
  get(): number;
  /** Of the message that the last `get` took. */
  readonly lastSequence: number;
  readonly lastRedelivered: boolean;
  readonly lastCounts: number;
  /**
   * Looks at ready messages without taking them, in the order of their delivery: `count` from the first, or as many
   * as there are before the first whose position is not in memory. Their positions hold until the queue is used.
   */
  peek(count: number): readonly PeekedMessage[];

  /** The message was processed. */
  acknowledge(position: number, sequence: number): void;
  /**
   * The message is ready again, marked redelivered: where, is for the type to say.
   * @param cause absent: it was given back
   */
  requeue(position: number, sequence: number, cause?: Return): void;
  /**
   * What comes back until `closeReturns` comes back together: what is too many, or too late, is looked for then.
   * @param isDueFirst whether what can be delivered is delivered before; it is not when a consumer has just gone
   */
  openReturns(isDueFirst: boolean): void;
  closeReturns(): void;
  /** The message is dropped, or dead-lettered with reason `rejected`. */
  reject(position: number, sequence: number): void;

  /** @throws AmqpError 403 when an exclusive consumer stands in the way */
  subscribe(consumer: Consumer): void;
  unsubscribe(consumer: Consumer): void;
  /** A consumer that was passed over (`isWaiting`) can take messages again. */
  consumerReady(consumer: Consumer): void;

  /** Delivers what can be delivered, up to a budget. @returns true when it stopped for the budget alone */
  run(): boolean;

  /** Somebody asked for the queue by declaring it: its lease (x-expires) begins anew. */
  touch(): void;
  /** A dead message has been handed over, or has nowhere to go: its reference is given back. */
  forget(position: number): void;
  /**
   * Whether the log knows of each waiting message if it was handed out: not of what is out now, nor of what a crash
   * made count as such.
   */
  readonly isHandOutNoted: boolean;
  /** Whether `recover` has to see every message: then none may come as a run, or unreadable. */
  readonly recoversByMessage: boolean;
  /**
   * Puts back a message that a restart interrupted.
   * @param returnCount how often the log says that it came back
   * @param failureCount how many of these counted as failures
   */
  recover(position: number, handOut: HandOut, returnCount: number, failureCount: number): void;
  /** As `recover`, for all messages of a run. */
  recoverRun(run: ColdRun, handOut: HandOut): void;
  /** Ends the timers: the broker is closing. */
  stop(): void;
  /** Drops the ready messages. @returns how many there were */
  purge(): number;
  counts(): QueueCounts;
  /** @throws AmqpError when queue.delete may not delete it under these conditions */
  checkDelete(ifUnused: boolean, ifEmpty: boolean): void;
  /** Drops everything and cancels the consumers. @returns how many messages were ready */
  delete(): number;
}

/**
 * Why a message comes back to its queue: given back (basic.nack, basic.recover) or given back as failed (basic.reject),
 * the channel that had it has gone, or its time for an acknowledgement was over.
 */
export const Return = { GivenBack: 0, Failed: 1, Abandoned: 2, TimedOut: 3 } as const;
export type Return = (typeof Return)[keyof typeof Return];

/** A place in the journal: records before it are gone from a queue. */
export interface PurgeMark {
  readonly segmentNumber: number;
  readonly offset: number;
}

/** What a queue needs of the broker. */
export interface QueueHost {
  /** Arms a run of the queue in the next turn. */
  scheduleRun(queue: Queue): void;
  /**
   * Publishes a copy of a dead message to the queue's dead-letter exchange. Takes over the queue's reference, and
   * calls `forget` once the copy is safe.
   */
  deadLetter(queue: Queue, position: number, reason: DeadLetterReason): void;
  /** The last consumer of the queue went. */
  lastConsumerGone(queue: Queue): void;
  /** The queue was not used for the time of its x-expires argument. */
  leaseExpired(queue: Queue): void;
  /**
   * Notes that the queue is empty up to now, also after a restart.
   * @returns false when nothing keeps the queue, or it keeps nothing
   */
  markPurged(queue: Queue): boolean;
  readonly clock: Clock;
}

export type DeadLetterReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';
