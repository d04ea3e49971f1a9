/**
 * One of the brokers compared, as it takes one sequence: does what an operation says, waits until nothing moves any
 * more, and says what was observed.
 *
 * Nothing moves when two rounds in a row found the same. A round asks every queue for its counts, which it answers
 * after what was sent to it before, and then every channel for flow-ok, which comes after what the queues had for it.
 * What one queue does to another (a dead letter) has been done when the other is asked, or is seen in the next round.
 * Every message published in confirm mode must be confirmed, so those are waited for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerUrl } from '../broker-url.js';
import type { Publish } from '../wire/raw-client.js';
import type { Fields } from '../wire/raw-methods.js';
import { Link, type LinkChannel, type Outstanding } from './link.js';
import { type Event, mapTexts, type Observation, observe, withoutTimes } from './observation.js';
import {
  CONNECTIONS,
  type ConnectionName,
  expectsReply,
  type Operation,
  type SettleMethod,
} from './operation.js';

/** Queues are looked after on this channel of every connection. */
const CONTROL_CHANNEL = 60_000;
/** The connection that asks for queues that belong to no other. */
const CONTROL_LINK = 'C';
const PATIENCE_MS = 10_000;
const ROUNDS_MAX = 1_000;
const DRAIN_MAX = 200;
const NOWHERE: Fields = { messageCount: -1, consumerCount: -1 };

/** How long a subject looks before it believes that nothing moves. */
export interface Patience {
  readonly equalRounds: number;
  readonly pauseMs: number;
}

export const QUICK: Patience = { equalRounds: 1, pauseMs: 0 };
/** A quorum queue answers before it has written what was sent to it. */
export const STEADY: Patience = { equalRounds: 2, pauseMs: 8 };
/** For a second look at what differed. */
export const THOROUGH: Patience = { equalRounds: 4, pauseMs: 15 };

const MADE_UP_NAME = /amq\.(?:gen|ctag)-[\w-]{22}|amq\.rabbitmq\.reply-to\.[\w.=+/-]+/g;

type LinkName = ConnectionName | typeof CONTROL_LINK;

export class Subject {
  private readonly broker: BrokerUrl;
  private readonly links = new Map<LinkName, Link>();
  private prefix = '';
  private patience = QUICK;
  private events: Event[] = [];
  /** Queues that are thought to be there, with the connection that has it to itself. */
  private readonly owners = new Map<string, LinkName>();
  private readonly counts = new Map<string, Fields>();
  private readonly aliases = new Map<string, string>();
  private readonly madeUp = new Map<string, string>();
  private ranked = 0;
  private wake: () => void = () => {};

  constructor(broker: BrokerUrl) {
    this.broker = broker;
  }

  /** Begins a sequence whose names begin with `prefix`; what an earlier one left was cleared. */
  begin(prefix: string, patience: Patience): void {
    this.prefix = prefix;
    this.patience = patience;
    this.events = [];
    this.owners.clear();
    this.counts.clear();
    this.aliases.clear();
    this.madeUp.clear();
  }

  /** Does operations of one channel, all sent at once. */
  async perform(group: readonly Operation[]): Promise<Observation> {
    this.events = [];
    const { connection, channel } = group[0]!;
    const link = await this.link(connection);
    for (const { act } of group) {
      if (act.kind === 'call') this.call(link, channel, act.method, this.named(act.fields));
      else if (act.kind === 'publish') this.publish(link, channel, act.message);
      else if (act.kind === 'settle') this.settle(link, channel, act.method, act.pick, act);
      else await this.drain(act.queue);
    }
    // What has no reply is done when this is answered.
    const { act: last } = group.at(-1)!;
    const hasReply =
      last.kind === 'drain' || (last.kind === 'call' && expectsReply(last.method, last.fields));
    if (!hasReply) {
      link.call(channel, 'channel.flow', { active: true }, true);
    }
    link.flush();
    if (!(await this.until(() => !link.hasAwaited))) this.tell(connection, channel, 'no answer');
    await this.quiet();
    this.sortFresh();
    return observe(this.events, this.namedCounts());
  }

  /** Closes the channels and deletes the names, so that the connections can be used again. */
  async clear(exchanges: readonly string[]): Promise<void> {
    for (const name of CONNECTIONS) {
      const link = this.links.get(name);
      if (link?.isOpen !== true) continue;
      for (const [number] of link.openChannels) {
        if (number !== CONTROL_CHANNEL) link.call(number, 'channel.close', {}, true);
      }
      link.flush();
      if (!(await this.until(() => !link.hasAwaited))) link.destroy();
    }
    for (const [queue, owner] of [...this.owners]) {
      const link = await this.linkOf(owner);
      link.call(CONTROL_CHANNEL, 'queue.delete', { queue }, true);
      link.flush();
      await this.until(() => !link.hasAwaited);
    }
    const control = await this.link(CONTROL_LINK);
    for (const exchange of exchanges) {
      control.call(CONTROL_CHANNEL, 'exchange.delete', { exchange: this.real(exchange) }, true);
    }
    control.flush();
    await this.until(() => !control.hasAwaited);
  }

