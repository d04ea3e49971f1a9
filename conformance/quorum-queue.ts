/**
 * What cases about quorum queues share. Such a queue does what it was told when its log has it, which may be after the
 * channel has answered: publishes wait for their confirms, and all else comes in order from one channel.
 */
import type { CaseContext } from './context.js';
import { expectEqual } from './expect.js';
import type { Publish, RawClient } from './wire/raw-client.js';
import type { Table } from './wire/raw-codec.js';
import type { Fields } from './wire/raw-methods.js';

export const QUORUM: Table = [['x-queue-type', 'S', 'quorum']];
/** What a quorum queue has to be. */
export const QUORUM_PROPERTIES: Fields = { durable: true, arguments: QUORUM };

/** On this channel publishes are confirmed. */
const PUBLISH_CHANNEL = 50_000;

/** A client with a quorum queue that has a name of its own. */
export async function withQuorum(
  t: CaseContext,
  args: Table = [],
): Promise<{ client: RawClient; queue: string }> {
  const client = await t.openChannel();
  await client.openChannel(PUBLISH_CHANNEL);
  await client.call(PUBLISH_CHANNEL, 'confirm.select');
  return { client, queue: await declareQuorum(t, client, args) };
}

export async function declareQuorum(t: CaseContext, client: RawClient, args: Table = []): Promise<string> {
  const queue = t.name('quorum');
  await client.call(1, 'queue.declare', { queue, ...QUORUM_PROPERTIES, arguments: [...QUORUM, ...args] });
  return queue;
}

/** Arguments of a queue whose dead letters go to another queue. */
export function deadLettersTo(queue: string): Table {
  return [
    ['x-dead-letter-exchange', 'S', ''],
    ['x-dead-letter-routing-key', 'S', queue],
  ];
}

/** Publishes one after the other through a client of `withQuorum`; true for each that is acknowledged. */
export async function publishConfirmed(
  client: RawClient,
  routingKey: string,
  messages: readonly (string | Publish)[],
): Promise<boolean[]> {
  const taken: boolean[] = [];
  for (const message of messages) {
    const publish = typeof message === 'string' ? { body: message } : message;
    client.publish(PUBLISH_CHANNEL, { routingKey, ...publish });
    taken.push((await client.anyMethod(PUBLISH_CHANNEL, 'a confirm')).name === 'basic.ack');
  }
  return taken;
}

/** Takes all that is ready with basic.get; it is those bodies, with a `*` behind what is redelivered. */
export async function expectTaken(
  client: RawClient,
  queue: string,
  bodies: readonly string[],
): Promise<void> {
  const found: string[] = [];
  for (let i = 0; i < bodies.length; i++) {
    const { body, method } = await client.get(1, queue);
    found.push(`${body}${method.redelivered === true ? '*' : ''}`);
  }
  expectEqual(`messages ready in ${queue}`, found, bodies);
  await expectEmpty(client, queue);
}

export async function expectEmpty(client: RawClient, queue: string): Promise<void> {
  client.send(1, 'basic.get', { queue });
  await client.method(1, 'basic.get-empty');
}
