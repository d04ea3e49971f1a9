/** What holds for exchanges of every type. A new type runs this suite; see `exchange-types.test.ts`. */

import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import type { Exchange } from '../../src/exchanges/exchange.js';
import type { ExchangeTypeDefinition } from '../../src/exchanges/exchange-type.js';
import { exchangeTypes } from '../../src/exchanges/registry.js';
import { SeededRandom } from '../../src/lib/random.js';
import { destination, exchangeOf, message, type NamedDestination, namesOf, tableOf } from './messages.js';

const { EMPTY } = FieldTable;

/** Enough that a choice that is fair leaves none of two destinations out. */
const CHOICES = 200;

export interface ExchangeTraits {
  /** Keys a binding may have: a message with the same key and no headers is matched. */
  readonly bindingKeys?: readonly [string, ...string[]];
  /** A message goes to one of the destinations bound, not to all. */
  readonly picksOne?: boolean;
}

export function describeExchangeContract(type: ExchangeTypeDefinition, traits: ExchangeTraits = {}): void {
  const { bindingKeys = ['a', 'b', 'c.d'], picksOne = false } = traits;
  const [a, b] = bindingKeys;
  const newMatcher = () => type.createMatcher<NamedDestination>(EMPTY, new SeededRandom(1));

  /** The destinations of one message to all that match, or of many messages to one of them each. */
  function reached(exchange: Exchange<NamedDestination>): Set<NamedDestination> {
    const found = new Set<NamedDestination>();
    if (!picksOne) exchange.matcher.match(message(a), found);
    else for (let i = 0; i < CHOICES; i++) exchange.matcher.match(message(`key ${i}`), found);
    return found;
  }

  const reachedNames = (exchange: Exchange<NamedDestination>) =>
    [...reached(exchange)].map(({ name }) => name).sort();

  describe(`an exchange of type ${type.name}`, () => {
    const q1 = destination('q1');
    const q2 = destination('q2');

    it('is in the registry under its name', () => {
      expect(exchangeTypes.get(type.name)).toBe(type);
    });

    it('accepts empty arguments and bindings without arguments', () => {
      expect(() => type.validateArguments(EMPTY)).not.toThrow();
      for (const key of bindingKeys) expect(() => newMatcher().validateBinding(key, EMPTY, q1)).not.toThrow();
    });

    it('without bindings routes to nothing', () => {
      expect(namesOf(exchangeOf(type).matcher, message(a))).toEqual([]);
    });

    it('routes to every destination bound', () => {
      const exchange = exchangeOf(type);
      expect(exchange.bind(q1, a, EMPTY)).toBe(true);
      expect(exchange.bind(q2, a, EMPTY)).toBe(true);
      expect(reachedNames(exchange)).toEqual(['q1', 'q2']);
    });

    it(picksOne ? 'routes a message to one destination' : 'routes a message to all at once', () => {
      const exchange = exchangeOf(type);
      for (const queue of [q1, q2, destination('q3')]) exchange.bind(queue, a, EMPTY);
      for (let i = 0; i < 20; i++)
        expect(namesOf(exchange.matcher, message(a))).toHaveLength(picksOne ? 1 : 3);
      // A second key must not make it a second choice.
      if (picksOne) expect(exchange.matcher.looksAtEveryKey).toBe(false);
    });

    it('adds to the destinations found before', () => {
      const exchange = exchangeOf(type);
      exchange.bind(q1, a, EMPTY);
      const found = new Set<NamedDestination>([q2]);
      exchange.matcher.match(message(a), found);
      expect(found).toEqual(new Set([q2, q1]));
    });

    it('binds once and unbinds once per key and arguments', () => {
      const exchange = exchangeOf(type);
      const args = tableOf(['k', signedint(1)], ['l', longstr('v')]);
      const reordered = tableOf(['l', longstr('v')], ['k', signedint(1)]);
      expect(exchange.bind(q1, a, args)).toBe(true);
      expect(exchange.bind(q1, a, reordered)).toBe(false);
      expect(exchange.bind(q1, a, EMPTY)).toBe(true);
      if (b !== undefined) expect(exchange.bind(q1, b, args)).toBe(true);
      expect(exchange.bind(q2, a, args)).toBe(true);
      const count = b === undefined ? 3 : 4;
      expect(exchange.bindingCount).toBe(count);
      expect([...exchange.bindings()]).toHaveLength(count);
      expect(exchange.unbind(q1, a, reordered)).toBe(true);
      expect(exchange.unbind(q1, a, args)).toBe(false);
      if (b !== undefined) expect(exchange.unbind(q2, b, args)).toBe(false);
      expect(exchange.bindingCount).toBe(count - 1);
      expect([...exchange.bindings()].map((it) => [it.destination, it.bindingKey, it.arguments])).toEqual([
        [q1, a, EMPTY],
        ...(b === undefined ? [] : [[q1, b, args]]),
        [q2, a, args],
      ]);
    });

    it('names a destination bound twice once, until the last of its bindings is gone', () => {
      const other = tableOf(['x-other', signedint(1)]);
      const bindings = [EMPTY, other];
      for (const order of [bindings, [other, EMPTY]]) {
        const exchange = exchangeOf(type);
        for (const args of bindings) exchange.bind(q1, a, args);
        expect(namesOf(exchange.matcher, message(a))).toEqual(['q1']);
        expect(exchange.unbind(q1, a, order[0]!)).toBe(true);
        expect(namesOf(exchange.matcher, message(a))).toEqual(['q1']);
        expect(exchange.unbind(q1, a, order[1]!)).toBe(true);
        expect(namesOf(exchange.matcher, message(a))).toEqual([]);
      }
    });

    it('forgets a deleted destination and nothing else', () => {
      const exchange = exchangeOf(type);
      for (const key of bindingKeys) exchange.bind(q1, key, EMPTY);
      exchange.bind(q2, a, EMPTY);
      expect(exchange.unbindAll(q1)).toBe(bindingKeys.length);
      expect(exchange.unbindAll(q1)).toBe(0);
      expect(exchange.bindingCount).toBe(1);
      expect(reachedNames(exchange)).toEqual(['q2']);
      expect(exchange.bind(q1, a, EMPTY)).toBe(true);
      expect(reachedNames(exchange)).toEqual(['q1', 'q2']);
    });

    it('tells destinations apart by identity, not by name', () => {
      const exchange = exchangeOf(type);
      const namesake = destination('q1');
      exchange.bind(q1, a, EMPTY);
      expect(exchange.bind(namesake, a, EMPTY)).toBe(true);
      expect(reachedNames(exchange)).toEqual(['q1', 'q1']);
      exchange.unbindAll(q1);
      expect([...reached(exchange)][0]).toBe(namesake);
    });

    it('when cacheable decides by the key alone', () => {
      const matcher = newMatcher();
      if (!matcher.isCacheable) return;
      for (const queue of [q1, q2]) {
        matcher.add({ destination: queue, bindingKey: a, arguments: tableOf(['x-match', longstr('any')]) });
      }
      const refuse = (): never => {
        throw new Error('decoded properties of a message routed by its key');
      };
      const keyed = { routingKey: a, headers: refuse, properties: refuse };
      const names = namesOf(matcher, keyed);
      expect(names).toHaveLength(picksOne ? 1 : 2);
      for (let i = 0; i < 20; i++) expect(namesOf(matcher, keyed)).toEqual(names);
    });
  });
}
