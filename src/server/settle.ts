/**
 * What a client says of the deliveries of a channel: done, refused or given back.
 *
 * Of several at once RabbitMQ tells the queue consumer by consumer, what basic.get got first and then by consumer tag
 * (rabbit_channel, foreach_per_queue), and the queue hands out what it can before it hears of the next: to whom
 * messages go, and the order in which they die, depend on it.
 */
import type { Channel } from './channel.js';
import { ChannelConsumer, type Deliveries, type DeliveryOwner, Settlement } from './deliveries.js';

/** @throws AmqpError 406 for a delivery tag that is not outstanding */
export function settle(channel: Channel, tag: number, multiple: boolean, kind: Settlement): void {
  const { deliveries, transaction } = channel;
  if (transaction !== undefined) {
    transaction.settle(deliveries, tag, multiple, kind);
  } else if (multiple && (channel.consumers.size > 1 || kind !== Settlement.Acknowledge)) {
    settleByConsumer(deliveries, tag, kind);
  } else {
    deliveries.settle(tag, multiple, kind);
  }
  if (deliveries.globalPrefetch !== 0) channel.wakeConsumers();
}

/** basic.recover: gives back everything, whatever a transaction holds. */
export function giveBackAll(channel: Channel): void {
  settleByConsumer(channel.deliveries, 0, Settlement.Requeue);
  if (channel.deliveries.globalPrefetch !== 0) channel.wakeConsumers();
}

/** As `Deliveries.settle` of all up to and including `tag`. @throws AmqpError 406 for a tag that is not outstanding */
function settleByConsumer(deliveries: Deliveries, tag: number, kind: Settlement): void {
  const groups = groupsUpTo(deliveries, tag);
  if (groups.size < 2) return deliveries.settle(tag, true, kind);
  let before: DeliveryOwner | undefined;
  for (const { owner, tags } of [...groups.values()].sort(inOrder)) {
    // Counting makes the deliveries that are due.
    before?.queue.counts();
    before = owner;
    for (const one of tags) deliveries.settle(one, false, kind);
  }
}

interface Group {
  readonly owner: DeliveryOwner;
  readonly tags: number[];
}

/** The deliveries of each consumer, and together those that were got from a queue; none when `tag` is unknown. */
function groupsUpTo(deliveries: Deliveries, tag: number): Map<object, Group> {
  const groups = new Map<object, Group>();
  let isKnown = tag === 0;
  deliveries.visit(
    (one, owner) => {
      isKnown ||= one === tag;
      const key = owner instanceof ChannelConsumer ? owner : owner.queue;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { owner, tags: [one] });
      else group.tags.push(one);
    },
    tag === 0 ? undefined : tag,
  );
  if (!isKnown) groups.clear();
  return groups;
}

function inOrder({ owner: a }: Group, { owner: b }: Group): number {
  if (a.queue.name !== b.queue.name) return a.queue.name < b.queue.name ? -1 : 1;
  return tagOf(a) < tagOf(b) ? -1 : 1;
}

function tagOf(owner: DeliveryOwner): string {
  return owner instanceof ChannelConsumer ? owner.tag : '';
}
