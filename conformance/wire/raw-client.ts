/**
 * An AMQP client for cases and tests that does what it is told: any bytes, any frame, any order. It answers nothing
 * by itself and waits for frames with a limit, so one that would hang says what it was waiting for.
 */
import { connect, type Socket } from 'node:net';
import {
  decodeContentHeader,
  decodeMethod,
  encodeContentHeader,
  encodeFrame,
  encodeMethod,
  type Method,
  type Properties,
  type Table,
} from './raw-codec.js';
import type { Fields } from './raw-methods.js';

export const PROTOCOL_HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;

const TIMEOUT_MS = 5000;

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

/** What a client that can everything says of itself. */
export const ALL_CAPABILITIES: Table = [
  [
    'capabilities',
    'F',
    [
      ['consumer_cancel_notify', 't', true],
      ['connection.blocked', 't', true],
      ['authentication_failure_close', 't', true],
    ],
  ],
];

export interface OpenOptions {
  user?: string;
  password?: string;
  virtualHost?: string;
  frameMax?: number;
  channelMax?: number;
  heartbeat?: number;
  clientProperties?: Table;
}

export interface Publish {
  exchange?: string;
  routingKey?: string;
  mandatory?: boolean;
  immediate?: boolean;
  properties?: Properties;
  body?: string | Buffer;
}

/** A message as it came: the method that brought it, its properties and its body. */
export interface Received {
  readonly method: Fields;
  readonly properties: Properties;
  /** The payload of the content header, as it came. */
  readonly header: Buffer;
  readonly body: Buffer;
  /** Payload lengths of the body frames. */
  readonly frameSizes: readonly number[];
}

