import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import type { Exchange } from '../../src/exchanges/exchange.js';
import { modulusHashExchange } from '../../src/exchanges/modulus-hash.js';
import { destination, exchangeOf, message, type NamedDestination, namesOf } from './messages.js';
import { expectShares } from './shares.js';

const { EMPTY } = FieldTable;
const KEYS = Array.from({ length: 10_000 }, (_, i) => `order.${i}`);

function bound(...names: string[]): Exchange<NamedDestination> {
  const exchange = exchangeOf(modulusHashExchange);
  for (const name of names) exchange.bind(destination(name), `key of ${name}`, EMPTY);
  return exchange;
}

const placesOf = (exchange: Exchange<NamedDestination>): string[] =>
  KEYS.map((key) => namesOf(exchange.matcher, message(key)).join());

function countsOf(places: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of places) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

describe('a modulus hash exchange', () => {
  it('spreads routing keys evenly', () => {
    expectShares(countsOf(placesOf(bound('a', 'b', 'c', 'd', 'e'))), { a: 1, b: 1, c: 1, d: 1, e: 1 });
  });

  it('gives a destination a share for each of its bindings', () => {
    const exchange = bound('once');
    const queue = destination('thrice');
    for (const key of ['1', '2', '3']) exchange.bind(queue, key, EMPTY);
    expectShares(countsOf(placesOf(exchange)), { once: 1, thrice: 3 });
    exchange.unbind(queue, '2', EMPTY);
    expectShares(countsOf(placesOf(exchange)), { once: 1, thrice: 2 });
  });

  it('places the same whatever the order of the bindings', () => {
    expect(placesOf(bound('c', 'a', 'b'))).toEqual(placesOf(bound('a', 'b', 'c')));
    const exchange = exchangeOf(modulusHashExchange);
    const gone = destination('aa');
    for (const queue of [destination('b'), gone, destination('c'), destination('a')]) {
      exchange.bind(queue, '', EMPTY);
      namesOf(exchange.matcher, message('k'));
    }
    exchange.unbindAll(gone);
    expect(placesOf(exchange)).toEqual(placesOf(bound('a', 'b', 'c')));
  });
});
