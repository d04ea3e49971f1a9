/**
 * What a sequence has tried to declare so far, whether or not it came about: enough to know where a message could go.
 *
 * A broker does as it likes when two of its parts send to the same queue at the same time, such as a channel and a
 * queue whose dead letters go there too. Such a step would compare luck, so the generator asks here first. Everything
 * is taken to be there that was ever tried: leaving operations out never makes a step a matter of luck.
 */

/** Where a message comes into a queue from: the channel, or a queue whose dead letter it is. */
type Feeder = string;

const CHANNEL: Feeder = '(channel)';

export interface Route {
  readonly exchange: string;
  /** Routing key, CC and BCC. */
  readonly keys: readonly string[];
}

export class Topology {
  /** Exchange to what was bound to it: `q:name` or `x:name`. */
  private readonly bound = new Map<string, Set<string>>();
  /** Queue to the routes its dead letters could take; a key of undefined is that of the message. */
  private readonly deadLetters = new Map<
    string,
    { readonly exchange: string; readonly key: string | undefined }[]
  >();

  bindQueue(exchange: string, queue: string): void {
    this.add(exchange, `q:${queue}`);
  }

  bindExchange(source: string, destination: string): void {
    this.add(source, `x:${destination}`);
  }

  deadLetter(queue: string, exchange: string, key: string | undefined): void {
    const routes = this.deadLetters.get(queue) ?? [];
    routes.push({ exchange, key });
    this.deadLetters.set(queue, routes);
  }

  /** Whether what happens is the same every time when a channel publishes along those routes. */
  isCertainPublish(routes: readonly Route[]): boolean {
    return this.isCertain(
      routes.map((route) => [CHANNEL, route]),
      routes.length === 1,
    );
  }

  /** The same when a channel gives deliveries of those queues back: they may die, or push out others. */
  isCertainSettle(queues: ReadonlySet<string>, isMultiple: boolean): boolean {
    const names = [...queues];
    if (!isMultiple) return names.every((queue) => this.isCertain(this.routesOf(queue, []), true));
    return this.isCertain(
      names.flatMap((queue) => this.routesOf(queue, [])),
      false,
    );
  }

  private isCertain(first: readonly (readonly [Feeder, Route])[], isSingle: boolean): boolean {
    let isChain = isSingle;
    const feeders = new Map<string, Feeder>();
    const waiting = [...first];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [feeder, route] = next;
      const reached = this.reach(route);
      if (reached.size > 1) isChain = false;
      for (const queue of reached) {
        const known = feeders.get(queue);
        if (known !== undefined && known !== feeder && !isChain) return false;
        if (known !== undefined) continue;
        feeders.set(queue, feeder);
        waiting.push(...this.routesOf(queue, route.keys));
      }
    }
    // One message that pushes out one goes its way step by step; of several, some come while others are still going.
    return isChain || [...feeders.keys()].every((queue) => !this.feedsItself(queue));
  }

  private feedsItself(queue: string): boolean {
    const seen = new Set<string>();
    const waiting = [queue];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      for (const [, route] of this.routesOf(next, [queue])) {
        for (const target of this.reach(route)) {
          if (target === queue) return true;
          if (!seen.has(target)) waiting.push(target);
          seen.add(target);
        }
      }
    }
    return false;
  }

  private routesOf(queue: string, keys: readonly string[]): (readonly [Feeder, Route])[] {
    return (this.deadLetters.get(queue) ?? []).map(({ exchange, key }) => [
      queue,
      { exchange, keys: key === undefined ? [queue, ...keys] : [key] },
    ]);
  }

  /** Every queue that a message could get to, whatever the bindings say. */
  private reach({ exchange, keys }: Route): Set<string> {
    const queues = new Set<string>();
    const seen = new Set<string>([exchange]);
    const waiting = [exchange];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (next === '') for (const key of keys) queues.add(key);
      for (const target of this.bound.get(next) ?? []) {
        const name = target.slice(2);
        if (target.startsWith('q:')) queues.add(name);
        else if (!seen.has(name)) {
          seen.add(name);
          waiting.push(name);
        }
      }
    }
    return queues;
  }

  private add(exchange: string, target: string): void {
    const targets = this.bound.get(exchange) ?? new Set();
    targets.add(target);
    this.bound.set(exchange, targets);
  }
}
