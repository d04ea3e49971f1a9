/**
 * What the tests of the server talk to: Leveret in this process, with time standing still, or the broker that
 * LEVERET_ORACLE_URL names (a RabbitMQ 3.10, `amqp://127.0.0.1:5672`), to see whether the tests say the truth. Where
 * 3.10 is known to differ from 4.2 a test names both with `byGeneration`; Leveret is held to 4.2.
 * The oracle needs, besides guest: virtual hosts `closed` (guest not permitted), `one` and `two` (guest permitted),
 * a user `nobody` without permissions, and a user `limited` with those of `permissions.test.ts`; the passwords are
 * the names. For `plugin-exchanges.test.ts` it needs the plugins rabbitmq_consistent_hash_exchange,
 * rabbitmq_random_exchange, rabbitmq_recent_history_exchange and rabbitmq_sharding.
 */

import { ALL_CAPABILITIES, type OpenOptions, RawClient } from '../../conformance/wire/raw-client.js';
import { type Fields, idsOf } from '../../conformance/wire/raw-methods.js';
import { BROKER_CONFIG_DEFAULTS, type BrokerConfig } from '../../src/broker/broker-config.js';
import type { Logger } from '../../src/lib/logger.js';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { explicit } from '../helpers/test-broker.js';

const ORACLE_URL = process.env['LEVERET_ORACLE_URL'];
export const IS_ORACLE = ORACLE_URL !== undefined;

/** What 4.2 answers, and what 3.10 does. */
export function byGeneration<T>(in42: T, in310: T): T {
  return IS_ORACLE ? in310 : in42;
}

/** Names that no other run has used: the oracle keeps what a failed test leaves behind. */
let nameCount = 0;
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${process.hrtime.bigint() % 1_000_000n}-${++nameCount}`;
}

/** A close as the server sends it for a method: `closeOf('queue.declare', 404, 'NOT_FOUND - ...')`. */
export function closeOf(method: string | undefined, replyCode: number, replyText: string): object {
  const ids = method === undefined ? { classId: 0, methodId: 0 } : idsOf(method);
  return { replyCode, replyText, ...ids };
}

/** Keeps what the server reports, and lets a test wait for it. */
class TestLog implements Logger {
  readonly messages: string[] = [];
  private wake: () => void = () => {};

  debug(_fields: object, message: string): void {
    this.add(message);
  }

  info(_fields: object, message: string): void {
    this.add(message);
  }

  warn(_fields: object, message: string): void {
    this.add(message);
  }

  error(_fields: object, message: string): void {
    this.add(message);
  }

  async until(part: string): Promise<void> {
    while (!this.messages.some((message) => message.includes(part))) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private add(message: string): void {
    this.messages.push(message);
    this.wake();
  }
}

export class Target {
  private readonly clients: RawClient[] = [];

  private constructor(
    readonly host: string,
    readonly port: number,
    /** Time of the server, which moves only when a test says so. */
    readonly clock: ManualClock,
    private readonly log: TestLog,
    private readonly running: RunningServer | undefined,
  ) {}

  static async start(config: Partial<BrokerConfig> = {}): Promise<Target> {
    const clock = new ManualClock();
    const log = new TestLog();
    if (ORACLE_URL !== undefined) {
      const { hostname, port } = new URL(ORACLE_URL);
      return new Target(hostname, Number(port), clock, log, undefined);
    }
    const running = await startServer({
      config: { ...BROKER_CONFIG_DEFAULTS, memoryLimitBytes: 1_000_000_000, ...explicit(config) },
      hosts: ['127.0.0.1'],
      port: 0,
      logger: log,
      clock,
    });
    return new Target('127.0.0.1', running.port, clock, log, running);
  }

  /** Leveret itself; there is none when an oracle is tested. */
  get server(): RunningServer {
    if (this.running === undefined) throw new Error('only Leveret can be looked into');
    return this.running;
  }

  /** Waits until the server has reported something: the way to see it begin to wait. */
  logged(part: string): Promise<void> {
    return this.log.until(part);
  }

  get messages(): readonly string[] {
    return this.log.messages;
  }

  /** TCP, and nothing said yet. */
  async connect(): Promise<RawClient> {
    const client = await RawClient.connect(this.host, this.port);
    this.clients.push(client);
    return client;
  }

  /** An open connection. */
  async open(options: OpenOptions = {}): Promise<RawClient> {
    const client = await this.connect();
    await client.open(options);
    return client;
  }

  /** An open connection with channel 1. */
  async openChannel(options: OpenOptions = {}): Promise<RawClient> {
    const client = await this.open({ clientProperties: ALL_CAPABILITIES, ...options });
    await client.openChannel(1);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.destroy();
    await this.running?.close();
  }
}

/** Declares an exclusive queue with a name of its own, and returns the name. */
export async function declareQueue(
  client: RawClient,
  options: { arguments?: readonly (readonly [string, string, string | number | boolean])[] } = {},
): Promise<string> {
  const queue = uniqueName('q');
  await client.call(1, 'queue.declare', { queue, exclusive: true, ...options });
  return queue;
}

/** The channel on which tests look after queues, so that deliveries on others are left to be read. */
const CONTROL_CHANNEL = 60_000;

/** What queue.declare counts. What the queue could deliver by then has been sent. */
export async function countsOf(client: RawClient, queue: string): Promise<Fields> {
  if (!controlled.has(client)) {
    controlled.add(client);
    await client.openChannel(CONTROL_CHANNEL);
  }
  return client.call(CONTROL_CHANNEL, 'queue.declare', { queue, passive: true });
}
const controlled = new WeakSet<RawClient>();

/** Publishes the bodies `1`, `2`, ... to a queue, and waits until it has them. */
export async function publishTo(client: RawClient, queue: string, count: number): Promise<void> {
  await countsOf(client, queue);
  for (let i = 1; i <= count; i++) client.publish(CONTROL_CHANNEL, { routingKey: queue, body: String(i) });
  await countsOf(client, queue);
}

/** Waits for the channel's close, checks what it says, agrees, and shows that the number is usable again. */
export async function channelClose(client: RawClient, channel = 1): Promise<object> {
  const close = await client.method(channel, 'channel.close');
  client.send(channel, 'channel.close-ok');
  await client.call(channel, 'channel.open');
  return close;
}

/** Waits for the connection's close, agrees, and waits for the end of TCP. */
export async function connectionClose(client: RawClient): Promise<object> {
  const close = await client.method(0, 'connection.close');
  client.send(0, 'connection.close-ok');
  await client.closed();
  return close;
}
