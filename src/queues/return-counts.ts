/**
 * What a quorum queue knows of a message that was handed out before, as one number: how often that failed, and, where
 * the generation of RabbitMQ tells them apart, how often it was handed out. It travels with a delivery as its sequence
 * number, so nothing is kept for what is out. 0 is a message that never was, and of most generations a plain count.
 */

/** Each of the two counts stays below this: a message that comes back more often is not counted on. */
const COUNT_END = 2 ** 26;

/** @param acquiredCount how often it was handed out, if that is counted apart; else 0 */
export function returnCounts(deliveryCount: number, acquiredCount: number): number {
  return atMost(acquiredCount) * COUNT_END + atMost(deliveryCount);
}

/** What x-delivery-count says; 0 for no such header. */
export function deliveryCountOf(counts: number): number {
  return counts % COUNT_END;
}

/** What x-acquired-count says; 0 for no such header. */
export function acquiredCountOf(counts: number): number {
  return Math.floor(counts / COUNT_END);
}

function atMost(count: number): number {
  return Math.min(count, COUNT_END - 1);
}
