/** The exchange types of RabbitMQ's plugins, and x-local-random, which came with 4.0. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Publish, RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { expectShares } from '../exchanges/shares.js';
import { channelClose, closeOf, declareQueue, IS_ORACLE, Target, uniqueName } from './target.js';

let target: Target;
let client: RawClient;
let exchange: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  exchange = uniqueName('x');
});
afterEach(() => target.close());

type Arguments = readonly (readonly [string, string, string | number | boolean])[];

const declare = (type: string, args: Arguments = [], name = exchange) =>
  client.call(1, 'exchange.declare', { exchange: name, type, autoDelete: true, arguments: args });

/** A new queue bound with each of the keys; the exchange goes with the last of them. */
async function boundQueue(...routingKeys: string[]): Promise<string> {
  const queue = await declareQueue(client);
  for (const routingKey of routingKeys) await client.call(1, 'queue.bind', { queue, exchange, routingKey });
  return queue;
}

/** How many of `count` messages each queue gets, all of them purged. */
async function countsOf(
  queues: readonly string[],
  count: number,
  messageOf: (i: number) => Publish,
): Promise<number[]> {
  for (let i = 0; i < count; i++) client.publish(1, { exchange, ...messageOf(i) });
  await client.sync();
  const counts: number[] = [];
  for (const queue of queues) {
    const { messageCount } = await client.call(1, 'queue.purge', { queue });
    counts.push(Number(messageCount));
  }
  return counts;
}

/** Everything in one queue, whichever. */
const together = (count: number, queues: number) => [...new Array<number>(queues - 1).fill(0), count];
const ascending = (counts: readonly number[]) => [...counts].sort((a, b) => a - b);

function expectNumberedShares(counts: readonly number[], shares: readonly number[]): void {
  expectShares(Object.fromEntries(counts.entries()), Object.fromEntries(shares.entries()));
}

async function expectRefusal(method: string, fields: Fields, text: string): Promise<void> {
  client.send(1, method, fields);
  expect(await channelClose(client)).toEqual(closeOf(method, 406, `PRECONDITION_FAILED - ${text}`));
}

const MESSAGES = 4000;
const byKey = (i: number): Publish => ({ routingKey: `order.${i}` });

