/** What holds for exchanges of every type. A new type runs this suite; see `exchange-types.test.ts`. */

import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import type { ExchangeTypeDefinition } from '../../src/exchanges/exchange-type.js';
import { exchangeTypes } from '../../src/exchanges/registry.js';
import { destination, exchangeOf, message, type NamedDestination, namesOf, tableOf } from './messages.js';

const { EMPTY } = FieldTable;

/** Bindings with the same key and empty arguments match a message with that key and no headers, in every type. */
export function describeExchangeContract(type: ExchangeTypeDefinition): void {
  describe(`an exchange of type ${type.name}`, () => {
    const q1 = destination('q1');
    const q2 = destination('q2');

    it('is in the registry under its name', () => {
      expect(exchangeTypes.get(type.name)).toBe(type);
    });

    it('accepts empty arguments and bindings without arguments', () => {
      expect(() => type.validateArguments(EMPTY)).not.toThrow();
      expect(() => type.createMatcher(EMPTY).validateBinding('a.b', EMPTY)).not.toThrow();
    });

    it('without bindings routes to nothing', () => {
      expect(namesOf(exchangeOf(type).matcher, message('a'))).toEqual([]);
    });

    it('routes to every destination bound', () => {
      const exchange = exchangeOf(type);
      expect(exchange.bind(q1, 'a', EMPTY)).toBe(true);
      expect(exchange.bind(q2, 'a', EMPTY)).toBe(true);
      expect(namesOf(exchange.matcher, message('a'))).toEqual(['q1', 'q2']);
    });

    it('adds to the destinations found before', () => {
      const exchange = exchangeOf(type);
      exchange.bind(q1, 'a', EMPTY);
      const found = new Set<NamedDestination>([q2]);
      exchange.matcher.match(message('a'), found);
      expect(found).toEqual(new Set([q2, q1]));
    });

    it('binds once and unbinds once per key and arguments', () => {
      const exchange = exchangeOf(type);
      const args = tableOf(['k', signedint(1)], ['l', longstr('v')]);
      const reordered = tableOf(['l', longstr('v')], ['k', signedint(1)]);
      expect(exchange.bind(q1, 'a', args)).toBe(true);
      expect(exchange.bind(q1, 'a', reordered)).toBe(false);
      expect(exchange.bind(q1, 'a', EMPTY)).toBe(true);
      expect(exchange.bind(q1, 'b', args)).toBe(true);
      expect(exchange.bind(q2, 'a', args)).toBe(true);
      expect(exchange.bindingCount).toBe(4);
      expect([...exchange.bindings()]).toHaveLength(4);
      expect(exchange.unbind(q1, 'a', reordered)).toBe(true);
      expect(exchange.unbind(q1, 'a', args)).toBe(false);
      expect(exchange.unbind(q2, 'b', args)).toBe(false);
      expect(exchange.bindingCount).toBe(3);
      expect([...exchange.bindings()].map((b) => [b.destination, b.bindingKey, b.arguments])).toEqual([
        [q1, 'a', EMPTY],
        [q1, 'b', args],
        [q2, 'a', args],
      ]);
    });

    it('names a destination bound twice once, until the last of its bindings is gone', () => {
      const exchange = exchangeOf(type);
      const other = tableOf(['x-other', signedint(1)]);
      exchange.bind(q1, 'a', EMPTY);
      exchange.bind(q1, 'a', other);
      expect(namesOf(exchange.matcher, message('a'))).toEqual(['q1']);
      expect(exchange.unbind(q1, 'a', EMPTY)).toBe(true);
      expect(namesOf(exchange.matcher, message('a'))).toEqual(['q1']);
      expect(exchange.unbind(q1, 'a', other)).toBe(true);
      expect(namesOf(exchange.matcher, message('a'))).toEqual([]);
    });

    it('forgets a deleted destination and nothing else', () => {
      const exchange = exchangeOf(type);
      for (const key of ['a', 'b', 'c.d']) exchange.bind(q1, key, EMPTY);
      exchange.bind(q2, 'a', EMPTY);
      expect(exchange.unbindAll(q1)).toBe(3);
      expect(exchange.unbindAll(q1)).toBe(0);
      expect(exchange.bindingCount).toBe(1);
      expect(namesOf(exchange.matcher, message('a'))).toEqual(['q2']);
      expect(exchange.bind(q1, 'a', EMPTY)).toBe(true);
      expect(namesOf(exchange.matcher, message('a'))).toEqual(['q1', 'q2']);
    });

    it('tells destinations apart by identity, not by name', () => {
      const exchange = exchangeOf(type);
      const namesake = destination('q1');
      exchange.bind(q1, 'a', EMPTY);
      expect(exchange.bind(namesake, 'a', EMPTY)).toBe(true);
      expect(namesOf(exchange.matcher, message('a'))).toEqual(['q1', 'q1']);
      exchange.unbindAll(q1);
      const found = new Set<NamedDestination>();
      exchange.matcher.match(message('a'), found);
      expect([...found][0]).toBe(namesake);
    });

    it('when cacheable does not look at headers', () => {
      const matcher = type.createMatcher<NamedDestination>(EMPTY);
      if (!matcher.isCacheable) return;
      matcher.add({ destination: q1, bindingKey: 'a', arguments: tableOf(['x-match', longstr('any')]) });
      const headers = (): FieldTable => {
        throw new Error('decoded headers of a message routed by its key');
      };
      expect(namesOf(matcher, { routingKey: 'a', headers })).toEqual(['q1']);
    });
  });
}
