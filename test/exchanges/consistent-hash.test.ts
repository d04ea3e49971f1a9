import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import {
  array,
  bool,
  double,
  type FieldValue,
  long,
  longstr,
  signedint,
  timestamp,
} from '../../src/amqp/field-value.js';
import { consistentHashExchange } from '../../src/exchanges/consistent-hash.js';
import type { Exchange } from '../../src/exchanges/exchange.js';
import type { RoutedMessage } from '../../src/exchanges/exchange-type.js';
import { destination, exchangeOf, message, type NamedDestination, namesOf, tableOf } from './messages.js';
import { expectShares } from './shares.js';

const { EMPTY } = FieldTable;
const KEYS = Array.from({ length: 20_000 }, (_, i) => `order.${i}`);

type HashExchange = Exchange<NamedDestination>;

function bound(weights: Readonly<Record<string, string>>, args = EMPTY): HashExchange {
  const exchange = exchangeOf(consistentHashExchange, args);
  for (const [name, weight] of Object.entries(weights)) exchange.bind(destination(name), weight, EMPTY);
  return exchange;
}

function chosen(exchange: HashExchange, routed: RoutedMessage): string {
  const names = namesOf(exchange.matcher, routed);
  // An `expect` for each of many thousand messages would take longer than all the rest.
  if (names.length !== 1) throw new Error(`one message went to ${names.length} destinations`);
  return names[0]!;
}

const placesOf = (exchange: HashExchange): string[] => KEYS.map((key) => chosen(exchange, message(key)));

function countsOf(places: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of places) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

describe('a consistent hash exchange', () => {
  it.each([
    [{ q1: '1', q2: '1', q3: '1', q4: '1' }],
    [{ q1: '1', q2: '1', q3: '2', q4: '2' }],
    [{ a: '1', b: '10', c: '100' }],
    [{ heavy: '10000', light: '5000' }],
    [Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`shard-${i}`, '7']))],
  ] as Readonly<Record<string, string>>[][])('gives shares in proportion to the weights %j', (weights) => {
    const shares = Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [name, Number(weight)]),
    );
    expectShares(countsOf(placesOf(bound(weights))), shares);
  });

  it('moves only what a new destination wins', () => {
    const exchange = bound({ a: '1', b: '2', c: '3' });
    const before = placesOf(exchange);
    const queue = destination('new');
    exchange.bind(queue, '2', EMPTY);
    const after = placesOf(exchange);
    expectShares(countsOf(after), { a: 1, b: 2, c: 3, new: 2 });
    expect(after.filter((name, i) => name !== 'new' && name !== before[i])).toEqual([]);
    exchange.unbind(queue, '2', EMPTY);
    expect(placesOf(exchange)).toEqual(before);
    exchange.bind(queue, '2', EMPTY);
    expect(placesOf(exchange)).toEqual(after);
  });

  it('moves only what a removed destination had, in proportion to the weights that stay', () => {
    const exchange = exchangeOf(consistentHashExchange);
    const queues = ['a', 'b', 'c', 'd'].map((name) => destination(name));
    for (const [i, queue] of queues.entries()) exchange.bind(queue, String(i + 1), EMPTY);
    const before = placesOf(exchange);
    // Neither the first nor the last: a ring that closes its gap would move what comes behind.
    exchange.unbindAll(queues[1]!);
    const after = placesOf(exchange);
    expect(before.filter((name, i) => name !== 'b' && name !== after[i])).toEqual([]);
    expectShares(countsOf(after), { a: 1, c: 3, d: 4 });
  });

  it('places the same whatever the order of the bindings', () => {
    expect(placesOf(bound({ c: '3', a: '1', b: '2' }))).toEqual(placesOf(bound({ a: '1', b: '2', c: '3' })));
  });

  it('ignores a second binding of a destination until the first has gone', () => {
    const exchange = bound({ other: '10' });
    const queue = destination('q');
    exchange.bind(queue, '1', EMPTY);
    exchange.bind(queue, '30', EMPTY);
    expectShares(countsOf(placesOf(exchange)), { other: 10, q: 1 });
    exchange.unbind(queue, '1', EMPTY);
    expectShares(countsOf(placesOf(exchange)), { other: 10, q: 30 });
    exchange.unbind(queue, '30', EMPTY);
    expectShares(countsOf(placesOf(exchange)), { other: 1 });
  });

  it('gives a queue and an exchange of one name a share each', () => {
    const exchange = exchangeOf(consistentHashExchange);
    const [queue, other] = [destination('same'), destination('same', 'fanout')];
    exchange.bind(queue, '3', EMPTY);
    exchange.bind(other, '1', EMPTY);
    const counts = { queue: 0, exchange: 0 };
    for (const key of KEYS) {
      const found = new Set<NamedDestination>();
      exchange.matcher.match(message(key), found);
      counts[found.has(queue) ? 'queue' : 'exchange']++;
    }
    expectShares(counts, { queue: 3, exchange: 1 });
  });

  it('may be remembered by routing key only when it hashes the routing key', () => {
    const isCacheable = (...entries: readonly (readonly [string, FieldValue])[]) =>
      exchangeOf(consistentHashExchange, tableOf(...entries)).matcher.isCacheable;
    expect(isCacheable()).toBe(true);
    expect(isCacheable(['hash-header', longstr('h')])).toBe(false);
    expect(isCacheable(['hash-property', longstr('message_id')])).toBe(false);
  });
});

