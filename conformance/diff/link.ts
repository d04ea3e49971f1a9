/**
 * One connection to a broker in a comparison. It keeps what came as events, in order, and the books that are needed
 * to settle deliveries, to count confirms and to know what is still to be answered. Channels are opened when they are
 * used, and a close is answered at once.
 */
import { connect, type Socket } from 'node:net';
import type { BrokerUrl } from '../broker-url.js';
import {
  ALL_CAPABILITIES,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_METHOD,
  PROTOCOL_HEADER,
  type Publish,
} from '../wire/raw-client.js';
import {
  decodeContentHeader,
  decodeMethod,
  encodeContentHeader,
  encodeFrame,
  encodeMethod,
  type Properties,
} from '../wire/raw-codec.js';
import type { Fields } from '../wire/raw-methods.js';
import type { Event } from './observation.js';
import { expectsReply } from './operation.js';

/** A delivery or a got message that waits for its acknowledgement. */
export interface Outstanding {
  readonly deliveryTag: number;
  readonly consumerTag: string;
  /** Its place among all deliveries, alike for both brokers. */
  readonly rank: number;
  /** Came together with deliveries to other consumers, so the order of their tags means nothing. */
  readonly isUnordered: boolean;
}

interface Awaited {
  readonly method: string;
  readonly fields: Fields;
  /** The answer is no event: it was asked for to see that all before it was handled. */
  readonly isQuiet: boolean;
}

interface Content {
  readonly name: string;
  readonly fields: Fields;
  properties: Properties | undefined;
  bodySize: number;
  readonly pieces: Buffer[];
}

export class LinkChannel {
  isOpen = false;
  readonly awaited: Awaited[] = [];
  /** Came since the last `sortFresh`. */
  fresh: Outstanding[] = [];
  outstanding: Outstanding[] = [];
  /** Settled within the transaction: outstanding again after a rollback. */
  settledInTx: Outstanding[] = [];
  isTx = false;
  readonly noAckTags = new Map<string, boolean>();
  /** How many messages were published in confirm mode; undefined without it. */
  publishedCount: number | undefined;
  readonly unconfirmed = new Set<number>();
  content: Content | undefined;

  reset(): void {
    this.isOpen = false;
    this.awaited.length = 0;
    this.fresh = [];
    this.outstanding = [];
    this.settledInTx = [];
    this.isTx = false;
    this.noAckTags.clear();
    this.publishedCount = undefined;
    this.unconfirmed.clear();
    this.content = undefined;
  }
}

export interface LinkOwner {
  /** A frame or message that is no quiet answer. `asked` is what it answers. */
  onEvent(event: Event, asked: Fields | undefined): void;
  /** Something came. */
  onProgress(): void;
}

export class Link {
  readonly name: string;
  isOpen = true;
  readonly channels = new Map<number, LinkChannel>();
  private readonly owner: LinkOwner;
  private readonly socket: Socket;
  private readonly out: Buffer[] = [];
  private received: Buffer = Buffer.alloc(0);
  private isClosing = false;

