/** Takes everything out of every queue, and holds the broker to its own counts. */
import type { Channel, ChannelModel } from 'amqplib';
import type { Copy, Ledger } from './ledger.js';
import { arrivalOf } from './messages.js';
import { ALL_QUEUES } from './topology.js';

const PREFETCH = 500;
const QUEUE_LIMIT_MS = 15_000;

export async function drainAll(connection: ChannelModel, ledger: Ledger): Promise<void> {
  await Promise.all(ALL_QUEUES.map((queue) => drain(connection, ledger, queue)));
  ledger.checkDrained();
}

async function drain(connection: ChannelModel, ledger: Ledger, queue: string): Promise<void> {
  const channel = await connection.createChannel();
  let failure: unknown;
  channel.on('error', (error) => {
    failure = error;
  });
  try {
    await channel.prefetch(PREFETCH);
    const { messageCount } = await channel.checkQueue(queue);
    const received = await takeAll(channel, ledger, queue, messageCount);
    // Behind the cancellation and this answer nothing can come any more.
    const left = await channel.checkQueue(queue);
    if (received.count !== messageCount || left.messageCount !== 0) {
      const counted = `${messageCount} before, ${left.messageCount} after ${received.count} deliveries`;
      ledger.violate('miscounted', `${queue}: ${counted}`);
    }
    ledger.processed(received.copies, performance.now());
    await channel.close();
  } catch (error) {
    ledger.violate('miscounted', `${queue}: ${String(failure ?? error)}`);
  }
}

interface Received {
  count: number;
  readonly copies: Copy[];
}

async function takeAll(channel: Channel, ledger: Ledger, queue: string, expected: number): Promise<Received> {
  const received: Received = { count: 0, copies: [] };
  if (expected === 0) return received;
  let limit: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve, reject) => {
    limit = setTimeout(resolve, QUEUE_LIMIT_MS);
    channel.on('close', resolve);
    channel
      .consume(
        queue,
        (message) => {
          if (message === null) return;
          const copy = ledger.delivered(arrivalOf(queue, message));
          channel.ack(message);
          if (copy !== undefined) {
            ledger.acked(copy);
            received.copies.push(copy);
          }
          if (++received.count === expected) resolve();
        },
        { consumerTag: queue },
      )
      .catch(reject);
  });
  clearTimeout(limit);
  await channel.cancel(queue);
  return received;
}
