/**
 * A connection, from accept to close.
 *
 *   awaitHeader --"AMQP0091"--> start --start-ok--> tune --tune-ok--> open --connection.open--> running
 *        |                        |                   |                 |                          |
 *        | other: our header,     | login refused,    +--- 530 ---------+--- 530                   | error, or
 *        v then close             v anything odd      v                 v                          v shutdown
 *     closed                   penalised          closing <--------------------------------- closing
 *                                 | 3 s               | close-ok or time out                   |
 *                                 v                   v                                         v
 *                               closed             closed                                    closed
 *
 * Every protocol error ends here (`onFrameError`), in the close its code asks for; anything else that is thrown is
 * a bug of ours, costs this connection alone, and is logged with its stack.
 */
import type { Socket } from 'node:net';
import { AmqpError, internalError, notAllowed, ReplyCode, unexpectedFrame } from '../amqp/errors.js';
import { FrameReader, type FrameReaderOwner, type FrameSink } from '../amqp/frame-reader.js';
import { MethodWriter } from '../amqp/method-writer.js';
import {
  encodeChannelClose,
  encodeChannelCloseOk,
  encodeConnectionBlocked,
  encodeConnectionClose,
  encodeConnectionCloseOk,
  encodeConnectionUnblocked,
} from '../amqp/methods.generated.js';
import type { User } from '../auth/auth-backend.js';
import type { Broker } from '../broker/broker.js';
import type { AlarmListener } from '../broker/resource-alarms.js';
import type { VirtualHost } from '../broker/virtual-host.js';
import { type ByteBlock, blockOver } from '../lib/bytes.js';
import type { Timer } from '../lib/clock.js';
import { CLOSE_TIMEOUT_MS_MAX, SILENT_CLOSE_DELAY_MS } from '../lib/limits.js';
import { Channel } from './channel.js';
import { ChannelPhase } from './channel-phase.js';
import { checkChannelLimit } from './client-limits.js';
import type { ConnectionContext } from './connection-context.js';
import { ConnectionMethods } from './connection-methods.js';
import { ConnectionPhase } from './connection-phase.js';
import { UnknownMethodError } from './handlers/dispatch.js';
import type { Heartbeat } from './heartbeat.js';
import { answerToHeader, PROTOCOL_HEADER_BYTES } from './protocol-header.js';
import { Transport, type TransportOwner } from './transport.js';

/** Frames of channels that are not served any more. */
const DISCARD: FrameSink = { onMethod: () => {}, onHeader: () => {}, onBodyPart: () => {}, onBody: () => {} };

export class Connection implements FrameReaderOwner, TransportOwner, AlarmListener, ConnectionContext {
  readonly broker: Broker;
  readonly socket: Socket;
  readonly transport: Transport;
  readonly reader: FrameReader;
  readonly writer = new MethodWriter();
  readonly owner: object = this;
  readonly channels = new Map<number, Channel>();
  phase: ConnectionPhase = ConnectionPhase.AwaitHeader;
  takesCancel = false;
  takesBlocked = false;
  takesAuthenticationFailure = false;
  /** Agreed in tuning. */
  channelMax = 0;
  heartbeatSeconds = 0;
  heartbeat: Heartbeat | undefined;
  /** What the client calls itself (`connection_name`), for the log. */
  clientName = '';

  private readonly methods: ConnectionMethods;
  private readonly onGone: (connection: Connection) => void;
  private openedHost: VirtualHost | undefined;
  private loggedInUser: User | undefined;
  private header = Buffer.alloc(0);
  private isBlocked = false;
  /** Among the open connections, for the limits on those. */
  private isCounted = false;
  private timer: Timer | undefined;

