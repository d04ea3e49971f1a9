/**
 * A channel: takes frames in the order the protocol allows, assembles contents, publishes them, and settles
 * deliveries. Everything that is not hot is in `handlers/`, one file per AMQP class.
 *
 *               channel.open                basic.publish
 *   unopened ----------------> idle <------------------------> expectHeader
 *                               | ^                                |
 *                               | +---- content complete ---- expectBody
 *                 channel error |
 *                               v
 *                            closing --- close-ok ---> (removed by the connection)
 *
 * In `closing` everything but channel.close and channel.close-ok is dropped (AMQP 0-9-1 section 2.2.4 and 4.3).
 */
import { frameError, notImplemented, preconditionFailed, unexpectedFrame } from '../amqp/errors.js';
import type { FrameSink } from '../amqp/frame-reader.js';
import {
  blindLength,
  CONTENT_HEADER_FIXED_BYTES,
  contentHeaderOffset,
  FRAME_OVERHEAD_BYTES,
  FRAME_PREFIX_BYTES,
  IMAGE_HEADER_BYTES,
  type ImageNotes,
  imageLength,
  writeBlindKeys,
  writeImageFrame,
} from '../amqp/message-image.js';
import { MethodWriter } from '../amqp/method-writer.js';
import { encodeBasicReturn, MethodId } from '../amqp/methods.generated.js';
import { PropertyScan } from '../amqp/properties.js';
import { durableTargets, writeTargets } from '../broker/message-writer.js';
import type { Route } from '../broker/router.js';
import { allocateBlock, type ByteBlock, copyBytes, equalBytes } from '../lib/bytes.js';
import { BODY_BYTES_MAX, RECORD_ADOPTED_BYTES_MIN, SHORT_STRING_BYTES_MAX } from '../lib/limits.js';
import type { MessageLog } from '../store/message-log.js';
import { ChannelPhase, isLookedAtInClosing, notContentBody, notContentHeader } from './channel-phase.js';
import type { ConnectionContext } from './connection-context.js';
import { ConsumerTimeout } from './consumer-timeout.js';
import { ContentAssembly } from './content-assembly.js';
import { type ChannelConsumer, Deliveries, Settlement } from './deliveries.js';
import { onChannelMethod } from './handlers/dispatch.js';
import { editContentHeader, imageFlags, NEEDS_LOOK } from './publish-properties.js';
import { PublishTarget } from './publish-target.js';
import type { PublisherConfirms } from './publisher-confirms.js';
import { type ReplyConsumer, stopReplyConsumer } from './reply-to.js';
import { abandonAll, settle, wakeInOrder } from './settle.js';
import type { Transaction } from './transaction.js';

const MANDATORY = 1;
const IMMEDIATE = 2;

export class Channel implements FrameSink {
  readonly number: number;
  readonly context: ConnectionContext;
  readonly deliveries: Deliveries;
  readonly timeout = new ConsumerTimeout(this);
  readonly consumers = new Map<string, ChannelConsumer>();
  readonly writer = new MethodWriter();
  phase: ChannelPhase = ChannelPhase.Unopened;
  /** The method being handled, for the class and method ids of a close; 0 when none is. */
  currentMethod = 0;
  confirms: PublisherConfirms | undefined;
  transaction: Transaction | undefined;
  replyTo: ReplyConsumer | undefined;
  /** Name of the queue declared last on this channel; an empty queue name means it. */
  lastQueueName = '';
  /** basic.qos without global: the prefetch of consumers to come; 0 is unlimited. */
  prefetch = 0;
  /** Statistics: integers only. */
  publishedCount = 0;
  private readonly log: MessageLog;
  private readonly target: PublishTarget;
  private readonly scan = new PropertyScan();
  /** What is noted about the message at hand; its expiration and the keys of its BCC header by `editContentHeader`. */
  readonly notes: ImageNotes = { publishedMs: 0, deadlineMs: 0, flags: 0, priority: 0 };
  blindKeys: Buffer | undefined;
  /** Exchange and routing key of the publish under way, as two short strings. */
  private readonly names = allocateBlock(2 * (SHORT_STRING_BYTES_MAX + 1));
  private namesLength = 0;
  private publishBits = 0;
  private header: ByteBlock | undefined;
  private headerStart = 0;
  private headerEnd = 0;
  private bodySize = 0;
  private assembly: ContentAssembly | undefined;
  private oversizeReceived = -1;

  constructor(number: number, context: ConnectionContext) {
    this.number = number;
    this.context = context;
    this.log = context.broker.log;
    this.deliveries = new Deliveries(number, context.transport, this.log);
    this.target = new PublishTarget(context);
  }