export class RawClient {
  /** Agreed in `open`: the largest frame this client sends. */
  frameMax = 131_072;
  /** What the server answered to a protocol header it does not speak. */
  refusal: Buffer | undefined;
  isClosed = false;
  /** What was wrong with the server's bytes, after which nothing is read from it any more. */
  private broken: string | undefined;
  private readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  private readonly framesByChannel = new Map<number, Frame[]>();
  private wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.wake();
    });
  }

  static connect(host: string, port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** The whole handshake up to open-ok. */
  async open(options: OpenOptions = {}): Promise<void> {
    await this.tune(options);
    await this.call(0, 'connection.open', { virtualHost: options.virtualHost ?? '/' });
  }

  /** The handshake up to and including tune-ok. Returns what the server offered. */
  async tune(options: OpenOptions = {}): Promise<Fields> {
    const { user = 'guest', password = 'guest' } = options;
    await this.start();
    this.startOk(`\0${user}\0${password}`, 'PLAIN', options.clientProperties ?? ALL_CAPABILITIES);
    const tune = await this.method(0, 'connection.tune');
    const { channelMax = tune.channelMax!, frameMax = tune.frameMax!, heartbeat = 0 } = options;
    this.send(0, 'connection.tune-ok', { channelMax, frameMax, heartbeat });
    this.frameMax = frameMax;
    return tune;
  }

  /** Sends the protocol header and returns connection.start. */
  start(): Promise<Fields> {
    this.write(PROTOCOL_HEADER);
    return this.method(0, 'connection.start');
  }

  startOk(response: string | Buffer, mechanism = 'PLAIN', clientProperties: Table = ALL_CAPABILITIES): void {
    this.send(0, 'connection.start-ok', { clientProperties, mechanism, response, locale: 'en_US' });
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  frame(type: number, channel: number, payload: Buffer | string, end = 0xce): void {
    this.write(encodeFrame(type, channel, Buffer.from(payload as string), end));
  }

  send(channel: number, name: string, fields: Fields = {}): void {
    this.write(encodeFrame(FRAME_METHOD, channel, encodeMethod(name, fields)));
  }

  /** Sends a method and waits for its `-ok`. */
  call(channel: number, name: string, fields: Fields = {}): Promise<Fields> {
    this.send(channel, name, fields);
    return this.method(channel, `${name}-ok`);
  }

  async openChannel(channel = 1): Promise<number> {
    await this.call(channel, 'channel.open');
    return channel;
  }

  publish(channel: number, message: Publish): void {
    const { properties = {}, body = '', ...fields } = message;
    const bytes = Buffer.from(body as string);
    const frames = [
      encodeFrame(FRAME_METHOD, channel, encodeMethod('basic.publish', fields)),
      encodeFrame(FRAME_HEADER, channel, encodeContentHeader(bytes.length, properties)),
    ];
    const pieceMax = this.frameMax - 8;
    for (let at = 0; at < bytes.length; at += pieceMax) {
      frames.push(encodeFrame(FRAME_BODY, channel, bytes.subarray(at, at + pieceMax)));
    }
    this.write(Buffer.concat(frames));
  }

  /** Waits for the next frame of a channel, which must be that method. */
  async method(channel: number, name: string): Promise<Fields> {
    const method = await this.anyMethod(channel, name);
    if (method.name !== name) {
      throw new Error(`expected ${name} on channel ${channel}, got ${describe(method)}`);
    }
    return method.fields;
  }

  /** Waits for the next frame of a channel, which must be a method. */
  async anyMethod(channel: number, awaited = 'a method'): Promise<Method> {
    const frame = await this.nextFrame(channel, awaited);
    if (frame.type !== FRAME_METHOD)
      throw new Error(`expected ${awaited}, got a frame of type ${frame.type}`);
    return decodeMethod(frame.payload);
  }

  /** Waits for the next frame of a channel, a method, or for the end of TCP, which is undefined. */
  async methodOrEnd(channel: number): Promise<Method | undefined> {
    const isOver = await this.until('a method or the end of TCP', () => {
      if ((this.framesByChannel.get(channel)?.length ?? 0) > 0) return false;
      return this.isClosed ? true : undefined;
    });
    return isOver ? undefined : this.anyMethod(channel);
  }

  /** Waits until the broker has closed the channel or the connection: the number of the channel it says so on. */
  closingChannel(channel: number): Promise<number> {
    return this.until(`a close on channel 0 or ${channel}`, () => {
      const found = [0, channel].find((number) => (this.framesByChannel.get(number)?.length ?? 0) > 0);
      if (found === undefined && this.isClosed) throw new Error('TCP was closed without a close');
      return found;
    });
  }

  /** Waits for a method that brings a content, and for the content. */
  async message(channel: number, name: 'basic.deliver' | 'basic.get-ok' | 'basic.return'): Promise<Received> {
    const method = await this.method(channel, name);
    const header = await this.nextFrame(channel, 'a content header');
    if (header.type !== FRAME_HEADER) throw new Error(`expected a content header, got type ${header.type}`);
    const { bodySize, properties } = decodeContentHeader(header.payload);
    const pieces: Buffer[] = [];
    for (let size = 0; size < bodySize; ) {
      const piece = await this.nextFrame(channel, 'a body');
      if (piece.type !== FRAME_BODY) throw new Error(`expected a body, got type ${piece.type}`);
      pieces.push(piece.payload);
      size += piece.payload.length;
    }
    return {
      method,
      properties,
      header: header.payload,
      body: Buffer.concat(pieces),
      frameSizes: pieces.map(({ length }) => length),
    };
  }

  delivery(channel = 1): Promise<Received> {
    return this.message(channel, 'basic.deliver');
  }

  /** basic.get of a queue that must have a message. */
  get(channel: number, queue: string, noAck = true): Promise<Received> {
    this.send(channel, 'basic.get', { queue, noAck });
    return this.message(channel, 'basic.get-ok');
  }

  /** Waits for the next frame of a channel, of whatever type. */
  async nextFrame(channel: number, awaited = 'a frame'): Promise<Frame> {
    const frame = await this.until(`${awaited} on channel ${channel}`, () => {
      const found = this.framesByChannel.get(channel)?.shift();
      if (found === undefined && this.isClosed)
        throw new Error(this.broken ?? `TCP was closed while waiting for ${awaited}`);
      if (found === undefined && channel !== 0) this.throwIfConnectionClosed(awaited);
      return found;
    });
    return frame;
  }

  /** Frames that have come and that nobody asked for. */
  pendingFrames(channel: number): readonly Frame[] {
    return this.framesByChannel.get(channel) ?? [];
  }

  /** Waits until the server has closed TCP; frames that came before it stay to be read. */
  async closed(): Promise<void> {
    await this.until('the end of TCP', () => (this.isClosed ? true : undefined));
  }

  /** Waits until all was handled that was sent on the channel. Whatever the server sent before is then here. */
  async sync(channel = 1): Promise<void> {
    this.send(channel, 'channel.flow', { active: true });
    const frames = await this.until('flow-ok', () => {
      const pending = this.framesByChannel.get(channel) ?? [];
      const at = pending.findIndex(
        ({ type, payload }) => type === FRAME_METHOD && decodeMethod(payload).name === 'channel.flow-ok',
      );
      this.throwIfConnectionClosed('flow-ok');
      return at < 0 ? undefined : { pending, at };
    });
    frames.pending.splice(frames.at, 1);
  }

  /** Reads nothing from the socket any more, or reads again. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Closes its own side of TCP, behind what was sent. */
  end(): void {
    this.socket.end();
  }

  /** Drops TCP. */
  destroy(): void {
    this.socket.destroy();
  }

  private throwIfConnectionClosed(awaited: string): void {
    for (const { type, payload } of this.framesByChannel.get(0) ?? []) {
      if (type !== FRAME_METHOD) continue;
      const method = decodeMethod(payload);
      if (method.name !== 'connection.close') continue;
      throw new Error(`expected ${awaited}, got ${describe(method)}`);
    }
  }

  private async until<T>(awaited: string, poll: () => T | undefined): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      const error = new Error(`waited ${TIMEOUT_MS} ms for ${awaited}`);
      timer = setTimeout(() => reject(error), TIMEOUT_MS);
    });
    try {
      for (;;) {
        const found = poll();
        if (found !== undefined) return found;
        await Promise.race([
          timeout,
          new Promise<void>((resolve) => {
            const before = this.wake;
            this.wake = () => {
              before();
              resolve();
            };
          }),
        ]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    if (this.received.toString('latin1', 0, 4) === 'AMQP') {
      this.refusal = this.received;
    } else {
      let at = 0;
      while (this.received.length - at >= 8) {
        const size = this.received.readUInt32BE(at + 3);
        if (this.received.length - at < size + 8) break;
        this.takeFrame(this.received.subarray(at, at + size + 8));
        at += size + 8;
      }
      this.received = this.received.subarray(at);
    }
    const { wake } = this;
    this.wake = () => {};
    wake();
  }

  private takeFrame(bytes: Buffer): void {
    if (bytes[bytes.length - 1] !== 0xce) {
      this.broken = 'the server sent a frame without its end';
      this.socket.destroy();
      return;
    }
    const channel = bytes.readUInt16BE(1);
    let frames = this.framesByChannel.get(channel);
    if (frames === undefined) {
      frames = [];
      this.framesByChannel.set(channel, frames);
    }
    frames.push({ type: bytes.readUInt8(0), channel, payload: bytes.subarray(7, bytes.length - 1) });
  }
}

function describe({ name, fields }: Method): string {
  return `${name} ${JSON.stringify(fields)}`;
}
