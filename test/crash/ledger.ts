/**
 * The ledger of a crash test: what was published, confirmed, delivered and settled over all lives of a broker, and
 * the rules that every delivery, and every full drain after a crash, is judged by.
 *
 *   lost         confirmed, or proven (see below), and nobody ever acknowledged a copy that a queue owes
 *   corrupt      the body is not the one that was published
 *   disordered   overtook a message of its publisher in a queue, both delivered for the first time
 *   resurrected  settled, known to be processed `ACK_WINDOW_MS` before the kill, and back
 *   phantom      never published, never routed to that queue, or there twice
 *   undisclosed  delivered before, and back without the redelivered flag
 *
 * What was published without a confirm may be there or not. But once any copy of it came back after a restart, its
 * batch was written (a batch is the unit of atomicity): it is proven, and its other copies are owed too.
 */

/**
 * Acks are written within 200 ms or with the next commit, whichever comes first (journal.ts, LEISURE_MS). The clock
 * of an ack starts when the broker has answered a later method of the same channel, so a slow broker is not blamed.
 */
export const ACK_WINDOW_MS = 1000;

export type ViolationKind =
  | 'lost'
  | 'corrupt'
  | 'disordered'
  | 'resurrected'
  | 'phantom'
  | 'undisclosed'
  | 'miscounted'
  | 'definition'
  | 'broker error';

export interface Violation {
  readonly kind: ViolationKind;
  readonly detail: string;
}

/** One message in one queue. In the dead-letter queue it stands for all the dead letters of the message there. */
export interface Copy {
  readonly queue: string;
  readonly entry: Entry;
  deliveries: number;
  /** The life in which it was delivered and is neither settled nor returned; 0 for none. */
  unackedLife: number;
  /** The life in which an ack or a reject was last sent; 0 for none. */
  settledLife: number;
  isAcked: boolean;
  rejects: number;
  isSettledForGood: boolean;
}

export interface Entry {
  readonly publisher: string;
  readonly sequence: number;
  readonly queues: readonly string[];
  readonly checksum: string;
  readonly life: number;
  readonly copies: Map<string, Copy>;
  isConfirmed: boolean;
  isProven: boolean;
}

/** A delivery as a consumer saw it. */
export interface Arrival {
  readonly queue: string;
  readonly publisher: unknown;
  readonly sequence: unknown;
  /** Of the body that arrived. */
  readonly checksum: string;
  readonly isRedelivered: boolean;
}

export interface LedgerOptions {
  /** The queue whose rejected messages go to the other one. */
  readonly rejectingQueue: string;
  readonly deadLetterQueue: string;
}

export class Ledger {
  readonly violations: Violation[] = [];
  readonly counts = { published: 0, confirmed: 0, delivered: 0, returned: 0, settledForGood: 0, rejected: 0 };
  life = 0;
  private readonly options: LedgerOptions;
  private readonly entries = new Map<string, Entry[]>();
  /** Entries that a drain has not found complete yet. */
  private owed: Entry[] = [];
  private settling: { readonly copy: Copy; readonly processedMs: number }[] = [];
  /** The last sequence number delivered for the first time, by publisher and queue. */
  private readonly lastFirst = new Map<string, number>();

  constructor(options: LedgerOptions) {
    this.options = options;
  }

  violate(kind: ViolationKind, detail: string): void {
    this.violations.push({ kind, detail });
  }

  /** A broker starts, or starts again. */
  beginLife(): void {
    this.life++;
  }

  /** A message is about to be sent. The sequence numbers of a publisher count up from 0. */
  published(publisher: string, queues: readonly string[], checksum: string): Entry {
    let list = this.entries.get(publisher);
    if (list === undefined) {
      list = [];
      this.entries.set(publisher, list);
    }
    const entry: Entry = {
      publisher,
      sequence: list.length,
      queues,
      checksum,
      life: this.life,
      copies: new Map(),
      isConfirmed: false,
      isProven: false,
    };
    list.push(entry);
    this.owed.push(entry);
    this.counts.published++;
    return entry;
  }

  confirmed(entry: Entry): void {
    entry.isConfirmed = true;
    this.counts.confirmed++;
  }

