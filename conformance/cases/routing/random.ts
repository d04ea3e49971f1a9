/**
 * Direct, fanout and headers exchanges, and exchanges bound to each other: many bindings and messages made from a seed,
 * against matchers that are too simple to be wrong. A failure names the seed.
 */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectEqual, expectOneOf } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Table, TaggedValue } from '../../wire/raw-codec.js';

const direct = section({
  area: 'routing',
  source: 'AMQP 0-9-1, 3.1.3.1 the direct exchange type',
  tags: ['core'],
});
const fanout = section({
  area: 'routing',
  source: 'AMQP 0-9-1, 3.1.3.2 the fanout exchange type',
  tags: ['core'],
});
const headers = section({
  area: 'routing',
  source: 'https://www.rabbitmq.com/docs/exchanges#headers',
  tags: ['rabbitmq'],
});
const graph = section({ area: 'routing', source: 'https://www.rabbitmq.com/docs/e2e', tags: ['rabbitmq'] });

const SEEDS = [1, 2, 3];

/** Numbers that look random and are the same for the same seed (mulberry32). */
class Chance {
  readonly seed: number;
  private state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.state = seed * 0x9e3779b1;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Each of them or not, in their order. */
  someOf<T>(choices: readonly T[]): T[] {
    return choices.filter(() => this.below(2) === 0);
  }

  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => [this.below(1_000_000), item] as const)
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item);
  }
}

const KEYS = [
  '',
  'a',
  'A',
  'b',
  'a.b',
  'a.b.c',
  '*',
  '#',
  'a.*',
  ' ',
  'a ',
  'ä',
  'a\u0308',
  'k'.repeat(255),
  '0',
  '00',
];

/** Each queue has got the numbers of the messages it has to get, in their order. */
async function expectRouted(
  t: CaseContext,
  client: RawClient,
  { seed }: Chance,
  expected: ReadonlyMap<string, { readonly about: string; readonly numbers: readonly number[] }>,
): Promise<void> {
  for (const [queue, { about, numbers }] of expected) {
    const found = await t.takeBodies(client, queue, numbers.length);
    expectEqual(`messages of seed ${seed} for ${about}`, found, numbers.map(String));
  }
}

/** The numbers of what passes. */
function numbersOf<T>(messages: readonly T[], passes: (message: T) => boolean): number[] {
  return messages.flatMap((message, i) => (passes(message) ? [i] : []));
}

async function checkKeys(t: CaseContext, type: 'direct' | 'fanout', chance: Chance): Promise<void> {
  const client = await t.openChannel();
  const exchange = await t.declareExchange(client, type);
  const messages = Array.from({ length: 150 }, () => chance.oneOf(KEYS));
  const expected = new Map<string, { about: string; numbers: number[] }>();
  for (let i = 0; i < 25; i++) {
    const queue = await t.declareQueue(client);
    const bound = Array.from({ length: chance.below(5) }, () => chance.oneOf(KEYS));
    for (const routingKey of bound)
      client.send(1, 'queue.bind', { queue, exchange, routingKey, noWait: true });
    // Some of the bindings go again; one key may have been bound twice, which is one binding.
    const unbound = chance.someOf(bound);
    for (const routingKey of unbound) await client.call(1, 'queue.unbind', { queue, exchange, routingKey });
    const keys = new Set(bound.filter((key) => !unbound.includes(key)));
    const passes = (key: string): boolean => (type === 'fanout' ? keys.size > 0 : keys.has(key));
    expected.set(queue, { about: JSON.stringify([...keys]), numbers: numbersOf(messages, passes) });
  }
  messages.forEach((routingKey, i) => {
    client.publish(1, { exchange, routingKey, body: String(i) });
  });
  await expectRouted(t, client, chance, expected);
}

