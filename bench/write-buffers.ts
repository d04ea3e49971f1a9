/** Buffers that are written from again once the socket has taken what was in them. */
import type { Socket } from 'node:net';

interface Slot {
  readonly bytes: Buffer;
  readonly release: () => void;
}

export class WriteBuffers {
  private readonly socket: Socket;
  private readonly template: Buffer;
  private readonly free: Slot[] = [];
  private current: Slot | undefined;

  /** @param template what each buffer holds at first */
  constructor(socket: Socket, template: Buffer) {
    this.socket = socket;
    this.template = template;
  }

  /** The buffer that the next `write` sends. */
  get bytes(): Buffer {
    if (this.current === undefined) this.current = this.free.pop() ?? this.addSlot();
    return this.current.bytes;
  }

  /** Sends the first `length` bytes of the buffer. */
  write(length: number): void {
    const { bytes, release } = this.current!;
    this.current = undefined;
    this.socket.write(bytes.subarray(0, length), release);
  }

  private addSlot(): Slot {
    const slot: Slot = { bytes: Buffer.from(this.template), release: () => this.free.push(slot) };
    return slot;
  }
}