  /** @returns the copy to settle, or undefined for one that should not be there */
  delivered(arrival: Arrival): Copy | undefined {
    const { queue } = arrival;
    const entry = this.find(arrival.publisher, arrival.sequence);
    const name = `${queue}: ${arrival.publisher}/${arrival.sequence}`;
    if (entry === undefined || !this.belongs(entry, queue)) {
      this.violate('phantom', name);
      return undefined;
    }
    this.counts.delivered++;
    if (entry.life < this.life) {
      entry.isProven = true;
      this.counts.returned++;
    }
    if (entry.checksum !== arrival.checksum) this.violate('corrupt', name);
    const copy = this.copyOf(entry, queue);
    // Each reject that was sent may have made a dead letter: a lost ack brings the message back to be rejected again.
    const isOneOfMany = queue === this.options.deadLetterQueue && this.rejectsOf(entry) > 1;
    if (!isOneOfMany) this.judge(copy, arrival.isRedelivered, name);
    if (copy.deliveries === 0 && queue !== this.options.deadLetterQueue) this.judgeOrder(entry, queue, name);
    copy.deliveries++;
    copy.unackedLife = this.life;
    return copy;
  }

  acked(copy: Copy): void {
    copy.isAcked = true;
    copy.unackedLife = 0;
    copy.settledLife = this.life;
  }

  rejected(copy: Copy): void {
    copy.rejects++;
    copy.unackedLife = 0;
    copy.settledLife = this.life;
    this.counts.rejected++;
  }

  requeued(copy: Copy): void {
    copy.unackedLife = 0;
  }

  /** The broker has answered a method that was sent behind these acks and rejects. */
  processed(copies: readonly Copy[], nowMs: number): void {
    for (const copy of copies) this.settling.push({ copy, processedMs: nowMs });
  }

  /** The broker was killed, or, with `Infinity`, stopped cleanly: then everything it processed is safe. */
  ended(atMs: number): void {
    for (const { copy, processedMs } of this.settling) {
      if (processedMs > atMs - ACK_WINDOW_MS) continue;
      copy.isSettledForGood = true;
      this.counts.settledForGood++;
    }
    this.settling = [];
  }

  /** Every queue is empty: each copy that was owed has been acknowledged by somebody, or is lost. */
  checkDrained(): void {
    for (const entry of this.owed) {
      if (!entry.isConfirmed && !entry.isProven) continue;
      for (const queue of entry.queues) {
        const isAcked = entry.copies.get(queue)?.isAcked === true;
        const hasDied =
          queue === this.options.rejectingQueue &&
          this.rejectsOf(entry) > 0 &&
          entry.copies.get(this.options.deadLetterQueue)?.isAcked === true;
        if (isAcked || hasDied) continue;
        const { publisher, sequence, isConfirmed } = entry;
        this.violate('lost', `${queue}: ${publisher}/${sequence}, ${isConfirmed ? 'confirmed' : 'proven'}`);
      }
    }
    // What did not come back by now was not written; what does so later is judged when it comes.
    this.owed = [];
  }

  private find(publisher: unknown, sequence: unknown): Entry | undefined {
    return typeof publisher === 'string' && typeof sequence === 'number'
      ? this.entries.get(publisher)?.[sequence]
      : undefined;
  }

  private belongs(entry: Entry, queue: string): boolean {
    if (queue === this.options.deadLetterQueue) return this.rejectsOf(entry) > 0;
    return entry.queues.includes(queue);
  }

  private rejectsOf(entry: Entry): number {
    return entry.copies.get(this.options.rejectingQueue)?.rejects ?? 0;
  }

  private copyOf(entry: Entry, queue: string): Copy {
    let copy = entry.copies.get(queue);
    if (copy === undefined) {
      copy = {
        queue,
        entry,
        deliveries: 0,
        unackedLife: 0,
        settledLife: 0,
        isAcked: false,
        rejects: 0,
        isSettledForGood: false,
      };
      entry.copies.set(queue, copy);
    }
    return copy;
  }

  private judge(copy: Copy, isRedelivered: boolean, name: string): void {
    if (copy.unackedLife === this.life) this.violate('phantom', `${name} twice`);
    if (copy.settledLife === this.life) this.violate('resurrected', `${name} without a crash`);
    else if (copy.isSettledForGood) this.violate('resurrected', name);
    if (copy.deliveries > 0 && !isRedelivered) this.violate('undisclosed', name);
  }

  private judgeOrder(entry: Entry, queue: string, name: string): void {
    const key = `${entry.publisher} ${queue}`;
    const last = this.lastFirst.get(key) ?? -1;
    if (entry.sequence < last) this.violate('disordered', `${name} behind ${last}`);
    else this.lastFirst.set(key, entry.sequence);
  }
}
