import { ARGUMENT_RULES } from '../../queues/queue-argument-rules.js';
import { QUORUM_RULES } from '../../queues/quorum-rules.js';
import type { Generation } from './generation.js';

/** RabbitMQ 4.2. */
export const RABBITMQ_4_2: Generation = {
  version: '4.2.1',

  headerForStrangers: 'AMQP 1.0',
  hasAnonymousLogin: true,
  frameBytesMin: 8192,
  frameBytesBeforeTuneMax: 8192,

  messageBytesMaxDefault: 16_777_216,
  memoryLimitRatioDefault: 0.6,

  checksPassiveDeclare: false,

  missingExchangeTypes: new Set(),
  keepsTransientExchanges: false,

  permitsTransientQueues: true,
  queueArguments: ARGUMENT_RULES,
  quorum: QUORUM_RULES,
  unknownPolicyKeys: new Set(['consumer-disconnected-timeout']),

  permitsGlobalQos: true,
  takesCancelOk: false,
  hasBasicCredit: false,
  checksCancelOnFailover: false,
  consumerTimeout: 'channel',

  takesDeathsOfPublishers: false,
  numbersReplies: true,
  returnsMandatoryReplies: false,
  repliesBeforeCommit: false,
  refusesReplyBindings: false,
};
