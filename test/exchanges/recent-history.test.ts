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
  table,
  timestamp,
} from '../../src/amqp/field-value.js';
import { recentHistoryExchange } from '../../src/exchanges/recent-history.js';
import { destination, exchangeOf, message, namesOf, tableOf } from './messages.js';

const { EMPTY } = FieldTable;

const withLength = (value: FieldValue) =>
  exchangeOf(recentHistoryExchange, tableOf(['x-recent-history-length', value]));

describe('a recent history exchange', () => {
  it('routes as fanout does', () => {
    const exchange = exchangeOf(recentHistoryExchange);
    exchange.bind(destination('q1'), 'a', EMPTY);
    exchange.bind(destination('q2'), '', EMPTY);
    for (const key of ['', 'a', 'z']) expect(namesOf(exchange.matcher, message(key))).toEqual(['q1', 'q2']);
  });

  it('has to see every message', () => {
    expect(exchangeOf(recentHistoryExchange).matcher.isCacheable).toBe(false);
  });

  it('keeps 20 messages, or as many as it is told', () => {
    expect(exchangeOf(recentHistoryExchange).matcher.history?.lengthMax).toBe(20);
    const lengths: readonly (readonly [FieldValue, number])[] = [
      [signedint(1), 1],
      [long(60), 60],
      [long(2n ** 60n), 2 ** 60],
      [{ type: 'byte', value: 7 }, 7],
    ];
    for (const [value, length] of lengths) {
      expect(withLength(value).matcher.history?.lengthMax).toBe(length);
    }
  });

  it.each<[boolean, FieldTable]>([
    [true, EMPTY],
    [true, tableOf(['other', bool(true)])],
    [false, tableOf(['x-recent-history-no-store', bool(true)])],
    [true, tableOf(['x-recent-history-no-store', bool(false)])],
    [true, tableOf(['x-recent-history-no-store', longstr('true')])],
    [true, tableOf(['x-recent-history-no-store', signedint(1)])],
  ])('keeps (%s) a message with the headers %o', (isKept, headers) => {
    const { history } = exchangeOf(recentHistoryExchange).matcher;
    expect(history?.keeps(message('k', headers))).toBe(isKept);
  });

  it.each<[FieldValue, string]>([
    [signedint(0), '0'],
    [signedint(-1), '-1'],
    [long(-(2n ** 60n)), String(-(2n ** 60n))],
    [{ type: 'unsignedint', value: 5 }, '5'],
    [timestamp(5), '5'],
    [longstr('5'), '<<"5">>'],
    [longstr('a"b'), '<<"a\\"b">>'],
    [bool(true), 'true'],
    [double(2.5), '2.5'],
    [{ type: 'float', value: 1 }, '1.0'],
    [{ type: 'void' }, 'undefined'],
    [table([['a', { type: 'byte', value: 1 }]]), '[{<<"a">>,byte,1}]'],
    [array([{ type: 'byte', value: 1 }]), '[{byte,1}]'],
  ])('refuses the length %o', (value, text) => {
    expect(() => withLength(value)).toThrow(
      `PRECONDITION_FAILED - Invalid argument ${text}, 'x-recent-history-length' must be a positive integer`,
    );
  });
});
