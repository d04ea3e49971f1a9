/** Counts each confirmed message once: a broker may confirm some by themselves, and then all up to a later one. */
import { FrameCutter } from './frame-cutter.js';
import { describeMethod, readU32 } from './frames.js';

const BASIC_ACK = 0x003c_0050;
const IS_MULTIPLE = 1;

export class ConfirmReader extends FrameCutter {
  confirmed = 0;
  private readonly isConfirmed: Uint8Array;
  /** All up to this tag are confirmed. */
  private allUpTo = 0;

  /** @param messages that are published on the channel, the first with tag 1 */
  constructor(messages: number) {
    super();
    this.isConfirmed = new Uint8Array(messages + 1);
  }

  protected override onMethod(bytes: Uint8Array, at: number): void {
    if (readU32(bytes, at) !== BASIC_ACK) {
      throw new Error(`a publish was not confirmed: the broker sent ${describeMethod(bytes, at)}`);
    }
    // Class, method, the high and the low half of the tag, and whether it stands for all before it.
    const tag = readU32(bytes, at + 8);
    const isMultiple = (bytes[at + 12]! & IS_MULTIPLE) !== 0;
    if (tag >= this.isConfirmed.length) throw new Error(`message ${tag} was confirmed, and never published`);
    if (!isMultiple) return this.confirm(tag);
    while (this.allUpTo < tag) this.confirm(++this.allUpTo);
  }

  protected override onBodyHead(): void {
    throw new Error('the broker delivered to the publisher');
  }

  protected override onBodyEnd(): void {}

  private confirm(tag: number): void {
    if (this.isConfirmed[tag] === 1) return;
    this.isConfirmed[tag] = 1;
    this.confirmed++;
  }
}
