/**
 * What a case has to work with: connections of both kinds, names of its own, and the dialect. Whatever it opens or
 * declares under those names is gone when it is done, so cases can run side by side and again.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type ChannelModel, connect } from 'amqplib';
import type { BrokerUrl } from './broker-url.js';
import type { Dialect } from './case.js';
import { expectEqual, expectFields, expectSilence } from './expect.js';
import { type LimitedUser, limitedPrefix, type Permitted } from './limited-user.js';
import { type OpenOptions, RawClient } from './wire/raw-client.js';
import type { Table } from './wire/raw-codec.js';
import type { Fields } from './wire/raw-methods.js';

/** On this channel queues are looked after, so that what comes on the others is left for the case to read. */
const CONTROL_CHANNEL = 60_000;
const PATIENCE_MS = 2_000;

export class CaseContext {
  readonly broker: BrokerUrl;
  readonly dialect: Dialect;
  private readonly limited: LimitedUser | undefined;
  private readonly clients: RawClient[] = [];
  private readonly models: ChannelModel[] = [];
  private readonly names: string[] = [];
  private readonly controlled = new WeakSet<RawClient>();

  constructor(broker: BrokerUrl, dialect: Dialect, limited?: LimitedUser) {
    this.broker = broker;
    this.dialect = dialect;
    this.limited = limited;
  }

  /** There for cases that say they need one. */
  get limitedUser(): LimitedUser {
    if (this.limited === undefined)
      throw new Error('the case uses a limited user and does not say it needs one');
    return this.limited;
  }

  byDialect<T>(rabbitmq4: T, rabbitmq3: T): T {
    return this.dialect === 'rabbitmq-4' ? rabbitmq4 : rabbitmq3;
  }

  /** A name nobody else uses. A queue or exchange of that name is deleted after the case. */
  name(prefix: string): string {
    const name = `${prefix}-${randomBytes(6).toString('hex')}`;
    this.names.push(name);
    return name;
  }

  /** The same, of something for the limited user. */
  limitedName(permitted: Permitted): string {
    return this.name(limitedPrefix(permitted));
  }

  /** The end of most refusals: `queue 'x' in vhost '/'`. */
  inVhost(kind: 'queue' | 'exchange', name: string): string {
    return `${kind} '${name}' in vhost '${this.broker.virtualHost}'`;
  }

  noQueue(name: string): string {
    return `NOT_FOUND - no ${this.inVhost('queue', name)}`;
  }

  noExchange(name: string): string {
    return `NOT_FOUND - no ${this.inVhost('exchange', name)}`;
  }

  /** TCP, and nothing said yet. */
  async connect(): Promise<RawClient> {
    const client = await RawClient.connect(this.broker.host, this.broker.port);
    this.clients.push(client);
    return client;
  }

  /** Options that log in as the user of the URL. */
  credentials(options: OpenOptions = {}): OpenOptions {
    const { user, password, virtualHost } = this.broker;
    return { user, password, virtualHost, ...options };
  }

  /** An open connection of the raw client. */
  async open(options: OpenOptions = {}): Promise<RawClient> {
    const client = await this.connect();
    await client.open(this.credentials(options));
    return client;
  }

  /** The same, with channel 1. */
  async openChannel(options: OpenOptions = {}): Promise<RawClient> {
    const client = await this.open(options);
    await client.openChannel(1);
    return client;
  }

  /** The same as `openChannel`, of the limited user. */
  openLimited(): Promise<RawClient> {
    const { name, password } = this.limitedUser;
    return this.openChannel({ user: name, password });
  }

  /** An open connection of amqplib, for what a client does. */
  async amqplib(): Promise<ChannelModel> {
    const { host: hostname, port, user: username, password, virtualHost: vhost } = this.broker;
    const model = await connect({
      protocol: 'amqp',
      hostname,
      port,
      username,
      password,
      vhost,
      heartbeat: 0,
    });
    // The errors that matter are those of its channels; without a listener this one would end the process.
    model.on('error', () => {});
    this.models.push(model);
    return model;
  }

  /** Declares an exclusive queue with a name of its own. */
  async declareQueue(client: RawClient, args: Table = []): Promise<string> {
    const queue = this.name('q');
    await client.call(1, 'queue.declare', { queue, exclusive: true, arguments: args });
    return queue;
  }

  /** Declares an exchange with a name of its own. */
  async declareExchange(client: RawClient, type: string, options: Fields = {}): Promise<string> {
    const exchange = this.name('x');
    await client.call(1, 'exchange.declare', { exchange, type, ...options });
    return exchange;
  }

  /** What queue.declare counts; what the queue could deliver by then has been sent. */
  async counts(client: RawClient, queue: string): Promise<Fields> {
    if (!this.controlled.has(client)) {
      this.controlled.add(client);
      await client.openChannel(CONTROL_CHANNEL);
    }
    return client.call(CONTROL_CHANNEL, 'queue.declare', { queue, passive: true });
  }

