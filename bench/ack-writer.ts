/** Acknowledges deliveries: frames lie ready in reused buffers, only the tags are filled in. */
import { method, u8, u64 } from './frames.js';
import type { RawClient } from './raw-client.js';
import { WriteBuffers } from './write-buffers.js';

const ACK_BYTES = 21;
const ACKS_PER_BUFFER = 4096;
/** The low half of the tag in a frame: no run delivers so much that the high half is needed. */
const TAG_LOW_AT = 15;

export class AckWriter {
  private readonly buffers: WriteBuffers;
  private readonly every: number;
  private sinceAck = 0;
  private length = 0;
  private readonly lastTag = new Uint8Array(4);

  /** @param every 1: each delivery by itself; more: so many at once */
  constructor(client: RawClient, every: number) {
    const ack = method(1, 60, 80, u64(0), u8(every > 1 ? 1 : 0));
    const template = Buffer.alloc(ACK_BYTES * ACKS_PER_BUFFER);
    for (let i = 0; i < ACKS_PER_BUFFER; i++) ack.copy(template, i * ACK_BYTES);
    this.buffers = new WriteBuffers(client.socket, template);
    this.every = every;
  }

  /** Takes the delivery tag at `at`. */
  add(bytes: Uint8Array, at: number): void {
    this.lastTag[0] = bytes[at + 4]!;
    this.lastTag[1] = bytes[at + 5]!;
    this.lastTag[2] = bytes[at + 6]!;
    this.lastTag[3] = bytes[at + 7]!;
    if (++this.sinceAck >= this.every) this.append();
  }

  /** Sends what was added; with `all` also what is no full batch yet. */
  flush(all: boolean): void {
    if (all && this.sinceAck > 0) this.append();
    if (this.length > 0) this.buffers.write(this.length);
    this.length = 0;
  }

  private append(): void {
    const { bytes } = this.buffers;
    const at = this.length + TAG_LOW_AT;
    bytes[at] = this.lastTag[0]!;
    bytes[at + 1] = this.lastTag[1]!;
    bytes[at + 2] = this.lastTag[2]!;
    bytes[at + 3] = this.lastTag[3]!;
    this.length += ACK_BYTES;
    this.sinceAck = 0;
    if (this.length === bytes.length) this.flush(false);
  }
}
