/**
 * Where a channel publishes to: the exchange and routing key of the last publish, what is permitted there, and the
 * route. Publishers mostly repeat themselves, so everything found stays until the names change, or a change of
 * definitions or permissions makes it doubtful (two integers tell). While it stands the channel takes `route` as it
 * is, and asks nothing here.
 */
import { accessRefused } from '../amqp/errors.js';
import { decodeTable, FieldTable } from '../amqp/field-table.js';
import { textAt } from '../amqp/field-text.js';
import { readImage } from '../amqp/message-image.js';
import { type BasicProperties, decodeProperties } from '../amqp/properties.js';
import type { ExchangeHistory } from '../broker/exchange-history.js';
import type { BrokerExchange, Route, RouteRequest } from '../broker/router.js';
import { authorize, authorizeTopic } from './authorize.js';
import type { ConnectionContext } from './connection-context.js';
import { isReplyAddress } from './reply-to-names.js';
import type { HeldPublish } from './transaction.js';

const NO_NAMES: readonly string[] = [];

export class PublishTarget implements RouteRequest {
  exchangeName = '';
  routingKey = '';
  /** The routing key, and for the message at hand the keys of its CC and BCC headers. */
  routingKeys: readonly string[] = [''];

  private readonly context: ConnectionContext;
  private readonly areRepliesReturned: boolean;
  private exchange: BrokerExchange | undefined;
  /** The route of every message with these names; undefined when it is not known, or depends on the message. */
  route: Route | undefined;
  /** Of the router and of the users, when `exchange` and `route` were found. */
  routerGeneration = -1;
  usersGeneration = -1;
  /** Where the headers of the message at hand lie, undecoded; the end is 0 when it has none. */
  private headerBytes: Buffer | undefined;
  private headersStart = 0;
  private headersEnd = 0;
  /** Where the properties of the message at hand lie, flags first, while its route is looked for. */
  private propertyBytes: Buffer | undefined;
  private propertiesStart = 0;
  private propertiesEnd = 0;
  /** Those that keep the message at hand; undefined for nearly every message. */
  histories: ExchangeHistory[] | undefined;

  constructor(context: ConnectionContext) {
    this.context = context;
    this.areRepliesReturned = context.broker.generation.returnsMandatoryReplies;
  }

  /** Takes new names: two short strings, one behind the other. RabbitMQ lets them hold any bytes here. */
  rename(names: Buffer): void {
    const keyAt = 1 + names[0]!;
    const exchangeName = textAt(names, 1, keyAt);
    const routingKey = textAt(names, keyAt + 1, keyAt + 1 + names[keyAt]!);
    if (exchangeName !== this.exchangeName) this.exchange = undefined;
    this.exchangeName = exchangeName;
    this.routingKey = routingKey;
    this.routingKeys = [routingKey];
    this.route = undefined;
  }

  /** @throws AmqpError 403 without permission to write or for an internal exchange, 404 without an exchange */
  resolveExchange(): void {
    const { broker, virtualHost } = this.context;
    if (
      this.exchange !== undefined &&
      this.routerGeneration === virtualHost.router.generation &&
      this.usersGeneration === broker.users.generation
    ) {
      return;
    }
    this.route = undefined;
    this.exchange = undefined;
    authorize(this.context, 'write', 'exchange', this.exchangeName);
    const exchange = virtualHost.exchangeNamed(this.exchangeName);
    if (exchange.internal) {
      throw accessRefused(
        `cannot publish to internal exchange '${exchange.name}' in vhost '${virtualHost.name}'`,
      );
    }
    this.exchange = exchange;
    this.routerGeneration = virtualHost.router.generation;
    this.usersGeneration = broker.users.generation;
  }

  /** The message at hand has headers: an exchange may route by them. */
  setHeaders(bytes: Buffer, start: number, end: number): void {
    this.headerBytes = bytes;
    this.headersStart = start;
    this.headersEnd = end;
  }

