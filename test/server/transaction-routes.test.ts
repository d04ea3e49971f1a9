import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { countsOf, Target, uniqueName } from './target.js';

/** The channel with the transaction; definitions change on channel 1. */
const TX = 2;

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  await client.openChannel(TX);
  await client.call(TX, 'tx.select');
  queue = uniqueName('q');
});
afterEach(() => target.close());

const declare = (name = queue): Promise<unknown> =>
  client.call(1, 'queue.declare', { queue: name, exclusive: true });

const remove = (): Promise<unknown> => client.call(1, 'queue.delete', { queue });

async function publish(
  message: { exchange?: string; mandatory?: boolean; copies?: string[] } = {},
): Promise<void> {
  const { copies, ...fields } = message;
  const headers = copies === undefined ? [] : [['CC', 'A', copies.map((key) => ['S', key])] as never];
  client.publish(TX, { routingKey: queue, body: 'm', properties: { headers }, ...fields });
  await client.sync(TX);
}

const commit = (): Promise<unknown> => client.call(TX, 'tx.commit');

async function ready(name = queue): Promise<number> {
  return (await countsOf(client, name)).messageCount!;
}

/** The reply text of the basic.return that precedes commit-ok. */
async function returnedByCommit(): Promise<string> {
  client.send(TX, 'tx.commit');
  const { method } = await client.message(TX, 'basic.return');
  await client.method(TX, 'tx.commit-ok');
  return method.replyText!;
}

describe('a publish in a transaction to the default exchange', () => {
  it('reaches a queue that is declared before the commit', async () => {
    await publish();
    await declare();
    await commit();
    expect(await ready()).toBe(1);
  });

  it('reaches by its copies queues that are declared before the commit, each once', async () => {
    const [there, later] = [uniqueName('q'), uniqueName('q')];
    await declare(there);
    await publish({ copies: [there, later, later] });
    await declare(later);
    await commit();
    expect([await ready(there), await ready(later)]).toEqual([1, 1]);
    // The next is for its own key alone.
    await publish();
    await declare();
    await commit();
    expect([await ready(), await ready(there), await ready(later)]).toEqual([1, 1, 1]);
  });

  it('that is mandatory does not come back when its queue is declared before the commit', async () => {
    await publish({ mandatory: true });
    await declare();
    await commit();
    expect(await ready()).toBe(1);
  });

  it('that is mandatory comes back when there is no queue at the commit', async () => {
    await declare();
    await publish({ mandatory: true });
    await remove();
    expect(await returnedByCommit()).toBe('NO_ROUTE');
  });
});

describe('a publish in a transaction', () => {
  let exchange: string;
  beforeEach(async () => {
    exchange = uniqueName('x');
    await client.call(1, 'exchange.declare', { exchange, type: 'fanout', autoDelete: true });
  });

  const declareBound = async (): Promise<void> => {
    await declare();
    await client.call(1, 'queue.bind', { queue, exchange });
  };

  it.each(['the default exchange', 'another exchange'])(
    'reaches the queue that has the name of its queue by the commit: %s',
    async (name) => {
      const isDefault = name === 'the default exchange';
      await (isDefault ? declare() : declareBound());
      // The exchange stays for as long as something is bound to it.
      await client.call(1, 'queue.declare', { queue: uniqueName('q'), exclusive: true });
      await client.call(1, 'queue.bind', { queue: '', exchange });
      await publish(isDefault ? {} : { exchange });
      await remove();
      await declare();
      await commit();
      expect(await ready()).toBe(1);
    },
  );

  it('does not reach a queue that is bound after it', async () => {
    await declare();
    await publish({ exchange, mandatory: true });
    await client.call(1, 'queue.bind', { queue, exchange });
    expect(await returnedByCommit()).toBe('NO_ROUTE');
    expect(await ready()).toBe(0);
  });

  it('comes back, being mandatory, when its queues have gone by the commit', async () => {
    await declareBound();
    await publish({ exchange, mandatory: true });
    await remove();
    expect(await returnedByCommit()).toBe('NO_ROUTE');
  });
});
