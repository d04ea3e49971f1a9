/** What a client says of the deliveries of a channel: done, refused or given back. */
import type { Channel } from './channel.js';
import type { Settlement } from './deliveries.js';

/** @throws AmqpError 406 for a delivery tag that is not outstanding */
export function settle(channel: Channel, tag: number, multiple: boolean, kind: Settlement): void {
  const { deliveries, transaction } = channel;
  if (transaction === undefined) deliveries.settle(tag, multiple, kind);
  else transaction.settle(deliveries, tag, multiple, kind);
  if (deliveries.globalPrefetch !== 0) channel.wakeConsumers();
}
