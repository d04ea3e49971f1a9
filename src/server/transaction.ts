/**
 * A transaction of one channel (class tx): publishes and settlements wait for the commit. Routes are found and
 * delivery tags checked when the methods come, so their errors come then too; returns and everything that queues
 * see happen at the commit (rabbitmq.com/docs/semantics#tx).
 */
import { preconditionFailed } from '../amqp/errors.js';
import { makeDurable, moveInTime } from '../broker/message-writer.js';
import type { Route } from '../broker/router.js';
import type { Queue } from '../queues/queue.js';
import type { MessageLog } from '../store/message-log.js';
import type { Channel } from './channel.js';
import type { Deliveries, HeldSettlement, Settlement } from './deliveries.js';
import { REPLY_TO_PREFIX } from './reply-to-names.js';
import { settleHeld } from './settle.js';

interface HeldPublish {
  /** The transaction holds one reference of the record. */
  readonly position: number;
  readonly route: Route;
  readonly deadlineMs: number;
  /** It goes back to its publisher: mandatory, and not routed. */
  readonly isReturned: boolean;
}

export class Transaction {
  private publishes: HeldPublish[] = [];
  private settlements: HeldSettlement[] = [];
  private readonly repliesBeforeCommit: boolean;

  /** @param repliesBeforeCommit as in `Generation` */
  constructor(repliesBeforeCommit: boolean) {
    this.repliesBeforeCommit = repliesBeforeCommit;
  }

  publish(log: MessageLog, position: number, route: Route, deadlineMs: number, isReturned: boolean): void {
    log.retain(position, 1);
    log.pin(position, 1);
    const later = this.repliesBeforeCommit ? reply(log, position, route, deadlineMs) : route;
    this.publishes.push({ position, route: later, deadlineMs, isReturned });
  }

  /** @throws AmqpError 406 for a delivery tag that is not outstanding */
  settle(deliveries: Deliveries, tag: number, multiple: boolean, kind: Settlement): void {
    deliveries.hold(tag, multiple, kind, this.settlements);
  }

  /** Carries out what was held. @throws AmqpError 406 when a queue rejected a publish */
  commit(channel: Channel): void {
    const { log } = channel.context.broker;
    const { publishes, settlements } = this;
    this.publishes = [];
    this.settlements = [];
    let isComplete = true;
    for (const { position, route, deadlineMs, isReturned } of publishes) {
      const queues = route.filter((queue) => !queue.isDeleted);
      if (queues.length > 0) {
        // Messages come into being at the commit: their time to live counts from here.
        const lateMs = moveInTime(log, position, channel.context.broker.receivedAtMs);
        const kept = makeDurable(log, position, queues);
        isComplete = channel.enqueue(kept, queues, deadlineMs + lateMs) && isComplete;
      }
      if (isReturned) channel.returnMessage(position, 'NO_ROUTE');
      letGo(log, position);
    }
    const { journal } = log;
    channel.deliveries.holdNone();
    if (journal === undefined) settleHeld(settlements);
    else journal.settleTransaction(() => settleHeld(settlements));
    if (channel.deliveries.globalPrefetch !== 0) channel.wakeConsumers();
    if (journal !== undefined && publishes.length + settlements.length > 0) {
      // commit-ok says that everything is on the disk, acks included.
      journal.syncAcks();
      if (journal.isUrgent) channel.context.transport.holdUntil(journal.durable, journal.nextCommit);
    }
    if (!isComplete) throw preconditionFailed('partial tx completion');
  }

  /** Forgets the publishes; the settled deliveries are outstanding again, and are not redelivered. */
  rollback(channel: Channel): void {
    const { log } = channel.context.broker;
    for (const { position } of this.publishes) letGo(log, position);
    channel.deliveries.restore(this.settlements);
    this.publishes = [];
    this.settlements = [];
  }
}

/** Hands a record to the reply consumers of its route. @returns the rest of the route */
function reply(log: MessageLog, position: number, route: Route, deadlineMs: number): Route {
  const rest: Queue[] = [];
  for (const queue of route) {
    if (!queue.name.startsWith(REPLY_TO_PREFIX)) {
      rest.push(queue);
      continue;
    }
    log.retain(position, 1);
    queue.publish(position, deadlineMs);
  }
  return rest;
}

function letGo(log: MessageLog, position: number): void {
  log.pin(position, -1);
  log.release(position);
}