  constructor(broker: Broker, socket: Socket, onGone: (connection: Connection) => void) {
    this.broker = broker;
    this.socket = socket;
    this.onGone = onGone;
    this.transport = new Transport(socket, broker.slabs, broker.scheduler, this);
    this.transport.receiver = (block) => this.onHeaderBytes(block);
    this.reader = new FrameReader(this, broker.generation.frameBytesBeforeTuneMax);
    this.methods = new ConnectionMethods(this);
    this.reader.addSink(0, this.methods);
    this.timer = broker.clock.after(broker.config.handshakeTimeoutMs, () => {
      this.broker.logger.warn(this.describe(), 'the handshake took too long; closing the connection');
      this.destroy();
    });
    socket.on('error', (error) => broker.logger.debug({ ...this.describe(), err: error }, 'socket error'));
    socket.on('close', () => this.onSocketClosed());
  }

  get user(): User {
    return this.loggedInUser!;
  }

  get virtualHost(): VirtualHost {
    return this.openedHost!;
  }

  /** Whether it has a user and an open virtual host. */
  get isRunning(): boolean {
    return this.phase === ConnectionPhase.Running;
  }

  /** Fields for the log. */
  describe(): object {
    const { remoteAddress, remotePort } = this.socket;
    return {
      peer: `${remoteAddress}:${remotePort}`,
      ...(this.loggedInUser === undefined ? {} : { user: this.loggedInUser.name }),
      ...(this.openedHost === undefined ? {} : { vhost: this.openedHost.name }),
      ...(this.clientName === '' ? {} : { name: this.clientName }),
    };
  }

  logIn(user: User): void {
    this.loggedInUser = user;
  }

