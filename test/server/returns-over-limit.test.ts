import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { countsOf, declareQueue, Target, uniqueName } from './target.js';

/** Where messages are held and given back; the grave is read on channel 1. */
const HOLDER = 2;

let target: Target;
let client: RawClient;
let grave: string;
let work: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  await client.openChannel(HOLDER);
  grave = await declareQueue(client);
});
afterEach(() => target.close());

async function declareWork(...others: (readonly [string, string, string | number])[]): Promise<void> {
  work = await declareQueue(client, {
    arguments: [['x-dead-letter-exchange', 'S', ''], ['x-dead-letter-routing-key', 'S', grave], ...others],
  });
}

async function publish(...bodies: string[]): Promise<void> {
  for (const body of bodies) client.publish(1, { routingKey: work, body });
  await client.sync();
}

/** The dead, as `body reason`, in the order of their deaths. */
async function dead(count: number): Promise<string[]> {
  await countsOf(client, work);
  await client.call(1, 'basic.consume', { queue: grave, noAck: true });
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    const { body, properties } = await client.delivery(1);
    const reason = properties.headers?.find(([key]) => key === 'x-first-death-reason');
    found.push(`${body} ${reason?.[2]}`);
  }
  return found;
}

describe('messages that come back together to a queue that is too full for them', () => {
  beforeEach(() => declareWork(['x-max-length', 'I', 1]));

  /** Holds `1` by a later delivery tag than `2`, while `3` waits. */
  async function consumeOutOfOrder(): Promise<void> {
    await client.call(HOLDER, 'basic.qos', { prefetchCount: 2 });
    await client.call(HOLDER, 'basic.consume', { queue: work });
    for (const body of ['1', '2']) {
      await publish(body);
      await client.delivery(HOLDER);
    }
    client.send(HOLDER, 'basic.nack', { deliveryTag: 1, requeue: true });
    await client.delivery(HOLDER);
    await publish('3');
  }

  /** The same by basic.get. */
  async function getOutOfOrder(): Promise<void> {
    for (const body of ['1', '2']) {
      await publish(body);
      await client.get(HOLDER, work, false);
    }
    client.send(HOLDER, 'basic.nack', { deliveryTag: 1, requeue: true });
    await client.get(HOLDER, work, false);
    await publish('3');
  }

  const recover = (): Promise<unknown> => client.call(HOLDER, 'basic.recover', { requeue: true });
  const close = (): Promise<unknown> => client.call(HOLDER, 'channel.close', { replyText: '' });
  const refuse = (): Promise<unknown> => {
    client.send(HOLDER, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
    return client.delivery(HOLDER);
  };

  it.each([
    ['basic.recover', recover],
    ['the end of the channel', close],
    ['basic.nack of several', refuse],
  ])('die from the head of the queue, whatever their delivery tags: %s', async (_name, giveBack) => {
    await consumeOutOfOrder();
    await giveBack();
    expect(await dead(2)).toEqual(['1 maxlen', '2 maxlen']);
  });

  it('by one transaction die from the head, too', async () => {
    await consumeOutOfOrder();
    await client.call(HOLDER, 'tx.select');
    client.send(HOLDER, 'basic.nack', { deliveryTag: 2, requeue: true });
    client.send(HOLDER, 'basic.reject', { deliveryTag: 3, requeue: true });
    await client.call(HOLDER, 'tx.commit');
    expect(await dead(2)).toEqual(['1 maxlen', '2 maxlen']);
  });

  it('from basic.get do so only when their channel ends', async () => {
    await getOutOfOrder();
    await close();
    expect(await dead(2)).toEqual(['1 maxlen', '2 maxlen']);
  });

  it('from basic.get come back one by one otherwise', async () => {
    await getOutOfOrder();
    await recover();
    expect(await dead(2)).toEqual(['2 maxlen', '1 maxlen']);
  });
});

it('what comes back too late to a queue that is too full for it dies for the limit first', async () => {
  await declareWork(['x-max-length', 'I', 1], ['x-message-ttl', 'I', 0]);
  await client.call(HOLDER, 'basic.consume', { queue: work });
  for (const body of ['1', '2', '3']) {
    await publish(body);
    await client.delivery(HOLDER);
  }
  await client.call(HOLDER, 'channel.close', { replyText: '' });
  expect(await dead(3)).toEqual(['1 maxlen', '2 maxlen', '3 expired']);
});

it('a dead letter that comes to the queue it died in comes when its consumer has gone on', async () => {
  const own = uniqueName('own');
  await client.call(1, 'queue.declare', {
    queue: own,
    exclusive: true,
    arguments: [
      ['x-max-length', 'I', 2],
      ['x-dead-letter-exchange', 'S', ''],
    ],
  });
  await client.call(HOLDER, 'basic.qos', { prefetchCount: 1 });
  await client.call(HOLDER, 'basic.consume', { queue: own });
  for (const body of ['1', '2', '3']) client.publish(1, { routingKey: own, body });
  await client.sync();
  expect(String((await client.delivery(HOLDER)).body)).toBe('1');
  client.send(HOLDER, 'basic.nack', { deliveryTag: 1 });
  expect(String((await client.delivery(HOLDER)).body)).toBe('2');
  await countsOf(client, own);
  const found = [await client.get(1, own), await client.get(1, own)].map(({ body }) => String(body));
  expect(found).toEqual(['3', '1']);
});

describe('a quorum queue', () => {
  beforeEach(async () => {
    work = uniqueName('quorum');
    await client.call(1, 'queue.declare', {
      queue: work,
      durable: true,
      arguments: [
        ['x-queue-type', 'S', 'quorum'],
        ['x-max-length', 'I', 1],
        // Without one what comes back goes behind the rest, in 3.10 always.
        ['x-delivery-limit', 'I', 5],
      ],
    });
  });
  afterEach(() => client.call(1, 'queue.delete', { queue: work }));

  it.each([
    ['one', { deliveryTag: 1, multiple: false }, ['1']],
    ['several', { deliveryTag: 0, multiple: true }, ['1', '2']],
  ])('hands out what came back before it looks at its limit: %s', async (_name, which, expected) => {
    await client.call(HOLDER, 'basic.qos', { prefetchCount: 2 });
    await client.call(HOLDER, 'basic.consume', { queue: work });
    for (const body of ['1', '2']) {
      await publish(body);
      await client.delivery(HOLDER);
    }
    await publish('3');
    client.send(HOLDER, 'basic.nack', { ...which, requeue: true });
    const found: string[] = [];
    for (const _ of expected) found.push(String((await client.delivery(HOLDER)).body));
    expect(found).toEqual(expected);
    expect(String((await client.get(1, work)).body)).toBe('3');
  });
});
