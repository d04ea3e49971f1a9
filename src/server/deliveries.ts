/**
 * What a channel has handed out: its consumers, its delivery tags, and the deliveries that are not settled yet.
 *
 * Delivery tags count up from 1 for every delivery and get-ok of the channel, but only those that want an
 * acknowledgement are remembered, as four numbers-and-a-reference in parallel rings ordered by tag. A settled
 * entry is cleared in place; the head moves past cleared entries, and a ring that is mostly cleared (one old
 * message kept, newer ones settled) is squeezed, so it never grows with the number of deliveries.
 */
import { preconditionFailed } from '../amqp/errors.js';
import type { ByteBlock } from '../lib/bytes.js';
import { TAGS_TAKEN_BACK_MAX } from '../lib/limits.js';
import { type Consumer, type Queue, Return } from '../queues/queue.js';
import type { MessageLog } from '../store/message-log.js';
import { DeliveryWriter, deliverPrefix } from './delivery-writer.js';
import type { Transport } from './transport.js';

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
  /** Unacked deliveries it may hold; 0: as many as the queue lets it. */
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
  waitingNumber = 0;
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
    this.prefetch = options.prefetch === 0 ? options.queue.unlimitedPrefetch : options.prefetch;
    this.timeoutMs = options.timeoutMs;
    this.deliveries = deliveries;
    this.onCancelled = onCancelled;
    this.framePrefix = deliverPrefix(deliveries.channelNumber, options.tag);
  }

  canTake(): boolean {
    if (!this.noAck && this.prefetch !== 0 && this.unackedCount >= this.prefetch) return false;
    // A channel at its limit gets nothing, not even what would not count (rabbit_limiter.erl, can_send).
    if (this.deliveries.isGlobalPrefetchReached && this.queue.supportsGlobalPrefetch) return false;
    return !this.deliveries.transport.isCongested;
  }

  deliver(position: number, sequence: number, redelivered: boolean, counts: number): void {
    this.deliveries.deliver(this, position, sequence, redelivered, counts);
  }

  cancelledByQueue(): void {
    this.onCancelled(this);
  }

  override onSettled(): void {
    // At the limit of their channel they wait for each other: whoever settles wakes all of them, in order.
    if (this.isWaiting && !(this.deliveries.globalPrefetch !== 0 && this.queue.supportsGlobalPrefetch))
      this.wake();
  }

  /** Joins the queue's rotation again if what kept it out is gone. */
  wake(): void {
    if (this.isWaiting && this.canTake()) this.queue.consumerReady(this);
  }
}

/**
 * What becomes of a delivery. Given back it is requeued, by basic.reject as one that failed; it is abandoned when its
 * channel goes, and taken back when its time is over.
 */
export const Settlement = {
  Acknowledge: 0,
  Requeue: 1,
  Reject: 2,
  Fail: 3,
  Abandon: 4,
  TakeBack: 5,
} as const;
export type Settlement = (typeof Settlement)[keyof typeof Settlement];

/** A settlement that a transaction holds back until its commit. */
export interface HeldSettlement {
  readonly owner: DeliveryOwner;
  readonly tag: number;
  readonly position: number;
  readonly sequence: number;
  readonly kind: Settlement;
}

const RING_ENTRIES_MIN = 64;

export class Deliveries {
  readonly channelNumber: number;
  readonly transport: Transport;
  /** Writes what is delivered. */
  readonly writer: DeliveryWriter;
  /** The tag of the next delivery. */
  nextTag = 1;
  /** basic.qos with global: unacked deliveries the whole channel may hold; 0 is unlimited. */
  globalPrefetch = 0;

  private tags = new Float64Array(0);
  private positions = new Float64Array(0);
  private sequences = new Float64Array(0);
  private owners: (DeliveryOwner | undefined)[] = [];
  private head = 0;
  /** Entries from the head on, cleared ones included. */
  private span = 0;
  private liveCount = 0;
  /** Settled within the transaction: they count for the prefetch of the channel until its commit. */
  private heldCount = 0;
  /** Called when a delivery is remembered, by whoever wants to watch their age from then on. */
  onUnwatched: (() => void) | undefined;
  /** Tags that timed out: late acks of them are no error. */
  private takenBack: Set<number> | undefined;

  constructor(channelNumber: number, transport: Transport, log: MessageLog) {
    this.channelNumber = channelNumber;
    this.transport = transport;
    this.writer = new DeliveryWriter(channelNumber, transport, log);
  }