describe('an exchange of type x-consistent-hash', () => {
  it('goes by the routing key, in shares that follow the binding keys', async () => {
    await declare('x-consistent-hash');
    const queues = [await boundQueue('10'), await boundQueue('10'), await boundQueue('20')];
    expectNumberedShares(await countsOf(queues, MESSAGES, byKey), [1, 1, 2]);
    const same = await countsOf(queues, 100, () => ({ routingKey: 'one' }));
    expect(ascending(same)).toEqual(together(100, 3));
    expect(await countsOf(queues, 100, () => ({ routingKey: 'one' }))).toEqual(same);
  });

  it.each<[string, Arguments, (i: number) => Publish]>([
    [
      'a header',
      [['hash-header', 'S', 'customer']],
      (i) => ({ routingKey: 'same', properties: { headers: [['customer', 'S', `c${i}`]] } }),
    ],
    [
      'message_id',
      [['hash-property', 'S', 'message_id']],
      (i) => ({
        routingKey: 'same',
        properties: { correlationId: 'same', messageId: `m${i}`, timestamp: 5 },
      }),
    ],
    [
      'correlation_id',
      [['hash-property', 'S', 'correlation_id']],
      (i) => ({
        routingKey: 'same',
        properties: { correlationId: `m${i}`, messageId: 'same', timestamp: 5 },
      }),
    ],
    [
      'timestamp',
      [['hash-property', 'S', 'timestamp']],
      (i) => ({ properties: { correlationId: 'same', messageId: 'same', timestamp: 1_700_000_000 + i } }),
    ],
  ])('goes by %s when told to', async (_what, args, messageOf) => {
    await declare('x-consistent-hash', args);
    const queues = [
      await boundQueue('10'),
      await boundQueue('10'),
      await boundQueue('10'),
      await boundQueue('10'),
    ];
    expectNumberedShares(await countsOf(queues, MESSAGES, messageOf), [1, 1, 1, 1]);
    const same = await countsOf(queues, 50, (i) => ({ ...messageOf(7), routingKey: `k${i}` }));
    expect(ascending(same)).toEqual(together(50, 4));
    // What has no such value goes one way.
    expect(ascending(await countsOf(queues, 50, byKey))).toEqual(together(50, 4));
  });

  it('gives a message with several keys to one queue, by the first of them', async () => {
    await declare('x-consistent-hash');
    const queues = [await boundQueue('10'), await boundQueue('10'), await boundQueue('10')];
    const alone = await countsOf(queues, 50, () => ({ routingKey: 'one' }));
    const withCopies = await countsOf(queues, 50, (i) => ({
      routingKey: 'one',
      properties: { headers: [['CC', 'A', [['S', `k${i}`]]]] },
    }));
    expect(withCopies).toEqual(alone);
  });

  it('does not count a second binding of a queue', async () => {
    await declare('x-consistent-hash');
    const queues = [await boundQueue('10', '30'), await boundQueue('10')];
    expectNumberedShares(await countsOf(queues, MESSAGES, byKey), [1, 1]);
  });

  it('moves nothing between the queues that stay', async () => {
    await declare('x-consistent-hash');
    const queues = [await boundQueue('10'), await boundQueue('10'), await boundQueue('10')];
    const placeOf = async (i: number) => (await countsOf(queues, 1, () => byKey(i))).indexOf(1);
    const before: number[] = [];
    for (let i = 0; i < 60; i++) before.push(await placeOf(i));
    // The last one: the ring of RabbitMQ closes the gap that another leaves.
    await client.call(1, 'queue.unbind', { queue: queues[2]!, exchange, routingKey: '10' });
    for (const [i, place] of before.entries()) {
      const after = await placeOf(i);
      if (place === 2) expect([0, 1]).toContain(after);
      else expect(after).toBe(place);
    }
  });

  it('goes on to an exchange', async () => {
    const next = uniqueName('next');
    await declare('x-consistent-hash');
    await declare('fanout', [], next);
    const queue = await declareQueue(client);
    await client.call(1, 'queue.bind', { queue, exchange: next });
    await client.call(1, 'exchange.bind', { source: exchange, destination: next, routingKey: '1' });
    expect(await countsOf([queue], 20, byKey)).toEqual([20]);
  });

  it('takes other arguments when declared again, even impossible ones', async () => {
    await declare('x-consistent-hash', [['hash-header', 'S', 'a']]);
    await declare('x-consistent-hash', [['hash-property', 'S', 'nonsense']]);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it.each<[Arguments, string]>([
    [[['hash-property', 'S', 'foo']], 'Unsupported property: foo'],
    [
      [
        ['hash-property', 'S', 'message_id'],
        ['hash-header', 'S', 'h'],
      ],
      'hash-header and hash-property are mutually exclusive',
    ],
  ])('refuses %j', async (args, text) => {
    await expectRefusal('exchange.declare', { exchange, type: 'x-consistent-hash', arguments: args }, text);
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    await client.call(1, 'exchange.delete', { exchange });
  });

  // RabbitMQ closes the connection with 541.
  it.skipIf(IS_ORACLE).each(['hash-header', 'hash-property'])('refuses a %s that is no string', (key) =>
    expectRefusal(
      'exchange.declare',
      { exchange, type: 'x-consistent-hash', arguments: [[key, 'I', 5]] },
      `${key} must be a string, not of type signedint`,
    ),
  );

  it.each([
    ['x', 'must be an integer: <<"x">>'],
    ['', 'must be an integer: <<>>'],
    [' 1', 'must be an integer: <<" 1">>'],
    ['1.0', 'must be an integer: <<"1.0">>'],
    ['a"b\\', 'must be an integer: <<"a\\"b\\\\">>'],
    ['+', 'must be an integer: <<"+">>'],
    ['0', 'must be greater than 0'],
    ['-0', 'must be greater than 0'],
    ['-3', 'must be greater than 0'],
  ])('refuses the binding key %j', async (routingKey, text) => {
    await client.call(1, 'exchange.declare', { exchange, type: 'x-consistent-hash' });
    const queue = await declareQueue(client);
    await expectRefusal('queue.bind', { queue, exchange, routingKey }, `The binding key ${text}`);
    await client.call(1, 'exchange.delete', { exchange, ifUnused: true });
  });

  // 3.10 takes it, and dies of larger ones.
  it.skipIf(IS_ORACLE)('refuses a weight over 10000', async () => {
    await declare('x-consistent-hash');
    const queue = await boundQueue('10000');
    const text = 'The binding key must not exceed 10000';
    await expectRefusal('queue.bind', { queue, exchange, routingKey: '10001' }, text);
  });
});

describe('an exchange of type x-modulus-hash', () => {
  it('goes by the routing key, whatever the binding keys', async () => {
    await declare('x-modulus-hash');
    const queues = [await boundQueue('a'), await boundQueue(''), await boundQueue('1', '2')];
    expectNumberedShares(await countsOf(queues, MESSAGES, byKey), [1, 1, 2]);
    const same = await countsOf(queues, 50, () => ({ routingKey: 'one' }));
    expect(ascending(same)).toEqual(together(50, 3));
  });
});

describe('an exchange of type x-random', () => {
  it('leaves it to chance, whatever the keys', async () => {
    await declare('x-random');
    const queues = [await boundQueue('a'), await boundQueue(''), await boundQueue('1', '2')];
    expectNumberedShares(await countsOf(queues, MESSAGES, () => ({ routingKey: 'one' })), [1, 1, 2]);
  });

  it('gives a message with several keys to one queue', async () => {
    await declare('x-random');
    const queues = [await boundQueue('a'), await boundQueue('b')];
    const properties = { headers: [['CC', 'A', [['S', 'x']]]] } as const;
    const counts = await countsOf(queues, 200, () => ({ routingKey: 'one', properties }));
    expect(counts[0]! + counts[1]!).toBe(200);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it('has quotes of its own in the text of another type', async () => {
    await declare('x-random');
    await expectRefusal(
      'exchange.declare',
      { exchange, type: 'fanout', autoDelete: true },
      `inequivalent arg 'type' for exchange '${exchange}' in vhost '/': received 'fanout' but current is ''x-random''`,
    );
    await client.call(1, 'exchange.delete', { exchange });
  });
});

describe.skipIf(IS_ORACLE)('an exchange of type x-local-random', () => {
  it('leaves it to chance', async () => {
    await declare('x-local-random');
    const queues = [await boundQueue(''), await boundQueue('')];
    expectNumberedShares(await countsOf(queues, MESSAGES, byKey), [1, 1]);
  });

  it('refuses keys and exchanges', async () => {
    await declare('x-local-random');
    const queue = await boundQueue('');
    const text = "Non empty binding 'k' key not permitted";
    await expectRefusal('queue.bind', { queue, exchange, routingKey: 'k' }, text);
    const binding = { source: exchange, destination: 'amq.fanout' };
    await expectRefusal('exchange.bind', binding, 'Destination not found');
    expect(await countsOf([queue], 10, byKey)).toEqual([10]);
  });
});

describe('an exchange of type x-recent-history', () => {
  const TYPE = 'x-recent-history';
  /** It stays when its bindings go; the next test has another. */
  const declareLasting = (args: Arguments = [], name = exchange, type = TYPE) =>
    client.call(1, 'exchange.declare', { exchange: name, type, arguments: args });

  async function publishAll(...messages: readonly Publish[]): Promise<void> {
    for (const message of messages) client.publish(1, { exchange, routingKey: 'k', ...message });
    await client.sync();
  }

  /** What a queue has, as `body, its key`. */
  async function contentsOf(queue: string): Promise<string[]> {
    const { messageCount } = await client.call(1, 'queue.declare', { queue, passive: true });
    const contents: string[] = [];
    for (let i = 0; i < Number(messageCount); i++) {
      const { body, method } = await client.get(1, queue);
      contents.push(`${body}, ${method.routingKey}`);
    }
    return contents;
  }

  const join = async (routingKey = '') => contentsOf(await boundQueue(routingKey));

  it('gives the last messages to a queue that is bound, and to all what comes then', async () => {
    await declareLasting([['x-recent-history-length', 'I', 3]]);
    const early = await boundQueue('');
    const labels = ['a', 'b', 'c', 'd'];
    await publishAll(...labels.map((body) => ({ body, routingKey: `key ${body}` })));
    const late = await boundQueue('');
    expect(await contentsOf(late)).toEqual(['b, key b', 'c, key c', 'd, key d']);
    await publishAll({ body: 'e' });
    expect(await contentsOf(early)).toEqual([...labels.map((label) => `${label}, key ${label}`), 'e, k']);
    expect(await contentsOf(late)).toEqual(['e, k']);
    await client.call(1, 'queue.bind', { queue: late, exchange });
    expect(await contentsOf(late)).toEqual([]);
    await client.call(1, 'queue.bind', { queue: late, exchange, routingKey: 'another' });
    expect(await contentsOf(late)).toEqual(['c, key c', 'd, key d', 'e, k']);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('keeps 20 by default, with their properties, whether they were routed or not', async () => {
    await declareLasting();
    const properties = { messageId: 'm', deliveryMode: 2, headers: [['h', 'I', 1]] } as const;
    await publishAll(...Array.from({ length: 25 }, (_, i) => ({ body: String(i), properties })));
    const queue = await boundQueue('');
    const first = await client.get(1, queue);
    expect(first).toMatchObject({ properties, method: { exchange, routingKey: 'k', redelivered: false } });
    expect(String(first.body)).toBe('5');
    expect(await contentsOf(queue)).toHaveLength(19);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('does not keep what says so', async () => {
    await declareLasting();
    const noStore = (type: string, value: string | boolean): Publish => ({
      body: `${type} ${value}`,
      properties: { headers: [['x-recent-history-no-store', type, value]] },
    });
    await publishAll(noStore('t', true), noStore('t', false), noStore('S', 'true'));
    expect(await join()).toEqual(['t false, k', 'S true, k']);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('keeps a message once, however many keys it has, and returns what has no queue', async () => {
    await declareLasting();
    client.publish(1, {
      exchange,
      routingKey: 'k',
      mandatory: true,
      body: 'a',
      properties: { headers: [['CC', 'A', [['S', 'c']]]] },
    });
    expect(String((await client.message(1, 'basic.return')).body)).toBe('a');
    expect(await join()).toEqual(['a, k']);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('keeps what comes by an alternate exchange, and dead letters', async () => {
    await declareLasting();
    const source = uniqueName('source');
    await declareLasting([['alternate-exchange', 'S', exchange]], source, 'direct');
    await publishAll({ exchange: source, body: 'alternate' });
    const dying = await declareQueue(client, {
      arguments: [
        ['x-dead-letter-exchange', 'S', exchange],
        ['x-max-length', 'I', 0],
      ],
    });
    await publishAll({ exchange: '', routingKey: dying, body: 'dead' });
    const queue = await boundQueue('');
    // 3.10 publishes dead letters in its own time.
    while ((await client.call(1, 'queue.declare', { queue, passive: true })).messageCount !== 2);
    expect(await contentsOf(queue)).toEqual(['alternate, k', `dead, ${dying}`]);
    for (const name of [source, exchange]) await client.call(1, 'exchange.delete', { exchange: name });
  });

  it('gives an exchange that is bound its last message', async () => {
    const next = uniqueName('next');
    await declareLasting();
    await declare('fanout', [], next);
    const queue = await declareQueue(client);
    await client.call(1, 'queue.bind', { queue, exchange: next });
    await publishAll({ body: 'a' });
    await client.call(1, 'exchange.bind', { source: exchange, destination: next });
    expect(await contentsOf(queue)).toEqual(['a, k']);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('keeps what a transaction published, even one that is rolled back', async () => {
    await declareLasting();
    await client.call(1, 'tx.select');
    await publishAll({ body: 'rolled back' });
    await client.call(1, 'tx.rollback');
    await publishAll({ body: 'committed' });
    await client.call(1, 'tx.commit');
    expect(await join()).toEqual(['rolled back, k', 'committed, k']);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('forgets everything when it is deleted', async () => {
    await declareLasting();
    await publishAll({ body: 'a' });
    await client.call(1, 'exchange.delete', { exchange });
    await declareLasting();
    expect(await join()).toEqual([]);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('keeps large messages too', async () => {
    await declareLasting([['x-recent-history-length', 'I', 1]]);
    const body = 'y'.repeat(300_000);
    await publishAll({ body: 'x' }, { body });
    expect(await join()).toEqual([`${body}, k`]);
    await publishAll({ body: 'z' });
    expect(await join('2')).toEqual(['z, k']);
    await client.call(1, 'exchange.delete', { exchange });
  });

  it.each<[string, string | number | boolean, string]>([
    ['I', 0, '0'],
    ['I', -1, '-1'],
    ['S', '5', '<<"5">>'],
    ['t', true, 'true'],
    ['d', 2.5, '2.5'],
    ['T', 5, '5'],
  ])('refuses a length of type %s: %s', (type, value, text) =>
    expectRefusal(
      'exchange.declare',
      { exchange, type: TYPE, arguments: [['x-recent-history-length', type, value]] },
      `Invalid argument ${text}, 'x-recent-history-length' must be a positive integer`,
    ),
  );
});