  onMethod(block: ByteBlock, start: number, end: number): void {
    const method = block.view.getUint32(start);
    if (this.phase !== ChannelPhase.Idle) return this.onMethodOutOfTurn(method, block, start, end);
    this.currentMethod = method;
    if (method === MethodId.BasicPublish) {
      this.beginPublish(block, start, end);
    } else if (method === MethodId.BasicAck && end - start >= 13) {
      const tag = block.view.getUint32(start + 4) * 4_294_967_296 + block.view.getUint32(start + 8);
      settle(this, tag, (block.bytes[start + 12]! & 1) !== 0, Settlement.Acknowledge);
    } else {
      onChannelMethod(this, method, block.bytes, start + 4, end);
    }
  }

  onHeader(block: ByteBlock, start: number, end: number): void {
    if (this.phase !== ChannelPhase.ExpectHeader) return this.onContentOutOfTurn('header');
    const { view } = block;
    if (view.getUint16(start) !== 60) {
      throw unexpectedFrame(
        `expected content header for class 60, got one for class ${view.getUint16(start)} instead`,
      );
    }
    if (view.getUint16(start + 2) !== 0) throw notContentHeader();
    const bodySize = view.getUint32(start + 4) * 4_294_967_296 + view.getUint32(start + 8);
    if (bodySize > BODY_BYTES_MAX) {
      throw frameError(
        `content body size ${view.getBigUint64(start + 4)} exceeds maximum allowed size ${BODY_BYTES_MAX}`,
      );
    }
    this.header = block;
    this.headerStart = start;
    this.headerEnd = end;
    this.bodySize = bodySize;
    if (this.context.broker.alarms.isActive) this.context.onPublish();
    if (bodySize === 0) return this.publish(block, end);
    this.phase = ChannelPhase.ExpectBody;
    if (bodySize > this.context.broker.config.messageBytesMax) this.oversizeReceived = 0;
    // A body that cannot be whole in the bytes at hand is assembled; the header must not pin its read buffer.
    else if (end + 1 + FRAME_OVERHEAD_BYTES + bodySize > block.bytes.length) this.beginAssembly();
  }

  onBodyPart(block: ByteBlock, start: number, end: number): void {
    if (this.phase !== ChannelPhase.ExpectBody) return this.onContentOutOfTurn('body');
    this.addBody(block, start, end);
  }

  onBody(block: ByteBlock, start: number, end: number): void {
    if (this.phase !== ChannelPhase.ExpectBody) return this.onContentOutOfTurn('body');
    if (end - start === this.bodySize && this.assembly === undefined && this.oversizeReceived < 0) {
      return this.publish(block, start);
    }
    this.addBody(block, start, end);
    if ((this.assembly?.received ?? this.oversizeReceived) < this.bodySize) return;
    if (this.oversizeReceived >= 0) this.refuseOversize();
    const assembly = this.assembly!;
    this.publish(assembly.block, assembly.bodyStart);
    assembly.giveBack();
  }

  /** Consumers that were passed over try again: a limit they share was relaxed. */
  wakeConsumers(): void {
    wakeInOrder(this.consumers.values());
    this.replyTo?.consumer.wake();
  }

  /** Sends what `writer` holds as a method frame. */
  send(): void {
    this.context.transport.writeMethod(this.number, this.writer);
  }

  /** As `send`, once the definitions that were made until now are on the disk. */
  sendWhenDefined(): void {
    this.send();
    const { definitions } = this.context.broker;
    if (definitions === undefined || definitions.durable.value >= definitions.sequence) return;
    this.context.transport.holdUntil(definitions.durable, definitions.sequence);
  }

  /** Releases everything: consumers first, so that nothing requeued comes back. A transaction is rolled back. */
  release(): void {
    this.timeout.stop();
    this.confirms?.close();
    this.transaction?.rollback(this);
    this.transaction = undefined;
    stopReplyConsumer(this);
    for (const consumer of [...this.consumers.values()]) consumer.queue.unsubscribe(consumer);
    this.consumers.clear();
    this.deliveries.globalPrefetch = 0;
    abandonAll(this.deliveries);
    this.abandonContent();
  }

  /** The channel was closed by an error: frames are dropped until the client agrees. */
  beginClosing(): void {
    this.release();
    this.phase = ChannelPhase.Closing;
  }

  private abandonContent(): void {
    this.assembly?.giveBack();
    this.assembly = undefined;
    this.header = undefined;
    this.oversizeReceived = -1;
  }

