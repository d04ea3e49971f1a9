import { ARGUMENT_RULES, KNOWN_ARGUMENTS } from '../../queues/queue-argument-rules.js';
import { checkInteger, checkVersion, VALUE_CHECKS } from '../../queues/queue-arguments-checks.js';
import { RABBITMQ_4_2 } from './4-2.js';
import type { Generation } from './generation.js';

/** RabbitMQ 4.3: as 4.2, but for what stands here. */
export const RABBITMQ_4_3: Generation = {
  ...RABBITMQ_4_2,
  version: '4.3.5',

  checksPassiveDeclare: true,

  keepsTransientExchanges: true,

  permitsTransientQueues: false,
  queueArguments: {
    ...ARGUMENT_RULES,
    known: {
      ...KNOWN_ARGUMENTS,
      quorum: [
        ...KNOWN_ARGUMENTS.quorum,
        'x-consumer-timeout',
        'x-consumer-disconnected-timeout',
        'x-delayed-retry-type',
        'x-delayed-retry-min',
        'x-delayed-retry-max',
      ],
    },
    valueChecks: [
      // Whatever x-queue-mode says: the release notes of 4.3.0 announce its end, the code of 4.3.5 ignores it.
      ...VALUE_CHECKS.filter(([key]) => key !== 'x-queue-mode' && key !== 'x-queue-version'),
      ['x-queue-version', (value) => checkVersion(value, [2])],
      ['x-consumer-timeout', (value) => checkInteger(value)],
      ['x-consumer-disconnected-timeout', (value) => checkInteger(value)],
    ],
    denied: new Map([['x-queue-master-locator', 'queue_master_locator']]),
  },
  quorum: {
    deliveryLimitDefault: 20,
    hasNegativeLimit: true,
    priorities: 'strict',
    countsEveryReturn: false,
    hasAcquiredCount: true,
    singleActiveFollowsPriority: true,
  },
  unknownPolicyKeys: new Set(),

  permitsGlobalQos: false,
  takesCancelOk: true,
  consumerTimeout: 'quorum-consumer',

  refusesReplyBindings: true,
};
