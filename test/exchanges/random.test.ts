import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { signedint } from '../../src/amqp/field-value.js';
import type { Exchange } from '../../src/exchanges/exchange.js';
import type { ExchangeTypeDefinition } from '../../src/exchanges/exchange-type.js';
import { localRandomExchange } from '../../src/exchanges/local-random.js';
import { randomExchange } from '../../src/exchanges/random.js';
import { SeededRandom } from '../../src/lib/random.js';
import { destination, exchangeOf, message, type NamedDestination, namesOf, tableOf } from './messages.js';
import { expectShares } from './shares.js';

const { EMPTY } = FieldTable;
const MESSAGES = 6000;
const SEED = Number(process.env['LEVERET_SEED'] ?? 20_260);

const newExchange = (type: ExchangeTypeDefinition, seed = SEED) =>
  exchangeOf(type, EMPTY, new SeededRandom(seed));

function choices(exchange: Exchange<NamedDestination>, count = MESSAGES): string[] {
  return Array.from({ length: count }, () => namesOf(exchange.matcher, message('same')).join());
}

function counts(exchange: Exchange<NamedDestination>): Record<string, number> {
  const byName: Record<string, number> = {};
  for (const name of choices(exchange)) byName[name] = (byName[name] ?? 0) + 1;
  return byName;
}

describe.each([randomExchange, localRandomExchange])(
  `an exchange of type $name, LEVERET_SEED=${SEED}`,
  (type) => {
    it('chooses among its destinations evenly, whatever the key', () => {
      const exchange = newExchange(type);
      for (const name of ['a', 'b', 'c']) exchange.bind(destination(name), '', EMPTY);
      expectShares(counts(exchange), { a: 1, b: 1, c: 1 });
    });

    it('gives a destination a chance for each of its bindings', () => {
      const exchange = newExchange(type);
      const twice = destination('twice');
      exchange.bind(twice, '', EMPTY);
      exchange.bind(destination('once'), '', EMPTY);
      exchange.bind(twice, '', tableOf(['k', signedint(1)]));
      expectShares(counts(exchange), { twice: 2, once: 1 });
    });

    it('goes on evenly after bindings have gone, first, last and between', () => {
      const exchange = newExchange(type);
      const queues = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => destination(name));
      for (const queue of queues) exchange.bind(queue, '', EMPTY);
      for (const place of [0, 2, 5]) exchange.unbind(queues[place]!, '', EMPTY);
      expectShares(counts(exchange), { b: 1, d: 1, e: 1 });
    });

    it('chooses the same with the same randomness, and otherwise not', () => {
      const run = (seed: number) => {
        const exchange = newExchange(type, seed);
        for (const name of ['a', 'b']) exchange.bind(destination(name), '', EMPTY);
        return choices(exchange, 64);
      };
      expect(run(1)).toEqual(run(1));
      expect(run(1)).not.toEqual(run(2));
    });

    it('is not cacheable', () => {
      expect(newExchange(type).matcher.isCacheable).toBe(false);
    });
  },
);

describe('x-random', () => {
  it('binds exchanges and queues of every type with any key', () => {
    const exchange = newExchange(randomExchange);
    for (const [i, typeName] of ['classic', 'quorum', 'stream', 'fanout'].entries()) {
      expect(exchange.bind(destination(`d${i}`, typeName), 'any key', EMPTY)).toBe(true);
    }
  });
});

describe('x-local-random', () => {
  it.each([
    ['key', 'classic', "Non empty binding 'key' key not permitted"],
    ['key', 'fanout', "Non empty binding 'key' key not permitted"],
    ['', 'fanout', 'Destination not found'],
    ['', 'x-local-random', 'Destination not found'],
    ['', 'quorum', 'Queue type rabbit_quorum_queue not valid for this exchange type'],
    ['', 'stream', 'Queue type rabbit_stream_queue not valid for this exchange type'],
  ])('refuses the key %j to a destination of type %s', (key, typeName, text) => {
    const exchange = newExchange(localRandomExchange);
    expect(() => exchange.bind(destination('d', typeName), key, EMPTY)).toThrow(
      `PRECONDITION_FAILED - ${text}`,
    );
    expect(exchange.bindingCount).toBe(0);
  });
});