  /** Drops the connections. */
  destroy(): void {
    for (const link of this.links.values()) link.destroy();
    this.links.clear();
  }

  private async link(name: LinkName): Promise<Link> {
    let link = this.links.get(name);
    if (link?.isOpen === true) return link;
    link = await Link.open(name, this.broker, {
      onEvent: (event, asked) => this.onEvent(name, event, asked),
      onProgress: () => this.wake(),
    });
    const opened = link;
    this.links.set(name, opened);
    await this.until(() => !opened.hasAwaited);
    return opened;
  }

  private linkOf(owner: LinkName): Promise<Link> {
    return this.link(this.links.get(owner)?.isOpen === true ? owner : CONTROL_LINK);
  }

  private call(link: Link, channel: number, method: string, fields: Fields): void {
    if (method === 'queue.declare' && fields.noWait === true && fields.queue !== '') {
      this.remember(
        fields.queue!.replace(/[\r\n]/g, ''),
        fields.exclusive === true ? link.name : CONTROL_LINK,
      );
    }
    link.call(method.startsWith('connection.') ? 0 : channel, method, fields);
  }

  private publish(link: Link, channel: number, message: Publish): void {
    const { body, ...rest } = message;
    link.publish(channel, { ...this.named(rest), ...(body === undefined ? {} : { body }) });
  }

  private settle(
    link: Link,
    number: number,
    method: SettleMethod,
    pick: number,
    { multiple, requeue }: { readonly multiple: boolean; readonly requeue: boolean },
  ): void {
    const channel = link.channel(number);
    const picked = channel.outstanding[pick % Math.max(1, channel.outstanding.length)];
    if (picked === undefined) return;
    const isMany = multiple && method !== 'basic.reject';
    // Where tags went to several consumers in an order of the broker's own, "up to here" would say two things.
    const tag = isMany && channel.outstanding.some(({ isUnordered }) => isUnordered) ? 0 : picked.deliveryTag;
    const isSettled = ({ deliveryTag }: Outstanding): boolean =>
      isMany ? tag === 0 || deliveryTag <= tag : deliveryTag === tag;
    const settled = channel.outstanding.filter(isSettled);
    channel.outstanding = channel.outstanding.filter((one) => !isSettled(one));
    if (channel.isTx) channel.settledInTx.push(...settled);
    link.call(number, method, { deliveryTag: tag, multiple, requeue });
  }

  /** On the control channel of the connection that may: no other channel is disturbed. */
  private async drain(queue: string): Promise<void> {
    const name = this.real(queue);
    const owner = this.owners.get(name);
    if (owner === undefined) return;
    const { messageCount = 0 } = this.counts.get(name) ?? {};
    const link = await this.linkOf(owner);
    for (let i = 0; i < Math.min(messageCount, DRAIN_MAX); i++) {
      link.call(CONTROL_CHANNEL, 'basic.get', { queue: name, noAck: true });
    }
    link.flush();
    await this.until(() => !link.hasAwaited);
  }

