/** The differences between the generations of RabbitMQ in quorum queues (rabbitmq.com/docs/quorum-queues), on the wire. */

import type { RawClient } from '../../conformance/wire/raw-client.js';
import { RABBITMQ_3_13 } from '../../src/broker/generations/3-13.js';
import { everywhere, in4x, QUEUE, type Row, suite, until42 } from './generation-table.js';
import { countsOf, type Target } from './target.js';

type Argument = readonly [string, string, string | number | boolean];
type Received = Awaited<ReturnType<RawClient['delivery']>>;
/** Gives the delivery with this tag back, in one way or another. */
type GiveBack = (client: RawClient, deliveryTag: number) => unknown;

async function withQuorumQueue(target: Target, ...args: readonly Argument[]): Promise<RawClient> {
  const client = await target.openChannel();
  const type: Argument = ['x-queue-type', 'S', 'quorum'];
  await client.call(1, 'queue.declare', { queue: QUEUE, durable: true, arguments: [type, ...args] });
  return client;
}

/** What a delivery tells of those before it: `x-acquired-count/x-delivery-count`, `-` for a header that is not there. */
function countsIn({ properties, method }: Received): string {
  const { headers = [] } = properties as { headers?: readonly Argument[] };
  const count = (key: string): string => {
    const [, tag, value] = headers.find(([name]) => name === key) ?? ['', '', '-'];
    return tag === '' || tag === 'l' ? String(value) : `${tag}:${value}`;
  };
  return `${count('x-acquired-count')}/${count('x-delivery-count')}${method.redelivered === true ? '*' : ''}`;
}

const nack: GiveBack = (client, deliveryTag) =>
  client.send(1, 'basic.nack', { deliveryTag, requeue: true, multiple: true });
const reject: GiveBack = (client, deliveryTag) =>
  client.send(1, 'basic.reject', { deliveryTag, requeue: true });
const recover: GiveBack = (client) => client.call(1, 'basic.recover', { requeue: true });
const recoverAsync: GiveBack = (client) => client.send(1, 'basic.recover-async', { requeue: true });
const loseChannel: GiveBack = async (client) => {
  await client.call(1, 'channel.close');
  await client.openChannel(1);
};

/** What each delivery of a message tells that comes back in these ways. */
const told =
  (...ways: readonly GiveBack[]): Row['ask'] =>
  async (target) => {
    const client = await withQuorumQueue(target);
    client.publish(1, { routingKey: QUEUE, body: 'm' });
    const counts: string[] = [];
    for (const giveBack of ways) {
      const got = await client.get(1, QUEUE, false);
      counts.push(countsIn(got));
      await giveBack(client, got.method.deliveryTag as number);
    }
    await client.call(1, 'basic.consume', { queue: QUEUE, noAck: true });
    counts.push(countsIn(await client.delivery()));
    return counts;
  };

const TRIES_MAX = 25;

/** How often a message is handed out that always comes back in this way; undefined for no end of it. */
const deliveries =
  (giveBack: GiveBack, ...args: readonly Argument[]): Row['ask'] =>
  async (target) => {
    const client = await withQuorumQueue(target, ...args);
    client.publish(1, { routingKey: QUEUE, body: 'm' });
    for (let count = 0; count <= TRIES_MAX; count++) {
      const { messageCount } = await countsOf(client, QUEUE);
      if (messageCount === 0) return count;
      const got = await client.get(1, QUEUE, false);
      await giveBack(client, got.method.deliveryTag as number);
    }
    return undefined;
  };

const inTransaction =
  (giveBack: GiveBack): GiveBack =>
  async (client, deliveryTag) => {
    await client.call(1, 'tx.select');
    await giveBack(client, deliveryTag);
    await client.call(1, 'tx.commit');
  };

/** The bodies of all messages, in the order of their delivery. */
async function consumeAll(client: RawClient, count: number): Promise<string> {
  await client.call(1, 'basic.consume', { queue: QUEUE, noAck: true, consumerTag: 'all' });
  const bodies: string[] = [];
  for (let i = 0; i < count; i++) bodies.push(String((await client.delivery()).body));
  return bodies.join(' ');
}

async function publishPriorities(
  client: RawClient,
  priorities: readonly (number | undefined)[],
): Promise<void> {
  for (const priority of priorities) {
    const properties = priority === undefined ? {} : { priority };
    client.publish(1, { routingKey: QUEUE, body: String(priority ?? 'none'), properties });
  }
  await client.sync();
}

const LIMIT_OF_TWO: Argument = ['x-delivery-limit', 'I', 2];
const WITHOUT_LIMIT: Argument = ['x-delivery-limit', 'I', -1];

suite('the counts of a quorum queue', [
  {
    what: 'after basic.nack',
    ask: told(nack, nack),
    answers: until42(['-/-', '-/1*', '-/2*'], ['-/-', '1/-*', '2/-*']),
  },
  {
    what: 'after basic.recover',
    ask: told(recover, recoverAsync),
    answers: until42(['-/-', '-/1*', '-/2*'], ['-/-', '1/-*', '2/-*']),
  },
  {
    what: 'after basic.reject',
    ask: told(reject, reject),
    answers: until42(['-/-', '-/1*', '-/2*'], ['-/-', '1/1*', '2/2*']),
  },
  {
    what: 'after the end of a channel',
    ask: told(loseChannel, loseChannel),
    answers: until42(['-/-', '-/1*', '-/2*'], ['-/-', '1/1*', '2/2*']),
  },
  {
    what: 'after one after the other',
    ask: told(nack, reject, recover, loseChannel, nack),
    answers: until42(
      ['-/-', '-/1*', '-/2*', '-/3*', '-/4*', '-/5*'],
      ['-/-', '1/-*', '2/1*', '3/1*', '4/2*', '5/2*'],
    ),
  },
  {
    what: 'after a transaction',
    ask: told(inTransaction(nack), inTransaction(reject), inTransaction(recover)),
    answers: until42(['-/-', '-/1*', '-/2*', '-/3*'], ['-/-', '1/-*', '2/1*', '3/1*']),
  },
] satisfies Row[]);

