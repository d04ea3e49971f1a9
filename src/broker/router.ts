/**
 * Where a message goes: a pure function of the definitions of one virtual host.
 *
 * The walk follows exchange-to-exchange bindings and alternate exchanges, each exchange at most once, so cycles
 * end. Its result for an (exchange, routing key) pair is remembered until a binding, a queue or an exchange
 * changes, unless an exchange on the way looks at more than the key. `generation` counts those changes: whoever
 * holds on to a route compares it first.
 */
import type { FieldTable } from '../amqp/field-table.js';
import type { BasicProperties } from '../amqp/properties.js';
import { Exchange } from '../exchanges/exchange.js';
import type { RoutedMessage } from '../exchanges/exchange-type.js';
import { ROUTES_CACHED_MAX } from '../lib/limits.js';
import type { Queue } from '../queues/queue.js';
import type { ExchangeHistory } from './exchange-history.js';

export type RouteTarget = Queue | BrokerExchange;
export class BrokerExchange extends Exchange<RouteTarget> {
  /** What it has kept, if its type keeps anything. */
  history: ExchangeHistory | undefined;
}

/** The queues a message goes to, each once. */
export type Route = readonly Queue[];

export interface RouteRequest {
  /** The routing key, then the keys of the CC and BCC headers. */
  readonly routingKeys: readonly string[];
  headers(): FieldTable;
  properties(): BasicProperties;
  /** An exchange on the way keeps the message: whoever writes its record adds it there. */
  keptBy(history: ExchangeHistory): void;
}

/** A request as a matcher sees it: with one of its keys. */
class KeyedMessage implements RoutedMessage {
  routingKey = '';

  constructor(readonly request: RouteRequest) {}

  headers(): FieldTable {
    return this.request.headers();
  }

  properties(): BasicProperties {
    return this.request.properties();
  }
}

export interface RouterView {
  readonly exchanges: ReadonlyMap<string, BrokerExchange>;
  /** What the default exchange routes to. */
  queueNamed(name: string): Queue | undefined;
}

const NO_QUEUES: Route = [];

export class Router {
  /** Increases with every change that can alter a route. */
  generation = 0;
  private readonly view: RouterView;
  private readonly remembered = new Map<BrokerExchange, Map<string, Route>>();
  private rememberedCount = 0;

  constructor(view: RouterView) {
    this.view = view;
  }

  /** A binding, a queue or an exchange came or went. */
  invalidate(): void {
    this.generation++;
    this.forget();
  }

  /** The remembered route of a key, or undefined: then `route` finds it. */
  recall(exchange: BrokerExchange, routingKey: string): Route | undefined {
    return this.remembered.get(exchange)?.get(routingKey);
  }

  /** Finds the route of a message, and remembers it if nothing but exchange and routing key decided it. */
  route(exchange: BrokerExchange, request: RouteRequest): Route {
    const found = new Set<Queue>();
    const isLasting = this.collect(exchange, request, found);
    const route = found.size === 0 ? NO_QUEUES : [...found];
    if (isLasting && request.routingKeys.length === 1)
      this.remember(exchange, request.routingKeys[0]!, route);
    return route;
  }

  /** Whether the routes of this exchange, and of those behind it, may be remembered by key. */
  private collect(start: BrokerExchange, request: RouteRequest, found: Set<Queue>): boolean {
    const pending = [start];
    const visited = new Set(pending);
    const visit = (exchange: BrokerExchange | undefined): void => {
      if (exchange === undefined || visited.has(exchange)) return;
      visited.add(exchange);
      pending.push(exchange);
    };
    const message = new KeyedMessage(request);
    let isLasting = true;
    for (let exchange = pending.pop(); exchange !== undefined; exchange = pending.pop()) {
      const targets = new Set<RouteTarget>();
      this.match(exchange, message, targets);
      const { history } = exchange;
      if (history?.keeps(message) === true) request.keptBy(history);
      isLasting &&= exchange.matcher.isCacheable;
      // rabbitmq.com/docs/ae: the alternate gets what this exchange had no destination for, missing ones do not count.
      // Nor does the default exchange: as an alternate it has no bindings (rabbit_exchange, route).
      const alternate = exchange.alternateExchange;
      if (targets.size === 0 && alternate !== undefined && alternate !== '') {
        visit(this.view.exchanges.get(alternate));
      }
      for (const target of targets) {
        if (target instanceof BrokerExchange) visit(target);
        else found.add(target);
      }
    }
    return isLasting;
  }

  private match(exchange: BrokerExchange, message: KeyedMessage, targets: Set<RouteTarget>): void {
    const { routingKeys } = message.request;
    if (exchange.name === '') {
      // Every queue is bound to the default exchange by its name (AMQP 0-9-1 section 2.1.2.4).
      for (const routingKey of routingKeys) {
        const queue = this.view.queueNamed(routingKey);
        if (queue !== undefined) targets.add(queue);
      }
      return;
    }
    const { matcher } = exchange;
    const keyCount = matcher.looksAtEveryKey ? routingKeys.length : 1;
    for (let i = 0; i < keyCount; i++) {
      message.routingKey = routingKeys[i]!;
      matcher.match(message, targets);
    }
  }

  private remember(exchange: BrokerExchange, routingKey: string, route: Route): void {
    if (this.rememberedCount >= ROUTES_CACHED_MAX) this.forget();
    const routes = this.remembered.get(exchange);
    if (routes === undefined) this.remembered.set(exchange, new Map([[routingKey, route]]));
    else routes.set(routingKey, route);
    this.rememberedCount++;
  }

  private forget(): void {
    this.remembered.clear();
    this.rememberedCount = 0;
  }
}
