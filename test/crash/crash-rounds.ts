/**
 * Crash rounds on one data directory:
 *
 *   start -> load -> kill -> (start -> kill during recovery)* -> start -> verify definitions -> drain -> load -> ...
 *
 * Every choice comes from the seed; the moment at which a kill meets the broker does not, so a seed gives the same
 * kind of rounds again, not the same run.
 */
import { type ChannelModel, connect } from 'amqplib';
import { BrokerChild } from './broker-child.js';
import { Choices } from './choices.js';
import { DefinitionsBook } from './definitions-book.js';
import { drainAll } from './drain.js';
import { ACK_WINDOW_MS, Ledger } from './ledger.js';
import { Load } from './load.js';
import { DEAD_LETTER_QUEUE, declareTopology, WORK_QUEUE } from './topology.js';

export interface CrashRoundsOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Empty, or not there yet. */
  readonly directory: string;
  /** Harms the data while no broker runs: for tests of the oracle itself. Rounds are then simple ones. */
  readonly damage?: (directory: string) => void;
}

interface Round {
  readonly loadMs: number;
  /** Kill with this confirm, in its very callback, unless the time is over first. */
  readonly killAtConfirm: number;
  readonly isCleanStop: boolean;
  readonly recoveryKills: number;
  readonly isDrained: boolean;
}

/** Runs the rounds and returns the ledger, with its violations. @throws when the broker dies or does not start */
export async function runCrashRounds(options: CrashRoundsOptions): Promise<Ledger> {
  const rounds = new CrashRounds(options);
  await rounds.run();
  return rounds.ledger;
}

class CrashRounds {
  readonly ledger = new Ledger({ rejectingQueue: WORK_QUEUE, deadLetterQueue: DEAD_LETTER_QUEUE });
  private readonly options: CrashRoundsOptions;
  private readonly choices: Choices;
  private readonly book = new DefinitionsBook(this.ledger);
  private broker: BrokerChild | undefined;

  constructor(options: CrashRoundsOptions) {
    this.options = options;
    this.choices = new Choices(options.seed);
  }

  async run(): Promise<void> {
    const { rounds, directory, damage } = this.options;
    try {
      await this.start();
      await this.withConnection(async (connection) => declareTopology(await connection.createChannel()));
      for (let round = 1; round <= rounds; round++) {
        const plan = damage === undefined ? this.choose(round === rounds) : DAMAGE_ROUND;
        await this.loadAndEnd(plan);
        damage?.(directory);
        await this.killRecoveries(plan.recoveryKills);
        await this.start();
        await this.withConnection(async (connection) => {
          await this.book.verify(connection);
          if (plan.isDrained) await drainAll(connection, this.ledger);
        });
      }
    } finally {
      if (this.broker?.isRunning === true) await this.broker.end('SIGKILL');
      this.noteErrors(this.broker?.errorLines ?? []);
    }
  }

  private choose(isLast: boolean): Round {
    const { choices } = this;
    const length = choices.between(0, 99);
    const [minMs, maxMs] = length < 70 ? [30, 600] : length < 96 ? [600, 1800] : [2500, 4500];
    return {
      loadMs: choices.between(minMs, maxMs),
      killAtConfirm: choices.chance(30) ? choices.between(0, 500) : Number.POSITIVE_INFINITY,
      isCleanStop: choices.chance(10),
      recoveryKills: choices.chance(40) ? choices.between(1, 2) : 0,
      isDrained: isLast || choices.chance(70),
    };
  }

  private async loadAndEnd(plan: Round): Promise<void> {
    const broker = this.broker!;
    const { ledger, book } = this;
    let wake = (): void => {};
    const awake = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const timer = setTimeout(() => wake(), plan.loadMs);
    let ended: Promise<void> | undefined;
    let load: Load | undefined;
    const end = (): void => {
      if (ended !== undefined) return;
      load?.stop();
      const isClean = plan.isCleanStop;
      const atMs = isClean ? Number.POSITIVE_INFINITY : performance.now();
      ended = broker.end(isClean ? 'SIGTERM' : 'SIGKILL').then(() => ledger.ended(atMs));
      clearTimeout(timer);
      wake();
    };
    const onConfirm = (before: number): void => {
      if (before >= plan.killAtConfirm && load !== undefined) end();
    };
    load = await Load.start({ port: broker.port, ledger, book, choices: this.choices.fork(), onConfirm });
    await awake;
    end();
    await ended;
    await load.ended();
    this.noteErrors(broker.errorLines);
  }

  private async killRecoveries(count: number): Promise<void> {
    const startupMs = Math.round(this.broker!.startupMs);
    for (let i = 0; i < count; i++) {
      this.ledger.beginLife();
      const afterMs = this.choices.between(Math.round(startupMs / 2), Math.round(startupMs * 1.1));
      this.noteErrors(await BrokerChild.startAndKill(this.options.directory, afterMs));
    }
  }

  private async start(): Promise<void> {
    this.ledger.beginLife();
    this.broker = await BrokerChild.start(this.options.directory);
  }

  private noteErrors(lines: readonly string[]): void {
    for (const line of lines) this.ledger.violate('broker error', line);
  }

  private async withConnection(use: (connection: ChannelModel) => Promise<void>): Promise<void> {
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${this.broker!.port}`);
    connection.on('error', () => {});
    await use(connection);
    await connection.close();
  }
}

/** Long enough that acks are older than the window when the kill comes. */
const DAMAGE_ROUND: Round = {
  loadMs: ACK_WINDOW_MS + 800,
  killAtConfirm: Number.POSITIVE_INFINITY,
  isCleanStop: false,
  recoveryKills: 0,
  isDrained: true,
};
