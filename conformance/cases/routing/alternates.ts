/** Alternate exchanges in a row, in a circle and behind bindings, and bindings between exchanges that meet again. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectFields, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';

const alternate = section({
  area: 'routing',
  source: 'https://www.rabbitmq.com/docs/ae',
  tags: ['rabbitmq'],
});
const bindings = section({
  area: 'routing',
  source: 'https://www.rabbitmq.com/docs/e2e',
  tags: ['rabbitmq'],
});

/** A direct exchange whose alternate is that one. */
function withAlternate(t: CaseContext, client: RawClient, to: string): Promise<string> {
  return t.declareExchange(client, 'direct', { arguments: [['alternate-exchange', 'S', to]] });
}

/** A queue that is bound to an exchange. */
async function boundQueue(
  t: CaseContext,
  client: RawClient,
  exchange: string,
  routingKey = '',
): Promise<string> {
  const queue = await t.declareQueue(client);
  await client.call(1, 'queue.bind', { queue, exchange, routingKey });
  return queue;
}

async function expectReturned(client: RawClient, exchange: string): Promise<void> {
  client.publish(1, { exchange, routingKey: 'k', mandatory: true });
  const { method } = await client.message(1, 'basic.return');
  expectFields('return', method, { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey: 'k' });
  await expectSilence(client);
}

