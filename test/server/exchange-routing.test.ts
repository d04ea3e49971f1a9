import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { TableValue } from '../../conformance/wire/raw-codec.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { channelClose, closeOf, declareQueue, Target, uniqueName } from './target.js';

let target: Target;
let client: RawClient;
let exchange: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  exchange = uniqueName('x');
});
afterEach(() => target.close());

const DEFAULT_EXCHANGE = 'ACCESS_REFUSED - operation not permitted on the default exchange';

async function expectRefusal(method: string, fields: Fields, code: number, text: string): Promise<void> {
  client.send(1, method, fields);
  expect(await channelClose(client)).toEqual(closeOf(method, code, text));
}

/** Whether a message to the exchange reaches the queue. */
async function isRouted(queue: string, routingKey = '', to = exchange): Promise<boolean> {
  client.publish(1, { exchange: to, routingKey });
  await client.sync();
  return (await client.call(1, 'queue.purge', { queue })).messageCount === 1;
}

describe('exchange.bind', () => {
  let queue: string;
  beforeEach(async () => {
    queue = await declareQueue(client);
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout', autoDelete: true });
    await client.call(1, 'queue.bind', { queue, exchange });
  });

  it('routes on, and stops with exchange.unbind', async () => {
    const binding = { source: 'amq.topic', destination: exchange, routingKey: `${queue}.#` };
    await client.call(1, 'exchange.bind', binding);
    await client.call(1, 'exchange.bind', binding);
    expect(await isRouted(queue, `${queue}.a.b`, 'amq.topic')).toBe(true);
    expect(await isRouted(queue, 'other', 'amq.topic')).toBe(false);
    await client.call(1, 'exchange.unbind', binding);
    expect(await isRouted(queue, `${queue}.a.b`, 'amq.topic')).toBe(false);
  });

  it('may go round in a circle', async () => {
    const second = uniqueName('second');
    await client.call(1, 'exchange.declare', { exchange: second, type: 'fanout' });
    await client.call(1, 'exchange.bind', { source: exchange, destination: second });
    await client.call(1, 'exchange.bind', { source: second, destination: exchange });
    await client.call(1, 'exchange.bind', { source: exchange, destination: exchange });
    expect(await isRouted(queue, '', second)).toBe(true);
    await client.call(1, 'exchange.delete', { exchange: second });
  });

  it('from an exchange to itself and to a deleted one is forgotten', async () => {
    await client.call(1, 'exchange.bind', { source: 'amq.fanout', destination: exchange });
    expect(await isRouted(queue, '', 'amq.fanout')).toBe(true);
    await client.call(1, 'exchange.delete', { exchange });
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout', autoDelete: true });
    await client.call(1, 'queue.bind', { queue, exchange });
    expect(await isRouted(queue, '', 'amq.fanout')).toBe(false);
  });

  it('says nothing when told so', async () => {
    client.send(1, 'exchange.bind', { source: 'amq.fanout', destination: exchange, noWait: true });
    await client.sync();
    expect(await isRouted(queue, '', 'amq.fanout')).toBe(true);
    client.send(1, 'exchange.unbind', { source: 'amq.fanout', destination: exchange, noWait: true });
    expect(await isRouted(queue, '', 'amq.fanout')).toBe(false);
    expect(client.pendingFrames(1)).toEqual([]);
  });

  it.each(['source', 'destination'])('refuses the default exchange as %s', (side) =>
    expectRefusal(
      'exchange.bind',
      {
        source: exchange,
        destination: exchange,
        ...(side === 'source' ? { source: '' } : { destination: '' }),
      },
      403,
      DEFAULT_EXCHANGE,
    ),
  );

  it.each([
    ['no-source', 'amq.fanout', 'no-source'],
    ['amq.fanout', 'no-destination', 'no-destination'],
    ['no-source', 'no-destination', 'no-source'],
  ])('refuses %s to %s', (source, destination, missing) =>
    expectRefusal(
      'exchange.bind',
      { source, destination },
      404,
      `NOT_FOUND - no exchange '${missing}' in vhost '/'`,
    ),
  );

  it('and exchange.unbind succeeds without a binding, a source or a destination', async () => {
    await client.call(1, 'exchange.unbind', { source: 'amq.fanout', destination: exchange });
    await client.call(1, 'exchange.unbind', { source: 'no-source', destination: exchange });
    await client.call(1, 'exchange.unbind', { source: exchange, destination: 'no-destination' });
  });
});

