/**
 * A transaction of one channel (class tx): publishes and settlements wait for the commit. Routes are found and
 * delivery tags checked when the methods come, so their errors come then too; whether the queues of a route are there,
 * returns, and everything that queues see, is a matter of the commit (rabbitmq.com/docs/semantics#tx).
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

/** A publish that waits for the commit, with what is known of where it goes. */
export interface HeldPublish {
  /** The transaction holds one reference of the record. */
  readonly position: number;
  /** The queues that were there; others may have their names by the commit. */
  readonly route: Route;
  /** Names that the default exchange had no queue for. */
  readonly absent: readonly string[];
  readonly deadlineMs: number;
  /** When it goes back to its publisher. */
  readonly returns: 'never' | 'always' | 'unrouted';
}

export class Transaction {
  private publishes: HeldPublish[] = [];
  private settlements: HeldSettlement[] = [];
  private readonly repliesBeforeCommit: boolean;

  /** @param repliesBeforeCommit as in `Generation` */
  constructor(repliesBeforeCommit: boolean) {
    this.repliesBeforeCommit = repliesBeforeCommit;
  }

  publish(log: MessageLog, held: HeldPublish): void {
    const { position } = held;
    log.retain(position, 1);
    log.pin(position, 1);
    this.publishes.push(this.repliesBeforeCommit ? { ...held, route: reply(log, held) } : held);
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
    for (const { position, route, absent, deadlineMs, returns } of publishes) {
      const queues = queuesNow(route, absent, channel.context.virtualHost.queues);
      if (queues.length > 0) {
        // Messages come into being at the commit: their time to live counts from here.
        const lateMs = moveInTime(log, position, channel.context.broker.receivedAtMs);
        const kept = makeDurable(log, position, queues);
        isComplete = channel.enqueue(kept, queues, deadlineMs + lateMs) && isComplete;
      }
      if (returns === 'always' || (returns === 'unrouted' && queues.length === 0)) {
        channel.returnMessage(position, 'NO_ROUTE');
      }
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

/**
 * What a transaction keeps of a route is the names of queues, and it looks for them at the commit (rabbit_channel,
 * deliver_to_queues): one that was deleted and declared anew gets the message, as does one that the default exchange
 * only knew the name of.
 */
function queuesNow(route: Route, absent: readonly string[], queues: ReadonlyMap<string, Queue>): Route {
  const isAsBefore = (queue: Queue): boolean => !queue.isDeleted;
  if (absent.length === 0 && route.every(isAsBefore)) return route;
  const names = [...absent, ...route.filter(({ isDeleted }) => isDeleted).map(({ name }) => name)];
  const found = names.map((name) => queues.get(name)).filter((queue) => queue !== undefined);
  return [...route.filter(isAsBefore), ...found];
}

/** Hands a record to the reply consumers of its route. @returns the rest of the route */
function reply(log: MessageLog, { position, route, deadlineMs }: HeldPublish): Route {
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
