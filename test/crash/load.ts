/** The load on a broker that is going to be killed: publishers, consumers, and somebody who declares and deletes. */
import { type ChannelModel, connect } from 'amqplib';
import type { Choices } from './choices.js';
import { Consuming } from './consuming.js';
import type { DefinitionsBook } from './definitions-book.js';
import type { Ledger } from './ledger.js';
import { publishUntilStopped } from './publishing.js';
import { ALL_QUEUES, IDLE_QUEUE } from './topology.js';

const PUBLISHERS = 4;

export interface LoadOptions {
  readonly port: number;
  readonly ledger: Ledger;
  readonly book: DefinitionsBook;
  readonly choices: Choices;
  /** Called for each confirm, with how many came before it. */
  readonly onConfirm?: (before: number) => void;
}

export class Load {
  private readonly options: LoadOptions;
  private isStopped = false;
  private confirms = 0;
  private readonly tasks: Promise<void>[] = [];
  private readonly closed: Promise<void>[] = [];
  private failure: unknown;

  private constructor(options: LoadOptions) {
    this.options = options;
  }

  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    await load.startConsumers();
    await load.startPublishers();
    return load;
  }

  /** Call it right before the kill: what fails from now on fails because of that. */
  stop(): void {
    this.isStopped = true;
  }

  /** Resolves when nothing more can come from the broker, which is gone. @throws what went wrong before `stop` */
  async ended(): Promise<void> {
    await Promise.all([...this.closed, ...this.tasks]);
    if (this.failure !== undefined) throw this.failure;
  }

  private async startConsumers(): Promise<void> {
    const { ledger, choices } = this.options;
    const connection = await this.connect();
    const isStopped = () => this.isStopped;
    for (const queue of ALL_QUEUES) {
      if (queue === IDLE_QUEUE) continue;
      const channel = await connection.createChannel();
      channel.on('error', (error) => this.fail(error));
      const consuming = new Consuming({ queue, channel, ledger, choices: choices.fork(), isStopped });
      await consuming.start();
      this.run(consuming.confirmAcks());
    }
  }

  private async startPublishers(): Promise<void> {
    const { ledger, choices, book } = this.options;
    const connection = await this.connect();
    const isStopped = () => this.isStopped;
    const onConfirm = () => this.options.onConfirm?.(this.confirms++);
    for (let i = 0; i < PUBLISHERS; i++) {
      const channel = await connection.createConfirmChannel();
      channel.on('error', (error) => this.fail(error));
      const name = `${ledger.life}.${i}`;
      this.run(publishUntilStopped({ name, channel, ledger, choices: choices.fork(), isStopped, onConfirm }));
    }
    const channel = await connection.createChannel();
    channel.on('error', (error) => this.fail(error));
    this.run(book.changeUntilStopped(channel, choices.fork(), isStopped));
  }

  private async connect(): Promise<ChannelModel> {
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${this.options.port}`);
    connection.on('error', (error) => this.fail(error));
    this.closed.push(
      new Promise((resolve) => {
        connection.on('close', () => resolve());
      }),
    );
    return connection;
  }

  private run(task: Promise<void>): void {
    this.tasks.push(task.catch((error) => this.fail(error)));
  }

  private fail(error: unknown): void {
    if (!this.isStopped) this.failure ??= error;
  }
}
