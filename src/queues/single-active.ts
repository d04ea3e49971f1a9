/**
 * x-single-active-consumer (rabbitmq.com/docs/consumers#single-active-consumer): one consumer of a queue is served,
 * the others wait for it to go. Then the one of the highest priority follows, of equals the earliest. In a quorum
 * queue a consumer of a higher priority does not wait for that: the one that is served gets nothing more, and once it
 * has settled what it holds it is the other's turn.
 */
import type { ConsumerList } from './consumer-list.js';
import type { Consumer } from './queue.js';

export class SingleActive {
  private readonly consumers: ConsumerList;
  private readonly yieldsToHigher: boolean;
  private active: Consumer | undefined;
  /** Of a higher priority than the active one, which has to settle what it holds. */
  private heir: Consumer | undefined;

  /** @param consumers those of the queue; a consumer joins them before it is added here, and leaves before it is removed */
  constructor(consumers: ConsumerList, yieldsToHigher: boolean) {
    this.consumers = consumers;
    this.yieldsToHigher = yieldsToHigher;
  }

  add(consumer: Consumer): void {
    if (this.active === undefined) this.active = consumer;
    else this.findHeir();
  }

  /** @returns whether another one may be served now */
  remove(consumer: Consumer): boolean {
    const isConcerned = consumer === this.active || consumer === this.heir;
    if (consumer === this.active) this.active = this.highest();
    if (isConcerned) this.findHeir();
    return isConcerned;
  }

  /** The consumer to be served, or undefined when it cannot take a message now. */
  next(): Consumer | undefined {
    if (this.heir !== undefined) this.settled();
    const { active } = this;
    if (active === undefined || (this.heir === undefined && active.canTake())) return active;
    active.isWaiting = true;
    return undefined;
  }

  /** The active consumer may have settled the last of what it holds. @returns whether another one is served now */
  settled(): boolean {
    if (this.heir === undefined || this.active!.unackedCount > 0) return false;
    this.active = this.heir;
    this.heir = undefined;
    return true;
  }

  private findHeir(): void {
    const { active } = this;
    const highest = this.yieldsToHigher ? this.highest() : undefined;
    this.heir = highest !== undefined && highest.priority > active!.priority ? highest : undefined;
  }

  private highest(): Consumer | undefined {
    let highest: Consumer | undefined;
    for (const consumer of this.consumers) {
      if (highest === undefined || consumer.priority > highest.priority) highest = consumer;
    }
    return highest;
  }
}