  get unackedCount(): number {
    return this.liveCount;
  }

  /** Of the deliveries that are not settled; there has to be one. */
  get oldestTag(): number {
    return this.tags[this.head]!;
  }

  get oldestOwner(): DeliveryOwner {
    return this.owners[this.head]!;
  }

  /** The queue of a delivery that is not settled. */
  queueOf(tag: number): Queue | undefined {
    const at = this.find(tag);
    return at < 0 ? undefined : this.owners[at]!.queue;
  }

  /** Shows what is not settled, up to and including a tag, oldest first. */
  visit(see: (tag: number, owner: DeliveryOwner) => void, lastTag = Number.POSITIVE_INFINITY): void {
    const mask = this.owners.length - 1;
    for (let i = 0; i < this.span; i++) {
      const at = (this.head + i) & mask;
      if (this.tags[at]! > lastTag) return;
      const owner = this.owners[at];
      if (owner !== undefined) see(this.tags[at]!, owner);
    }
  }

  /** Requeues a delivery whose time is over; whoever settles it later on is not told off. */
  takeBack(tag: number): void {
    this.settleAt(this.find(tag), Settlement.TakeBack);
    this.takenBack ??= new Set();
    this.takenBack.add(tag);
    if (this.takenBack.size > TAGS_TAKEN_BACK_MAX)
      this.takenBack.delete(this.takenBack.values().next().value!);
  }

  get isGlobalPrefetchReached(): boolean {
    return this.globalPrefetch !== 0 && this.liveCount + this.heldCount >= this.globalPrefetch;
  }

  /** Writes a basic.deliver with its content; remembers it unless the consumer acknowledges automatically. */
  deliver(
    consumer: ChannelConsumer,
    position: number,
    sequence: number,
    redelivered: boolean,
    counts: number,
  ): void {
    const tag = this.nextTag++;
    if (!consumer.noAck) this.remember(consumer, tag, position, sequence);
    if (counts > 0) {
      this.writer.writeCountedDelivery(consumer.framePrefix, tag, position, counts);
    } else {
      this.writer.writeDelivery(consumer.framePrefix, tag, redelivered, position);
    }
  }

  /** Writes a basic.deliver with the tag that the next delivery will have. */
  deliverUncounted(consumer: ChannelConsumer, position: number, redelivered: boolean): void {
    this.writer.writeDelivery(consumer.framePrefix, this.nextTag, redelivered, position);
  }

  /** Numbers a basic.get-ok; remembers it when an owner is given. */
  numberGet(owner: DeliveryOwner | undefined, position: number, sequence: number): number {
    const tag = this.nextTag++;
    if (owner !== undefined) this.remember(owner, tag, position, sequence);
    return tag;
  }

  /**
   * Settles one delivery, or all up to and including `tag` (0: all there are).
   * @throws AmqpError 406 for a tag that is not outstanding (RabbitMQ: also with multiple)
   */
  settle(tag: number, multiple: boolean, kind: Settlement): void {
    if (!multiple) {
      const at = this.find(tag);
      return at < 0 ? this.forgive(tag) : this.settleAt(at, kind);
    }
    if (tag !== 0 && this.find(tag) < 0) this.forgive(tag);
    while (this.liveCount > 0 && (tag === 0 || this.tags[this.head]! <= tag)) this.settleAt(this.head, kind);
  }

  /** As `settle`, but takes the deliveries out without telling their queues: a transaction does that later. */
  hold(tag: number, multiple: boolean, kind: Settlement, into: HeldSettlement[]): void {
    if (!multiple) {
      const at = this.find(tag);
      if (at < 0) return this.forgive(tag);
      into.push(this.heldAt(at, kind));
      this.heldCount++;
      return this.clear(at);
    }
    if (tag !== 0 && this.find(tag) < 0) this.forgive(tag);
    while (this.liveCount > 0 && (tag === 0 || this.tags[this.head]! <= tag)) {
      into.push(this.heldAt(this.head, kind));
      this.heldCount++;
      this.clear(this.head);
    }
  }

  /** The transaction is being committed: nothing is held any more. */
  holdNone(): void {
    this.heldCount = 0;
  }

  /** A transaction was rolled back: its settlements are outstanding again, under their old tags. */
  restore(held: readonly HeldSettlement[]): void {
    this.heldCount = 0;
    const all = [...held];
    while (this.liveCount > 0) {
      all.push(this.heldAt(this.head, Settlement.Acknowledge));
      this.clear(this.head);
    }
    all.sort((a, b) => a.tag - b.tag);
    for (const { owner, tag, position, sequence } of all) {
      this.remember(owner, tag, position, sequence);
      owner.unackedCount--; // `remember` counted it, but it never stopped counting.
    }
  }

