/** Positions in the message log, first in first out, each with a number: two rings of typed arrays side by side. */

const ENTRIES_MIN = 16;

/** An empty list of more entries than this gives its memory back: a mass requeue must not be paid for ever. */
const IDLE_ENTRIES_MAX = 1024;

export class NumberedPositions {
  private positions = new Float64Array(0);
  private numbers = new Float64Array(0);
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** Of the first entry; there must be one. */
  get firstPosition(): number {
    return this.positions[this.head]!;
  }

  /** Of the first entry; there must be one. */
  get firstNumber(): number {
    return this.numbers[this.head]!;
  }

  push(position: number, number: number): void {
    if (this.count === this.positions.length) this.resize(Math.max(ENTRIES_MIN, this.count * 2));
    const at = (this.head + this.count++) & (this.positions.length - 1);
    this.positions[at] = position;
    this.numbers[at] = number;
  }

  /** Takes the first entry and returns its position; there must be one. */
  shift(): number {
    const position = this.positions[this.head]!;
    this.head = (this.head + 1) & (this.positions.length - 1);
    if (--this.count === 0 && this.positions.length > IDLE_ENTRIES_MAX) this.resize(0);
    return position;
  }

  /** Of the entry `index` places behind the first; it must be there. */
  positionAt(index: number): number {
    return this.positions[(this.head + index) & (this.positions.length - 1)]!;
  }

  /** Of the entry `index` places behind the first; it must be there. */
  numberAt(index: number): number {
    return this.numbers[(this.head + index) & (this.positions.length - 1)]!;
  }

  /** The positions of all entries. */
  all(): Float64Array {
    return Float64Array.from({ length: this.count }, (_entry, i) => this.positionAt(i));
  }

  private resize(capacity: number): void {
    const positions = new Float64Array(capacity);
    const numbers = new Float64Array(capacity);
    for (let i = 0; i < this.count; i++) {
      positions[i] = this.positionAt(i);
      numbers[i] = this.numberAt(i);
    }
    this.positions = positions;
    this.numbers = numbers;
    this.head = 0;
  }
}
