import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import type { Binding } from '../../src/exchanges/exchange-type.js';
import { TopicMatcher, topicExchange } from '../../src/exchanges/topic.js';
import { destination, exchangeOf, message, type NamedDestination, namesOf } from './messages.js';

const bindingOf = (bindingKey: string, name = bindingKey): Binding<NamedDestination> => ({
  destination: destination(name),
  bindingKey,
  arguments: FieldTable.EMPTY,
});

function matcherOf(...bindingKeys: string[]): TopicMatcher<NamedDestination> {
  const matcher = new TopicMatcher<NamedDestination>();
  for (const key of bindingKeys) matcher.add(bindingOf(key));
  return matcher;
}

/** The rule of AMQP 0-9-1 section 3.1.3.3 as dynamic programming over pattern words and key words. */
function referenceMatches(bindingKey: string, routingKey: string): boolean {
  const pattern = bindingKey === '' ? [] : bindingKey.split('.');
  const words = routingKey === '' ? [] : routingKey.split('.');
  // reach[j]: the pattern words so far match the first j key words.
  let reach = words.map(() => false);
  reach.unshift(true);
  for (const part of pattern) {
    const next = reach.map(() => false);
    for (let j = 0; j <= words.length; j++) {
      if (part === '#') next[j] = reach[j]! || (j > 0 && next[j - 1]!);
      else next[j] = j > 0 && reach[j - 1]! && (part === '*' || part === words[j - 1]);
    }
    reach = next;
  }
  return reach[words.length]!;
}

const patternWord = fc.constantFrom('a', 'b', '', '*', '#', '#', 'a*');
const keyWord = fc.constantFrom('a', 'b', '', '*', '#', 'a*');
const bindingKeys = fc.array(patternWord, { maxLength: 7 }).map((words) => words.join('.'));
const routingKeys = fc.array(keyWord, { maxLength: 8 }).map((words) => words.join('.'));

