/** Where a message goes: a route that is remembered, and one that has to be found. */
import type { BrokerExchange, RouteRequest } from '../../src/broker/router.js';
import type { Queue } from '../../src/queues/queue.js';
import type { Build, Part } from './part.js';

const BINDINGS = 1000;

/** The router asks nothing else of a queue. */
const fakeQueue = (name: string): Queue => ({ name, typeName: 'classic' }) as Queue;

const keys: readonly string[] = Array.from({ length: BINDINGS }, (_, i) => `bench.${i}.price`);

async function prepareRouter(build: Build, typeName: string) {
  const { Router, BrokerExchange: Exchange } =
    await build.load<typeof import('../../src/broker/router.js')>('broker/router');
  const { FieldTable } = await build.load<typeof import('../../src/amqp/field-table.js')>('amqp/field-table');
  const { exchangeTypes } =
    await build.load<typeof import('../../src/exchanges/registry.js')>('exchanges/registry');
  const { SystemRandom } = await build.load<typeof import('../../src/lib/random.js')>('lib/random');
  const type = exchangeTypes.get(typeName)!;
  const properties = { name: 'x', type, durable: false, autoDelete: false, internal: false };
  const exchange: BrokerExchange = new Exchange(
    { ...properties, arguments: FieldTable.EMPTY },
    new SystemRandom(),
  );
  for (const key of keys) exchange.bind(fakeQueue(key), key, FieldTable.EMPTY);
  const router = new Router({ exchanges: new Map([['x', exchange]]), queueNamed: () => undefined });
  const requests = keys.map(
    (key): RouteRequest => ({
      routingKeys: [key],
      headers: () => FieldTable.EMPTY,
      properties: () => ({ headers: FieldTable.EMPTY }),
      keptBy: () => {},
    }),
  );
  return { router, exchange, requests };
}

export const routerParts: readonly Part[] = [
  {
    name: 'router-recall',
    title: 'the remembered route of one of 1,000 keys',
    async prepare(build) {
      const { router, exchange, requests } = await prepareRouter(build, 'direct');
      for (const request of requests) router.route(exchange, request);
      return {
        operations: BINDINGS,
        run: () => {
          for (const key of keys) {
            if (router.recall(exchange, key)?.length !== 1) throw new Error(`no route for ${key}`);
          }
        },
      };
    },
  },
  {
    name: 'router-route',
    title: 'finding and remembering the route of one of 1,000 keys of a direct exchange',
    async prepare(build) {
      const { router, exchange, requests } = await prepareRouter(build, 'direct');
      return {
        operations: BINDINGS,
        run: () => {
          router.invalidate();
          for (const request of requests) {
            if (router.route(exchange, request).length !== 1) throw new Error('no route');
          }
        },
      };
    },
  },
];
