import type { Consumer, Queue } from '../../src/queues/queue.js';

export interface Delivery {
  readonly consumer: FakeConsumer;
  readonly position: number;
  readonly sequence: number;
  readonly redelivered: boolean;
  readonly counts: number;
}

export interface FakeConsumerOptions {
  readonly tag?: string;
  readonly priority?: number;
  readonly isExclusive?: boolean;
  readonly noAck?: boolean;
  /** Deliveries it takes before it wants some settled. */
  readonly capacity?: number;
  /** Told of every delivery, at the moment it is made. */
  readonly onDelivery?: (delivery: Delivery) => void;
}

/** Takes deliveries up to its capacity and remembers those that are not settled. */
export class FakeConsumer implements Consumer {
  readonly tag: string;
  readonly priority: number;
  readonly isExclusive: boolean;
  readonly noAck: boolean;
  isWaiting = false;
  waitingNumber = 0;
  capacity: number;
  isCancelled = false;
  readonly unsettled: Delivery[] = [];
  private readonly onDelivery: (delivery: Delivery) => void;

  constructor(options: FakeConsumerOptions = {}) {
    this.tag = options.tag ?? 'c';
    this.priority = options.priority ?? 0;
    this.isExclusive = options.isExclusive ?? false;
    this.noAck = options.noAck ?? false;
    this.capacity = options.capacity ?? Number.POSITIVE_INFINITY;
    this.onDelivery = options.onDelivery ?? (() => {});
  }

  get unackedCount(): number {
    return this.unsettled.length;
  }

  canTake(): boolean {
    return this.unsettled.length < this.capacity;
  }

  deliver(position: number, sequence: number, redelivered: boolean, counts: number): void {
    const delivery = { consumer: this, position, sequence, redelivered, counts };
    if (!this.noAck) this.unsettled.push(delivery);
    this.onDelivery(delivery);
  }

  cancelledByQueue(): void {
    this.isCancelled = true;
  }

  /** Settles one delivery, then wakes as a channel's consumer does. */
  settle(queue: Queue, delivery: Delivery, kind: 'acknowledge' | 'requeue' | 'reject'): void {
    this.unsettled.splice(this.unsettled.indexOf(delivery), 1);
    queue[kind](delivery.position, delivery.sequence);
    this.wake(queue);
  }

  /** What kept it out may be gone. */
  wake(queue: Queue): void {
    if (this.isWaiting && this.canTake()) queue.consumerReady(this);
  }
}
