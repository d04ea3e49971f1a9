/**
 * A generation of RabbitMQ as clients see it: everything in which Leveret's answers differ between generations. One
 * file beside this one says it all of one generation. Code asks for what it wants to know (`generation.permitsGlobalQos`)
 * and never for a version; whatever is wanted for each message is asked for when a connection, channel or queue is made.
 *
 * What is named here was read in RabbitMQ's sources and release notes (rabbitmq.com/release-information): the tags of
 * 3.13.7, 4.2.1 and 4.3.5.
 */
import type { QueueArgumentRules } from '../../queues/queue-argument-rules.js';
import type { QuorumRules } from '../../queues/quorum-rules.js';

export interface Generation {
  /** `version` of server-properties. Clients branch on it: Celery on 3.x asks for a global prefetch. */
  readonly version: string;

  /**
   * The header that a client of an unknown protocol gets: 4.x prefers AMQP 1.0, and names 0-9-1 only to clients of a
   * later 0-x (rabbit_reader.erl, refuse_connection).
   */
  readonly headerForStrangers: 'AMQP 0-9-1' | 'AMQP 1.0';
  /** SASL ANONYMOUS is in the core, and on, from 4.0 (rabbitmq.com/docs/access-control#mechanisms). */
  readonly hasAnonymousLogin: boolean;
  /** Smallest frame-max that may be negotiated: 8192 from 4.1 (release notes 4.1.0). */
  readonly frameBytesMin: number;
  /** Largest frame before connection.tune-ok: 8192 from 4.1, for large JWT tokens (release notes 4.1.0). */
  readonly frameBytesBeforeTuneMax: number;

  /** Default of `--max-message-size`: 16 MiB from 4.0 (release notes 4.0.1). */
  readonly messageBytesMaxDefault: number;
  /** Default of `--memory-limit`, as a part of the memory there is: 0.6 from 4.0 (rabbitmq.com/docs/memory). */
  readonly memoryLimitRatioDefault: number;

  /** A passive declare needs one of the three permissions, whichever (4.3; rabbit_channel.erl). */
  readonly checksPassiveDeclare: boolean;

  /** Exchange types that it does not have, whatever plugins are on: x-local-random came with 4.0 (release notes 4.0.1). */
  readonly missingExchangeTypes: ReadonlySet<string>;
  /**
   * Exchanges that are not durable, and their bindings, are there after a restart: Khepri keeps them all (4.3;
   * rabbit_db_exchange.erl, recover).
   */
  readonly keepsTransientExchanges: boolean;

  /** Queues neither durable nor exclusive: a deprecated feature, denied from 4.3 on (release notes 4.3.0). */
  readonly permitsTransientQueues: boolean;
  /** The arguments of queue.declare. */
  readonly queueArguments: QueueArgumentRules;
  readonly quorum: QuorumRules;
  /** Keys of policies that came with a later generation: not recognised (`rabbit_policies`, register). */
  readonly unknownPolicyKeys: ReadonlySet<string>;

  /** basic.qos with global: a deprecated feature; where it is denied (4.3), global counts as not said. */
  readonly permitsGlobalQos: boolean;
  /** basic.cancel-ok from a client that was sent basic.cancel: nodes before 4.3 do not take it (release notes 4.3.7). */
  readonly takesCancelOk: boolean;
  /** basic.credit and the consumer argument x-credit: gone in 4.0 (503 unimplemented method). */
  readonly hasBasicCredit: boolean;
  /** The consumer argument x-cancel-on-ha-failover has to be a boolean; 4.0 knows it no more, and ignores it. */
  readonly checksCancelOnFailover: boolean;
  /**
   * Who waits for an ack for too long: until 4.2 the channel, for queues of all types, and is closed (406). In 4.3 the
   * quorum queue, which cancels the consumer (rabbitmq.com/docs/consumers#acknowledgement-timeout).
   */
  readonly consumerTimeout: 'channel' | 'quorum-consumer';

  /** x-death as a publisher wrote it counts as the message's history; 4.0 ignores it (release notes 4.0.1). */
  readonly takesDeathsOfPublishers: boolean;
  /** Replies take delivery tags, as other deliveries do (4.2); before, each has the tag that the next delivery will have. */
  readonly numbersReplies: boolean;
  /**
   * A mandatory message to a reply address is returned even when it was delivered: until 4.1 the reply is a side effect
   * of routing (rabbit_exchange.erl, route).
   */
  readonly returnsMandatoryReplies: boolean;
  /** For the same reason a reply in a transaction leaves before the commit, and a rollback does not take it back. */
  readonly repliesBeforeCommit: boolean;
  /** Binding a reply address is refused with 403 (4.3); before, there is no queue of that name to bind. */
  readonly refusesReplyBindings: boolean;
}