const HEADER_NAMES = ['a', 'b', 'x', 'x-a', 'x-b', 'xa'];
/** Numbers of several types, texts that look like them, and what is neither. */
const HEADER_VALUES: readonly TaggedValue[] = [
  ['I', 1],
  ['l', 1],
  ['b', 1],
  ['u', 2],
  ['s', 2],
  ['d', 1.5],
  ['f', 1.5],
  ['S', '1'],
  ['S', 'x'],
  ['x', Buffer.from('x')],
  ['t', true],
  ['t', false],
  ['S', 'true'],
];
const MODES = [undefined, 'all', 'any', 'all-with-x', 'any-with-x'] as const;
type Mode = (typeof MODES)[number];

function randomTable(chance: Chance, values: readonly TaggedValue[]): Table {
  return chance.shuffled(chance.someOf(HEADER_NAMES)).map((name) => [name, ...chance.oneOf(values)]);
}

/** Types do not count, only values: a text is its octets, and a number what it is worth. */
function worthOf([, value]: TaggedValue): string {
  if (Buffer.isBuffer(value)) return `text ${value.toString()}`;
  return typeof value === 'string' ? `text ${value}` : `${typeof value} ${String(value)}`;
}

/** The rule as it is written: what is named has to be there with that value, or with any value where that is void. */
function headersMatch(mode: Mode, binding: Table, message: Table): boolean {
  const withX = mode === 'all-with-x' || mode === 'any-with-x';
  const wanted = binding.filter(([name]) => withX || !name.startsWith('x-'));
  const isThere = ([name, ...value]: Table[number]): boolean => {
    const found = message.find(([other]) => other === name);
    if (found === undefined) return false;
    const [, ...foundValue] = found;
    return value[0] === 'V' || (foundValue[0] !== 'V' && worthOf(value) === worthOf(foundValue));
  };
  return mode === 'any' || mode === 'any-with-x' ? wanted.some(isThere) : wanted.every(isThere);
}

async function checkHeaders(t: CaseContext, mode: Mode, chance: Chance): Promise<void> {
  const client = await t.openChannel();
  const exchange = await t.declareExchange(client, 'headers');
  const messages = Array.from({ length: 150 }, () => randomTable(chance, [...HEADER_VALUES, ['V', null]]));
  const expected = new Map<string, { about: string; numbers: number[] }>();
  for (let i = 0; i < 25; i++) {
    const queue = await t.declareQueue(client);
    const binding = randomTable(chance, [...HEADER_VALUES, ['V', null], ['V', null], ['V', null]]);
    const match: Table = mode === undefined ? [] : [['x-match', 'S', mode]];
    const args = chance.shuffled([...match, ...binding]);
    client.send(1, 'queue.bind', { queue, exchange, arguments: args, noWait: true });
    const numbers = numbersOf(messages, (message) => headersMatch(mode, binding, message));
    expected.set(queue, { about: JSON.stringify([...match, ...binding]), numbers });
  }
  messages.forEach((table, i) => {
    client.publish(1, { exchange, properties: { headers: table }, body: String(i) });
  });
  await expectRouted(t, client, chance, expected);
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly key: string;
}

const EDGE_KEYS = ['a', 'b', 'c'];

/** Everything that can be reached with the key: a direct exchange goes by it, a fanout does not look at it. */
function reachable(
  start: string,
  key: string,
  types: ReadonlyMap<string, string>,
  edges: readonly Edge[],
): Set<string> {
  const reached = new Set<string>();
  const pending = [start];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    for (const edge of edges) {
      if (edge.from === at && (types.get(at) === 'fanout' || edge.key === key)) pending.push(edge.to);
    }
  }
  return reached;
}