  /** connection.open succeeded: channels may come. */
  run(virtualHost: VirtualHost): void {
    this.openedHost = virtualHost;
    this.broker.clients.countConnection(this.user.name, virtualHost.name, 1);
    this.isCounted = true;
    this.phase = ConnectionPhase.Running;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Sends what `writer` holds as a method frame on channel 0. */
  send(): void {
    this.transport.writeMethod(0, this.writer);
  }

  sinkFor(channelNumber: number): FrameSink {
    if (this.phase === ConnectionPhase.Closing || this.phase === ConnectionPhase.Closed) return DISCARD;
    if (this.phase !== ConnectionPhase.Running) {
      throw unexpectedFrame(`a frame on channel ${channelNumber} before connection.open`);
    }
    // rabbitmq.com/docs/channels#channel-max: what counts is how many are open, not their numbers.
    if (this.channelMax !== 0 && this.channels.size >= this.channelMax) {
      throw notAllowed(
        `number of channels opened (${this.channels.size}) has reached the negotiated channel_max (${this.channelMax})`,
      );
    }
    checkChannelLimit(this.broker, this.user);
    this.broker.clients.countChannels(this.user.name, 1);
    const channel = new Channel(channelNumber, this);
    this.channels.set(channelNumber, channel);
    this.reader.addSink(channelNumber, channel);
    return channel;
  }

  onHeartbeat(): void {}

  onFrameError(error: unknown, sink: FrameSink | undefined): void {
    try {
      this.endWith(error, sink);
    } catch (bug) {
      this.broker.logger.error(
        { ...this.describe(), err: bug },
        'closing failed; this is a bug in the broker',
      );
      this.destroy();
    }
  }

  private endWith(error: unknown, sink: FrameSink | undefined): void {
    const channel = sink instanceof Channel ? sink : undefined;
    if (error instanceof AmqpError) {
      if (channel !== undefined && error.isChannelScoped) return this.failChannel(channel, error);
      // No method is responsible for a frame that never reached its channel.
      const method = sink === undefined ? 0 : (channel?.currentMethod ?? this.methods.currentMethod);
      return this.fail(error, method);
    }
    if (error instanceof UnknownMethodError) {
      this.broker.logger.warn({ ...this.describe(), err: error }, 'closing the connection');
      return this.destroy();
    }
    this.broker.logger.error(
      { ...this.describe(), err: error },
      'handling a frame failed; this is a bug in the broker, or a message it cannot read',
    );
    this.fail(internalError(), 0);
  }

  closeChannel(channel: Channel, isRequest: boolean): void {
    const wasClosing = channel.phase === ChannelPhase.Closing;
    if (isRequest) {
      if (!wasClosing) channel.release();
      this.writer.reset();
      encodeChannelCloseOk(this.writer);
      this.transport.writeMethod(channel.number, this.writer);
      // Both sides closed at once: our own close still wants its answer.
      if (wasClosing) return;
    }
    if (this.channels.delete(channel.number)) this.broker.clients.countChannels(this.user.name, -1);
    this.reader.removeSink(channel.number);
  }

  waitFor(channel: Channel, begin: (done: () => void) => void, resume: () => void): void {
    this.reader.pause();
    this.transport.pause();
    begin(() => {
      if (!this.isBlocked) this.transport.resume();
      const isOpen = this.channels.get(channel.number) === channel;
      this.reader.resumeWith(isOpen ? resume : () => {}, channel);
    });
  }

  onPublish(): void {
    if (this.isBlocked) return;
    this.isBlocked = true;
    this.transport.pause();
    if (this.heartbeat !== undefined) this.heartbeat.isMonitoring = false;
    this.broker.alarms.onceCleared(this);
    if (!this.takesBlocked) return;
    this.writer.reset();
    encodeConnectionBlocked(this.writer, this.broker.alarms.reason);
    this.send();
  }

  onAlarmsCleared(): void {
    this.isBlocked = false;
    if (this.phase !== ConnectionPhase.Running) return;
    if (this.heartbeat !== undefined) this.heartbeat.isMonitoring = true;
    if (this.takesBlocked) {
      this.writer.reset();
      encodeConnectionUnblocked(this.writer);
      this.send();
    }
    this.transport.resume();
  }

  onDrained(): void {
    for (const channel of this.channels.values()) channel.wakeConsumers();
  }

  release(position: number): void {
    this.broker.log.release(position);
  }

  /** The client asked to close: everything is released before it is told so. */
  onClientClose(): void {
    this.releaseAll();
    this.phase = ConnectionPhase.Closed;
    this.writer.reset();
    encodeConnectionCloseOk(this.writer);
    this.send();
    this.awaitEnd();
  }

  /** Closes the connection with a reason, in an orderly way where the peer can take it. */
  close(code: ReplyCode, explanation: string): void {
    if (this.phase < ConnectionPhase.Running) return this.destroy();
    if (this.phase === ConnectionPhase.Running) this.fail(new AmqpError(code, explanation), 0);
  }

  /** The peer agreed to our close. */
  finish(): void {
    this.phase = ConnectionPhase.Closed;
    this.transport.end();
  }

  /** Drops TCP without a word. */
  destroy(): void {
    this.reader.stop();
    this.transport.destroy();
  }

  /** A login went wrong: the peer waits before it can try again (RabbitMQ). */
  penalise(): void {
    this.phase = ConnectionPhase.Penalised;
    this.reader.stop();
    this.timer?.cancel();
    this.timer = this.broker.clock.after(SILENT_CLOSE_DELAY_MS, () => this.destroy());
  }

  /** A login was refused, and the client can take the reason (capability `authentication_failure_close`). */
  refuseLogin(error: AmqpError): void {
    this.writer.reset();
    encodeConnectionClose(this.writer, error.code, error.replyText, 0, 0);
    this.send();
    this.phase = ConnectionPhase.Closing;
    this.timer?.cancel();
    this.timer = this.broker.clock.after(SILENT_CLOSE_DELAY_MS, () => this.destroy());
  }

  /** Sends connection.close, with everything released first, and waits for the answer. */
  fail(error: AmqpError, method: number): void {
    // Nothing more can be read, not even close-ok: what was said gets a while to arrive, and TCP goes.
    const isFatal = this.reader.isStopped;
    if (this.phase >= ConnectionPhase.Closing) return isFatal ? this.penalise() : undefined;
    this.broker.logger.warn({ ...this.describe(), replyText: error.replyText }, 'closing the connection');
    if (!this.isTold(error)) return this.penalise();
    this.releaseAll();
    this.phase = ConnectionPhase.Closing;
    this.writer.reset();
    encodeConnectionClose(this.writer, error.code, error.replyText, method >>> 16, method & 0xffff);
    this.send();
    if (this.isBlocked) this.transport.resume();
    if (isFatal) this.penalise();
    else this.awaitEnd();
  }

  /** RabbitMQ trusts nobody before a login: no explanation, and a pause against guessing (`penalise`). */
  private isTold(error: AmqpError): boolean {
    if (this.phase === ConnectionPhase.Tune) return error.code === ReplyCode.NotAllowed;
    if (this.phase === ConnectionPhase.Open) return error.code !== ReplyCode.InternalError;
    return this.phase === ConnectionPhase.Running;
  }

  failChannel(channel: Channel, error: AmqpError): void {
    if (channel.phase === ChannelPhase.Closing) return;
    const method = channel.currentMethod;
    this.broker.logger.debug(
      { ...this.describe(), channel: channel.number, replyText: error.replyText },
      'closing a channel',
    );
    channel.beginClosing();
    this.writer.reset();
    encodeChannelClose(this.writer, error.code, error.replyText, method >>> 16, method & 0xffff);
    this.transport.writeMethod(channel.number, this.writer);
  }

  private awaitEnd(): void {
    this.timer?.cancel();
    const timeoutMs = this.heartbeatSeconds === 0 ? CLOSE_TIMEOUT_MS_MAX : this.heartbeatSeconds * 1000;
    const delayMs = Math.min(timeoutMs, CLOSE_TIMEOUT_MS_MAX);
    this.timer = this.broker.clock.after(delayMs, () => this.destroy());
  }

  /** Channels, then exclusive queues (RabbitMQ's order), then what else the connection holds. */
  private releaseAll(): void {
    for (const channel of this.channels.values()) this.guard(() => channel.release());
    if (this.isCounted) {
      this.broker.clients.countChannels(this.user.name, -this.channels.size);
      this.broker.clients.countConnection(this.user.name, this.virtualHost.name, -1);
      this.isCounted = false;
    }
    this.channels.clear();
    this.reader.removeAllSinks();
    this.reader.addSink(0, this.methods);
    this.guard(() => this.openedHost?.deleteExclusiveQueues(this));
    this.broker.alarms.forget(this);
    this.heartbeat?.stop();
  }

  /** What one channel cannot release must not keep the others from it, nor end the broker. */
  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.broker.logger.error(
        { ...this.describe(), err: error },
        'a release failed; this is a bug in the broker',
      );
    }
  }

  private onSocketClosed(): void {
    this.reader.stop();
    this.releaseAll();
    this.phase = ConnectionPhase.Closed;
    this.timer?.cancel();
    this.transport.close();
    this.onGone(this);
  }

  /** The first eight bytes, whole or in pieces; what follows them are frames. */
  private onHeaderBytes(block: ByteBlock): void {
    this.header = Buffer.concat([this.header, block.bytes]);
    if (this.header.length < PROTOCOL_HEADER_BYTES) return;
    const answer = answerToHeader(this.header, this.broker.generation.headerForStrangers);
    if (answer !== undefined) {
      this.transport.writeBytes(answer);
      this.phase = ConnectionPhase.Closed;
      this.transport.receiver = () => {};
      return this.transport.end();
    }
    const rest = this.header.subarray(PROTOCOL_HEADER_BYTES);
    this.header = Buffer.alloc(0);
    this.phase = ConnectionPhase.Start;
    this.transport.receiver = (bytes) => {
      this.broker.receivedAtMs = this.broker.clock.nowMs();
      this.reader.push(bytes);
    };
    this.methods.sendStart();
    if (rest.length > 0) this.transport.receiver(blockOver(rest));
  }
}
