import type { Queue } from '../../src/queues/queue.js';
import { ChannelConsumer, type ConsumerOptions, Deliveries } from '../../src/server/deliveries.js';
import { writeLabelled } from './messages.js';
import { TransportBench } from './transport-bench.js';

export const CHANNEL = 0x0102;

/** A queue that remembers what became of its deliveries, by their sequence numbers. */
export class SettledQueue {
  readonly settled: string[] = [];
  readyCount = 0;
  readonly supportsGlobalPrefetch = true;
  readonly unlimitedPrefetch = 0;

  acknowledge(_position: number, sequence: number): void {
    this.settled.push(`ack ${sequence}`);
  }

  requeue(_position: number, sequence: number): void {
    this.settled.push(`requeue ${sequence}`);
  }

  reject(_position: number, sequence: number): void {
    this.settled.push(`reject ${sequence}`);
  }

  consumerReady(consumer: ChannelConsumer): void {
    consumer.isWaiting = false;
    this.readyCount++;
  }

  asQueue(): Queue {
    return this as unknown as Queue;
  }
}

/** The rings, which only a test of their size looks into. */
interface Rings {
  readonly owners: readonly unknown[];
  nextTag: number;
}

/** The deliveries of one channel, written to a transport on a fake socket. */
export class DeliveriesBench extends TransportBench {
  readonly queue = new SettledQueue();
  readonly deliveries = new Deliveries(CHANNEL, this.transport, this.log);
  /** One record that all deliveries of a settlement test share. */
  readonly position = writeLabelled(this.log, 'body');

  constructor(slabBytes = 65_536) {
    super({ slabBytes });
    this.log.retain(this.position, 1);
  }

  get ringEntries(): number {
    return (this.deliveries as unknown as Rings).owners.length;
  }

  consumer(options: Partial<ConsumerOptions> = {}): ChannelConsumer {
    const all: ConsumerOptions = {
      tag: 'ctag',
      queue: this.queue.asQueue(),
      noAck: false,
      isExclusive: false,
      priority: 0,
      prefetch: 0,
      ...options,
    };
    return new ChannelConsumer(all, this.deliveries, () => {});
  }

  /** Delivers `count` messages: tags from 1 on, sequence numbers 100 above. */
  deliver(consumer: ChannelConsumer, count: number): void {
    for (let i = 0; i < count; i++) consumer.deliver(this.position, this.nextTag + 100, false, 0);
    this.transport.flush();
    this.socket.take();
    this.socket.complete();
  }

  get nextTag(): number {
    return (this.deliveries as unknown as Rings).nextTag;
  }

  set nextTag(tag: number) {
    (this.deliveries as unknown as Rings).nextTag = tag;
  }

  settled(): string {
    return this.queue.settled.splice(0).join();
  }
}
