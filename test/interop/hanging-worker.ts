/**
 * A worker that handles its deliveries up to a number, hangs, and is then ended as by a crash: once as an amqplib
 * program, once as a pika program in a process of its own.
 */
import { connectAmqplib, crash, text } from './amqplib.js';
import { Inbox } from './inbox.js';
import { startPika } from './programs.js';

/** What a worker was handed. */
export interface Handed {
  readonly queue: string;
  readonly body: string;
  readonly redelivered: boolean;
  /** False if it came when the worker was hanging. Whatever was handled is acked, if acks are manual. */
  readonly handled: boolean;
}

export interface HangingWorker {
  readonly handed: Inbox<Handed>;
  /** The connection is lost without a word. The broker has had every ack that was sent before. */
  crash(): Promise<void>;
}

export interface WorkerOptions {
  /** Consumed in this order: of a queue with a single active consumer the first one gets the messages. */
  readonly queues: readonly string[];
  readonly acks: 'manual' | 'automatic';
  /** The worker hangs after so many. Without it, it never does. */
  readonly hangsAfter?: number;
}

export type StartWorker = (url: string, options: WorkerOptions) => Promise<HangingWorker>;

/** How many unacked messages a worker may hold from each of its queues. */
export const PREFETCH = 5;

/** The same worker with each client. */
export const WORKERS: ReadonlyArray<readonly [client: string, start: StartWorker]> = [
  ['amqplib', startAmqplibWorker],
  ['pika', startPikaWorker],
];

async function startAmqplibWorker(url: string, options: WorkerOptions): Promise<HangingWorker> {
  const { queues, acks, hangsAfter = Number.POSITIVE_INFINITY } = options;
  const connection = await connectAmqplib(url);
  const channel = await connection.createChannel();
  await channel.prefetch(PREFETCH);
  const handed = new Inbox<Handed>();
  let count = 0;
  for (const queue of queues) {
    await channel.consume(
      queue,
      (message) => {
        if (message === null) return;
        const handled = count < hangsAfter;
        count += 1;
        if (handled && acks === 'manual') channel.ack(message);
        handed.push({ queue, body: text(message), redelivered: message.fields.redelivered, handled });
      },
      { noAck: acks === 'automatic' },
    );
  }
  return {
    handed,
    crash: async () => {
      // Acks are not answered. This is, on the same channel, and so after them.
      await channel.checkQueue(queues[0]!);
      await crash(connection);
    },
  };
}

async function startPikaWorker(url: string, options: WorkerOptions): Promise<HangingWorker> {
  const { queues, acks, hangsAfter = Number.MAX_SAFE_INTEGER } = options;
  const script = startPika('hanging_worker', url, acks, String(hangsAfter), String(PREFETCH), ...queues);
  const ready = await script.events.next();
  if (ready.event !== 'ready') throw new Error(`the worker is not ready: ${JSON.stringify(ready)}`);
  // Nothing but what it was handed follows, each reported when the broker has had its ack.
  return { handed: script.events as unknown as Inbox<Handed>, crash: script.kill };
}
