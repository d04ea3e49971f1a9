/**
 * The load generator's own AMQP client: frames encoded ahead, incoming frames told apart by their headers alone,
 * so that the broker is what is measured. It imports nothing from the broker.
 */
import { connect, type Socket } from 'node:net';

const FRAME_END = 0xce;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

export function parseUrl(url: string): Endpoint {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 5672 : Number(port),
    user: decodeURIComponent(username) || 'guest',
    password: decodeURIComponent(password) || 'guest',
    virtualHost: pathname.length > 1 ? decodeURIComponent(pathname.slice(1)) : '/',
  };
}

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(payload.length + 8);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  payload.copy(bytes, 7);
  bytes[bytes.length - 1] = FRAME_END;
  return bytes;
}

export function method(channel: number, classId: number, methodId: number, ...fields: Buffer[]): Buffer {
  return frame(1, channel, Buffer.concat([u16(classId), u16(methodId), ...fields]));
}

export const u8 = (value: number): Buffer => Buffer.from([value]);

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export const shortstr = (text: string): Buffer =>
  Buffer.concat([u8(Buffer.byteLength(text)), Buffer.from(text)]);
export const longstr = (bytes: Buffer): Buffer => Buffer.concat([u32(bytes.length), bytes]);
export const emptyTable = u32(0);

/** A publish as three frames. */
export function publish(
  channel: number,
  exchange: string,
  routingKey: string,
  body: Buffer,
  persistent: boolean,
): Buffer {
  const properties = persistent ? Buffer.from([0x10, 0x00, 2]) : Buffer.from([0, 0]);
  const header = Buffer.concat([u16(60), u16(0), u64(body.length), properties]);
  return Buffer.concat([
    method(channel, 60, 40, u16(0), shortstr(exchange), shortstr(routingKey), u8(0)),
    frame(2, channel, header),
    ...(body.length === 0 ? [] : [frame(3, channel, body)]),
  ]);
}

/** One connection with one channel. Replies to methods are awaited one at a time. */
export class RawClient {
  readonly socket: Socket;
  /** Takes everything that comes once `stream` was called. */
  private onBytes: ((chunk: Buffer) => void) | undefined;
  private pending: Buffer = Buffer.alloc(0);
  private waiter: { id: number; resolve: (args: Buffer) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (this.onBytes !== undefined) this.onBytes(chunk);
      else this.onHandshakeBytes(chunk);
    });
    socket.on('error', (error) => this.waiter?.reject(error));
    socket.on('close', () => this.waiter?.reject(new Error('the broker closed the connection')));
  }

  static async connect(endpoint: Endpoint): Promise<RawClient> {
    const socket = connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new RawClient(socket);
    const start = client.reply(10, 10);
    socket.write(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
    await start;
    const tune = client.reply(10, 30);
    const response = Buffer.from(`\x00${endpoint.user}\x00${endpoint.password}`);
    socket.write(method(0, 10, 11, emptyTable, shortstr('PLAIN'), longstr(response), shortstr('en_US')));
    const offered = await tune;
    const opened = client.reply(10, 41);
    socket.write(method(0, 10, 31, offered.subarray(0, 2), offered.subarray(2, 6), u16(0)));
    socket.write(method(0, 10, 40, shortstr(endpoint.virtualHost), shortstr(''), u8(0)));
    await opened;
    await client.call(method(1, 20, 10, shortstr('')), 20, 11);
    return client;
  }

  /** Sends a method and waits for its answer; returns the answer's arguments. */
  call(request: Buffer, classId: number, methodId: number): Promise<Buffer> {
    const answer = this.reply(classId, methodId);
    this.socket.write(request);
    return answer;
  }

  /** From now on everything that comes goes to `onBytes`. */
  stream(onBytes: (chunk: Buffer) => void): void {
    this.onBytes = onBytes;
    if (this.pending.length > 0) onBytes(this.pending);
    this.pending = Buffer.alloc(0);
  }

  close(): void {
    this.socket.destroy();
  }

  private reply(classId: number, methodId: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.waiter = { id: classId * 65_536 + methodId, resolve, reject };
    });
  }

  private onHandshakeBytes(chunk: Buffer): void {
    this.pending = Buffer.concat([this.pending, chunk]);
    // What comes after an awaited answer stays for whoever asks next.
    while (this.pending.length >= 8 && this.waiter !== undefined) {
      const size = this.pending.readUInt32BE(3);
      if (this.pending.length < size + 8) return;
      const payload = this.pending.subarray(7, 7 + size);
      const type = this.pending[0];
      this.pending = this.pending.subarray(size + 8);
      if (type !== 1) continue;
      const id = payload.readUInt32BE(0);
      const { waiter } = this;
      this.waiter = undefined;
      if (id === waiter.id) waiter.resolve(payload.subarray(4));
      else waiter.reject(new Error(`expected method ${waiter.id}, got ${id}: ${payload.toString('latin1')}`));
    }
  }
}
