/** exchange.bind and exchange.unbind, RabbitMQ's bindings between exchanges. */
import { type Case, section } from '../../case.js';
import { expectRefusal, expectSilence } from '../../expect.js';

const bind = section({
  area: 'exchange',
  source: 'https://www.rabbitmq.com/docs/e2e',
  tags: ['rabbitmq'],
});
const DEFAULT_EXCHANGE = 'ACCESS_REFUSED - operation not permitted on the default exchange';

export const cases: readonly Case[] = [
  bind(
    'bind-routes-on',
    'a bound exchange gets what its key fits, once, until it is unbound',
    'A binding between exchanges routes as one to a queue does.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const source = await t.declareExchange(client, 'topic');
      const destination = await t.declareExchange(client, 'fanout');
      await client.call(1, 'queue.bind', { queue, exchange: destination });
      const binding = { source, destination, routingKey: 'a.#' };
      await client.call(1, 'exchange.bind', binding);
      await client.call(1, 'exchange.bind', binding);
      client.publish(1, { exchange: source, routingKey: 'a.b.c', body: 'fits' });
      client.publish(1, { exchange: source, routingKey: 'b', body: 'does not' });
      await t.expectReady(client, queue, ['fits']);
      await client.call(1, 'exchange.unbind', binding);
      client.publish(1, { exchange: source, routingKey: 'a.b.c', body: 'late' });
      await t.expectReady(client, queue, []);
    },
  ),
  bind(
    'bind-circle',
    'bindings may go round in a circle',
    'Bindings between exchanges may form circles: a message visits each exchange once.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const first = await t.declareExchange(client, 'fanout');
      const second = await t.declareExchange(client, 'fanout');
      await client.call(1, 'queue.bind', { queue, exchange: first });
      await client.call(1, 'exchange.bind', { source: first, destination: second });
      await client.call(1, 'exchange.bind', { source: second, destination: first });
      await client.call(1, 'exchange.bind', { source: first, destination: first });
      client.publish(1, { exchange: second, body: 'once' });
      await t.expectReady(client, queue, ['once']);
    },
  ),
  bind(
    'bind-no-wait',
    'no-wait says nothing',
    'With no-wait bind-ok and unbind-ok do not come, and the binding is made or removed all the same.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const source = await t.declareExchange(client, 'fanout');
      const destination = await t.declareExchange(client, 'fanout');
      await client.call(1, 'queue.bind', { queue, exchange: destination });
      client.send(1, 'exchange.bind', { source, destination, noWait: true });
      client.publish(1, { exchange: source, body: 'bound' });
      await expectSilence(client);
      await t.expectReady(client, queue, ['bound']);
      client.send(1, 'exchange.unbind', { source, destination, noWait: true });
      client.publish(1, { exchange: source, body: 'late' });
      await expectSilence(client);
      await t.expectReady(client, queue, []);
    },
  ),
  ...(['source', 'destination'] as const).map((side) =>
    bind(
      `bind-default-${side}`,
      `the default exchange cannot be the ${side}`,
      'The default exchange takes no bindings, neither from it nor to it: the channel error 403.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, 'fanout');
        const fields = { source: exchange, destination: exchange, [side]: '' };
        await expectRefusal(client, 'exchange.bind', fields, 403, DEFAULT_EXCHANGE);
      },
    ),
  ),
  ...(
    [
      ['no-source', 'amq.fanout', 'no-source'],
      ['amq.fanout', 'no-destination', 'no-destination'],
      ['no-source', 'no-destination', 'no-source'],
    ] as const
  ).map(([source, destination, missing], i) =>
    bind(
      `bind-missing-${i + 1}`,
      `${source} cannot be bound to ${destination}`,
      'An exchange that is not there is the channel error 404, the source first.',
      async (t) => {
        const client = await t.openChannel();
        await expectRefusal(client, 'exchange.bind', { source, destination }, 404, t.noExchange(missing));
      },
    ),
  ),
  bind(
    'unbind-missing',
    'unbinding succeeds without a binding, a source or a destination',
    'RabbitMQ answers unbind-ok when there is nothing to unbind.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'fanout');
      await client.call(1, 'exchange.unbind', { source: 'amq.fanout', destination: exchange });
      await client.call(1, 'exchange.unbind', { source: 'no-source', destination: exchange });
      await client.call(1, 'exchange.unbind', { source: exchange, destination: 'no-destination' });
    },
  ),
];
