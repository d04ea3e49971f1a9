/**
 * x-single-active-consumer (rabbitmq.com/docs/consumers#single-active-consumer): one consumer of a queue is served,
 * the others wait for it to go. Then the one of the highest priority follows, of equals the earliest.
 */
import type { ConsumerList } from './consumer-list.js';
import type { Consumer } from './queue.js';

export class SingleActive {
  private readonly consumers: ConsumerList;
  private active: Consumer | undefined;

  /** @param consumers those of the queue; a consumer joins them before it is added here, and leaves before it is removed */
  constructor(consumers: ConsumerList) {
    this.consumers = consumers;
  }

  add(consumer: Consumer): void {
    this.active ??= consumer;
  }

  /** @returns whether another one is served now, or none */
  remove(consumer: Consumer): boolean {
    if (consumer !== this.active) return false;
    this.active = this.successor();
    return true;
  }

  /** The consumer to be served, or undefined when it cannot take a message now. */
  next(): Consumer | undefined {
    const { active } = this;
    if (active === undefined || active.canTake()) return active;
    active.isWaiting = true;
    return undefined;
  }

  private successor(): Consumer | undefined {
    let successor: Consumer | undefined;
    for (const consumer of this.consumers) {
      if (successor === undefined || consumer.priority > successor.priority) successor = consumer;
    }
    return successor;
  }
}
