/**
 * Names for a test's queues and exchanges, so that it leaves nothing behind on whichever broker it ran against.
 */
import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { onTestFinished } from 'vitest';

/** Names of queues and exchanges that are deleted when the test is over. */
export interface Scratch {
  queue(hint: string): string;
  exchange(hint: string): string;
}

/** A name no other test, and no earlier run against the same broker, has used. */
export function uniqueName(hint: string): string {
  return `interop.${hint}.${randomUUID()}`;
}

/**
 * Call it before the test connects: clean-up runs in reverse order, so the test's own connections are closed
 * by the time its queues and exchanges are deleted. Exclusive queues go with their connection: name them with
 * `uniqueName`.
 */
export function scratch(url: string): Scratch {
  const queues: string[] = [];
  const exchanges: string[] = [];
  onTestFinished(async () => {
    const connection = await connect(url);
    const channel = await connection.createChannel();
    // Deleting what does not exist is not an error (RabbitMQ since 3.2), so half-finished tests clean up too.
    for (const queue of queues) await channel.deleteQueue(queue);
    for (const exchange of exchanges) await channel.deleteExchange(exchange);
    await connection.close();
  });
  const register = (list: string[]) => (hint: string) => {
    const name = uniqueName(hint);
    list.push(name);
    return name;
  };
  return { queue: register(queues), exchange: register(exchanges) };
}
