/**
 * The definitions that a crash test makes and deletes all the time. What was declared-ok exists after a crash, what
 * was deleted-ok does not; what was under way when the broker was killed may be there or not, and is forgotten.
 */
import type { Channel, ChannelModel } from 'amqplib';
import type { Choices } from './choices.js';
import type { Ledger } from './ledger.js';

const CHANGES_PER_LIFE_MAX = 30;
const PAUSE_MS_MAX = 40;
/** So many at least are not deleted: after a crash something has to be there. */
const KEPT_MIN = 2;

export class DefinitionsBook {
  private readonly ledger: Ledger;
  private lastNumber = 0;
  /** Numbers of the trios of exchange, queue and binding. */
  private readonly existing = new Set<number>();
  private deleted = new Set<number>();

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  async changeUntilStopped(channel: Channel, choices: Choices, isStopped: () => boolean): Promise<void> {
    for (let changes = 0; changes < CHANGES_PER_LIFE_MAX && !isStopped(); changes++) {
      const oldest = this.existing.size > KEPT_MIN ? this.existing.values().next().value : undefined;
      if (oldest !== undefined && choices.chance(40)) await this.delete(channel, oldest);
      else await this.declare(channel, ++this.lastNumber);
      await new Promise((resolve) => setTimeout(resolve, choices.between(0, PAUSE_MS_MAX)));
    }
  }

  /** Asks a broker that has just been started for everything. */
  async verify(connection: ChannelModel): Promise<void> {
    const channel = await connection.createConfirmChannel();
    const returned = new Set<string>();
    channel.on('return', (message) => returned.add(message.fields.routingKey));
    channel.on('error', () => {});
    for (const number of this.existing) {
      try {
        await channel.checkExchange(exchangeName(number));
        await channel.checkQueue(queueName(number));
      } catch (error) {
        // The channel is gone with the first thing that is missing.
        this.ledger.violate('definition', `declared-ok, then: ${String(error)}`);
        return;
      }
      channel.publish(exchangeName(number), bindingKey(number), Buffer.alloc(0), { mandatory: true });
    }
    await channel.waitForConfirms();
    for (const key of returned) this.ledger.violate('definition', `bind-ok, then: no binding ${key}`);
    await channel.close();
    for (const number of this.deleted) await this.verifyDeleted(connection, number);
    this.deleted = new Set();
  }

  private async declare(channel: Channel, number: number): Promise<void> {
    const queue = queueName(number);
    await channel.assertExchange(exchangeName(number), number % 2 === 0 ? 'topic' : 'direct', {
      durable: true,
    });
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-max-length': number + 10 } });
    await channel.bindQueue(queue, exchangeName(number), bindingKey(number));
    this.existing.add(number);
  }

  private async delete(channel: Channel, number: number): Promise<void> {
    this.existing.delete(number);
    await channel.deleteQueue(queueName(number));
    await channel.deleteExchange(exchangeName(number));
    this.deleted.add(number);
  }

  private async verifyDeleted(connection: ChannelModel, number: number): Promise<void> {
    for (const check of ['queue', 'exchange'] as const) {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      try {
        if (check === 'queue') await channel.checkQueue(queueName(number));
        else await channel.checkExchange(exchangeName(number));
        this.ledger.violate('definition', `delete-ok, then: the ${check} ${number} is there`);
        await channel.close();
      } catch {
        // 404 closed the channel, as it should.
      }
    }
  }
}

const queueName = (number: number): string => `brief.queue.${number}`;
const exchangeName = (number: number): string => `brief.exchange.${number}`;
const bindingKey = (number: number): string => `key.${number}`;