export const cases: readonly Case[] = [
  alternate(
    'alternate-chain',
    'an alternate exchange may have one of its own',
    'The message goes on until an exchange routes it.',
    async (t) => {
      const client = await t.openChannel();
      const last = await t.declareExchange(client, 'fanout');
      const queue = await boundQueue(t, client, last);
      const second = await withAlternate(t, client, last);
      const first = await withAlternate(t, client, second);
      client.publish(1, { exchange: first, routingKey: 'k', mandatory: true, body: 'm' });
      await expectSilence(client);
      await t.expectReady(client, queue, ['m']);
    },
  ),
  alternate(
    'alternate-stops',
    'a message goes no further than to the first alternate exchange that routes it',
    'Those behind it get nothing.',
    async (t) => {
      const client = await t.openChannel();
      const last = await t.declareExchange(client, 'fanout');
      const rest = await boundQueue(t, client, last);
      const second = await withAlternate(t, client, last);
      const queue = await boundQueue(t, client, second, 'k');
      const first = await withAlternate(t, client, second);
      client.publish(1, { exchange: first, routingKey: 'k', body: 'm' });
      await t.expectReady(client, queue, ['m']);
      await t.expectReady(client, rest, []);
    },
  ),
  alternate(
    'alternate-circle',
    'exchanges may be the alternates of each other, or of themselves',
    'A message that none of them routes comes to an end, and is returned.',
    async (t) => {
      const client = await t.openChannel();
      const second = t.name('x');
      const first = await withAlternate(t, client, second);
      const args = [['alternate-exchange', 'S', first]] as const;
      await client.call(1, 'exchange.declare', { exchange: second, type: 'direct', arguments: args });
      await expectReturned(client, first);
      const self = t.name('x');
      const own = [['alternate-exchange', 'S', self]] as const;
      await client.call(1, 'exchange.declare', { exchange: self, type: 'direct', arguments: own });
      await expectReturned(client, self);
    },
  ),
  alternate(
    'alternate-of-destination',
    'a bound exchange that routes nothing sends the message to its own alternate',
    'The exchange it was published to did route it: to the other exchange.',
    async (t) => {
      const client = await t.openChannel();
      const ofSource = await t.declareExchange(client, 'fanout');
      const ofDestination = await t.declareExchange(client, 'fanout');
      const unused = await boundQueue(t, client, ofSource);
      const queue = await boundQueue(t, client, ofDestination);
      const source = await withAlternate(t, client, ofSource);
      const destination = await withAlternate(t, client, ofDestination);
      await client.call(1, 'exchange.bind', { source, destination, routingKey: 'k' });
      client.publish(1, { exchange: source, routingKey: 'k', body: 'm' });
      await t.expectReady(client, queue, ['m']);
      await t.expectReady(client, unused, []);
    },
  ),
  alternate(
    'alternate-not-behind-binding',
    'a message that another exchange got and could not route does not go to the alternate',
    'A binding to an exchange counts as a route for that; mandatory tells the publisher.',
    async (t) => {
      const client = await t.openChannel();
      const fallback = await t.declareExchange(client, 'fanout');
      const unused = await boundQueue(t, client, fallback);
      const source = await withAlternate(t, client, fallback);
      const destination = await t.declareExchange(client, 'fanout');
      await client.call(1, 'exchange.bind', { source, destination, routingKey: 'k' });
      await expectReturned(client, source);
      await t.expectReady(client, unused, []);
    },
  ),
  alternate(
    'alternate-default',
    'the default exchange is of no use as an alternate',
    'It routes to the queue of a name only what was published to it.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await withAlternate(t, client, '');
      const queue = await t.declareQueue(client);
      client.publish(1, { exchange, routingKey: queue, mandatory: true });
      expectFields('return', (await client.message(1, 'basic.return')).method, { replyText: 'NO_ROUTE' });
      await t.expectReady(client, queue, []);
    },
  ),
  alternate(
    'alternate-later',
    'an alternate exchange may be declared after the exchange it is for, and may go again',
    'It is looked up for each message.',
    async (t) => {
      const client = await t.openChannel();
      const fallback = t.name('x');
      const exchange = await withAlternate(t, client, fallback);
      await expectReturned(client, exchange);
      await client.call(1, 'exchange.declare', { exchange: fallback, type: 'fanout' });
      const queue = await boundQueue(t, client, fallback);
      client.publish(1, { exchange, routingKey: 'k', mandatory: true, body: 'm' });
      await expectSilence(client);
      await t.expectReady(client, queue, ['m']);
      await client.call(1, 'exchange.delete', { exchange: fallback });
      await expectReturned(client, exchange);
    },
  ),
  alternate(
    'alternate-internal',
    'an internal exchange may be an alternate',
    'Nobody publishes to it but other exchanges.',
    async (t) => {
      const client = await t.openChannel();
      const fallback = await t.declareExchange(client, 'fanout', { internal: true });
      const queue = await boundQueue(t, client, fallback);
      const exchange = await withAlternate(t, client, fallback);
      client.publish(1, { exchange, routingKey: 'k', body: 'm' });
      await t.expectReady(client, queue, ['m']);
    },
  ),
  alternate(
    'alternate-headers',
    'an alternate exchange of type headers looks at the headers',
    'It gets the message as it was published.',
    async (t) => {
      const client = await t.openChannel();
      const fallback = await t.declareExchange(client, 'headers');
      const queue = await t.declareQueue(client);
      const kind = ['kind', 'S', 'lost'] as const;
      await client.call(1, 'queue.bind', { queue, exchange: fallback, arguments: [kind] });
      const exchange = await withAlternate(t, client, fallback);
      client.publish(1, { exchange, routingKey: 'k', body: 'm', properties: { headers: [kind] } });
      client.publish(1, { exchange, routingKey: 'k', body: 'other' });
      await t.expectReady(client, queue, ['m']);
    },
  ),
  bindings(
    'diamond',
    'a queue that is reached on two ways gets one copy',
    'Whatever exchanges lie between.',
    async (t) => {
      const client = await t.openChannel();
      const source = await t.declareExchange(client, 'fanout');
      const queue = await boundQueue(t, client, source);
      for (const type of ['fanout', 'topic']) {
        const destination = await t.declareExchange(client, type);
        await client.call(1, 'exchange.bind', { source, destination });
        await client.call(1, 'queue.bind', { queue, exchange: destination, routingKey: '#' });
      }
      client.publish(1, { exchange: source, body: 'once' });
      await t.expectReady(client, queue, ['once']);
    },
  ),
  bindings(
    'circle-without-queue',
    'a circle of exchanges without a queue routes nowhere, and comes to an end',
    'A mandatory message is returned.',
    async (t) => {
      const client = await t.openChannel();
      const exchanges: string[] = [];
      for (let i = 0; i < 3; i++) exchanges.push(await t.declareExchange(client, 'fanout'));
      for (const [i, source] of exchanges.entries()) {
        const destination = exchanges[(i + 1) % exchanges.length]!;
        await client.call(1, 'exchange.bind', { source, destination });
      }
      await expectReturned(client, exchanges[0]!);
    },
  ),
  bindings(
    'long-chain',
    'a message goes through a long row of exchanges',
    'With its own exchange and key.',
    async (t) => {
      const client = await t.openChannel();
      const first = await t.declareExchange(client, 'topic');
      let source = first;
      for (let i = 0; i < 20; i++) {
        const destination = await t.declareExchange(client, 'topic');
        await client.call(1, 'exchange.bind', { source, destination, routingKey: 'a.#' });
        source = destination;
      }
      const queue = await boundQueue(t, client, source, '*.b');
      client.publish(1, { exchange: first, routingKey: 'a.b', body: 'm' });
      await client.sync();
      await t.readyCount(client, queue, 1);
      expectFields('get-ok', (await client.get(1, queue)).method, { exchange: first, routingKey: 'a.b' });
    },
  ),
];