  private constructor(name: string, socket: Socket, owner: LinkOwner) {
    this.name = name;
    this.socket = socket;
    this.owner = owner;
    this.channels.set(0, new LinkChannel());
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.end(this.isClosing ? undefined : 'TCP closed'));
  }

  /** TCP and the handshake, all of it sent at once. */
  static open(name: string, broker: BrokerUrl, owner: LinkOwner): Promise<Link> {
    const { host, port, user, password, virtualHost } = broker;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      socket.once('error', reject);
      socket.once('connect', () => {
        const link = new Link(name, socket, owner);
        socket.write(PROTOCOL_HEADER);
        link.send(0, 'connection.start-ok', {
          clientProperties: ALL_CAPABILITIES,
          mechanism: 'PLAIN',
          response: `\0${user}\0${password}`,
          locale: 'en_US',
        });
        link.send(0, 'connection.tune-ok', { channelMax: 2047, frameMax: 131_072, heartbeat: 0 });
        link.call(0, 'connection.open', { virtualHost }, true);
        link.flush();
        resolve(link);
      });
    });
  }

  channel(number: number): LinkChannel {
    let channel = this.channels.get(number);
    if (channel === undefined) {
      channel = new LinkChannel();
      this.channels.set(number, channel);
    }
    if (!channel.isOpen && number !== 0) {
      channel.isOpen = true;
      this.call(number, 'channel.open', {}, true);
    }
    return channel;
  }

  get openChannels(): (readonly [number: number, channel: LinkChannel])[] {
    return [...this.channels].filter(([number, { isOpen }]) => number !== 0 && isOpen);
  }

  get hasAwaited(): boolean {
    return [...this.channels.values()].some(({ awaited }) => awaited.length > 0);
  }

  /** Puts a method into what the next `flush` sends. */
  send(channel: number, method: string, fields: Fields = {}): void {
    this.out.push(encodeFrame(FRAME_METHOD, channel, encodeMethod(method, fields)));
  }

  /** The same, and keeps the books about its answer. */
  call(number: number, method: string, fields: Fields = {}, isQuiet = false): void {
    const channel = number === 0 ? this.channels.get(0)! : this.channel(number);
    if (expectsReply(method, fields)) channel.awaited.push({ method, fields, isQuiet });
    else if (method === 'basic.consume')
      channel.noAckTags.set(fields.consumerTag ?? '', fields.noAck === true);
    else if (method === 'confirm.select' && channel.publishedCount === undefined) channel.publishedCount = 0;
    if (method === 'basic.recover' || method === 'basic.recover-async') channel.outstanding = [];
    this.send(number, method, fields);
  }

  publish(number: number, { properties = {}, body = '', ...fields }: Publish): void {
    const channel = this.channel(number);
    if (channel.publishedCount !== undefined) channel.unconfirmed.add(++channel.publishedCount);
    const bytes = Buffer.from(body as string);
    this.send(number, 'basic.publish', fields);
    this.out.push(encodeFrame(FRAME_HEADER, number, encodeContentHeader(bytes.length, properties)));
    if (bytes.length > 0) this.out.push(encodeFrame(FRAME_BODY, number, bytes));
  }

  flush(): void {
    if (this.out.length === 0) return;
    this.socket.write(Buffer.concat(this.out));
    this.out.length = 0;
  }

  destroy(): void {
    this.isClosing = true;
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    const bytes = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    let at = 0;
    while (bytes.length - at >= 8) {
      const end = at + bytes.readUInt32BE(at + 3) + 8;
      if (bytes.length < end) break;
      this.takeFrame(bytes[at]!, bytes.readUInt16BE(at + 1), bytes.subarray(at + 7, end - 1));
      at = end;
    }
    this.received = bytes.subarray(at);
    this.flush();
    this.owner.onProgress();
  }

  private takeFrame(type: number, number: number, payload: Buffer): void {
    const channel = this.channels.get(number);
    if (channel === undefined) return;
    const { content } = channel;
    if (type === FRAME_METHOD) {
      const { name, fields } = decodeMethod(payload);
      if (name === 'basic.deliver' || name === 'basic.get-ok' || name === 'basic.return') {
        channel.content = { name, fields, properties: undefined, bodySize: 0, pieces: [] };
      } else {
        this.takeMethod(number, channel, name, fields);
      }
    } else if (content !== undefined && type === FRAME_HEADER) {
      const { bodySize, properties } = decodeContentHeader(payload);
      content.bodySize = bodySize;
      content.properties = properties;
      if (bodySize === 0) this.takeContent(number, channel, content);
    } else if (content !== undefined && type === FRAME_BODY) {
      content.pieces.push(Buffer.from(payload));
      content.bodySize -= payload.length;
      if (content.bodySize === 0) this.takeContent(number, channel, content);
    }
  }

  private takeContent(number: number, channel: LinkChannel, content: Content): void {
    const { name, fields, properties = {}, pieces } = content;
    channel.content = undefined;
    const asked = name === 'basic.get-ok' ? channel.awaited.shift() : undefined;
    const { deliveryTag = 0, consumerTag = '' } = fields;
    const isNoAck =
      asked === undefined ? channel.noAckTags.get(consumerTag) === true : asked.fields.noAck === true;
    if (name !== 'basic.return' && !isNoAck)
      channel.fresh.push({ deliveryTag, consumerTag, rank: 0, isUnordered: false });
    const body = Buffer.concat(pieces).toString();
    this.owner.onEvent({ at: `${this.name}${number}`, name, fields, properties, body }, asked?.fields);
  }

  private takeMethod(number: number, channel: LinkChannel, name: string, fields: Fields): void {
    const event = { at: `${this.name}${number}`, name, fields };
    switch (name) {
      case 'connection.start':
      case 'connection.tune':
        return;
      case 'connection.close':
        this.send(0, 'connection.close-ok');
        this.flush();
        this.isClosing = true;
        this.owner.onEvent(event, undefined);
        this.end(undefined);
        return;
      case 'channel.close':
        channel.reset();
        this.send(number, 'channel.close-ok');
        this.owner.onEvent(event, undefined);
        return;
      case 'basic.ack':
      case 'basic.nack':
        this.takeConfirm(event, channel);
        return;
      case 'basic.cancel':
        this.owner.onEvent(event, undefined);
        return;
    }
    const asked = channel.awaited.shift();
    if (asked !== undefined) this.keepBooks(channel, name, fields, asked);
    if (asked?.isQuiet !== true) this.owner.onEvent(event, asked?.fields);
  }

  /** One confirm for each message, however they were put together. */
  private takeConfirm({ at, name, fields }: Event, channel: LinkChannel): void {
    const { deliveryTag = 0, multiple } = fields;
    const confirmed = [...channel.unconfirmed].filter((tag) =>
      multiple ? tag <= deliveryTag : tag === deliveryTag,
    );
    if (confirmed.length === 0) this.owner.onEvent({ at, name: `stray ${name}`, fields }, undefined);
    for (const tag of confirmed) {
      channel.unconfirmed.delete(tag);
      this.owner.onEvent({ at, name, fields: { deliveryTag: tag } }, undefined);
    }
  }

  private keepBooks(channel: LinkChannel, name: string, fields: Fields, asked: Awaited): void {
    switch (name) {
      case 'basic.consume-ok':
        channel.noAckTags.set(fields.consumerTag ?? '', asked.fields.noAck === true);
        break;
      case 'confirm.select-ok':
        channel.publishedCount ??= 0;
        break;
      case 'tx.select-ok':
        channel.isTx = true;
        break;
      case 'tx.commit-ok':
        channel.settledInTx = [];
        break;
      case 'tx.rollback-ok':
        channel.outstanding.push(...channel.settledInTx);
        channel.outstanding.sort((a, b) => a.rank - b.rank);
        channel.settledInTx = [];
        break;
      case 'channel.close-ok':
        channel.reset();
        break;
      case 'connection.close-ok':
        this.isClosing = true;
        this.end(undefined);
    }
  }

  private end(event: string | undefined): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const channel of this.channels.values()) channel.reset();
    if (event !== undefined) this.owner.onEvent({ at: `${this.name}0`, name: event, fields: {} }, undefined);
    this.socket.end();
    this.owner.onProgress();
  }
}
