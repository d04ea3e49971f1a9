/**
 * What a client says of the deliveries of a channel: done, refused or given back.
 *
 * Of several at once RabbitMQ tells the queue consumer by consumer, each basic.get for itself and first, then by consumer
 * tag (rabbit_channel, foreach_per_queue), and the queue hands out what it can before it hears of the next: to whom
 * messages go, and the order in which they die, depend on it. What a queue hears of at once comes back to it together:
 * only then it looks at its length limit (rabbit_amqqueue_process, requeue_and_run).
 */
import type { Queue } from '../queues/queue.js';
import type { Channel } from './channel.js';
import {
  ChannelConsumer,
  type Deliveries,
  type DeliveryOwner,
  type HeldSettlement,
  Settlement,
  settleDelivery,
} from './deliveries.js';

/** @throws AmqpError 406 for a delivery tag that is not outstanding */
export function settle(channel: Channel, tag: number, multiple: boolean, kind: Settlement): void {
  const { deliveries, transaction } = channel;
  if (transaction !== undefined) {
    transaction.settle(deliveries, tag, multiple, kind);
  } else if (multiple && (channel.consumers.size > 1 || kind !== Settlement.Acknowledge)) {
    settleByConsumer(deliveries, tag, kind);
  } else if (isReturn(kind)) {
    giveBack(deliveries, tag, kind);
  } else {
    deliveries.settle(tag, multiple, kind);
  }
  if (deliveries.globalPrefetch !== 0) channel.wakeConsumers();
}

/** One delivery: what is due is handed out before it is back, and of some queues itself before they drop anything. */
function giveBack(deliveries: Deliveries, tag: number, kind: Settlement): void {
  const queue = deliveries.queueOf(tag);
  queue?.openReturns(true);
  deliveries.settle(tag, false, kind);
  queue?.closeReturns();
}

/** basic.recover: gives back everything, whatever a transaction holds. */
export function giveBackAll(channel: Channel): void {
  settleByConsumer(channel.deliveries, 0, Settlement.Requeue);
  if (channel.deliveries.globalPrefetch !== 0) channel.wakeConsumers();
}

/** Consumers that were passed over try again, of each queue the first that was passed over first (RabbitMQ). */
export function wakeInOrder(consumers: Iterable<ChannelConsumer>): void {
  let first: ChannelConsumer | undefined;
  let all: ChannelConsumer[] | undefined;
  for (const consumer of consumers) {
    if (!consumer.isWaiting) continue;
    if (first === undefined) {
      first = consumer;
    } else {
      all ??= [first];
      all.push(consumer);
    }
  }
  if (all === undefined) return first?.wake();
  for (const consumer of all.sort((a, b) => a.waitingNumber - b.waitingNumber)) consumer.wake();
}

/**
 * The channel goes, and its consumers have gone. RabbitMQ tells each queue once, which takes back together all that the
 * channel had of it, and goes on with the next consumer then: what waited is not delivered before what comes back.
 */
export function abandonAll(deliveries: Deliveries): void {
  const queues = new Set<Queue>();
  deliveries.visit((_tag, { queue }) => queues.add(queue));
  for (const queue of queues) queue.openReturns(false);
  deliveries.settle(0, true, Settlement.Abandon);
  for (const queue of queues) queue.closeReturns();
}

/**
 * As `Deliveries.settle` of all up to and including `tag`.
 * @throws AmqpError 406 for a tag that is not outstanding
 */
function settleByConsumer(deliveries: Deliveries, tag: number, kind: Settlement): void {
  const groups = groupsUpTo(deliveries, tag);
  if (groups.size === 0) return deliveries.settle(tag, true, kind);
  settleInTurn(groups, isReturn(kind), (one) => deliveries.settle(one, false, kind));
}

/** Carries out what a transaction held. What follows one another and is of one kind RabbitMQ takes together. */
export function settleHeld(held: readonly HeldSettlement[]): void {
  for (let start = 0; start < held.length; ) {
    const { kind } = held[start]!;
    const isSame = (other: Settlement): boolean => other === kind || (isReturn(other) && isReturn(kind));
    let end = start + 1;
    while (end < held.length && isSame(held[end]!.kind)) end++;
    const groups: Groups<HeldSettlement> = new Map();
    const alike = held.slice(start, end).sort((a, b) => a.tag - b.tag);
    for (const one of alike) addTo(groups, one.owner, one);
    settleInTurn(groups, isReturn(kind), (one) => {
      settleDelivery(one.owner, one.position, one.sequence, one.kind);
    });
    start = end;
  }
}

function isReturn(kind: Settlement): boolean {
  return kind !== Settlement.Acknowledge && kind !== Settlement.Reject;
}

interface Group<T> {
  readonly owner: DeliveryOwner;
  readonly members: T[];
}

/** The deliveries of each consumer, by consumer, and each basic.get, by its delivery. */
type Groups<T> = Map<unknown, Group<T>>;

function addTo<T>(groups: Groups<T>, owner: DeliveryOwner, member: T): void {
  const key = owner instanceof ChannelConsumer ? owner : member;
  const group = groups.get(key);
  if (group === undefined) groups.set(key, { owner, members: [member] });
  else group.members.push(member);
}

/** Settles group after group; what a queue gets back of one it gets back together. */
function settleInTurn<T>(groups: Groups<T>, areReturns: boolean, settleOne: (member: T) => void): void {
  let before: DeliveryOwner | undefined;
  for (const { owner, members } of [...groups.values()].sort(inOrder)) {
    // Counting makes the deliveries that are due.
    before?.queue.counts();
    before = owner;
    if (areReturns) owner.queue.openReturns(true);
    for (const member of members) settleOne(member);
    if (areReturns) owner.queue.closeReturns();
  }
}

/** The tags up to and including `tag`; none when it is unknown. */
function groupsUpTo(deliveries: Deliveries, tag: number): Groups<number> {
  const groups: Groups<number> = new Map();
  let isKnown = tag === 0;
  deliveries.visit(
    (one, owner) => {
      isKnown ||= one === tag;
      addTo(groups, owner, one);
    },
    tag === 0 ? undefined : tag,
  );
  if (!isKnown) groups.clear();
  return groups;
}

function inOrder<T>({ owner: a }: Group<T>, { owner: b }: Group<T>): number {
  if (a.queue.name !== b.queue.name) return a.queue.name < b.queue.name ? -1 : 1;
  if (tagOf(a) === tagOf(b)) return 0;
  return tagOf(a) < tagOf(b) ? -1 : 1;
}

function tagOf(owner: DeliveryOwner): string {
  return owner instanceof ChannelConsumer ? owner.tag : '';
}