  private async quiet(): Promise<void> {
    const { equalRounds, pauseMs } = this.patience;
    const startMs = performance.now();
    let equalCount = 0;
    let last = '';
    for (let round = 0; round < ROUNDS_MAX && equalCount < equalRounds; round++) {
      const eventCount = this.events.length;
      await this.ask();
      const isUnconfirmed = this.hasUnconfirmed();
      const found = JSON.stringify([...this.counts]);
      const isEqual = found === last && eventCount === this.events.length && !isUnconfirmed;
      equalCount = isEqual ? equalCount + 1 : 0;
      last = found;
      if (performance.now() - startMs > PATIENCE_MS) {
        this.tell('A', 0, isUnconfirmed ? 'not confirmed' : 'never quiet');
        return;
      }
      if (isUnconfirmed) await sleep(3);
      else if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  private async ask(): Promise<void> {
    await this.askQueues();
    for (const link of this.links.values()) {
      if (!link.isOpen || link.name === CONTROL_LINK) continue;
      for (const [number] of link.openChannels) {
        if (number !== CONTROL_CHANNEL) link.call(number, 'channel.flow', { active: true }, true);
      }
      link.flush();
    }
    await this.until(() => ![...this.links.values()].some((link) => link.hasAwaited));
  }

  private async askQueues(): Promise<void> {
    let left = [...this.owners.keys()];
    for (const queue of this.counts.keys()) if (!this.owners.has(queue)) this.counts.delete(queue);
    // A queue that is gone closes the channel it was asked on: what came after it is asked again.
    for (let attempt = 0; left.length > 0 && attempt < 50; attempt++) {
      for (const queue of left) {
        this.counts.delete(queue);
        const link = await this.linkOf(this.owners.get(queue)!);
        link.call(CONTROL_CHANNEL, 'queue.declare', { queue, passive: true });
      }
      for (const link of this.links.values()) link.flush();
      await this.until(() => ![...this.links.values()].some((link) => link.hasAwaited));
      left = left.filter((queue) => this.owners.has(queue) && !this.counts.has(queue));
    }
  }

  private hasUnconfirmed(): boolean {
    for (const link of this.links.values()) {
      for (const { unconfirmed } of link.channels.values()) if (unconfirmed.size > 0) return true;
    }
    return false;
  }

  private onEvent(name: LinkName, event: Event, asked: Fields | undefined): void {
    if (event.at === `${name}${CONTROL_CHANNEL}`) {
      this.onControlEvent(name, event, asked);
      return;
    }
    if (event.name === 'queue.declare-ok' && asked?.passive !== true) {
      this.remember(event.fields.queue!, asked?.exclusive === true ? name : CONTROL_LINK);
    }
    this.events.push(event);
  }

  private onControlEvent(name: LinkName, event: Event, asked: Fields | undefined): void {
    const { name: method, fields } = event;
    if (method === 'queue.declare-ok') {
      this.counts.set(fields.queue!, fields);
    } else if (method === 'channel.close') {
      const queue = /queue '(.*)' in vhost/s.exec(fields.replyText ?? '')?.[1];
      if (queue === undefined) this.events.push(event);
      else if (fields.replyCode === 404) this.owners.delete(queue);
      else this.onLocked(queue);
    } else {
      const { fields: got, ...rest } = event;
      // How many are left is told by the number of the others.
      this.events.push({
        ...rest,
        at: `${name} drained ${asked?.queue}`,
        fields: { ...got, deliveryTag: 0 },
      });
    }
  }

  /** Exclusive to a connection other than the one that was thought: its owner has gone, or has yet to go. */
  private onLocked(queue: string): void {
    const owner = this.owners.get(queue);
    if (owner === 'B') this.counts.set(queue, NOWHERE);
    this.owners.set(queue, owner === 'A' ? 'B' : owner === 'B' ? CONTROL_LINK : 'A');
  }

  /** An exclusive queue that is declared once more keeps its owner. */
  private remember(queue: string, owner: string): void {
    if (!this.owners.has(queue)) this.owners.set(queue, owner as LinkName);
  }

  private async until(poll: () => boolean): Promise<boolean> {
    if (poll()) return true;
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        isLate = true;
        resolve();
      }, PATIENCE_MS);
    });
    while (!poll() && !isLate) {
      const progress = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await Promise.race([limit, progress]);
    }
    clearTimeout(timer);
    return !isLate;
  }

  private tell(connection: ConnectionName, channel: number, name: string): void {
    this.events.push({ at: `${connection}${channel}`, name, fields: {} });
  }

  /** Deliveries to several consumers come in any order: they get one that both brokers have. */
  private sortFresh(): void {
    for (const link of this.links.values()) {
      for (const channel of link.channels.values()) this.sortFreshOf(channel);
    }
    this.events = this.events.map((event) => {
      const seen = mapTexts(event, (text) => this.symbolic(text));
      return seen.properties === undefined ? seen : { ...seen, properties: withoutTimes(seen.properties) };
    });
  }

  private sortFreshOf(channel: LinkChannel): void {
    if (channel.fresh.length === 0) return;
    const keyed = channel.fresh.map((one) => ({ one, key: this.symbolic(one.consumerTag) }));
    keyed.sort((a, b) => (a.key === b.key ? a.one.deliveryTag - b.one.deliveryTag : a.key < b.key ? -1 : 1));
    const isUnordered = new Set(keyed.map(({ key }) => key)).size > 1;
    channel.outstanding.push(...keyed.map(({ one }) => ({ ...one, rank: this.ranked++, isUnordered })));
    channel.fresh = [];
  }

  private namedCounts(): Map<string, Fields> {
    const named = [...this.counts].map(([queue, fields]) => [this.symbolic(queue), fields] as const);
    return new Map(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private named<T>(value: T): T {
    return mapTexts(value, (text) => this.real(text));
  }

  private real(text: string): string {
    return text
      .replace(/%(?:gen|reply)\d+/g, (alias) => this.madeUp.get(alias) ?? alias)
      .replaceAll('~', this.prefix);
  }

  private symbolic(text: string): string {
    return text.replaceAll(this.prefix, '~').replace(MADE_UP_NAME, (name: string) => {
      const kind = name.startsWith('amq.gen') ? 'gen' : name.startsWith('amq.ctag') ? 'ctag' : 'reply';
      let alias = this.aliases.get(name);
      if (alias === undefined) {
        const count = [...this.aliases.values()].filter((one) => one.startsWith(`%${kind}`)).length;
        alias = `%${kind}${count + 1}`;
        this.aliases.set(name, alias);
        this.madeUp.set(alias, name);
      }
      return alias;
    });
  }
}
