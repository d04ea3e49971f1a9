import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmqpError, ReplyCode } from '../../src/amqp/errors.js';
import type { FieldTable } from '../../src/amqp/field-table.js';
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
import { headersExchange } from '../../src/exchanges/headers.js';
import { destination, exchangeOf, message, namesOf, tableOf } from './messages.js';

type Entries = readonly (readonly [string, FieldValue])[];

const VOID: FieldValue = { type: 'void' };
const one = signedint(1);

/** Whether one binding with these arguments matches a message with these headers. */
function isMatch(args: Entries, headers: Entries): boolean {
  const exchange = exchangeOf(headersExchange);
  exchange.bind(destination('q'), '', tableOf(...args));
  return namesOf(exchange.matcher, message('any.key', tableOf(...headers))).length === 1;
}

const withMode = (mode: string | undefined, ...args: Entries): Entries =>
  mode === undefined ? args : [...args, ['x-match', longstr(mode)]];

describe('headers exchanges', () => {
  it.each([undefined, 'all', 'all-with-x'])('with x-match %s want every header', (mode) => {
    const args = withMode(mode, ['a', one], ['b', longstr('x')]);
    expect(
      isMatch(args, [
        ['a', one],
        ['b', longstr('x')],
      ]),
    ).toBe(true);
    expect(
      isMatch(args, [
        ['z', one],
        ['b', longstr('x')],
        ['a', one],
      ]),
    ).toBe(true);
    expect(isMatch(args, [['a', one]])).toBe(false);
    expect(
      isMatch(args, [
        ['a', one],
        ['b', longstr('y')],
      ]),
    ).toBe(false);
    expect(isMatch(args, [])).toBe(false);
  });

  it.each(['any', 'any-with-x'])('with x-match %s want one header', (mode) => {
    const args = withMode(mode, ['a', one], ['b', longstr('x')]);
    expect(isMatch(args, [['a', one]])).toBe(true);
    expect(
      isMatch(args, [
        ['b', longstr('x')],
        ['a', signedint(2)],
      ]),
    ).toBe(true);
    expect(
      isMatch(args, [
        ['a', signedint(2)],
        ['b', longstr('y')],
      ]),
    ).toBe(false);
    expect(isMatch(args, [['c', one]])).toBe(false);
    expect(isMatch(args, [])).toBe(false);
  });

  it('that want nothing match every message with all and none with any', () => {
    for (const headers of [[], [['x-foo', one]], [['x-match', longstr('any')]]] as Entries[]) {
      for (const extra of [[], [['x-foo', signedint(2)]]] as Entries[]) {
        expect(isMatch(withMode(undefined, ...extra), headers)).toBe(true);
        expect(isMatch(withMode('all', ...extra), headers)).toBe(true);
        expect(isMatch(withMode('any', ...extra), headers)).toBe(false);
      }
      expect(isMatch(withMode('all-with-x'), headers)).toBe(true);
      expect(isMatch(withMode('any-with-x'), headers)).toBe(false);
    }
  });

  it('look at arguments that start with x- only in the modes with x', () => {
    const args = (mode: string) => withMode(mode, ['x-a', one], ['b', one]);
    expect(isMatch(args('all'), [['b', one]])).toBe(true);
    expect(isMatch(args('all-with-x'), [['b', one]])).toBe(false);
    expect(
      isMatch(args('all-with-x'), [
        ['b', one],
        ['x-a', one],
      ]),
    ).toBe(true);
    expect(isMatch(args('any'), [['x-a', one]])).toBe(false);
    expect(isMatch(args('any-with-x'), [['x-a', one]])).toBe(true);
    expect(isMatch(withMode('any', ['X-a', one]), [['X-a', one]])).toBe(true);
    expect(isMatch(withMode('any', ['x', one]), [['x', one]])).toBe(true);
  });

  it('never look at x-match itself', () => {
    const headers: Entries = [['x-match', longstr('any-with-x')]];
    expect(isMatch(withMode('any-with-x', ['a', one]), headers)).toBe(false);
    expect(isMatch(withMode('all-with-x'), [])).toBe(true);
  });

  it('take a void argument for presence', () => {
    for (const mode of ['all', 'any']) {
      const args = withMode(mode, ['a', VOID]);
      for (const value of [one, VOID, longstr(''), bool(false), array([]), table([])]) {
        expect(isMatch(args, [['a', value]])).toBe(true);
      }
      expect(isMatch(args, [['b', VOID]])).toBe(false);
    }
    expect(isMatch([['a', one]], [['a', VOID]])).toBe(false);
  });

  it('do not take header names for properties of objects', () => {
    expect(isMatch([['__proto__', VOID]], [])).toBe(false);
    expect(isMatch([['constructor', VOID]], [['a', one]])).toBe(false);
  });

  const big = 2n ** 60n;
  const bytes = (type: 'longstr' | 'binary', value: string): FieldValue => ({
    type,
    value: Buffer.from(value),
  });
  it.each<[string, FieldValue, FieldValue, boolean]>([
    ['integers of any width', signedint(7), { type: 'byte', value: 7 }, true],
    ['integers of any width, unsigned', { type: 'unsignedshort', value: 7 }, long(7), true],
    ['an integer and a timestamp', long(7), timestamp(7), true],
    ['integers beyond 2^53', long(big), long(big), true],
    ['neighbouring integers beyond 2^53', long(big), long(big + 1n), false],
    ['an integer and an equal float', signedint(1), double(1), false],
    ['a float and an equal integer', double(1), signedint(1), false],
    ['float and double', { type: 'float', value: 1.5 }, double(1.5), true],
    ['string and byte array', bytes('longstr', 'a'), bytes('binary', 'a'), true],
    ['strings of different case', longstr('a'), longstr('A'), false],
    ['a string and its prefix', longstr('ab'), longstr('a'), false],
    ['a number and its text', signedint(1), longstr('1'), false],
    ['a boolean and a number', bool(true), signedint(1), false],
    ['a boolean and its text', bool(true), longstr('true'), false],
    ['equal booleans', bool(false), bool(false), true],
    ['different booleans', bool(false), bool(true), false],
    ['a decimal and a number', { type: 'decimal', scale: 0, value: 1 }, signedint(1), false],
    [
      'equal decimals',
      { type: 'decimal', scale: 1, value: 5 },
      { type: 'decimal', scale: 1, value: 5 },
      true,
    ],
    [
      'other decimals',
      { type: 'decimal', scale: 1, value: 5 },
      { type: 'decimal', scale: 2, value: 50 },
      false,
    ],
    ['equal arrays', array([one, longstr('a')]), array([one, longstr('a')]), true],
    ['different arrays', array([one, longstr('a')]), array([longstr('a'), one]), false],
    ['equal tables', table([['k', one]]), table([['k', one]]), true],
    ['different tables', table([['k', one]]), table([['k', signedint(2)]]), false],
    ['an array and a table', array([]), table([]), false],
  ])('compare %s', (_what, wanted, header, isSame) => {
    expect(isMatch([['a', wanted]], [['a', header]])).toBe(isSame);
    expect(isMatch([['a', header]], [['a', wanted]])).toBe(isSame);
  });

  it('agree with a plain reading of the rules', () => {
    const key = fc.constantFrom('a', 'b', 'x-c');
    const value = fc.constantFrom(one, signedint(2), VOID);
    const entries = fc.uniqueArray(fc.tuple(key, value), { selector: ([k]) => k, maxLength: 3 });
    const mode = fc.constantFrom(undefined, 'all', 'any', 'all-with-x', 'any-with-x');
    fc.assert(
      fc.property(mode, entries, entries, (xMatch, args, headers) => {
        const found = args
          .filter(([k]) => !k.startsWith('x-') || xMatch?.endsWith('-with-x') === true)
          .map(([k, v]) => headers.some(([hk, hv]) => hk === k && (v === VOID || hv === v)));
        const expected = xMatch?.startsWith('any') === true ? found.some((f) => f) : found.every((f) => f);
        expect(isMatch(withMode(xMatch, ...args), headers)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('find among many bindings, of which some are gone, those that match alone', () => {
    const key = fc.constantFrom('a', 'b', 'x-c');
    const value = fc.constantFrom<FieldValue>(
      one,
      long(1),
      timestamp(1),
      double(1),
      { type: 'float', value: 1 },
      longstr('1'),
      { type: 'binary', value: Buffer.from('1') },
      bool(true),
      { type: 'decimal', scale: 0, value: 1 },
      array([one]),
      table([['a', one]]),
      VOID,
    );
    // Keys may repeat: the first of a message counts, and a binding wants them all.
    const entries = fc.array(fc.tuple(key, value), { maxLength: 3 });
    const mode = fc.constantFrom(undefined, 'all', 'any', 'all-with-x', 'any-with-x');
    const binding = fc.record({ mode, args: entries, isRemoved: fc.boolean() });
    fc.assert(
      fc.property(fc.array(binding, { maxLength: 12 }), entries, (bindings, headers) => {
        const exchange = exchangeOf(headersExchange);
        const tables = bindings.map(({ mode: xMatch, args }) => tableOf(...withMode(xMatch, ...args)));
        const targets = bindings.map((_, i) => destination(`q${i}`));
        for (const [i, target] of targets.entries()) exchange.bind(target, '', tables[i]!);
        const left = bindings.flatMap(({ isRemoved }, i) => (isRemoved ? [] : [i]));
        for (const [i, { isRemoved }] of bindings.entries()) {
          if (isRemoved) exchange.unbind(targets[i]!, '', tables[i]!);
        }
        const expected = left.filter((i) => isMatch(tables[i]!.entries, headers)).map((i) => `q${i}`);
        expect(namesOf(exchange.matcher, message('', tableOf(...headers))).sort()).toEqual(expected.sort());
      }),
      { numRuns: 1000 },
    );
  });

  it('are not cacheable: one routing key, different headers', () => {
    expect(exchangeOf(headersExchange).matcher.isCacheable).toBe(false);
  });

  it('do not decode headers nobody asks for', () => {
    const { matcher } = exchangeOf(headersExchange);
    const headers = (): FieldTable => {
      throw new Error('decoded');
    };
    expect(namesOf(matcher, { ...message('a'), headers })).toEqual([]);
  });

  it.each<[FieldValue, string]>([
    [longstr('foo'), 'value <<"foo">>; expected all, any, all-with-x, or any-with-x'],
    [longstr('ALL'), 'value <<"ALL">>; expected all, any, all-with-x, or any-with-x'],
    [longstr(''), 'value <<>>; expected all, any, all-with-x, or any-with-x'],
    [longstr('a"b\\'), 'value <<"a\\"b\\\\">>; expected all, any, all-with-x, or any-with-x'],
    [longstr(Buffer.from([1, 255])), 'value <<1,255>>; expected all, any, all-with-x, or any-with-x'],
    [signedint(1), 'type signedint (value 1); expected longstr'],
    [bool(true), 'type bool (value true); expected longstr'],
    [double(1), 'type double (value 1.0); expected longstr'],
    [VOID, 'type void (value undefined); expected longstr'],
    [{ type: 'binary', value: Buffer.from('all') }, 'type binary (value <<"all">>); expected longstr'],
    [{ type: 'decimal', scale: 1, value: 5 }, 'type decimal (value {1,5}); expected longstr'],
  ])('refuse x-match %o', (value, text) => {
    const { matcher } = exchangeOf(headersExchange);
    let thrown: unknown;
    try {
      matcher.validateBinding('', tableOf(['x-match', value]), destination('q'));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AmqpError);
    expect(thrown).toMatchObject({
      code: ReplyCode.PreconditionFailed,
      replyText: `PRECONDITION_FAILED - Invalid x-match field ${text}`,
    });
  });
});
