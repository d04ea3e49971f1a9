/**
 * How long a delivery may wait for its acknowledgement (rabbitmq.com/docs/consumers#acknowledgement-timeout): a consumer
 * that is stuck must not keep its messages for ever. Looked at once a minute, as RabbitMQ does, and only while there is
 * something unacknowledged on the channel.
 *
 * Until 4.2 the oldest delivery of the channel decides, whatever its queue, and the channel is closed. In 4.3 every
 * delivery of a quorum queue counts by itself: it goes back to the queue, and its consumer is cancelled.
 *
 * A delivery costs nothing for it: its age is known from marks. Each look marks the tag that comes next; what has a
 * lower tag was out by then. So a delivery is taken for younger than it is by less than the time between two looks,
 * never for older.
 */
import { preconditionFailed } from '../amqp/errors.js';
import type { Timer } from '../lib/clock.js';
import { CONSUMER_TIMEOUT_LOOK_MS } from '../lib/limits.js';
import type { Queue } from '../queues/queue.js';
import type { Channel } from './channel.js';
import { ChannelConsumer, type DeliveryOwner } from './deliveries.js';

interface Mark {
  /** Lower tags were handed out by then. */
  readonly nextTag: number;
  readonly atMs: number;
}

/** With more marks than this every other one goes: the oldest delivery is hours old, and its age need not be exact. */
const MARKS_MAX = 128;

export class ConsumerTimeout {
  private readonly channel: Channel;
  private timer: Timer | undefined;
  /** Ascending; the first tells most about the oldest delivery. */
  private marks: Mark[] = [];

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /** Messages of this queue are going to be handed out for acknowledgement. */
  watch(queue: Queue): void {
    if (this.timer === undefined && this.isWatched(queue)) this.channel.deliveries.onUnwatched = this.start;
  }

  /** The channel is closed. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.channel.deliveries.onUnwatched = undefined;
  }

  /** Something was handed out: nothing may happen to it or the channel now, in the middle of that. */
  private readonly start = (): void => {
    this.channel.deliveries.onUnwatched = undefined;
    this.marks = [];
    this.arm();
  };

  /** Until the next look. */
  private arm(): void {
    const { clock } = this.channel.context.broker;
    this.mark(clock.monotonicMs());
    this.timer = clock.after(CONSUMER_TIMEOUT_LOOK_MS, this.look);
  }

  private readonly look = (): void => {
    const { deliveries, context } = this.channel;
    this.timer = undefined;
    if (deliveries.unackedCount === 0) {
      deliveries.onUnwatched = this.start;
      return;
    }
    this.arm();
    if (context.broker.generation.consumerTimeout === 'channel') this.checkOldest();
    else this.checkQuorumConsumers();
  };

  private mark(nowMs: number): void {
    const { oldestTag, nextTag } = this.channel.deliveries;
    // What is older than all deliveries tells nothing any more.
    while (this.marks.length > 0 && this.marks[0]!.nextTag <= oldestTag) this.marks.shift();
    if (this.marks.at(-1)?.nextTag !== nextTag) this.marks.push({ nextTag, atMs: nowMs });
    if (this.marks.length > MARKS_MAX) this.marks = this.marks.filter((_mark, i) => i % 2 === 0);
  }

  /** How long a delivery has been out, at least. */
  private ageMs(tag: number): number {
    const mark = this.marks.find(({ nextTag }) => tag < nextTag);
    return mark === undefined ? 0 : this.channel.context.broker.clock.monotonicMs() - mark.atMs;
  }

  private isWatched(queue: Queue): boolean {
    return (
      this.channel.context.broker.generation.consumerTimeout === 'channel' || queue.typeName === 'quorum'
    );
  }

  private timeoutMsOf(owner: DeliveryOwner): number {
    const ownMs = owner instanceof ChannelConsumer ? owner.timeoutMs : undefined;
    return (
      ownMs ?? owner.queue.settings.consumerTimeoutMs ?? this.channel.context.broker.config.consumerTimeoutMs
    );
  }

  private checkOldest(): void {
    const { deliveries } = this.channel;
    const owner = deliveries.oldestOwner;
    const timeoutMs = this.timeoutMsOf(owner);
    if (this.ageMs(deliveries.oldestTag) < timeoutMs) return;
    this.report(owner);
    this.closeChannel(timeoutMs);
  }

  private checkQuorumConsumers(): void {
    const { channel } = this;
    const overdue: number[] = [];
    const consumers = new Set<ChannelConsumer>();
    let isChannelLost = false;
    channel.deliveries.visit((tag, owner) => {
      if (!this.isWatched(owner.queue) || this.ageMs(tag) < this.timeoutMsOf(owner)) return;
      overdue.push(tag);
      if (owner instanceof ChannelConsumer && channel.context.takesCancel) consumers.add(owner);
      else isChannelLost = true;
    });
    for (const consumer of consumers) {
      this.report(consumer);
      // A consumer that was cancelled before has nothing left but what it still holds.
      if (channel.consumers.get(consumer.tag) !== consumer) continue;
      consumer.queue.unsubscribe(consumer);
      consumer.cancelledByQueue();
    }
    // By the queue, also where the channel is lost next: that would count as a failure of these deliveries.
    for (const tag of overdue) channel.deliveries.takeBack(tag);
    // Somebody who called basic.get, or cannot be told of a cancel, is told so. RabbitMQ 4.3 names no time then.
    if (isChannelLost) this.closeChannel(-1);
  }

  private closeChannel(timeoutMs: number): void {
    const { channel } = this;
    const error = preconditionFailed(
      `delivery acknowledgement on channel ${channel.number} timed out. Timeout value used: ${timeoutMs} ms. ` +
        'This timeout value can be configured, see consumers doc guide to learn more',
    );
    // No method is to blame.
    channel.currentMethod = 0;
    channel.context.failChannel(channel, error);
  }

  private report(owner: DeliveryOwner): void {
    const { broker, virtualHost } = this.channel.context;
    const fields = {
      vhost: virtualHost.name,
      queue: owner.queue.name,
      channel: this.channel.number,
      consumerTag: owner instanceof ChannelConsumer ? owner.tag : undefined,
      timeoutMs: this.timeoutMsOf(owner),
    };
    broker.logger.warn(fields, 'a delivery was not acknowledged in time; see --consumer-timeout');
  }
}
