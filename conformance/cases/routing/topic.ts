/** Topic exchanges: every pattern of a small alphabet against a matcher that is too simple to be wrong. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual } from '../../expect.js';

const topic = section({
  area: 'routing',
  source: 'AMQP 0-9-1, 3.1.3.3 the topic exchange type',
  tags: ['core'],
});

/** The rule as it is written: `*` is exactly one word, `#` any number of them. */
function matches(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === '#') return matches(rest, key) || (key.length > 0 && matches(pattern, key.slice(1)));
  return key.length > 0 && (first === '*' || first === key[0]) && matches(rest, key.slice(1));
}

/** The empty key has no words at all; dots next to each other have empty words between them. */
function wordsOf(text: string): string[] {
  return text === '' ? [] : text.split('.');
}

/** Every sequence of that many of the words, joined by dots. */
function sequences(words: readonly string[], length: number): string[] {
  if (length === 0) return [''];
  const shorter = sequences(words, length - 1);
  return words.flatMap((word) => shorter.map((rest) => (length === 1 ? word : `${word}.${rest}`)));
}

const PATTERN_WORDS = ['a', 'b', '*', '#'];
const KEYS = ['', ...[1, 2, 3, 4].flatMap((length) => sequences(['a', 'b'], length))];
const ODD_KEYS = ['', '.', '..', 'a.', '.a', 'a..b', '*', '#', '*.#', 'a.*', 'A', 'ä.ö', ' ', 'a b'];
const ODD_PATTERNS = [
  ...['', '.', '..', 'a.', '.a', 'a..b', '.*', '*.', '#.', '.#', '*.*', '#.#', '#.*.#', '*.#.*', '#.a.#'],
  ...['a*', '*a', '##', '**', '#a', 'A', 'ä.*', ' ', 'a b', 'a.#.b'],
];

/** Binds a queue for each pattern, publishes every key once, and looks what each queue got. */
async function check(t: CaseContext, patterns: readonly string[], keys: readonly string[]): Promise<void> {
  const client = await t.openChannel();
  const exchange = await t.declareExchange(client, 'topic');
  const queues = new Map<string, string>();
  for (const pattern of patterns) {
    const queue = await t.declareQueue(client);
    await client.call(1, 'queue.bind', { queue, exchange, routingKey: pattern });
    queues.set(pattern, queue);
  }
  for (const key of keys) client.publish(1, { exchange, routingKey: key, body: key });
  await client.sync();
  for (const [pattern, queue] of queues) {
    const expected = keys.filter((key) => matches(wordsOf(pattern), wordsOf(key)));
    const found = await t.takeBodies(client, queue, expected.length);
    expectEqual(`keys that '${pattern}' matches`, found, expected);
  }
}

function patternsCase(name: string, patterns: readonly string[], keys: readonly string[]): Case {
  return topic(
    name,
    `${patterns.length} topic patterns match what they have to of ${keys.length} keys`,
    'Words are separated by dots; * is exactly one of them, # is zero or more.',
    (t) => check(t, patterns, keys),
  );
}

export const cases: readonly Case[] = [
  patternsCase('topic-1-word', sequences(PATTERN_WORDS, 1), KEYS),
  patternsCase('topic-2-words', sequences(PATTERN_WORDS, 2), KEYS),
  // Patterns of three words in four parts, so that they run side by side.
  ...PATTERN_WORDS.map((first, i) =>
    patternsCase(
      `topic-3-words-${i + 1}`,
      sequences(PATTERN_WORDS, 2).map((rest) => `${first}.${rest}`),
      KEYS,
    ),
  ),
  ...PATTERN_WORDS.map((first, i) =>
    patternsCase(
      `topic-4-words-${i + 1}`,
      sequences(PATTERN_WORDS, 3).map((rest) => `${first}.${rest}`),
      KEYS,
    ),
  ),
  patternsCase('topic-odd', ODD_PATTERNS, ODD_KEYS),
  topic(
    'topic-once',
    'a message that several bindings of a queue match comes once',
    'A queue gets one copy of a message, however many of its bindings match.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'topic');
      for (const routingKey of ['a.*', 'a.#', '#', 'a.b']) {
        await client.call(1, 'queue.bind', { queue, exchange, routingKey });
      }
      client.publish(1, { exchange, routingKey: 'a.b', body: 'once' });
      await t.expectReady(client, queue, ['once']);
    },
  ),
];
