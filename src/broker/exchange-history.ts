/**
 * The last messages of an exchange whose type keeps some (`HistoryRule`), for queues that are bound later.
 *
 * They are references to records in memory, as queues have them; what is kept is what was published, so nothing is
 * copied but a durable record: a reference to it would hold a whole segment file on the disk, which could be neither
 * compacted nor put out of memory. Nothing of it survives a restart (spec/decisions/0005).
 */

import { FieldTable } from '../amqp/field-table.js';
import {
  CONTENT_HEADER_FIXED_BYTES,
  IMAGE_DEADLINE_MS,
  type MessageParts,
  readImage,
} from '../amqp/message-image.js';
import { decodeProperties } from '../amqp/properties.js';
import type { HistoryRule, RoutedMessage } from '../exchanges/exchange-type.js';
import { RingBuffer } from '../lib/ring-buffer.js';
import type { MessageLog } from '../store/message-log.js';
import { decodeKeys, keysOfHeader } from './carbon-copies.js';
import { copyRecord, durableTargets, isPersistent, moveInTime } from './message-writer.js';
import { BrokerExchange, type Route, type RouteRequest, type RouteTarget } from './router.js';
import type { VirtualHost } from './virtual-host.js';

export class ExchangeHistory {
  private readonly log: MessageLog;
  private readonly rule: HistoryRule;
  /** Of transient records, oldest first; each holds a reference. */
  private readonly positions = new RingBuffer<number>();

  constructor(log: MessageLog, rule: HistoryRule) {
    this.log = log;
    this.rule = rule;
  }

  get length(): number {
    return this.positions.length;
  }

  keeps(message: RoutedMessage): boolean {
    return this.rule.keeps(message);
  }

  /** Keeps a message that has just been written, and whose record nobody may hold yet. */
  add(position: number): void {
    const { log, positions } = this;
    const isDurable = log.segmentOf(position).journal !== undefined;
    const kept = isDurable ? copyRecord(log, position, []) : position;
    log.retain(kept, 1);
    // It is read at a binding, without asking first.
    log.pin(kept, 1);
    positions.push(kept);
    if (positions.length > this.rule.lengthMax) this.letGo(positions.shift()!);
  }

  /** The messages, oldest first, with a reference to each that the caller gives back. */
  hold(): number[] {
    const held: number[] = [];
    for (let i = 0; i < this.positions.length; i++) held.push(this.positions.at(i)!);
    for (const position of held) this.log.retain(position, 1);
    return held;
  }

  release(): void {
    for (let kept = this.positions.shift(); kept !== undefined; kept = this.positions.shift()) {
      this.letGo(kept);
    }
  }

  private letGo(position: number): void {
    this.log.pin(position, -1);
    this.log.release(position);
  }
}

/** Gives the messages that an exchange has kept to a destination that was bound to it just now. */
export function replayHistory(virtualHost: VirtualHost, history: ExchangeHistory, target: RouteTarget): void {
  const { log } = virtualHost;
  // What a queue drops meanwhile may be dead-lettered to this very exchange: the list is that of before.
  for (const position of history.hold()) {
    const histories: ExchangeHistory[] = [];
    const route =
      target instanceof BrokerExchange ? routeOn(virtualHost, target, position, histories) : [target];
    if (route.length > 0) deliver(virtualHost, position, route);
    for (const next of histories) next.add(position);
    log.release(position);
  }
}

/** Where a kept message goes from an exchange, as if it had been published now. */
function routeOn(
  virtualHost: VirtualHost,
  exchange: BrokerExchange,
  position: number,
  histories: ExchangeHistory[],
): Route {
  const { log } = virtualHost;
  const image = readImage(log.segmentOf(position).block, log.payloadOffset(position));
  return virtualHost.router.route(exchange, requestOf(image, histories));
}

function requestOf(
  { contentHeader, routingKey, blindKeys }: MessageParts,
  histories: ExchangeHistory[],
): RouteRequest {
  const properties = decodeProperties(contentHeader, CONTENT_HEADER_FIXED_BYTES, contentHeader.length);
  const headers = properties.headers ?? FieldTable.EMPTY;
  return {
    routingKeys: [routingKey, ...keysOfHeader(headers, 'CC'), ...decodeKeys(blindKeys)],
    headers: () => headers,
    properties: () => properties,
    keptBy: (history) => histories.push(history),
  };
}

/** Times to live begin with the arrival in a queue (rabbitmq.com/docs/ttl), which is now. */
function deliver(virtualHost: VirtualHost, position: number, route: Route): void {
  const { log } = virtualHost;
  const isDurable = durableTargets(log, route, isPersistent(log, position)) > 0;
  const hasTtl = route.some(({ settings }) => settings.messageTtlMs !== undefined);
  let arrived = position;
  if (isDurable || hasTtl || deadlineOf(log, position) !== Number.POSITIVE_INFINITY) {
    arrived = copyRecord(log, position, route);
    moveInTime(log, arrived, virtualHost.environment.nowMs());
  }
  const deadlineMs = deadlineOf(log, arrived);
  log.retain(arrived, route.length);
  for (const queue of route) queue.publish(arrived, deadlineMs);
}

function deadlineOf(log: MessageLog, position: number): number {
  return log.segmentOf(position).view.getFloat64(log.payloadOffset(position) + IMAGE_DEADLINE_MS, true);
}