/** Exchanges and queues bound at random, circles included; a queue gets a message once, by however many ways. */
async function checkGraph(t: CaseContext, chance: Chance): Promise<void> {
  const client = await t.openChannel();
  const types = new Map<string, string>();
  for (let i = 0; i < 8; i++) {
    const type = chance.oneOf(['direct', 'fanout', 'direct']);
    types.set(await t.declareExchange(client, type), type);
  }
  const exchanges = [...types.keys()];
  const queues: string[] = [];
  for (let i = 0; i < 6; i++) queues.push(await t.declareQueue(client));
  const edges: Edge[] = [];
  for (let i = 0; i < 24; i++) {
    const edge = {
      from: chance.oneOf(exchanges),
      to: chance.oneOf([...exchanges, ...queues]),
      key: chance.oneOf(EDGE_KEYS),
    };
    edges.push(edge);
    const { from, to, key: routingKey } = edge;
    if (queues.includes(to))
      client.send(1, 'queue.bind', { exchange: from, queue: to, routingKey, noWait: true });
    else client.send(1, 'exchange.bind', { source: from, destination: to, routingKey, noWait: true });
  }
  const messages = exchanges.flatMap((exchange) => EDGE_KEYS.map((key) => [exchange, key] as const));
  messages.forEach(([exchange, routingKey], i) => {
    client.publish(1, { exchange, routingKey, body: String(i) });
  });
  const expected = new Map(
    queues.map((queue, i) => [
      queue,
      {
        about: `queue ${i + 1}`,
        numbers: numbersOf(messages, ([exchange, key]) => reachable(exchange, key, types, edges).has(queue)),
      },
    ]),
  );
  await expectRouted(t, client, chance, expected);
}

/** A number that is the same as a whole one, but written with a point. */
const WHOLE_FLOATS = [
  ['float', ['f', 1]],
  ['double', ['d', 1]],
] as const;

export const cases: readonly Case[] = [
  ...SEEDS.map((seed) =>
    direct(
      `direct-random-${seed}`,
      `25 queues bound to a direct exchange get what they have to of 150 messages (seed ${seed})`,
      'A message goes to every queue with a binding whose key is the same octets as its own, once.',
      (t) => checkKeys(t, 'direct', new Chance(seed)),
    ),
  ),
  ...SEEDS.map((seed) =>
    fanout(
      `fanout-random-${seed}`,
      `25 queues bound to a fanout exchange, or no more, get everything or nothing (seed ${seed})`,
      'A message goes to every queue that has a binding left, whatever its key and the keys of the bindings.',
      (t) => checkKeys(t, 'fanout', new Chance(seed)),
    ),
  ),
  ...MODES.flatMap((mode) =>
    SEEDS.slice(0, 2).map((seed) =>
      headers(
        `headers-random-${mode ?? 'default'}-${seed}`,
        `25 headers bindings with x-match ${mode ?? 'left out'} match what they have to of 150 messages (seed ${seed})`,
        'all wants every header of the binding and any one of them; values count and not their types, void is any ' +
          'value, and names that begin with x- count with all-with-x and any-with-x only.',
        (t) => checkHeaders(t, mode, new Chance(seed * 10 + MODES.indexOf(mode))),
      ),
    ),
  ),
  ...WHOLE_FLOATS.map(([name, value]) =>
    headers(
      `headers-number-${name}`,
      `a whole number and a ${name} of that worth are two values`,
      'RabbitMQ 4 tells 1 from 1.0 where headers are compared, and takes every integer type alike; 3.10 does not tell.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, 'headers');
        const queue = await t.declareQueue(client);
        await client.call(1, 'queue.bind', { queue, exchange, arguments: [['k', 'I', 1]] });
        client.publish(1, { exchange, properties: { headers: [['k', ...value]] }, body: 'point' });
        client.publish(1, { exchange, properties: { headers: [['k', 'l', 1]] }, body: 'whole' });
        await client.call(1, 'basic.consume', { queue, noAck: true });
        const found: string[] = [];
        while (found.at(-1) !== 'whole') found.push(String((await client.delivery()).body));
        const apart = ['whole'];
        expectOneOf('bodies', found, t.byDialect([apart], [apart, ['point', 'whole']]));
      },
    ),
  ),
  ...SEEDS.map((seed) =>
    graph(
      `graph-random-${seed}`,
      `exchanges bound to each other at random, and in circles, route to the queues they lead to (seed ${seed})`,
      'A message follows every binding it fits, visits each exchange once, and comes to a queue once.',
      (t) => checkGraph(t, new Chance(seed)),
    ),
  ),
];