  /** @throws AmqpError 406 for a tag that is not outstanding, unless it is one that timed out */
  private forgive(tag: number): void {
    if (this.takenBack?.delete(tag) !== true) throw unknownTag(tag);
  }

  private settleAt(at: number, kind: Settlement): void {
    const owner = this.owners[at]!;
    const position = this.positions[at]!;
    const sequence = this.sequences[at]!;
    this.clear(at);
    settleDelivery(owner, position, sequence, kind);
  }

  private heldAt(at: number, kind: Settlement): HeldSettlement {
    return {
      owner: this.owners[at]!,
      tag: this.tags[at]!,
      position: this.positions[at]!,
      sequence: this.sequences[at]!,
      kind,
    };
  }

  private remember(owner: DeliveryOwner, tag: number, position: number, sequence: number): void {
    if (this.span === this.owners.length) this.makeRoom();
    const at = (this.head + this.span++) & (this.owners.length - 1);
    this.tags[at] = tag;
    this.positions[at] = position;
    this.sequences[at] = sequence;
    this.owners[at] = owner;
    owner.unackedCount++;
    this.liveCount++;
    if (this.onUnwatched !== undefined) this.onUnwatched();
  }

  private clear(at: number): void {
    this.owners[at] = undefined;
    this.liveCount--;
    const mask = this.owners.length - 1;
    while (this.span > 0 && this.owners[this.head] === undefined) {
      this.head = (this.head + 1) & mask;
      this.span--;
    }
  }

  /** Index of an outstanding tag, or -1. Tags ascend through the ring, mostly without gaps. */
  private find(tag: number): number {
    if (this.span === 0) return -1;
    const mask = this.owners.length - 1;
    const guess = tag - this.tags[this.head]!;
    if (guess >= 0 && guess < this.span) {
      const at = (this.head + guess) & mask;
      if (this.tags[at] === tag) return this.owners[at] === undefined ? -1 : at;
    }
    let low = 0;
    let high = this.span - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = (this.head + middle) & mask;
      const found = this.tags[at]!;
      if (found === tag) return this.owners[at] === undefined ? -1 : at;
      if (found < tag) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Squeezes out cleared entries; doubles the ring when most of it is alive. */
  private makeRoom(): void {
    const { tags, positions, sequences, owners, head, span } = this;
    const mask = owners.length - 1;
    const isMostlyLive = this.liveCount * 2 > owners.length;
    const capacity = Math.max(RING_ENTRIES_MIN, isMostlyLive ? owners.length * 2 : owners.length);
    this.tags = new Float64Array(capacity);
    this.positions = new Float64Array(capacity);
    this.sequences = new Float64Array(capacity);
    this.owners = new Array<DeliveryOwner | undefined>(capacity).fill(undefined);
    let kept = 0;
    for (let i = 0; i < span; i++) {
      const at = (head + i) & mask;
      const owner = owners[at];
      if (owner === undefined) continue;
      this.tags[kept] = tags[at]!;
      this.positions[kept] = positions[at]!;
      this.sequences[kept] = sequences[at]!;
      this.owners[kept++] = owner;
    }
    this.head = 0;
    this.span = kept;
  }
}

const RETURNS = {
  [Settlement.Requeue]: Return.GivenBack,
  [Settlement.Fail]: Return.Failed,
  [Settlement.Abandon]: Return.Abandoned,
  [Settlement.TakeBack]: Return.TimedOut,
} as const;

/** Tells the queue what became of a delivery, then lets its owner take the next. */
export function settleDelivery(
  owner: DeliveryOwner,
  position: number,
  sequence: number,
  kind: Settlement,
): void {
  owner.unackedCount--;
  if (kind === Settlement.Acknowledge) {
    owner.queue.acknowledge(position, sequence);
  } else if (kind === Settlement.Reject) {
    // A dead letter that comes to the queue it died in finds there that its owner went on (RabbitMQ).
    owner.onSettled();
    return owner.queue.reject(position, sequence);
  } else {
    owner.queue.requeue(position, sequence, RETURNS[kind]);
  }
  owner.onSettled();
}

function unknownTag(tag: number): Error {
  return preconditionFailed(`unknown delivery tag ${tag}`);
}
