/** The ready messages of a queue, in the order in which they are handed out. */
import type { ColdRun } from './cold-run.js';

/**
 * Whether a recovered message was handed out before: never; so it is noted in the log; or nobody knows, as after a
 * crash, and it counts as if it were.
 */
export const HandOut = { Never: 0, Noted: 1, Presumed: 2 } as const;
export type HandOut = (typeof HandOut)[keyof typeof HandOut];

/** Told of one entry: its position, and what its next delivery would say. */
export type PeekVisitor = (position: number, redelivered: boolean, counts: number) => void;

export interface ReadyIndex {
  readonly length: number;
  /** Sequence number of the entry that the last `shift` took: gives it its place back. */
  readonly lastSequence: number;
  /** Whether the entry that the last `shift` took had been handed out before. */
  readonly lastRedelivered: boolean;
  /** What is known of earlier deliveries of the entry that the last `shift` took, in an order that counts them; else 0. */
  readonly lastCounts: number;
  /** Whether there are messages of which it is presumed that they were handed out. */
  readonly hasPresumedHandOuts: boolean;
  /** Adds a message. @param priority of the message, for an order that knows priorities */
  push(position: number, priority: number): void;
  /** Adds a message that a restart interrupted. Precedes every `push`. */
  recover(position: number, handOut: HandOut, priority: number): void;
  /** As `recover`, for all messages of a run. Only where `Queue.recoversByMessage` is false. */
  recoverRun(run: ColdRun, handOut: HandOut): void;
  /** Takes the first entry; there must be one, and it must not be cold. */
  shift(): number;
  /** Position of the first entry without taking it, or -1: there is none, or it is cold. */
  peek(): number;
  /** Tells of the first entries without taking them: `count`, or as many as there are before the first cold one. */
  visitHead(count: number, visit: PeekVisitor): void;
  /** Puts back an entry that `shift` took, at the place its sequence number gives it. */
  restore(position: number, sequence: number): void;
  /** The run that has to be warmed before the first entry can be taken, if there is one. */
  readonly coldHead: ColdRun | undefined;
  /** The run behind what is at the head: to be warmed ahead of its reader. */
  readonly nextRun: ColdRun | undefined;
  /** Every entry, in no particular order. The arrays are the caller's to read, until something is taken. */
  stretches(): Iterable<Float64Array | ColdRun>;
  /** A position behind those at the head, or -1. */
  peekBehindHead(): number;
  /**
   * Gives the run that is next its positions; there may be others than it counted, when the log has lost some.
   * @returns false when the run is not, or no longer, the next
   */
  warm(run: ColdRun, positions: Float64Array): boolean;
  /** Takes every entry out, runs as runs. */
  clear(visit: (position: number) => void, visitRun: (run: ColdRun) => void): void;
}
