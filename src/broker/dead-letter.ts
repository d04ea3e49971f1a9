/**
 * Dead lettering (rabbitmq.com/docs/dlx): a message that a queue gives up is published again, to the queue's
 * dead-letter exchange, with its history in the headers. A missing exchange, or one that routes it nowhere,
 * drops it.
 */
import {
  CONTENT_HEADER_FIXED_BYTES,
  IMAGE_BLIND_KEYS,
  IMAGE_DEATH_HISTORY,
  IMAGE_KEY_REPLACED,
  readImage,
} from '../amqp/message-image.js';
import { decodeProperties, encodeProperties } from '../amqp/properties.js';
import { SHORT_STRING_BYTES_MAX } from '../lib/limits.js';
import type { DeadLetterReason, Queue } from '../queues/queue.js';
import { decodeKeys, keysOfHeader } from './carbon-copies.js';
import { withDeath, wouldCycle } from './death-headers.js';
import type { ExchangeHistory } from './exchange-history.js';
import { writeMessage } from './message-writer.js';
import type { VirtualHost } from './virtual-host.js';

/** A message that a queue gives up. */
export interface Death {
  readonly queue: Queue;
  readonly position: number;
  readonly reason: DeadLetterReason;
  readonly diedMs: number;
  /** Queues that have a copy from an earlier attempt. */
  readonly takers?: ReadonlySet<Queue>;
}

/** The copy of a dead message, not yet referred to by anybody, and the queues it goes to; without any it is no copy. */
export interface DeadCopy {
  readonly position: number;
  readonly route: readonly Queue[];
  /** Given to the journal, and not safe yet. */
  readonly isDurable: boolean;
}

/**
 * Publishes a copy of a dead message; the message itself stays the caller's.
 * @returns whether the copy was given to the journal, and is not safe yet
 */
export function deadLetter(virtualHost: VirtualHost, death: Death): boolean {
  const copy = copyDead(virtualHost, death);
  if (copy === undefined) return false;
  virtualHost.log.retain(copy.position, copy.route.length);
  for (const target of copy.route) target.publish(copy.position);
  return copy.isDurable;
}

/** Writes a copy of a dead message for the queues that have none yet; undefined when it is routed nowhere. */
export function copyDead(virtualHost: VirtualHost, death: Death): DeadCopy | undefined {
  const { queue, position, reason } = death;
  const { deadLetterExchange, deadLetterRoutingKey } = queue.settings;
  const exchange =
    deadLetterExchange === undefined ? undefined : virtualHost.exchanges.get(deadLetterExchange);
  if (exchange === undefined) return undefined;
  const { log } = virtualHost;
  const dead = readImage(log.segmentOf(position).block, log.payloadOffset(position));
  const { contentHeader } = dead;
  const properties = decodeProperties(contentHeader, CONTENT_HEADER_FIXED_BYTES, contentHeader.length);
  // The keys of CC are the publisher's, like the routing key beside them: a queue that replaces one replaces all.
  const isKeyReplaced = (dead.flags & IMAGE_KEY_REPLACED) !== 0;
  const carbonCopies = isKeyReplaced ? [] : keysOfHeader(properties.headers, 'CC');
  const hasHistory =
    (dead.flags & IMAGE_DEATH_HISTORY) !== 0 || virtualHost.generation.takesDeathsOfPublishers;
  const headers = withDeath(
    properties.headers,
    {
      queue: queue.name,
      reason,
      exchange: dead.exchange,
      routingKeys: [dead.routingKey, ...carbonCopies],
      timeSeconds: Math.floor(death.diedMs / 1000),
      originalExpiration: properties.expiration,
    },
    hasHistory,
  );

  // A queue that replaces the key replaces those of CC and BCC; otherwise all of them count again.
  const blindKeys = deadLetterRoutingKey === undefined ? dead.blindKeys : undefined;
  const routingKey = deadLetterRoutingKey ?? dead.routingKey;
  const routingKeys =
    deadLetterRoutingKey === undefined
      ? [routingKey, ...carbonCopies, ...decodeKeys(blindKeys)]
      : [routingKey];
  // The expiration goes, or the copy would expire again at once where it waits.
  const deadProperties = { ...properties, headers, expiration: undefined };
  const histories: ExchangeHistory[] = [];
  const targets = virtualHost.router
    .route(exchange, {
      routingKeys,
      headers: () => headers,
      properties: () => deadProperties,
      keptBy: (history) => histories.push(history),
    })
    .filter((target) => !wouldCycle(headers, target.name, reason));
  if (targets.length === 0 && histories.length === 0) return undefined;
  // Nothing bounds the argument it comes from; a key that fits no short string reaches no consumer.
  if (Buffer.byteLength(deadLetterRoutingKey ?? '') > SHORT_STRING_BYTES_MAX) return undefined;

  const route = targets.filter((target) => death.takers?.has(target) !== true);
  if (route.length === 0 && targets.length > 0) return { position: -1, route, isDurable: false };

  const encoded = encodeProperties(deadProperties);
  const fixed = contentHeader.subarray(0, CONTENT_HEADER_FIXED_BYTES);
  const message = {
    exchange: exchange.name,
    routingKey,
    contentHeader: Buffer.concat([fixed, encoded]),
    body: dead.body,
    publishedMs: virtualHost.environment.nowMs(),
    deadlineMs: Number.POSITIVE_INFINITY,
    flags: flagsAfterDeath(dead.flags, deadLetterRoutingKey !== undefined),
    priority: dead.priority,
    blindKeys,
  };
  const copy = writeMessage(log, message, route);
  // What an exchange keeps it has from the first attempt.
  if (death.takers === undefined || death.takers.size === 0)
    for (const history of histories) history.add(copy);
  return { position: copy, route, isDurable: log.segmentOf(copy).journal !== undefined };
}

function flagsAfterDeath(flags: number, isKeyReplaced: boolean): number {
  const kept = flags | IMAGE_DEATH_HISTORY;
  return isKeyReplaced ? (kept | IMAGE_KEY_REPLACED) & ~IMAGE_BLIND_KEYS : kept;
}
