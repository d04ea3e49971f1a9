/** What an empty list has: thousands of queues have several lists each that never hold anything. */
const NO_SLOTS: undefined[] = new Array<undefined>(1).fill(undefined);
NO_SLOTS.length = 0;

/** Slots that the first element brings. */
const SLOTS_MIN = 4;

/** A first-in first-out list that never moves its elements; `Array.shift` is linear on long lists. */
export class RingBuffer<T> {
  private slots: (T | undefined)[] = NO_SLOTS;
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = item;
    this.count++;
  }

  /** Puts an item before the first. */
  unshift(item: T): void {
    if (this.count === this.slots.length) this.grow();
    this.head = (this.head - 1) & (this.slots.length - 1);
    this.slots[this.head] = item;
    this.count++;
  }

  peek(): T | undefined {
    return this.count === 0 ? undefined : this.slots[this.head];
  }

  /** The item with so many before it. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.count) return undefined;
    return this.slots[(this.head + index) & (this.slots.length - 1)];
  }

  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const item = this.slots[this.head];
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.count--;
    return item;
  }

  /** Removes the first occurrence of `item`, keeping the order of the rest. Linear. */
  remove(item: T): boolean {
    const mask = this.slots.length - 1;
    for (let i = 0; i < this.count; i++) {
      if (this.slots[(this.head + i) & mask] !== item) continue;
      for (let j = i; j < this.count - 1; j++) {
        this.slots[(this.head + j) & mask] = this.slots[(this.head + j + 1) & mask];
      }
      this.slots[(this.head + this.count - 1) & mask] = undefined;
      this.count--;
      return true;
    }
    return false;
  }

  /** From the first to the last; nothing may be added or removed meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    const mask = this.slots.length - 1;
    for (let i = 0; i < this.count; i++) yield this.slots[(this.head + i) & mask] as T;
  }

  private grow(): void {
    const mask = this.slots.length - 1;
    const larger = new Array<T | undefined>(Math.max(SLOTS_MIN, this.slots.length * 2)).fill(undefined);
    for (let i = 0; i < this.count; i++) larger[i] = this.slots[(this.head + i) & mask];
    this.slots = larger;
    this.head = 0;
  }
}
