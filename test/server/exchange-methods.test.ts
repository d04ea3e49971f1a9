import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import {
  byGeneration,
  channelClose,
  closeOf,
  connectionClose,
  declareQueue,
  Target,
  uniqueName,
} from './target.js';

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

describe('exchange.declare', () => {
  it.each(['direct', 'fanout', 'topic', 'headers'])('makes an exchange of type %s', async (type) => {
    await client.call(1, 'exchange.declare', { exchange, type });
    await client.call(1, 'exchange.declare', { exchange, passive: true });
    await client.call(1, 'exchange.delete', { exchange });
  });

  it.each([
    ['amq.direct', 'direct'],
    ['amq.fanout', 'fanout'],
    ['amq.headers', 'headers'],
    ['amq.match', 'headers'],
    ['amq.topic', 'topic'],
  ])('finds %s, and takes it declared as it is', async (name, type) => {
    await client.call(1, 'exchange.declare', { exchange: name, type, durable: true });
  });

  it('finds the trace exchange, which is internal', async () => {
    await client.call(1, 'exchange.declare', {
      exchange: 'amq.rabbitmq.trace',
      type: 'topic',
      durable: true,
      internal: true,
    });
  });

  it('takes the same again, whatever the unknown arguments', async () => {
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout', arguments: [['a', 'I', 1]] });
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout', arguments: [['b', 'S', 'x']] });
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('drops line breaks from the name', async () => {
    await client.call(1, 'exchange.declare', { exchange: `${exchange}\r\n`, type: 'fanout' });
    await client.call(1, 'exchange.declare', { exchange, passive: true });
    await client.call(1, 'exchange.delete', { exchange });
  });

  it.each([
    ['type', { type: 'direct' }, "received 'direct' but current is 'fanout'"],
    ['durable', { durable: true }, "received 'true' but current is 'false'"],
    ['auto_delete', { autoDelete: true }, "received 'true' but current is 'false'"],
    ['internal', { internal: true }, "received 'true' but current is 'false'"],
    [
      'alternate-exchange',
      { arguments: [['alternate-exchange', 'S', 'other']] },
      "received 'other' but current is 'amq.direct'",
    ],
    [
      'alternate-exchange',
      { arguments: [] },
      "received none but current is the value 'amq.direct' of type 'longstr'",
    ],
  ] as const)('refuses another %s', async (key, change, text) => {
    const declared: Fields = {
      exchange,
      type: 'fanout',
      arguments: [['alternate-exchange', 'S', 'amq.direct']],
    };
    await client.call(1, 'exchange.declare', declared);
    await expectRefusal(
      'exchange.declare',
      { ...declared, ...change },
      406,
      `PRECONDITION_FAILED - inequivalent arg '${key}' for exchange '${exchange}' in vhost '/': ${text}`,
    );
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('passively, does not look at the other fields', async () => {
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    await client.call(1, 'exchange.declare', { exchange, type: 'nonsense', durable: true, passive: true });
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('passively, refuses what is not there', () =>
    expectRefusal(
      'exchange.declare',
      { exchange, type: 'fanout', passive: true },
      404,
      `NOT_FOUND - no exchange '${exchange}' in vhost '/'`,
    ));

  it('refuses an unknown type', async () => {
    const text = "unknown exchange type 'x-nonsense'";
    client.send(1, 'exchange.declare', { exchange, type: 'x-nonsense' });
    if (byGeneration(false, true)) {
      expect(await connectionClose(client)).toEqual(
        closeOf('exchange.declare', 503, `COMMAND_INVALID - ${text}`),
      );
    } else {
      expect(await channelClose(client)).toEqual(
        closeOf('exchange.declare', 406, `PRECONDITION_FAILED - ${text}`),
      );
    }
  });

  it.each([true, false])('refuses the default exchange (passive: %s)', (passive) =>
    expectRefusal('exchange.declare', { exchange: '', type: 'direct', passive }, 403, DEFAULT_EXCHANGE),
  );

  it('refuses a new name of the broker itself', () =>
    expectRefusal(
      'exchange.declare',
      { exchange: 'amq.new', type: 'direct' },
      403,
      "ACCESS_REFUSED - exchange name 'amq.new' contains reserved prefix 'amq.*'",
    ));

  it('refuses an alternate exchange that is no name', () =>
    expectRefusal(
      'exchange.declare',
      { exchange, type: 'direct', arguments: [['alternate-exchange', 'I', 1]] },
      406,
      `PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange '${exchange}' in vhost '/'`,
    ));

  it('says nothing when told so, but of an error', async () => {
    client.send(1, 'exchange.declare', { exchange, type: 'fanout', noWait: true });
    client.send(1, 'exchange.declare', { exchange, passive: true, noWait: true });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
    client.send(1, 'exchange.delete', { exchange, noWait: true });
    await expectRefusal(
      'exchange.declare',
      { exchange, passive: true, noWait: true },
      404,
      `NOT_FOUND - no exchange '${exchange}' in vhost '/'`,
    );
  });
});

describe('exchange.delete', () => {
  it('of what is not there succeeds', async () => {
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('refuses the default exchange', () =>
    expectRefusal('exchange.delete', { exchange: '' }, 403, DEFAULT_EXCHANGE));

  it.each(['amq.topic', 'amq.never'])('refuses %s', (name) =>
    expectRefusal(
      'exchange.delete',
      { exchange: name },
      403,
      `ACCESS_REFUSED - deletion of system exchange '${name}' in vhost '/' not allowed`,
    ),
  );

  it('if unused, refuses an exchange with a binding', async () => {
    const queue = await declareQueue(client);
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    await client.call(1, 'queue.bind', { queue, exchange });
    await expectRefusal(
      'exchange.delete',
      { exchange, ifUnused: true },
      406,
      `PRECONDITION_FAILED - exchange '${exchange}' in vhost '/' in use`,
    );
    await client.call(1, 'queue.unbind', { queue, exchange });
    await client.call(1, 'exchange.delete', { exchange, ifUnused: true });
  });

  it('if unused, does not mind being bound to', async () => {
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    await client.call(1, 'exchange.bind', { source: 'amq.fanout', destination: exchange });
    await client.call(1, 'exchange.delete', { exchange, ifUnused: true });
  });

  it('takes bindings with it', async () => {
    const queue = await declareQueue(client);
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    await client.call(1, 'queue.bind', { queue, exchange });
    await client.call(1, 'exchange.delete', { exchange });
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
    expect(await isRouted(queue)).toBe(false);
    await client.call(1, 'exchange.delete', { exchange });
  });
});

describe('an auto-delete exchange', () => {
  beforeEach(() => client.call(1, 'exchange.declare', { exchange, type: 'fanout', autoDelete: true }));

  async function expectGone(): Promise<void> {
    await expectRefusal(
      'exchange.declare',
      { exchange, passive: true },
      404,
      `NOT_FOUND - no exchange '${exchange}' in vhost '/'`,
    );
  }

  it('stays until it was bound', async () => {
    await client.call(1, 'exchange.declare', { exchange, passive: true });
    await client.call(1, 'exchange.bind', { source: 'amq.fanout', destination: exchange });
    await client.call(1, 'exchange.unbind', { source: 'amq.fanout', destination: exchange });
    await client.call(1, 'exchange.declare', { exchange, passive: true });
    await client.call(1, 'exchange.delete', { exchange });
  });

  it('goes with its last binding', async () => {
    const queue = await declareQueue(client);
    await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'a' });
    await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'b' });
    await client.call(1, 'queue.unbind', { queue, exchange, routingKey: 'a' });
    await client.call(1, 'exchange.declare', { exchange, passive: true });
    await client.call(1, 'queue.unbind', { queue, exchange, routingKey: 'b' });
    await expectGone();
  });

  it('goes with the last queue bound to it', async () => {
    const queue = await declareQueue(client);
    await client.call(1, 'queue.bind', { queue, exchange });
    await client.call(1, 'queue.delete', { queue });
    await expectGone();
  });
});
