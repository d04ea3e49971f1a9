/** The differences between the generations of RabbitMQ in messages and consumers: each over the wire, by generation. */
import { expect } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Properties, Table } from '../../conformance/wire/raw-codec.js';
import {
  answerTo,
  EXCLUSIVE,
  everywhere,
  in4x,
  QUEUE,
  REPLY_TO,
  type Row,
  suite,
  until42,
} from './generation-table.js';
import { countsOf, publishTo, type Target } from './target.js';

const withConsumerArgument =
  (key: string, tag: string, value: string | number): Row['ask'] =>
  async (target) => {
    const client = await target.openChannel();
    await client.call(1, 'queue.declare', EXCLUSIVE);
    return answerTo(client, 'basic.consume', { queue: QUEUE, arguments: [[key, tag, value]] });
  };

async function withQueue(target: Target, ...args: [string, string, string | number][]): Promise<RawClient> {
  const client = await target.openChannel();
  await client.call(1, 'queue.declare', { ...EXCLUSIVE, arguments: args });
  return client;
}

/** The properties of a message after its way through a queue. */
async function throughQueue(target: Target, properties: Properties): Promise<Properties> {
  const client = await withQueue(target);
  client.publish(1, { routingKey: QUEUE, properties });
  return (await client.get(1, QUEUE)).properties;
}

/** The headers of a message that expired in the queue, was published to it again, and expired anew. */
async function throughDeath(target: Target, headers: Table): Promise<Table> {
  const client = await withQueue(
    target,
    ['x-message-ttl', 'I', 0],
    ['x-dead-letter-exchange', 'S', ''],
    ['x-dead-letter-routing-key', 'S', 'dead'],
  );
  await client.call(1, 'queue.declare', { queue: 'dead', exclusive: true });
  client.publish(1, { routingKey: QUEUE, properties: { headers } });
  return (await client.get(1, 'dead')).properties.headers!;
}

const fieldOf = (table: Table, key: string): unknown => table.find(([name]) => name === key)?.[2];

/** Counts of the entries of x-death. */
function deathCounts(headers: Table): unknown[] {
  const deaths = fieldOf(headers, 'x-death') as readonly (readonly [string, Table])[];
  return deaths.map(([, entry]) => fieldOf(entry, 'count'));
}

const EARLIER_DEATH: Table = [
  ['count', 'l', 5],
  ['reason', 'S', 'expired'],
  ['queue', 'S', QUEUE],
];

async function replyTo(
  target: Target,
): Promise<{ requester: RawClient; responder: RawClient; address: string }> {
  const requester = await target.openChannel();
  await requester.call(1, 'basic.consume', { queue: REPLY_TO, noAck: true });
  const responder = await withQueue(target);
  requester.publish(1, { routingKey: QUEUE, properties: { replyTo: REPLY_TO } });
  await requester.sync();
  const address = (await responder.get(1, QUEUE)).properties.replyTo!;
  return { requester, responder, address };
}

/** What a replier gets for a mandatory reply. */
async function mandatoryReply(target: Target, mode: 'plain' | 'tx' | 'gone'): Promise<string> {
  const { requester, responder, address } = await replyTo(target);
  if (mode === 'gone') await requester.call(1, 'channel.close');
  if (mode === 'tx') await responder.call(1, 'tx.select');
  responder.publish(1, { routingKey: address, mandatory: true, body: 'answer' });
  if (mode === 'tx') responder.send(1, 'tx.commit');
  else responder.send(1, 'channel.flow', { active: true });
  if (mode !== 'gone') expect(String((await requester.delivery()).body)).toBe('answer');
  const { name } = await responder.anyMethod(1);
  return name;
}