describe('a consistent hash exchange with hash-header', () => {
  const exchange = bound(
    Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`q${i}`, '1'])),
    tableOf(['hash-header', longstr('customer')]),
  );
  const place = (value: FieldValue, key = 'k') =>
    chosen(exchange, message(key, tableOf(['other', signedint(1)], ['customer', value])));
  const without = (key: string) => chosen(exchange, message(key, tableOf(['other', longstr(key)])));

  it('goes by the header, not by the key', () => {
    const places = KEYS.map((key) => place(longstr(key)));
    expectShares(countsOf(places), Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`q${i}`, 1])));
    for (const key of KEYS.slice(0, 100)) expect(place(longstr('one'), key)).toBe(place(longstr('one')));
  });

  it('keeps all messages without the header together', () => {
    for (const key of KEYS.slice(0, 100)) expect(without(key)).toBe(chosen(exchange, message(key)));
    expect(new Set(KEYS.slice(0, 100).map(without)).size).toBe(1);
  });

  it('takes values of every type, and equal Erlang terms for one', () => {
    for (const value of [bool(true), double(1.5), array([longstr('a')]), { type: 'void' } as const]) {
      expect(place(value, 'a')).toBe(place(value, 'b'));
    }
    for (let i = 0; i < 50; i++) {
      expect(place(signedint(i))).toBe(place(long(i)));
      expect(place(signedint(i))).toBe(place(timestamp(i)));
      expect(place(longstr(`v${i}`))).toBe(place({ type: 'binary', value: Buffer.from(`v${i}`) }));
    }
    const differ = KEYS.slice(0, 50).filter((_, i) => place(longstr(String(i))) !== place(signedint(i)));
    expect(differ.length).toBeGreaterThan(30);
  });
});

describe('a consistent hash exchange with hash-property', () => {
  const WEIGHTS = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`q${i}`, '1']));
  const EVEN = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`q${i}`, 1]));
  const hashing = (property: string) => bound(WEIGHTS, tableOf(['hash-property', longstr(property)]));

  it.each(['message_id', 'correlation_id', 'timestamp'])('goes by %s', (property) => {
    const exchange = hashing(property);
    const propertiesOf = (i: number) => ({
      messageId: property === 'message_id' ? `id-${i}` : 'same',
      correlationId: property === 'correlation_id' ? `id-${i}` : 'same',
      timestamp: property === 'timestamp' ? 1_700_000_000 + i : 5,
    });
    const place = (i: number, key: string) => chosen(exchange, message(key, EMPTY, propertiesOf(i)));
    expectShares(countsOf(KEYS.map((key, i) => place(i, key))), EVEN);
    expect(new Set(KEYS.slice(0, 100).map((key) => place(7, key))).size).toBe(1);
  });

  it('keeps all messages without the property together', () => {
    const exchange = hashing('message_id');
    const places = KEYS.slice(0, 100).map((key) =>
      chosen(exchange, message(key, EMPTY, { correlationId: key })),
    );
    expect(new Set(places).size).toBe(1);
  });

  it('reads a timestamp beyond 2^53', () => {
    const exchange = hashing('timestamp');
    const place = (seconds: bigint) => chosen(exchange, message('k', EMPTY, { timestamp: seconds }));
    expect(new Set(Array.from({ length: 50 }, (_, i) => place(2n ** 60n + BigInt(i)))).size).toBeGreaterThan(
      8,
    );
  });
});

describe('a consistent hash exchange refuses', () => {
  it.each<[string, FieldValue, string]>([
    ['hash-property', longstr('foo'), 'Unsupported property: foo'],
    ['hash-property', longstr(''), 'Unsupported property: '],
    ['hash-property', longstr('Message_id'), 'Unsupported property: Message_id'],
    ['hash-property', signedint(1), 'hash-property must be a string, not of type signedint'],
    ['hash-header', bool(true), 'hash-header must be a string, not of type bool'],
  ])('%s %o', (key, value, text) => {
    const args = tableOf([key, value]);
    expect(refusal(() => exchangeOf(consistentHashExchange, args))).toBe(`PRECONDITION_FAILED - ${text}`);
  });

  it('a header and a property', () => {
    const args = tableOf(['hash-header', longstr('h')], ['hash-property', longstr('foo')]);
    expect(refusal(() => exchangeOf(consistentHashExchange, args))).toBe(
      'PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive',
    );
  });

  it.each([
    ['x', 'must be an integer: <<"x">>'],
    ['', 'must be an integer: <<>>'],
    [' 1', 'must be an integer: <<" 1">>'],
    ['1\n', 'must be an integer: <<"1\\n">>'],
    ['1.0', 'must be an integer: <<"1.0">>'],
    ['12a', 'must be an integer: <<"12a">>'],
    ['a"b\\', 'must be an integer: <<"a\\"b\\\\">>'],
    ['--1', 'must be an integer: <<"--1">>'],
    ['+', 'must be an integer: <<"+">>'],
    ['1e3', 'must be an integer: <<"1e3">>'],
    ['٣', 'must be an integer: <<"Ù£">>'],
    ['0', 'must be greater than 0'],
    ['-0', 'must be greater than 0'],
    ['-3', 'must be greater than 0'],
    ['10001', 'must not exceed 10000'],
    ['99999999999999999999', 'must not exceed 10000'],
  ])('the binding key %j', (key, text) => {
    const exchange = exchangeOf(consistentHashExchange);
    expect(refusal(() => exchange.bind(destination('q'), key, EMPTY))).toBe(
      `PRECONDITION_FAILED - The binding key ${text}`,
    );
    expect(exchange.bindingCount).toBe(0);
  });

  it.each(['1', '10000', '+5', '007'])('not the binding key %j', (key) => {
    expect(exchangeOf(consistentHashExchange).bind(destination('q'), key, EMPTY)).toBe(true);
  });
});
