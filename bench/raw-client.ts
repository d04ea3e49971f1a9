/**
 * The load generator's own AMQP client: one connection with one channel. Requests are awaited one at a time until
 * `stream` is called; from then on the bytes go to the caller as they come, in a buffer that is read into again.
 */
import { connect, type Socket } from 'node:net';
import type { Endpoint } from './broker-url.js';
import {
  describeMethod,
  FRAME_METHOD,
  FRAME_OVERHEAD_BYTES,
  FRAME_PREFIX_BYTES,
  longstr,
  method,
  shortstr,
  table,
  u8,
  u16,
} from './frames.js';

/** Enough for answers; who streams asks for more. */
const READ_BYTES_DEFAULT = 4096;
const PROTOCOL_HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
const CONNECT_TIMEOUT_MS = 20_000;

/** Takes what came; valid until it returns. */
export type OnBytes = (bytes: Uint8Array, length: number) => void;

export class RawClient {
  readonly socket: Socket;
  /** Product and version. Leveret says that it is RabbitMQ, and what it is in fields of its own. */
  product = 'unknown';
  /** Told once when the connection ends without `close`, or when what takes the stream throws. */
  onLost: (error: Error) => void = () => {};
  private onBytes: OnBytes | undefined;
  private pending: Buffer = Buffer.alloc(0);
  private waiter: { id: number; resolve: (args: Buffer) => void; reject: (error: Error) => void } | undefined;
  private isClosed = false;

  private constructor(endpoint: Endpoint, readBytes: number) {
    const { host, port } = endpoint;
    const onread = {
      // Read into again and again: nothing is allocated for what comes.
      buffer: Buffer.allocUnsafeSlow(readBytes),
      callback: (length: number, bytes: Uint8Array): boolean => {
        this.take(bytes, length);
        return true;
      },
    };
    this.socket = connect({ host, port, noDelay: true, onread });
    this.socket.on('error', (error) => this.lose(error));
    this.socket.on('close', () => this.lose(new Error('the broker closed the connection')));
  }

  /** Connects, logs in and opens channel 1. */
  static async connect(endpoint: Endpoint, readBytes = READ_BYTES_DEFAULT): Promise<RawClient> {
    const client = new RawClient(endpoint, readBytes);
    const timer = setTimeout(
      () => client.socket.destroy(new Error('the broker did not answer')),
      CONNECT_TIMEOUT_MS,
    );
    try {
      await client.logIn(endpoint);
    } finally {
      clearTimeout(timer);
    }
    return client;
  }

  private async logIn(endpoint: Endpoint): Promise<void> {
    const start = await this.call(PROTOCOL_HEADER, 10, 10);
    const field = (name: string): string => textField(start, name);
    const ownProduct = field('x_product');
    this.product =
      ownProduct === '' ? `${field('product')} ${field('version')}` : `${ownProduct} ${field('x_version')}`;
    const response = Buffer.from(`\x00${endpoint.user}\x00${endpoint.password}`);
    const startOk = method(0, 10, 11, table(), shortstr('PLAIN'), longstr(response), shortstr('en_US'));
    const offered = await this.call(startOk, 10, 30);
    // The channels and the frame size offered; no heartbeats.
    this.socket.write(method(0, 10, 31, offered.subarray(0, 6), u16(0)));
    await this.call(method(0, 10, 40, shortstr(endpoint.virtualHost), shortstr(''), u8(0)), 10, 41);
    await this.call(method(1, 20, 10, shortstr('')), 20, 11);
  }

  /** Sends a method and waits for its answer; returns the answer's arguments. */
  call(request: Buffer, classId: number, methodId: number): Promise<Buffer> {
    const answer = this.answer(classId, methodId);
    this.socket.write(request);
    return answer;
  }

  /** Sends many methods at once and waits for all their answers. */
  async callAll(requests: readonly Buffer[], classId: number, methodId: number): Promise<Buffer[]> {
    const answers: Buffer[] = [];
    if (requests.length > 0) this.socket.write(Buffer.concat(requests));
    while (answers.length < requests.length) answers.push(await this.answer(classId, methodId));
    return answers;
  }

  /** From now on everything that comes goes to `onBytes`. */
  stream(onBytes: OnBytes): void {
    this.onBytes = onBytes;
    if (this.pending.length > 0) this.take(this.pending, this.pending.length);
    this.pending = Buffer.alloc(0);
  }

  /** Ends the connection as a client should. */
  async closeOrderly(): Promise<void> {
    await this.call(method(0, 10, 50, u16(200), shortstr(''), u16(0), u16(0)), 10, 51);
    this.close();
  }

  /** Ends the connection at once; a reset leaves no port waiting, of which a run may need thousands. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.resetAndDestroy();
  }

  private lose(error: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.waiter?.reject(error);
    this.onLost(error);
  }

  private take(bytes: Uint8Array, length: number): void {
    if (this.onBytes === undefined) return this.onAnswers(Buffer.from(bytes.subarray(0, length)));
    try {
      this.onBytes(bytes, length);
    } catch (error) {
      this.lose(error as Error);
      this.socket.destroy();
    }
  }

  private answer(classId: number, methodId: number): Promise<Buffer> {
    return new Promise<Buffer>((resolve, reject) => {
      this.waiter = { id: classId * 65_536 + methodId, resolve, reject };
      if (this.isClosed) this.waiter.reject(new Error('the connection is closed'));
      else this.readAnswer();
    });
  }

  private onAnswers(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    this.readAnswer();
  }

  /** What comes after an awaited answer stays for whoever asks next. */
  private readAnswer(): void {
    while (this.pending.length >= FRAME_OVERHEAD_BYTES && this.waiter !== undefined) {
      const size = this.pending.readUInt32BE(3);
      if (this.pending.length < size + FRAME_OVERHEAD_BYTES) return;
      const payload = this.pending.subarray(FRAME_PREFIX_BYTES, FRAME_PREFIX_BYTES + size);
      const type = this.pending[0];
      this.pending = this.pending.subarray(size + FRAME_OVERHEAD_BYTES);
      if (type !== FRAME_METHOD) continue;
      const { waiter } = this;
      this.waiter = undefined;
      if (payload.readUInt32BE(0) === waiter.id) waiter.resolve(payload.subarray(4));
      else waiter.reject(new Error(`the broker answered with ${describeMethod(payload, 0)}`));
    }
  }
}

/** A string among the server properties of connection.start, found by its name: nothing else is read there. */
function textField(start: Buffer, name: string): string {
  const field = Buffer.concat([shortstr(name), Buffer.from('S')]);
  const at = start.indexOf(field);
  if (at < 0) return '';
  const from = at + field.length + 4;
  return start.toString('utf8', from, from + start.readUInt32BE(from - 4));
}
