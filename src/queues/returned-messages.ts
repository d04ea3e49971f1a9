/** Of a heap that holds nothing, as nearly all do. */
const NO_ENTRIES = new Float64Array(0);

/**
 * Messages that were handed out and came back, ordered by sequence number: a binary heap over two typed arrays.
 * Requeueing puts a message back to its original place (RabbitMQ, "Consumer Acknowledgements": requeued messages
 * go to their original position if possible), however many come back and in whatever order.
 */
export class ReturnedMessages {
  private sequences = NO_ENTRIES;
  private positions = NO_ENTRIES;
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** Of the first entry; there must be one. */
  get firstSequence(): number {
    return this.sequences[0]!;
  }

  /** Of the first entry; there must be one. */
  get firstPosition(): number {
    return this.positions[0]!;
  }

  add(position: number, sequence: number): void {
    if (this.count === this.sequences.length) this.resize(Math.max(16, this.count * 2));
    const { sequences, positions } = this;
    let child = this.count++;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (sequences[parent]! <= sequence) break;
      sequences[child] = sequences[parent]!;
      positions[child] = positions[parent]!;
      child = parent;
    }
    sequences[child] = sequence;
    positions[child] = position;
  }

  /** The positions of all entries, in no order. */
  all(): Float64Array {
    return this.positions.slice(0, this.count);
  }

  /** Takes the entry with the lowest sequence number and returns its position; there must be one. */
  shift(): number {
    const { sequences, positions } = this;
    const first = positions[0]!;
    const last = --this.count;
    const sequence = sequences[last]!;
    const position = positions[last]!;
    let parent = 0;
    for (let child = 1; child < last; child = parent * 2 + 1) {
      if (child + 1 < last && sequences[child + 1]! < sequences[child]!) child++;
      if (sequence <= sequences[child]!) break;
      sequences[parent] = sequences[child]!;
      positions[parent] = positions[child]!;
      parent = child;
    }
    sequences[parent] = sequence;
    positions[parent] = position;
    if (last === 0 && this.sequences.length > IDLE_ENTRIES_MAX) this.resize(0);
    return first;
  }

  /** Tells of the first entries, at most `count`, without taking them. @returns of how many */
  visitFirst(count: number, visit: (position: number) => void): number {
    if (this.count === 0) return 0;
    const order = Array.from({ length: this.count }, (_, i) => i);
    order.sort((a, b) => this.sequences[a]! - this.sequences[b]!);
    for (const entry of order.slice(0, count)) visit(this.positions[entry]!);
    return Math.min(count, this.count);
  }

  private resize(capacity: number): void {
    const sequences = capacity === 0 ? NO_ENTRIES : new Float64Array(capacity);
    const positions = capacity === 0 ? NO_ENTRIES : new Float64Array(capacity);
    sequences.set(this.sequences.subarray(0, this.count));
    positions.set(this.positions.subarray(0, this.count));
    this.sequences = sequences;
    this.positions = positions;
  }
}

/** An empty heap of more entries than this gives its memory back: a mass requeue must not be paid for ever. */
const IDLE_ENTRIES_MAX = 1024;