  private beginPublish(block: ByteBlock, start: number, end: number): void {
    const { bytes } = block;
    // Class and method ids, then a ticket nobody uses.
    const names = start + 6;
    const keyAt = names + 1 + bytes[names]!;
    const bitsAt = keyAt + 1 + bytes[keyAt]!;
    if (names >= end || keyAt >= end || bitsAt >= end) {
      return onChannelMethod(this, MethodId.BasicPublish, bytes, start + 4, end);
    }
    const length = bitsAt - names;
    if (length !== this.namesLength || !equalBytes(bytes, names, this.names.bytes, 0, length)) {
      copyBytes(block, names, this.names, 0, length);
      this.namesLength = length;
      this.target.rename(this.names.bytes);
    }
    this.publishBits = bytes[bitsAt]!;
    this.phase = ChannelPhase.ExpectHeader;
  }

  /** The content is complete: its body is `bodySize` bytes of `body` from `bodyStart` on. */
  private publish(body: ByteBlock, bodyStart: number): void {
    const { scan, target, assembly } = this;
    const header = this.header!;
    this.phase = ChannelPhase.Idle;
    this.header = undefined;
    this.assembly = undefined;
    this.publishedCount++;
    if ((this.publishBits & IMMEDIATE) !== 0) throw notImplemented('immediate=true');
    const isRouteKnown = this.isRouteKnown();
    if (!isRouteKnown) target.resolveExchange();
    scan.scan(header.bytes, this.headerStart + CONTENT_HEADER_FIXED_BYTES, this.headerEnd);
    const { notes } = this;
    notes.publishedMs = this.context.broker.receivedAtMs;
    notes.deadlineMs = Number.POSITIVE_INFINITY;
    this.blindKeys = undefined;
    let content = header;
    const needsLook = (scan.flags & NEEDS_LOOK) !== 0;
    if (needsLook) {
      content = editContentHeader(this, target, scan, header, this.headerStart, this.headerEnd);
      if (content !== header) {
        this.headerStart = 0;
        this.headerEnd = content.bytes.length;
      }
    }
    const { routingKeys } = target;
    const route =
      isRouteKnown && !needsLook
        ? target.route!
        : target.findRoute(content.bytes, this.headerStart + CONTENT_HEADER_FIXED_BYTES, this.headerEnd);
    const isMandatory = (this.publishBits & MANDATORY) !== 0;
    if (this.transaction !== undefined) {
      const position = this.write(content, body, bodyStart, assembly, 0);
      // RabbitMQ routes, and so keeps, before the commit.
      if (target.histories !== undefined) target.addToHistories(position);
      const held = target.held(position, route, routingKeys, notes.deadlineMs, isMandatory);
      return this.transaction.publish(this.log, held);
    }
    const isReturned = isMandatory && target.isReturned(route);
    if (route.length === 0) {
      if (isReturned || target.histories !== undefined) {
        const position = this.write(content, body, bodyStart, assembly, 0);
        if (target.histories !== undefined) target.addToHistories(position);
        if (isReturned) this.returnMessage(position, 'NO_ROUTE');
      }
      return this.confirms?.accept(0);
    }
    const isPersistent = scan.deliveryMode === 2;
    const durableCount = durableTargets(this.log, route, isPersistent);
    const position = this.write(content, body, bodyStart, assembly, durableCount);
    if (durableCount > 0) writeTargets(this.log, position, route, isPersistent);
    if (target.histories !== undefined) target.addToHistories(position);
    const isAccepted = this.enqueue(position, route, notes.deadlineMs);
    if (isReturned) this.returnMessage(position, 'NO_ROUTE');
    if (this.confirms === undefined) return;
    if (isAccepted) this.confirms.accept(durableCount > 0 ? this.log.journal!.nextCommit : 0);
    else this.confirms.reject();
  }

  /** Whether exchange, permission and route of the last publish stand: the target need not be asked then. */
  private isRouteKnown(): boolean {
    const { target, context } = this;
    return (
      target.route !== undefined &&
      target.routerGeneration === context.virtualHost.router.generation &&
      target.usersGeneration === context.broker.users.generation
    );
  }

  /** Hands a record to every queue of its route. @returns false when one of them rejected it */
  enqueue(position: number, route: Route, deadlineMs: number): boolean {
    this.log.retain(position, route.length);
    let isAccepted = true;
    for (let i = 0; i < route.length; i++) if (!route[i]!.publish(position, deadlineMs)) isAccepted = false;
    return isAccepted;
  }

