/**
 * A client and the broker in one process, with time the test's to move, and what a message tells of its deaths.
 */
import type { Channel, ConfirmChannel, GetMessage, Options } from 'amqplib';
import { connect } from 'amqplib';
import { expect, onTestFinished } from 'vitest';
import { BROKER_CONFIG_DEFAULTS } from '../../src/broker/broker-config.js';
import { silentLogger } from '../../src/lib/logger.js';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { startServer } from '../../src/server/server.js';

export const START_SECONDS = 1_700_000_000;

/** A client on a broker of its own, whose time stands still. */
export class Bench {
  private constructor(
    readonly channel: ConfirmChannel,
    readonly clock: ManualClock,
    readonly newChannel: () => Promise<Channel>,
  ) {}

  static async start(): Promise<Bench> {
    const clock = new ManualClock(START_SECONDS * 1_000);
    // Without heartbeats: a client that is silent for a day of this clock is still there.
    const config = { ...BROKER_CONFIG_DEFAULTS, memoryLimitBytes: 1e9, heartbeatSeconds: 0 };
    const server = await startServer({ config, hosts: ['127.0.0.1'], port: 0, logger: silentLogger, clock });
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${server.port}`, { noDelay: true });
    onTestFinished(async () => {
      await connection.close();
      await server.close();
      // A socket reports its end a moment after the server has seen it.
      while (server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve));
      expect(clock.pendingCount).toBe(0);
      expect(server.broker.log.segmentCount).toBe(1);
    });
    return new Bench(await connection.createConfirmChannel(), clock, () => connection.createChannel());
  }

  async declare(name: string, args: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.channel.assertQueue(name, { durable: false, arguments: args });
  }

  /** Declares a queue that is bound to an exchange of its own name, a fanout. */
  async declareSink(name: string): Promise<void> {
    await this.declare(name);
    await this.channel.assertExchange(name, 'fanout', { durable: false });
    await this.channel.bindQueue(name, name, '');
  }

  /** Publishes and waits for the confirm. */
  async publish(exchange: string, key: string, body: string, options: Options.Publish = {}): Promise<void> {
    this.channel.publish(exchange, key, Buffer.from(body), options);
    await this.channel.waitForConfirms();
  }

  send(queue: string, body: string, options: Options.Publish = {}): Promise<void> {
    return this.publish('', queue, body, options);
  }

  /** Whether the broker took a message over. */
  offer(exchange: string, key: string, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.channel.publish(exchange, key, Buffer.from(body), {}, (error) => resolve(error === null));
    });
  }

  /** Takes a message without settling it. */
  async take(queue: string): Promise<GetMessage> {
    const message = await this.channel.get(queue);
    if (message === false) throw new Error(`queue ${queue} is empty`);
    return message;
  }

  /** Takes a message and gives it up. */
  async reject(queue: string): Promise<GetMessage> {
    const message = await this.take(queue);
    this.channel.reject(message, false);
    return message;
  }

  /** Takes everything there is. */
  async drain(queue: string): Promise<GetMessage[]> {
    const messages: GetMessage[] = [];
    for (;;) {
      const message = await this.channel.get(queue, { noAck: true });
      if (message === false) return messages;
      messages.push(message);
    }
  }

  async bodies(queue: string): Promise<string[]> {
    return (await this.drain(queue)).map(bodyOf);
  }

  async count(queue: string): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }
}

export interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly count: number;
}

export const bodyOf = ({ content }: GetMessage): string => content.toString();

export const headersOf = ({ properties }: GetMessage): Record<string, unknown> => properties.headers ?? {};

export const deathsOf = (message: GetMessage): readonly Death[] =>
  (headersOf(message)['x-death'] ?? []) as readonly Death[];

/** `queue reason count` of each entry of x-death, the newest first. */
export const history = (message: GetMessage): string[] =>
  deathsOf(message).map(({ queue, reason, count }) => `${queue} ${reason} ${count}`);

/** Arguments of a queue that dead-letters to an exchange, with its own key or the message's. */
export const to = (exchange: string, routingKey?: string): Record<string, unknown> => ({
  'x-dead-letter-exchange': exchange,
  ...(routingKey === undefined ? {} : { 'x-dead-letter-routing-key': routingKey }),
});
