import type { Destination } from '../../src/exchanges/exchange-type.js';
import type { Build, Part } from './part.js';

const BINDINGS = 1000;

async function prepareTrie(build: Build, bindingKeyOf: (i: number) => string, matches: number) {
  const { TopicMatcher } = await build.load<typeof import('../../src/exchanges/topic.js')>('exchanges/topic');
  const { FieldTable } = await build.load<typeof import('../../src/amqp/field-table.js')>('amqp/field-table');
  const matcher = new TopicMatcher<Destination>();
  for (let i = 0; i < BINDINGS; i++) {
    const destination = { name: `q${i}`, typeName: 'classic' };
    matcher.add({ destination, bindingKey: bindingKeyOf(i), arguments: FieldTable.EMPTY });
  }
  const messages = Array.from({ length: BINDINGS }, (_, i) => ({
    routingKey: `bench.${i}.price.eu`,
    headers: () => FieldTable.EMPTY,
    properties: () => ({ headers: FieldTable.EMPTY }),
  }));
  const into = new Set<Destination>();
  return {
    operations: BINDINGS,
    run: () => {
      for (const message of messages) {
        into.clear();
        matcher.match(message, into);
        if (into.size !== matches) throw new Error(`${into.size} destinations, not ${matches}`);
      }
    },
  };
}

export const topicTrieParts: readonly Part[] = [
  {
    name: 'topic-words',
    title: 'a key of four words against 1,000 bindings without wildcards',
    prepare: (build) => prepareTrie(build, (i) => `bench.${i}.price.eu`, 1),
  },
  {
    name: 'topic-wildcards',
    title: 'a key of four words against 1,000 bindings like bench.7.# and *.7.price.*',
    // Each key matches one of the first kind or one of the second.
    prepare: (build) => prepareTrie(build, (i) => (i % 2 === 0 ? `bench.${i}.#` : `*.${i}.price.*`), 1),
  },
];