  /**
   * The counts are those, or become so within a while: what one channel has done need not be seen by another at once,
   * not even when the first was answered.
   */
  async expectCounts(client: RawClient, queue: string, expected: Fields): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const counts = await this.counts(client, queue);
      const named = Object.keys(expected).map((key) => [key, counts[key as keyof Fields]]);
      if (isDeepStrictEqual(Object.fromEntries(named), expected)) return;
      if (performance.now() > deadlineMs) expectFields(`queue.declare-ok of ${queue}`, counts, expected);
    }
  }

  /** The queue is not there, or is gone within a while, which `client` finds on channel 1. */
  async expectNoQueue(client: RawClient, queue: string): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      client.send(1, 'queue.declare', { queue, passive: true });
      const { name, fields } = await client.anyMethod(1, 'channel.close');
      if (name === 'channel.close') {
        client.send(1, 'channel.close-ok');
        await client.openChannel(1);
        // 405 while an exclusive queue is there.
        if (fields.replyCode === 404) return;
      }
      if (performance.now() > deadlineMs) throw new Error(`queue ${queue} is still there: ${name}`);
    }
  }

  /** Publishes the bodies `1`, `2`, ... and waits until the queue has them. */
  async publish(client: RawClient, queue: string, count: number): Promise<void> {
    await this.counts(client, queue);
    for (let i = 1; i <= count; i++) client.publish(CONTROL_CHANNEL, { routingKey: queue, body: String(i) });
    await this.counts(client, queue);
  }

  /** The next deliveries are those bodies, with a `*` behind what is redelivered. */
  async expectDeliveries(client: RawClient, bodies: readonly string[], channel = 1): Promise<void> {
    const found: string[] = [];
    for (let i = 0; i < bodies.length; i++) {
      const { body, method } = await client.delivery(channel);
      found.push(`${body}${method.redelivered === true ? '*' : ''}`);
    }
    expectEqual('deliveries', found, bodies);
  }

  /**
   * Nothing comes on the channel, though the queue has dealt with all that was sent on it: its own round trip hands that
   * to the queue, one through the queue comes back after what the queue sent, and a last one brings that here.
   */
  async expectNothingFrom(client: RawClient, queue: string, channel = 1): Promise<void> {
    await client.sync(channel);
    await this.counts(client, queue);
    await expectSilence(client, channel);
  }

  /** Takes everything that is ready; it is those bodies, with a `*` behind what is redelivered. */
  async expectReady(client: RawClient, queue: string, bodies: readonly string[]): Promise<void> {
    await client.sync(1);
    const found: string[] = [];
    const messageCount = await this.readyCount(client, queue, bodies.length);
    for (let i = 0; i < messageCount; i++) {
      const { body, method } = await client.get(1, queue);
      found.push(`${body}${method.redelivered === true ? '*' : ''}`);
    }
    expectEqual(`messages ready in ${queue}`, found, bodies);
  }

  /** The bodies of all that is ready, once that is as many as are expected. */
  async takeBodies(client: RawClient, queue: string, expectedCount: number): Promise<string[]> {
    await client.sync(1);
    const messageCount = await this.readyCount(client, queue, expectedCount);
    for (let i = 0; i < messageCount; i++) client.send(1, 'basic.get', { queue, noAck: true });
    const found: string[] = [];
    while (found.length < messageCount) found.push(String((await client.message(1, 'basic.get-ok')).body));
    return found;
  }

  /** How many messages are ready; waits a while for as many as are expected. */
  async readyCount(client: RawClient, queue: string, expectedCount: number): Promise<number> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const { messageCount = 0 } = await this.counts(client, queue);
      if (messageCount >= expectedCount || performance.now() > deadlineMs) return messageCount;
    }
  }

  /** Drops every connection, and deletes what was declared under names of this case. */
  async close(): Promise<void> {
    for (const client of this.clients) client.destroy();
    await Promise.allSettled(this.models.map((model) => model.close()));
    if (this.names.length === 0) return;
    const cleaner = await RawClient.connect(this.broker.host, this.broker.port);
    try {
      await cleaner.open(this.credentials());
      for (const name of this.names) {
        await deleteIn(cleaner, 'queue.delete', { queue: name });
        await deleteIn(cleaner, 'exchange.delete', { exchange: name });
      }
    } finally {
      cleaner.destroy();
    }
  }
}

/** An exclusive queue may still be going with its connection: what refuses to be deleted needs no deleting. */
async function deleteIn(client: RawClient, method: string, fields: Fields): Promise<void> {
  await client.openChannel(1);
  client.send(1, method, fields);
  const answer = await client.anyMethod(1, `${method}-ok`);
  if (answer.name === 'channel.close') client.send(1, 'channel.close-ok');
  else await client.call(1, 'channel.close');
}