suite('the delivery limit of a quorum queue', [
  { what: 'and basic.nack', ask: deliveries(nack, LIMIT_OF_TWO), answers: until42(3, undefined) },
  { what: 'and basic.recover', ask: deliveries(recover, LIMIT_OF_TWO), answers: until42(3, undefined) },
  { what: 'and basic.reject', ask: deliveries(reject, LIMIT_OF_TWO), answers: everywhere(3) },
  { what: 'and lost channels', ask: deliveries(loseChannel, LIMIT_OF_TWO), answers: everywhere(3) },
  {
    what: 'and transactions',
    ask: deliveries(inTransaction(reject), LIMIT_OF_TWO),
    answers: everywhere(3),
  },
  { what: 'when nobody sets one', ask: deliveries(reject), answers: in4x(21, undefined) },
  {
    what: 'when it is negative',
    ask: deliveries(reject, WITHOUT_LIMIT),
    answers: in4x(undefined, 1),
  },
  {
    what: 'and what came back for another reason before',
    ask: async (target) => {
      const client = await withQuorumQueue(target, LIMIT_OF_TWO);
      client.publish(1, { routingKey: QUEUE, body: 'm' });
      for (const giveBack of [nack, nack, reject, nack, reject]) {
        if ((await countsOf(client, QUEUE)).messageCount === 0) return 'gone';
        await giveBack(client, (await client.get(1, QUEUE, false)).method.deliveryTag as number);
      }
      return countsIn(await client.get(1, QUEUE, false));
    },
    answers: until42('gone', '5/2*'),
  },
] satisfies Row[]);

suite('the order of a quorum queue', [
  {
    what: 'with priorities',
    ask: async (target) => {
      const client = await withQuorumQueue(target);
      await publishPriorities(client, [0, undefined, 3, 4, 5, 31, 255, 32, 1]);
      return consumeAll(client, 9);
    },
    answers: {
      // Two high ones for each normal one, but never before a normal one's time has come.
      default: '5 31 0 255 32 none 3 4 1',
      '3.13': '0 none 3 4 5 31 255 32 1',
      '4.2': '5 31 0 255 32 none 3 4 1',
      '4.3': '31 255 32 5 none 4 3 1 0',
    },
  },
  {
    what: 'with what came back before what has a priority',
    ask: async (target) => {
      const client = await withQuorumQueue(target);
      await publishPriorities(client, [2, 1]);
      await client.get(1, QUEUE, false);
      await client.get(1, QUEUE, false);
      await publishPriorities(client, [31]);
      for (const deliveryTag of [2, 1]) client.send(1, 'basic.nack', { deliveryTag, requeue: true });
      return consumeAll(client, 3);
    },
    // Without a limit, as in 3.13, what is given back goes to the back.
    answers: in4x('1 2 31', '31 1 2'),
  },
  {
    what: 'with what came back when there is no limit',
    ask: async (target) => {
      // 3.13 has none unless it is told one, and takes a negative one for what it says.
      const is313 = target.server.broker.generation === RABBITMQ_3_13;
      const client = await withQuorumQueue(target, ...(is313 ? [] : [WITHOUT_LIMIT]));
      await publishPriorities(client, [4, 4, 4]);
      const [first, second] = [await client.get(1, QUEUE, false), await client.get(1, QUEUE, false)];
      client.publish(1, { routingKey: QUEUE, body: 'low', properties: { priority: 1 } });
      client.publish(1, { routingKey: QUEUE, body: 'last', properties: { priority: 4 } });
      client.send(1, 'basic.nack', { deliveryTag: first.method.deliveryTag!, requeue: true });
      reject(client, second.method.deliveryTag as number);
      await client.call(1, 'basic.consume', { queue: QUEUE, noAck: true });
      const order: string[] = [];
      for (let i = 0; i < 5; i++) {
        const got = await client.delivery();
        order.push(`${got.body}${got.method.redelivered === true ? '*' : ''}`);
      }
      return order.join(' ');
    },
    answers: {
      default: '4 low last 4* 4*',
      '3.13': '4 low last 4* 4*',
      '4.2': '4 low last 4* 4*',
      // basic.reject goes to the front there, and a low message stays behind the others.
      '4.3': '4* 4 last 4* low',
    },
  },
  {
    what: 'with consumers of which one is active',
    ask: async (target) => {
      const client = await withQuorumQueue(target, ['x-single-active-consumer', 't', true]);
      await client.call(1, 'basic.consume', { queue: QUEUE, consumerTag: 'first', noAck: true });
      const args: Argument[] = [['x-priority', 'I', 9]];
      await client.call(1, 'basic.consume', {
        queue: QUEUE,
        consumerTag: 'higher',
        noAck: true,
        arguments: args,
      });
      client.publish(1, { routingKey: QUEUE, body: 'm' });
      return (await client.delivery()).method.consumerTag;
    },
    answers: in4x('higher', 'first'),
  },
] satisfies Row[]);