const MESSAGES: readonly Row[] = [
  {
    what: 'the order of headers',
    ask: async (target) =>
      (
        await throughQueue(target, {
          headers: [
            ['b', 'I', 1],
            ['a', 'I', 2],
            ['b', 'I', 3],
          ],
        })
      ).headers,
    answers: everywhere([
      ['a', 'I', 2],
      ['b', 'I', 1],
    ]),
  },
  {
    what: 'delivery mode 3',
    ask: (target) => throughQueue(target, { deliveryMode: 3 }),
    answers: everywhere({ deliveryMode: 3 }),
  },
  {
    what: 'CC of a dead letter with a routing key',
    ask: async (target) => fieldOf(await throughDeath(target, [['CC', 'A', [['S', 'cc']]]]), 'CC'),
    answers: everywhere([['S', 'cc']]),
  },
  {
    what: 'x-last-death-queue',
    ask: async (target) => fieldOf(await throughDeath(target, []), 'x-last-death-queue'),
    answers: everywhere(QUEUE),
  },
  {
    what: 'x-death of a publisher',
    ask: async (target) =>
      deathCounts(await throughDeath(target, [['x-death', 'A', [['F', EARLIER_DEATH]]]])),
    answers: in4x([1], [6]),
  },
  {
    what: 'x-death of a publisher that is no array',
    ask: async (target) => deathCounts(await throughDeath(target, [['x-death', 'S', 'text']])),
    answers: everywhere([1]),
  },
  {
    what: 'a mandatory reply',
    ask: (target) => mandatoryReply(target, 'plain'),
    answers: in4x('channel.flow-ok', 'basic.return'),
  },
  {
    what: 'a mandatory reply in a transaction',
    ask: (target) => mandatoryReply(target, 'tx'),
    answers: in4x('tx.commit-ok', 'basic.return'),
  },
  {
    what: 'a mandatory reply to a requester who is gone',
    ask: (target) => mandatoryReply(target, 'gone'),
    answers: in4x('channel.flow-ok', 'basic.return'),
  },
  {
    what: 'a mandatory message to a name that can be no reply address',
    ask: async (target) => {
      const client = await target.openChannel();
      client.publish(1, { routingKey: `${REPLY_TO}.nobody`, mandatory: true });
      client.send(1, 'channel.flow', { active: true });
      return (await client.anyMethod(1)).name;
    },
    answers: everywhere('basic.return'),
  },
  {
    what: 'replies of a transaction, of which the first is rolled back',
    ask: async (target) => {
      const { requester, responder, address } = await replyTo(target);
      await responder.call(1, 'tx.select');
      responder.publish(1, { routingKey: address, body: 'rolled back' });
      await responder.call(1, 'tx.rollback');
      responder.publish(1, { routingKey: address, body: 'committed' });
      await responder.call(1, 'tx.commit');
      return String((await requester.delivery()).body);
    },
    answers: in4x('committed', 'rolled back'),
  },
  {
    what: 'the delivery tags of replies',
    ask: async (target) => {
      const { requester, responder, address } = await replyTo(target);
      for (const body of ['1', '2']) responder.publish(1, { routingKey: address, body });
      const tags = [(await requester.delivery()).method.deliveryTag];
      return [...tags, (await requester.delivery()).method.deliveryTag];
    },
    answers: in4x([1, 2], [1, 1]),
  },
];

/** Deliveries to two consumers, after a prefetch of one for the whole channel. */
async function withGlobalPrefetch(target: Target): Promise<number> {
  const client = await withQueue(target);
  await client.call(1, 'basic.qos', { prefetchCount: 1, global: true });
  for (const consumerTag of ['a', 'b']) await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag });
  await publishTo(client, QUEUE, 4);
  return 4 - (await countsOf(client, QUEUE)).messageCount!;
}

const CREDIT_TEXT = 'NOT_IMPLEMENTED - basic.credit and x-credit are not supported by this broker';

const CONSUMERS: readonly Row[] = [
  { what: 'a global prefetch of one', ask: withGlobalPrefetch, answers: until42(1, 2) },
  {
    what: 'basic.credit',
    ask: async (target) =>
      answerTo(await withQueue(target), 'basic.credit', { consumerTag: 'a', credit: 1, drain: false }),
    answers: in4x('COMMAND_INVALID - unimplemented method', CREDIT_TEXT),
  },
  {
    what: 'x-credit',
    ask: withConsumerArgument('x-credit', 'I', 1),
    answers: in4x('basic.consume-ok', CREDIT_TEXT),
  },
  {
    what: 'x-cancel-on-ha-failover that is no boolean',
    ask: withConsumerArgument('x-cancel-on-ha-failover', 'S', 'yes'),
    answers: in4x(
      'basic.consume-ok',
      "PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for queue 'q' in vhost '/': {unacceptable_type,longstr}",
    ),
  },
  {
    what: 'basic.cancel-ok from the client',
    ask: async (target) => {
      const client = await withQueue(target);
      client.send(1, 'basic.cancel-ok', { consumerTag: 'a' });
      return answerTo(client, 'channel.flow', { active: true });
    },
    answers: {
      default: 'channel.flow-ok',
      '3.13': 'COMMAND_INVALID - unimplemented method',
      '4.2': 'COMMAND_INVALID - unimplemented method',
      '4.3': 'channel.flow-ok',
    },
  },
];

suite('messages', MESSAGES);
suite('consumers', CONSUMERS);