  /** Sends a record back to its publisher as basic.return, then lets it go. */
  returnMessage(position: number, replyText: 'NO_ROUTE'): void {
    this.log.retain(position, 1);
    const { exchange, routingKey } = this.target.namesAt(position);
    this.writer.reset();
    encodeBasicReturn(this.writer, 312, replyText, exchange, routingKey);
    this.send();
    this.deliveries.writer.writeContent(position);
    this.log.release(position);
  }

  /** The one copy in: the record of the message in the log. */
  private write(
    header: ByteBlock,
    body: ByteBlock,
    bodyStart: number,
    assembly: ContentAssembly | undefined,
    durableCount: number,
  ): number {
    const { log, namesLength, headerStart, bodySize, notes, scan } = this;
    notes.flags = imageFlags(scan);
    notes.priority = scan.priority;
    const headerLength = this.headerEnd - headerStart;
    const framesLength = imageLength(namesLength, headerLength, bodySize);
    const length = framesLength + blindLength(this.blindKeys);
    const isAssembled = assembly !== undefined && header === assembly.block;
    if (isAssembled && durableCount === 0 && length >= RECORD_ADOPTED_BYTES_MIN) {
      return log.adopt(assembly.record(notes));
    }
    const position = durableCount > 0 ? log.appendDurable(length, durableCount) : log.append(length);
    const { block } = log.segmentOf(position);
    const image = log.payloadOffset(position);
    copyBytes(this.names, 0, block, image + IMAGE_HEADER_BYTES, namesLength);
    const headerAt = image + contentHeaderOffset(namesLength);
    if (body === header && bodyStart === this.headerEnd + 1 + FRAME_PREFIX_BYTES) {
      // Header and body frames lie one behind the other, as they do on the wire: one copy for both.
      copyBytes(header, headerStart, block, headerAt, headerLength + FRAME_OVERHEAD_BYTES + bodySize);
    } else {
      copyBytes(header, headerStart, block, headerAt, headerLength);
      if (bodySize > 0) {
        copyBytes(body, bodyStart, block, headerAt + headerLength + FRAME_OVERHEAD_BYTES, bodySize);
      }
    }
    writeImageFrame(block, image, namesLength, headerLength, bodySize, notes);
    if (this.blindKeys !== undefined) writeBlindKeys(block, image, image + framesLength, this.blindKeys);
    return position;
  }

  private beginAssembly(): void {
    const assembly = new ContentAssembly(
      this.names,
      this.namesLength,
      this.header!,
      this.headerStart,
      this.headerEnd - this.headerStart,
      this.bodySize,
      this.context.broker.assemblies,
    );
    this.assembly = assembly;
    this.header = undefined;
    this.headerStart = assembly.headerStart;
    this.headerEnd = assembly.headerStart + assembly.headerLength;
  }

  private addBody(block: ByteBlock, start: number, end: number): void {
    const received = this.assembly?.received ?? Math.max(0, this.oversizeReceived);
    if (received + end - start > this.bodySize) {
      throw frameError('content body frame exceeds remaining content size');
    }
    if (this.oversizeReceived >= 0) {
      this.oversizeReceived += end - start;
      return;
    }
    if (this.assembly === undefined) this.beginAssembly();
    this.assembly!.add(block, start, end);
    this.header = this.assembly!.block;
  }

  /** RabbitMQ takes the whole body in before it refuses it; we count it without keeping it. */
  private refuseOversize(): never {
    const { messageBytesMax } = this.context.broker.config;
    this.oversizeReceived = -1;
    this.phase = ChannelPhase.Idle;
    const limit = messageBytesMax === BODY_BYTES_MAX ? 'max size' : 'configured max size';
    throw preconditionFailed(`message size ${this.bodySize} is larger than ${limit} ${messageBytesMax}`);
  }

  private onMethodOutOfTurn(method: number, block: ByteBlock, start: number, end: number): void {
    if (this.phase === ChannelPhase.ExpectHeader) throw notContentHeader();
    if (this.phase === ChannelPhase.ExpectBody) throw notContentBody();
    if (this.phase === ChannelPhase.Closing && !isLookedAtInClosing(method)) return;
    this.currentMethod = method;
    onChannelMethod(this, method, block.bytes, start + 4, end);
  }

  private onContentOutOfTurn(kind: 'header' | 'body'): void {
    if (this.phase === ChannelPhase.Closing) return;
    if (this.phase === ChannelPhase.ExpectHeader) throw notContentHeader();
    if (this.phase === ChannelPhase.ExpectBody && kind === 'header') throw notContentBody();
    this.currentMethod = 0;
    throw unexpectedFrame('expected method frame, got non method frame instead');
  }
}
