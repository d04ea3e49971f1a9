/** One file of the simulated disk: its bytes, and which of its changes would survive a power cut. */
import type { SeededRandom } from './random.js';

const SECTOR_BYTES = 512;

/** One write or truncation since the last sync: what it takes to undo it. */
interface ContentChange {
  readonly kind: 'write' | 'truncation';
  readonly start: number;
  readonly end: number;
  /** What stood from `start` on; where it is shorter than the change, nothing did. */
  readonly before: Uint8Array;
  readonly lengthBefore: number;
  readonly lengthAfter: number;
  readonly extentBefore: number;
}

/** The bytes of a file, whatever it is called. Beyond `extent` all of `bytes` is zero. */
export class FileContent {
  length = 0;
  /** Bytes that take space: from here to `length` the file is a hole and reads as zeros. */
  extent = 0;
  openHandles = 0;
  private bytes = new Uint8Array(0);
  private unsynced: ContentChange[] = [];
  private isDistrusted = false;

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.length - position));
    target.fill(0, offset, offset + count);
    target.set(this.bytes.subarray(position, Math.min(position + count, this.extent)), offset);
    return count;
  }

  write(source: Uint8Array, position: number): void {
    if (source.length === 0) return;
    const end = position + source.length;
    this.note('write', position, end, Math.max(this.length, end));
    this.put(source, position);
    this.length = Math.max(this.length, end);
  }

  truncate(length: number): void {
    this.note('truncation', length, Math.max(length, this.extent), length);
    this.setLength(length);
  }

  sync(): void {
    if (!this.isDistrusted) this.unsynced = [];
  }

  /** A sync has failed: what is unsynced now, and from now on, no later sync makes durable. */
  distrust(): void {
    this.isDistrusted = true;
  }

  damage(position: number, bytes: Uint8Array): void {
    if (position + bytes.length > this.length) throw new RangeError('damage beyond the end of the file');
    this.put(bytes, position);
  }

  copy(): FileContent {
    const copy = new FileContent();
    copy.length = this.length;
    copy.extent = this.extent;
    copy.bytes = this.bytes.slice();
    copy.unsynced = [...this.unsynced];
    copy.isDistrusted = this.isDistrusted;
    return copy;
  }

  /** The power is cut: everything unsynced is taken back, then what `random` lets survive is made again. */
  settle(random: SeededRandom): void {
    const changes = this.unsynced;
    const written = new Array<Uint8Array>(changes.length);
    for (let i = changes.length - 1; i >= 0; i--) written[i] = this.takeBack(changes[i]!);
    this.unsynced = [];
    this.isDistrusted = false;
    this.openHandles = 0;
    const survival = SURVIVALS[below(random, SURVIVALS.length)]!;
    if (changes.length === 0 || survival === 'none') return;

    // Sizes and truncations reach the disk in order, through its journal. So do writes, or else each sector goes
    // its own way: any number of the changes has reached it. The last write to get there may be torn.
    const inOrder = survival === 'all' ? changes.length : below(random, changes.length + 1);
    const bySector = new Map<number, number>();
    const reached = (sector: number): number => {
      if (survival !== 'any order') return inOrder;
      if (!bySector.has(sector)) bySector.set(sector, below(random, changes.length + 1));
      return bySector.get(sector)!;
    };
    const torn = { none: -1, all: -1, 'in order': inOrder - 1, 'any order': changes.length - 1 }[survival];
    let { length } = this;
    for (let i = 0; i < changes.length; i++) {
      const { kind, start, end, lengthAfter } = changes[i]!;
      const size = i === torn ? below(random, end - start + 1) : end - start;
      if (kind === 'write')
        this.putSectors(written[i]!.subarray(0, size), start, (sector) => i < reached(sector));
      if (i >= inOrder) continue;
      length = kind === 'truncation' ? lengthAfter : Math.min(lengthAfter, Math.max(length, start + size));
      if (kind === 'truncation') this.setLength(lengthAfter);
    }
    this.setLength(length);
  }

  private note(kind: ContentChange['kind'], start: number, end: number, lengthAfter: number): void {
    const before = this.bytes.slice(start, Math.min(end, this.extent));
    const { length: lengthBefore, extent: extentBefore } = this;
    this.unsynced.push({ kind, start, end, before, lengthBefore, lengthAfter, extentBefore });
  }

  /** Undoes the newest change and returns what it had written. */
  private takeBack({ start, end, before, lengthBefore, extentBefore }: ContentChange): Uint8Array {
    const written = this.bytes.slice(start, end);
    this.bytes.fill(0, start, end);
    if (before.length > 0) this.bytes.set(before, start);
    this.length = lengthBefore;
    this.extent = extentBefore;
    return written;
  }

  private putSectors(bytes: Uint8Array, start: number, isKept: (sector: number) => boolean): void {
    const end = start + bytes.length;
    for (let at = start; at < end; ) {
      const sector = Math.floor(at / SECTOR_BYTES);
      const next = Math.min(end, (sector + 1) * SECTOR_BYTES);
      if (isKept(sector)) this.put(bytes.subarray(at - start, next - start), at);
      at = next;
    }
  }

  private put(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length, SECTOR_BYTES));
      larger.set(this.bytes.subarray(0, this.extent));
      this.bytes = larger;
    }
    this.bytes.set(bytes, position);
    this.extent = Math.max(this.extent, end);
  }

  private setLength(length: number): void {
    this.bytes.fill(0, length, this.extent);
    this.extent = Math.min(this.extent, length);
    this.length = length;
  }
}

/** What a power cut does to the unsynced changes of a file; a mixture alone would hardly ever keep or lose all. */
const SURVIVALS = ['none', 'all', 'in order', 'any order'] as const;

export function below(random: SeededRandom, bound: number): number {
  return random.uint32() % bound;
}

export function coin(random: SeededRandom): boolean {
  return random.uint32() >= 0x8000_0000;
}
