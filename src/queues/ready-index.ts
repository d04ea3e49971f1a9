/** The ready messages of a queue, in the order in which they are handed out. */
export interface ReadyIndex {
  readonly length: number;
  /** Sequence number of the entry that the last `shift` took: gives it its place back. */
  readonly lastSequence: number;
  /** Whether the entry that the last `shift` took had been handed out before. */
  readonly lastRedelivered: boolean;
  /** Adds a message. @param priority of the message, for an order that knows priorities */
  push(position: number, priority: number): void;
  /** Adds a message that a restart interrupted: it counts as handed out before. Precedes every `push`. */
  recover(position: number, priority: number): void;
  /** Takes the first entry; there must be one. */
  shift(): number;
  /** Position of the first entry without taking it, or -1. */
  peek(): number;
  /** Puts back an entry that `shift` took, at the place its sequence number gives it. */
  restore(position: number, sequence: number): void;
}
