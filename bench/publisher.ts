/**
 * A connection that publishes. The messages lie encoded in a few buffers that are written over and over; only each
 * one's number, at the beginning of its body, is filled in. With confirms a window of messages is outstanding.
 */
import type { Endpoint } from './broker-url.js';
import { ConfirmReader } from './confirm-reader.js';
import { type EncodedPublish, method, u8 } from './frames.js';
import { RawClient } from './raw-client.js';

/** Written at once: large enough that the generator is not what is measured. */
const WRITE_BYTES = 131_072;
/** Of many publishers: with a message a write it would be system calls that are measured, on both sides. */
const WRITE_BYTES_MIN = 4096;
/** Buffers: one is filled while others are on their way. */
const SLOTS = 4;
const CONFIRM_READ_BYTES = 65_536;

export interface PublisherOptions {
  /** Published in turns. */
  readonly variants: readonly EncodedPublish[];
  readonly messages: number;
  /** 0: no confirms. */
  readonly confirmWindow: number;
  /** Publishers of the run: the more there are, the less each writes at once. */
  readonly publishers: number;
}

interface Slot {
  readonly bytes: Buffer;
  writesUnderWay: number;
  readonly onWritten: () => void;
}

export class Publisher {
  private readonly client: RawClient;
  private readonly options: PublisherOptions;
  private readonly confirms: ConfirmReader;
  /** Where the messages of a buffer begin, and its end; and where their bodies do. */
  private readonly starts: Uint32Array;
  private readonly bodies: Uint32Array;
  private readonly perWrite: number;
  private readonly slots: Slot[];
  private slotIndex = 0;
  /** The next message in the buffer. */
  private cursor = 0;
  private sent = 0;
  private writesUnderWay = 0;
  private isWaitingForSlot = false;
  private resolve: () => void = () => {};
  private reject: (error: Error) => void = () => {};

  private constructor(client: RawClient, options: PublisherOptions) {
    this.client = client;
    this.options = options;
    this.confirms = new ConfirmReader(options.messages);
    const { variants } = options;
    const cycleBytes = variants.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const writeBytes = Math.max(WRITE_BYTES_MIN, WRITE_BYTES / options.publishers);
    const cycles = Math.max(1, Math.floor(writeBytes / cycleBytes));
    const messages = Array.from({ length: cycles }, () => variants).flat();
    this.starts = new Uint32Array(messages.length + 1);
    this.bodies = new Uint32Array(messages.length);
    for (const [i, { bytes, bodyAt }] of messages.entries()) {
      this.bodies[i] = this.starts[i]! + bodyAt;
      this.starts[i + 1] = this.starts[i]! + bytes.length;
    }
    this.perWrite = Math.max(1, Math.floor((writeBytes * variants.length) / cycleBytes));
    const template = Buffer.concat(messages.map(({ bytes }) => bytes));
    this.slots = Array.from({ length: SLOTS }, () => this.makeSlot(template));
  }

  static async connect(endpoint: Endpoint, options: PublisherOptions): Promise<Publisher> {
    if (options.confirmWindow === 0) return new Publisher(await RawClient.connect(endpoint), options);
    const client = await RawClient.connect(endpoint, CONFIRM_READ_BYTES);
    await client.call(method(1, 85, 10, u8(0)), 85, 11);
    return new Publisher(client, options);
  }

  get hasConfirms(): boolean {
    return this.options.confirmWindow > 0;
  }

  /** For the stall check: what the broker has shown of its work. */
  get progress(): number {
    return this.options.confirmWindow > 0 ? this.confirms.confirmed : this.sent;
  }

  /** Publishes everything. With confirms it resolves with the last of them, else when the socket has taken all. */
  run(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.client.onLost = reject;
      if (this.options.confirmWindow === 0) return this.pump();
      this.client.stream((bytes, length) => {
        this.confirms.push(bytes, length);
        if (this.confirms.confirmed > this.sent) throw new Error('more confirms than messages');
        this.pumpWindow();
      });
      this.pumpWindow();
    });
  }

  /** An answer on the same channel: everything before it was taken in. Only without confirms. */
  async flush(request: Buffer, classId: number, methodId: number): Promise<void> {
    await this.client.call(request, classId, methodId);
  }

  close(): void {
    this.client.close();
    this.reject(new Error('the publisher was closed'));
  }

  private makeSlot(template: Buffer): Slot {
    const slot: Slot = {
      bytes: Buffer.from(template),
      writesUnderWay: 0,
      onWritten: () => {
        slot.writesUnderWay--;
        this.writesUnderWay--;
        this.onWritten();
      },
    };
    return slot;
  }

  private onWritten(): void {
    const { confirmWindow, messages } = this.options;
    if (confirmWindow > 0) {
      if (this.isWaitingForSlot) this.pumpWindow();
    } else if (this.sent === messages) {
      if (this.writesUnderWay === 0) this.resolve();
    } else if (this.isWaitingForSlot) {
      this.isWaitingForSlot = false;
      setImmediate(this.pump);
    }
  }

  /** One write per turn of the event loop, so that what comes in the meantime is read. */
  private readonly pump = (): void => {
    const { messages } = this.options;
    if (this.write(messages - this.sent) === 0) this.isWaitingForSlot = true;
    else if (this.sent < messages) setImmediate(this.pump);
  };

  private pumpWindow(): void {
    const { messages, confirmWindow } = this.options;
    const { confirmed } = this.confirms;
    if (confirmed === messages) return this.resolve();
    this.isWaitingForSlot = false;
    while (this.sent < messages) {
      const room = Math.min(messages - this.sent, confirmWindow - (this.sent - confirmed));
      if (room <= 0) return;
      if (this.write(room) === 0) {
        this.isWaitingForSlot = true;
        return;
      }
    }
  }

  /** Writes up to `limit` messages. @returns how many; 0: the next buffer is still on its way */
  private write(limit: number): number {
    const slot = this.slots[this.slotIndex]!;
    if (this.cursor === 0 && slot.writesUnderWay > 0) return 0;
    const inSlot = this.bodies.length;
    const count = Math.min(limit, this.perWrite, inSlot - this.cursor);
    const from = this.cursor;
    const end = from + count;
    for (let i = from, number = this.sent; i < end; i++, number++) {
      const at = this.bodies[i]!;
      slot.bytes[at] = number >>> 24;
      slot.bytes[at + 1] = number >>> 16;
      slot.bytes[at + 2] = number >>> 8;
      slot.bytes[at + 3] = number;
    }
    this.sent += count;
    this.cursor = end === inSlot ? 0 : end;
    if (this.cursor === 0) this.slotIndex = (this.slotIndex + 1) % SLOTS;
    slot.writesUnderWay++;
    this.writesUnderWay++;
    this.client.socket.write(slot.bytes.subarray(this.starts[from]!, this.starts[end]!), slot.onWritten);
    return count;
  }
}
