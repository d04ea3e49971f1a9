/**
 * Counts deliveries and checks their order: every body begins with its number, and each queue has one consumer, who
 * knows which number comes next. A message that is lost, doubled or out of order fails the run.
 */
import { FrameCutter } from './frame-cutter.js';
import { describeMethod, readU32 } from './frames.js';

const BASIC_DELIVER = 0x003c_003c;
const CHANNEL_CLOSE_OK = 0x0014_0029;
const TAG_DIGITS = 4;
const DIGIT_ZERO = 48;

/** The consumer tag of a queue: its number in four digits, so that all deliveries have the same layout. */
export const consumerTag = (queueIndex: number): string => String(queueIndex).padStart(TAG_DIGITS, '0');

/** What each queue is to get: the number `first` says, and then every `step`-th. */
export interface Sequence {
  readonly first: (queueIndex: number) => number;
  readonly step: number;
}

export interface DeliverySink {
  /** A delivery tag begins at `at`. */
  onTag?: ((bytes: Uint8Array, at: number) => void) | undefined;
  /** A body begins at `at`. */
  onBody?: ((bytes: Uint8Array, at: number) => void) | undefined;
  /** The broker answered channel.close: everything before it was taken in. */
  onChannelClosed(): void;
}

export class DeliveryReader extends FrameCutter {
  /** Whole messages. */
  count = 0;
  private readonly due: Uint32Array;
  private readonly step: number;
  private readonly sink: DeliverySink;
  private queueIndex = 0;

  constructor(queueCount: number, sequence: Sequence, sink: DeliverySink) {
    super();
    this.due = Uint32Array.from({ length: queueCount }, (_, i) => sequence.first(i));
    this.step = sequence.step;
    this.sink = sink;
  }

  protected override onMethod(bytes: Uint8Array, at: number): void {
    const id = readU32(bytes, at);
    if (id === CHANNEL_CLOSE_OK) return this.sink.onChannelClosed();
    if (id !== BASIC_DELIVER) throw new Error(`the broker sent ${describeMethod(bytes, at)}`);
    // Class, method, length of the consumer tag, consumer tag, delivery tag.
    const thousands = bytes[at + 5]! * 10 + bytes[at + 6]! - 11 * DIGIT_ZERO;
    this.queueIndex = thousands * 100 + bytes[at + 7]! * 10 + bytes[at + 8]! - 11 * DIGIT_ZERO;
    if (this.sink.onTag !== undefined) this.sink.onTag(bytes, at + 5 + TAG_DIGITS);
  }

  protected override onBodyHead(bytes: Uint8Array, at: number): void {
    const { queueIndex } = this;
    const number = readU32(bytes, at);
    const due = this.due[queueIndex]!;
    if (number !== due) throw new Error(wrongNumber(queueIndex, number, due));
    this.due[queueIndex] = due + this.step;
    if (this.sink.onBody !== undefined) this.sink.onBody(bytes, at);
  }

  protected override onBodyEnd(): void {
    this.count++;
  }
}

function wrongNumber(queueIndex: number, number: number, due: number): string {
  const what = number < due ? 'came again, or late' : 'was lost, or overtaken';
  return `queue ${queueIndex}: message ${number} came where ${due} was due: ${number < due ? number : due} ${what}`;
}