describe('an alternate exchange', () => {
  it('gets what the exchange has no destination for', async () => {
    const queue = await declareQueue(client);
    const fallback = await declareQueue(client);
    const alternate = uniqueName('alternate');
    await client.call(1, 'exchange.declare', { exchange: alternate, type: 'fanout', autoDelete: true });
    await client.call(1, 'queue.bind', { queue: fallback, exchange: alternate });
    const args = [['alternate-exchange', 'S', alternate]] as const;
    await client.call(1, 'exchange.declare', { exchange, type: 'direct', autoDelete: true, arguments: args });
    await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'known' });
    client.publish(1, { exchange, routingKey: 'known', mandatory: true, body: '1' });
    client.publish(1, { exchange, routingKey: 'unknown', mandatory: true, body: '2' });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    const known = await client.get(1, queue);
    const unknown = await client.get(1, fallback);
    expect([String(known.body), String(unknown.body)]).toEqual(['1', '2']);
    expect(unknown.method).toMatchObject({ exchange, routingKey: 'unknown' });
  });

  it('brings nothing to queues by their names when it is the default exchange', async () => {
    const queue = await declareQueue(client);
    const args = [['alternate-exchange', 'S', '']] as const;
    await client.call(1, 'exchange.declare', { exchange, type: 'direct', arguments: args });
    client.publish(1, { exchange, routingKey: queue, mandatory: true });
    expect((await client.message(1, 'basic.return')).method).toMatchObject({ replyText: 'NO_ROUTE' });
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('need not exist, and then counts for nothing', async () => {
    const args = [['alternate-exchange', 'S', 'never-declared']] as const;
    await client.call(1, 'exchange.declare', { exchange, type: 'direct', arguments: args });
    client.publish(1, { exchange, routingKey: 'unknown', mandatory: true });
    expect((await client.message(1, 'basic.return')).method).toMatchObject({ replyText: 'NO_ROUTE' });
    await client.call(1, 'exchange.delete', { exchange });
  });
});

describe('bindings of a headers exchange', () => {
  beforeEach(() => client.call(1, 'exchange.declare', { exchange, type: 'headers', autoDelete: true }));

  it.each<[string, TableValue, string]>([
    ['S', 'most', 'Invalid x-match field value <<"most">>; expected all, any, all-with-x, or any-with-x'],
    ['I', 1, 'Invalid x-match field type signedint (value 1); expected longstr'],
    [
      'F',
      [['a', 'S', 'b']],
      'Invalid x-match field type table (value [{<<"a">>,longstr,<<"b">>}]); expected longstr',
    ],
    ['A', [['I', 1]], 'Invalid x-match field type array (value [{signedint,1}]); expected longstr'],
  ])('refuse an x-match of %s %s', async (tag, value, text) => {
    const queue = await declareQueue(client);
    await expectRefusal(
      'queue.bind',
      { queue, exchange, arguments: [['x-match', tag, value]] },
      406,
      `PRECONDITION_FAILED - ${text}`,
    );
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('match headers', async () => {
    const queue = await declareQueue(client);
    await client.call(1, 'queue.bind', {
      queue,
      exchange,
      arguments: [
        ['x-match', 'S', 'all'],
        ['kind', 'S', 'order'],
        ['rush', 'V', null],
      ],
    });
    client.publish(1, { exchange, properties: { headers: [['kind', 'S', 'order']] } });
    client.publish(1, {
      exchange,
      properties: {
        headers: [
          ['rush', 't', false],
          ['kind', 'S', 'order'],
        ],
      },
    });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
  });
});
