import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/** As much of a socket as a transport uses; a write completes when the test says so. */
export class FakeSocket extends EventEmitter {
  writable = true;
  destroyed = false;
  isPaused = false;
  isEnded = false;
  /** What was sent, in order. */
  readonly sent: Buffer[] = [];
  /** Calls of write since the last look, a corked group as one. */
  groupCount = 0;
  private readonly callbacks: (() => void)[] = [];
  private corkDepth = 0;

  asSocket(): Socket {
    return this as unknown as Socket;
  }

  write(bytes: Uint8Array, callback?: () => void): boolean {
    // Copied as the kernel does: what happens to the memory afterwards must not matter.
    this.sent.push(Buffer.from(bytes));
    if (this.corkDepth === 0) this.groupCount++;
    if (callback !== undefined) this.callbacks.push(callback);
    return true;
  }

  cork(): void {
    this.corkDepth++;
  }

  uncork(): void {
    this.corkDepth--;
    this.groupCount++;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.isEnded = true;
    this.writable = false;
  }

  destroy(): void {
    this.destroyed = true;
    this.writable = false;
  }

  /** Everything sent so far, as one. */
  output(): Buffer {
    return Buffer.concat(this.sent);
  }

  /** What was sent since the last call. */
  take(): Buffer {
    return Buffer.concat(this.sent.splice(0));
  }

  /** The peer took what the first `count` writes sent. */
  complete(count: number = this.callbacks.length): void {
    for (const callback of this.callbacks.splice(0, count)) callback();
  }

  /** Bytes from the peer. */
  receive(bytes: Buffer): void {
    this.emit('data', bytes);
  }
}