describe('topic exchanges', () => {
  it.each([
    ['#', '', true],
    ['*', '', false],
    ['', '', true],
    ['', 'a', false],
    ['*', 'a', true],
    ['*', 'a.b', false],
    ['a.*.b', 'a..b', true],
    ['a.*', 'a.', true],
    ['a.#', 'a', true],
    ['a.#', 'ab', false],
    ['#.a', 'a', true],
    ['*.*', '.', true],
    ['.', '.', true],
    ['#', '.', true],
    ['a.#.b', 'a.x.y.b', true],
    ['a.#.b', 'a.b.x', false],
    ['#.a.#', 'x.a.y', true],
    ['*.#', '', false],
    ['*.#', 'a', true],
    ['#.*', '', false],
    ['a*', 'ab', false],
    ['a*', 'a*', true],
    ['a', 'A', false],
    ['a.b', 'a.b.', false],
    ['quick.*.rabbit', 'quick.orange.rabbit', true],
  ])('binding key %j against routing key %j: %s', (bindingKey, routingKey, isMatch) => {
    expect(namesOf(matcherOf(bindingKey), message(routingKey))).toEqual(isMatch ? [bindingKey] : []);
    expect(referenceMatches(bindingKey, routingKey)).toBe(isMatch);
  });

  it('agree with the reference, also after bindings are removed', () => {
    const bindings = fc.array(fc.tuple(bindingKeys, fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(bindings, fc.array(routingKeys, { minLength: 1, maxLength: 6 }), (keys, messages) => {
        const matcher = new TopicMatcher<NamedDestination>();
        const added = keys.map(([key, isKept], i) => ({ binding: bindingOf(key, `${i}:${key}`), isKept }));
        const check = (current: typeof added) => {
          for (const routingKey of messages) {
            const expected = current
              .filter(({ binding }) => referenceMatches(binding.bindingKey, routingKey))
              .map(({ binding }) => binding.destination.name);
            expect(namesOf(matcher, message(routingKey))).toEqual(expected.sort());
          }
        };
        for (const { binding } of added) matcher.add(binding);
        check(added);
        for (const { binding, isKept } of added) if (!isKept) matcher.remove(binding);
        check(added.filter(({ isKept }) => isKept));
        for (const { binding, isKept } of added) if (isKept) matcher.remove(binding);
        check([]);
        expect(matcher.isEmpty).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('tell bindings apart that match the same keys', () => {
    const exchange = exchangeOf(topicExchange);
    const queue = destination('q');
    expect(exchange.bind(queue, 'a.#', FieldTable.EMPTY)).toBe(true);
    expect(exchange.bind(queue, 'a.#.#', FieldTable.EMPTY)).toBe(true);
    expect(namesOf(exchange.matcher, message('a'))).toEqual(['q']);
    expect(exchange.unbind(queue, 'a.#', FieldTable.EMPTY)).toBe(true);
    expect(exchange.unbind(queue, 'a.#', FieldTable.EMPTY)).toBe(false);
    expect(namesOf(exchange.matcher, message('a.b'))).toEqual(['q']);
    expect(exchange.unbind(queue, 'a.#.#', FieldTable.EMPTY)).toBe(true);
    expect(namesOf(exchange.matcher, message('a.b'))).toEqual([]);
  });

  it('keep nothing of removed bindings', () => {
    const matcher = new TopicMatcher<NamedDestination>();
    const bindings = ['a.b.c', 'a.b', 'a.*.#', '#', '#.#.x', '', '.', 'a.#.*'].map((key) => bindingOf(key));
    for (const binding of bindings) matcher.add(binding);
    expect(matcher.isEmpty).toBe(false);
    for (const binding of bindings) matcher.remove(binding);
    expect(matcher.isEmpty).toBe(true);
    matcher.remove(bindings[0]!);
    expect(matcher.isEmpty).toBe(true);
  });
});

describe('topic matching in the worst case', () => {
  const WORDS_MAX = 128;
  const repeated = (word: string, times: number) => Array(times).fill(word).join('.');
  const longestKey = repeated('a', WORDS_MAX);

  /** Steps of one match after another, so that the first cannot help the second. */
  function stepsOf(matcher: TopicMatcher<NamedDestination>, routingKey: string): number {
    const before = matcher.stepCount;
    namesOf(matcher, message(routingKey));
    return matcher.stepCount - before;
  }

  it('takes one step per word at most for "#.#.#...#" (CVE-2026-67419)', () => {
    const matcher = matcherOf(repeated('#', 127));
    expect(namesOf(matcher, message(longestKey))).toHaveLength(1);
    expect(stepsOf(matcher, longestKey)).toBeLessThanOrEqual(WORDS_MAX);
  });

  it.each([
    ['#.a.#.a...', repeated('#.a', 63)],
    ['#.a.#.a...z', `${repeated('#.a', 62)}.z`],
    ['#.*.#.*...', repeated('#.*', 63)],
    ['*.#.*.#...', repeated('*.#', 63)],
    ['#.*.a.#.*.a...', repeated('#.*.a', 40)],
  ])('takes nodes times words steps at most for %s', (_name, bindingKey) => {
    const matcher = matcherOf(bindingKey);
    const nodeCount = bindingKey.split('.').length + 1;
    for (let i = 0; i < 2; i++)
      expect(stepsOf(matcher, longestKey)).toBeLessThanOrEqual(nodeCount * WORDS_MAX);
    expect(namesOf(matcher, message(longestKey)).length === 1).toBe(referenceMatches(bindingKey, longestKey));
  });

  it('does not visit bindings that cannot match', () => {
    const matcher = new TopicMatcher<NamedDestination>();
    for (let i = 0; i < 10_000; i++) matcher.add(bindingOf(`region${i % 100}.device${i}.*.temperature`));
    expect(namesOf(matcher, message('region7.device107.inside.temperature'))).toHaveLength(1);
    expect(stepsOf(matcher, 'region7.device107.inside.temperature')).toBe(5);
  });
});
