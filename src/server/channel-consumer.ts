/** Who deliveries are made for: the consumers of a channel as a queue sees them, and the getters. */
import { FRAME_METHOD, FRAME_PREFIX_BYTES } from '../amqp/message-image.js';
import { allocateBlock, type ByteBlock } from '../lib/bytes.js';
import type { Consumer, Queue } from '../queues/queue.js';
import type { Deliveries } from './deliveries.js';

/** Who a delivery that wants an acknowledgement was made for: a consumer, or a basic.get of a queue. */
export class DeliveryOwner {
  readonly queue: Queue;
  unackedCount = 0;

  constructor(queue: Queue) {
    this.queue = queue;
  }

  /** A delivery of this owner was settled. */
  onSettled(): void {}
}

export interface ConsumerOptions {
  readonly tag: string;
  readonly queue: Queue;
  readonly noAck: boolean;
  readonly isExclusive: boolean;
  readonly priority: number;
  /** Unacked deliveries it may hold; 0 is unlimited. */
  readonly prefetch: number;
  /** How long its deliveries may be unacknowledged (x-consumer-timeout); its queue says it otherwise. */
  readonly timeoutMs?: number | undefined;
}

export class ChannelConsumer extends DeliveryOwner implements Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly isExclusive: boolean;
  readonly priority: number;
  readonly prefetch: number;
  readonly timeoutMs: number | undefined;
  isWaiting = false;
  /** A basic.deliver frame up to and including the consumer tag. */
  readonly framePrefix: ByteBlock;
  protected readonly deliveries: Deliveries;
  private readonly onCancelled: (consumer: ChannelConsumer) => void;

  constructor(
    options: ConsumerOptions,
    deliveries: Deliveries,
    onCancelled: (consumer: ChannelConsumer) => void,
  ) {
    super(options.queue);
    this.tag = options.tag;
    this.noAck = options.noAck;
    this.isExclusive = options.isExclusive;
    this.priority = options.priority;
    this.prefetch = options.prefetch;
    this.timeoutMs = options.timeoutMs;
    this.deliveries = deliveries;
    this.onCancelled = onCancelled;
    this.framePrefix = deliverPrefix(deliveries.channelNumber, options.tag);
  }

  canTake(): boolean {
    if (!this.noAck) {
      if (this.prefetch !== 0 && this.unackedCount >= this.prefetch) return false;
      if (this.deliveries.isGlobalPrefetchReached) return false;
    }
    return !this.deliveries.transport.isCongested;
  }

  deliver(position: number, sequence: number, redelivered: boolean): void {
    this.deliveries.deliver(this, position, sequence, redelivered);
  }

  cancelledByQueue(): void {
    this.onCancelled(this);
  }

  override onSettled(): void {
    if (this.isWaiting) this.wake();
  }

  /** Joins the queue's rotation again if what kept it out is gone. */
  wake(): void {
    if (this.isWaiting && this.canTake()) this.queue.consumerReady(this);
  }
}

/** basic.deliver up to the consumer tag; the length is filled in for each delivery. */
function deliverPrefix(channel: number, tag: string): ByteBlock {
  const tagBytes = Buffer.from(tag);
  const block = allocateBlock(FRAME_PREFIX_BYTES + 4 + 1 + tagBytes.length);
  block.bytes[0] = FRAME_METHOD;
  block.view.setUint16(1, channel);
  block.view.setUint32(3, 0);
  block.view.setUint32(FRAME_PREFIX_BYTES, 0x003c003c);
  block.bytes[FRAME_PREFIX_BYTES + 4] = tagBytes.length;
  block.bytes.set(tagBytes, FRAME_PREFIX_BYTES + 5);
  return block;
}
