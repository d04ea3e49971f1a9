import { ARGUMENT_RULES, KNOWN_ARGUMENTS, SHORT_TYPE_NAMES } from '../../queues/queue-argument-rules.js';
import type { Generation } from './generation.js';

/** RabbitMQ 3.13, the last of 3.x. */
export const RABBITMQ_3_13: Generation = {
  version: '3.13.7',

  headerForStrangers: 'AMQP 0-9-1',
  hasAnonymousLogin: false,
  frameBytesMin: 4096,
  frameBytesBeforeTuneMax: 4096,

  messageBytesMaxDefault: 134_217_728,
  memoryLimitRatioDefault: 0.4,

  checksPassiveDeclare: false,

  missingExchangeTypes: new Set(['x-local-random']),
  keepsTransientExchanges: false,

  permitsTransientQueues: true,
  queueArguments: {
    ...ARGUMENT_RULES,
    typeNames: SHORT_TYPE_NAMES,
    known: {
      ...KNOWN_ARGUMENTS,
      classic: KNOWN_ARGUMENTS.classic.filter((key) => key !== 'x-queue-leader-locator'),
    },
  },
  quorum: {
    deliveryLimitDefault: Number.POSITIVE_INFINITY,
    hasNegativeLimit: false,
    priorities: 'none',
    countsEveryReturn: true,
    hasAcquiredCount: false,
    singleActiveFollowsPriority: false,
  },
  unknownPolicyKeys: new Set(['consumer-disconnected-timeout']),

  permitsGlobalQos: true,
  takesCancelOk: false,
  hasBasicCredit: true,
  checksCancelOnFailover: true,
  consumerTimeout: 'channel',

  takesDeathsOfPublishers: true,
  numbersReplies: false,
  returnsMandatoryReplies: true,
  repliesBeforeCommit: true,
  refusesReplyBindings: false,
};