  /** The message at hand goes to more keys than its own. */
  addRoutingKeys(keys: readonly string[]): void {
    this.routingKeys = [...this.routingKeys, ...keys];
  }

  headers(): FieldTable {
    if (this.headerBytes === undefined) return FieldTable.EMPTY;
    return decodeTable(this.headerBytes, this.headersStart, this.headersEnd);
  }

  properties(): BasicProperties {
    return decodeProperties(this.propertyBytes!, this.propertiesStart, this.propertiesEnd);
  }

  keptBy(history: ExchangeHistory): void {
    this.histories ??= [];
    this.histories.push(history);
  }

  /** The message at hand has been written, and exchanges on its way keep it. */
  addToHistories(position: number): void {
    for (const history of this.histories!) history.add(position);
    this.histories = undefined;
  }

  /** Looks at every key of the message at hand. @throws AmqpError 403 for one that the user may not publish with */
  authorizeTopics(): void {
    for (const key of this.routingKeys) authorizeTopic(this.context, 'write', this.exchange, key);
  }

  /**
   * The queues of the message at hand, whose exchange has been resolved and whose properties are in `bytes`.
   * @throws AmqpError 403 for a topic
   */
  findRoute(bytes: Buffer, propertiesStart: number, propertiesEnd: number): Route {
    if (this.routingKeys.length > 1) {
      this.authorizeTopics();
      const route = this.search(bytes, propertiesStart, propertiesEnd);
      this.routingKeys = [this.routingKey];
      return route;
    }
    if (this.route !== undefined) {
      this.headerBytes = undefined;
      return this.route;
    }
    this.authorizeTopics();
    const { router } = this.context.virtualHost;
    const exchange = this.exchange!;
    const remembered = router.recall(exchange, this.routingKey);
    if (remembered !== undefined) {
      this.headerBytes = undefined;
      this.route = remembered;
      return remembered;
    }
    const route = this.search(bytes, propertiesStart, propertiesEnd);
    // Only what depends on nothing but the names is kept.
    this.route = router.recall(exchange, this.routingKey);
    return route;
  }

  private search(bytes: Buffer, propertiesStart: number, propertiesEnd: number): Route {
    this.histories = undefined;
    this.propertyBytes = bytes;
    this.propertiesStart = propertiesStart;
    this.propertiesEnd = propertiesEnd;
    const route = this.context.virtualHost.router.route(this.exchange!, this);
    this.headerBytes = undefined;
    this.propertyBytes = undefined;
    return route;
  }

  /**
   * Whether the message at hand, which is mandatory, goes back to its publisher. From 4.2 on a reply counts as routed
   * though its requester may be gone (rabbitmq.com/docs/direct-reply-to), before as not routed though it arrives. What
   * cannot be an address does not count as a reply (rabbit_volatile_queue.erl, new_target).
   */
  isReturned(route: Route): boolean {
    if (route.length > 1 || (route.length === 1 && !this.areRepliesReturned)) return false;
    const isReply = this.exchangeName === '' && isReplyAddress(this.routingKey);
    return isReply ? this.areRepliesReturned : route.length === 0;
  }

  /** The message at hand, written and published with `keys`, as a transaction holds it. */
  held(
    position: number,
    route: Route,
    keys: readonly string[],
    deadlineMs: number,
    isMandatory: boolean,
  ): HeldPublish {
    const isReply = this.exchangeName === '' && isReplyAddress(this.routingKey);
    const returns = isReply ? (this.isReturned(route) ? 'always' : 'never') : 'unrouted';
    const isAbsent = (key: string): boolean => !route.some(({ name }) => name === key);
    const absent = this.exchangeName === '' ? [...new Set(keys.filter(isAbsent))] : NO_NAMES;
    return { position, route, absent, deadlineMs, returns: isMandatory ? returns : 'never' };
  }

  /** Exchange and routing key of a record in the log. */
  namesAt(position: number): { exchange: string; routingKey: string } {
    const { log } = this.context.broker;
    return readImage(log.segmentOf(position).block, log.payloadOffset(position));
  }
}
