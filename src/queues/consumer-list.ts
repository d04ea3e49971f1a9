/**
 * The consumers of a queue, and whose turn it is: highest priority first, round robin among equals (RabbitMQ,
 * "Consumer Priorities"). A consumer that cannot take a message leaves the rotation until it says it is ready,
 * and joins again at the tail, so that a thousand blocked consumers cost nothing per message.
 */
import { RingBuffer } from '../lib/ring-buffer.js';
import type { Consumer } from './queue.js';

interface PriorityGroup {
  readonly priority: number;
  readonly ready: RingBuffer<Consumer>;
}

/** What most queues have, for most of their lives. */
const NO_MEMBERS = new Set<Consumer>();
const NO_GROUPS: readonly PriorityGroup[] = [];

export class ConsumerList {
  /** In order of subscription. */
  private members = NO_MEMBERS;
  /** Highest priority first. */
  private groups: readonly PriorityGroup[] = NO_GROUPS;
  private servedGroup: PriorityGroup | undefined;
  private passedOverCount = 0;

  get size(): number {
    return this.members.size;
  }

  /** An exclusive consumer is always alone, so the first tells. */
  get hasExclusive(): boolean {
    for (const consumer of this.members) return consumer.isExclusive;
    return false;
  }

  [Symbol.iterator](): IterableIterator<Consumer> {
    return this.members.values();
  }

  add(consumer: Consumer): void {
    if (this.members === NO_MEMBERS) this.members = new Set();
    this.members.add(consumer);
    consumer.isWaiting = false;
    this.groupOf(consumer).ready.push(consumer);
  }

  remove(consumer: Consumer): boolean {
    if (!this.members.delete(consumer)) return false;
    const group = this.groupOf(consumer);
    group.ready.remove(consumer);
    for (const member of this.members) if (member.priority === group.priority) return true;
    this.groups = this.groups.filter((other) => other !== group);
    return true;
  }

  /** A consumer that was passed over joins the rotation at the tail. */
  rejoin(consumer: Consumer): void {
    if (!consumer.isWaiting || !this.members.has(consumer)) return;
    consumer.isWaiting = false;
    this.groupOf(consumer).ready.push(consumer);
  }

  /** The consumer whose turn it is, or undefined when none can take a message now. */
  next(): Consumer | undefined {
    const groups = this.groups;
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!;
      const ready = group.ready;
      for (let consumer = ready.peek(); consumer !== undefined; consumer = ready.peek()) {
        if (consumer.canTake()) {
          this.servedGroup = group;
          return consumer;
        }
        ready.shift();
        consumer.isWaiting = true;
        consumer.waitingNumber = ++this.passedOverCount;
      }
    }
    return undefined;
  }

  /** The consumer that `next` returned was served: it is the turn of the one behind it. */
  rotate(): void {
    const ready = this.servedGroup!.ready;
    if (ready.length > 1) ready.push(ready.shift()!);
  }

  private groupOf(consumer: Consumer): PriorityGroup {
    const { priority } = consumer;
    let group = this.groups.find((candidate) => candidate.priority === priority);
    if (group === undefined) {
      group = { priority, ready: new RingBuffer<Consumer>() };
      this.groups = [...this.groups, group].sort((a, b) => b.priority - a.priority);
    }
    return group;
  }
}
