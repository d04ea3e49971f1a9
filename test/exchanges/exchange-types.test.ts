import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { directExchange } from '../../src/exchanges/direct.js';
import { fanoutExchange } from '../../src/exchanges/fanout.js';
import { exchangeTypes } from '../../src/exchanges/registry.js';
import { describeExchangeContract, type ExchangeTraits } from './exchange-contract.js';
import { destination, exchangeOf, message, namesOf } from './messages.js';

const TRAITS: Readonly<Record<string, ExchangeTraits>> = {
  'x-consistent-hash': { bindingKeys: ['1', '2', '30'], picksOne: true },
  'x-modulus-hash': { picksOne: true },
  'x-random': { picksOne: true },
  'x-local-random': { bindingKeys: [''], picksOne: true },
};

for (const type of exchangeTypes.values()) describeExchangeContract(type, TRAITS[type.name]);

describe('exchange types', () => {
  it('are the four of AMQP and those of RabbitMQ', () => {
    expect([...exchangeTypes.keys()].sort()).toEqual([
      'direct',
      'fanout',
      'headers',
      'topic',
      'x-consistent-hash',
      'x-local-random',
      'x-modulus-hash',
      'x-random',
      'x-recent-history',
    ]);
  });

  it('direct matches the equal key only', () => {
    const exchange = exchangeOf(directExchange);
    for (const key of ['', 'a', 'A', '#', '*', 'a.b', '__proto__']) {
      exchange.bind(destination(key), key, FieldTable.EMPTY);
    }
    for (const key of ['', 'a', 'A', '#', '*', 'a.b', '__proto__']) {
      expect(namesOf(exchange.matcher, message(key))).toEqual([key]);
    }
    expect(namesOf(exchange.matcher, message('b'))).toEqual([]);
    expect(namesOf(exchange.matcher, message('constructor'))).toEqual([]);
  });

  it('fanout matches whatever the key', () => {
    const exchange = exchangeOf(fanoutExchange);
    exchange.bind(destination('q1'), 'a', FieldTable.EMPTY);
    exchange.bind(destination('q2'), '', FieldTable.EMPTY);
    for (const key of ['', 'a', 'z']) expect(namesOf(exchange.matcher, message(key))).toEqual(['q1', 'q2']);
  });
});
