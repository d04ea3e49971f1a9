import { DELIVERY_LIMIT_DEFAULT } from '../lib/limits.js';

/** What differs between the generations of RabbitMQ in quorum queues (rabbitmq.com/docs/quorum-queues). */
export interface QuorumRules {
  /** Failed deliveries of a message without x-delivery-limit and policy; Infinity is without limit. 4.0: 20. */
  readonly deliveryLimitDefault: number;
  /** Whether a negative delivery limit is none (4.0); before, every failed delivery exceeds it. */
  readonly hasNegativeLimit: boolean;
  /**
   * 3.x looks at no priority; 4.0 has two levels, of which the high one (above 4) is served twice as often; 4.3 serves
   * 0 to 31 strictly, and takes 4 for a message that says none.
   */
  readonly priorities: 'none' | 'two-levels' | 'strict';
  /**
   * Whether basic.nack, basic.recover and a timed-out consumer count towards the delivery limit, as basic.reject and
   * a lost channel always do. Until 4.2 whatever brings a message back counts.
   */
  readonly countsEveryReturn: boolean;
  /**
   * 4.3 tells in x-acquired-count how often a message was handed out before, and in x-delivery-count how often that
   * failed. Before, x-delivery-count tells the former and there is no x-acquired-count.
   */
  readonly hasAcquiredCount: boolean;
  /** Whether a single active consumer gives way to one of a higher x-priority (4.0). */
  readonly singleActiveFollowsPriority: boolean;
}

/** RabbitMQ 4.0 to 4.2. */
export const QUORUM_RULES: QuorumRules = {
  deliveryLimitDefault: DELIVERY_LIMIT_DEFAULT,
  hasNegativeLimit: true,
  priorities: 'two-levels',
  countsEveryReturn: true,
  hasAcquiredCount: false,
  singleActiveFollowsPriority: true,
};
