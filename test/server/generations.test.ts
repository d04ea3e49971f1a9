/**
 * The differences between the generations of RabbitMQ in connections and declarations: each over the wire, by
 * generation. What only a restart or an option shows is in persistence.test.ts and start-options.test.ts.
 */
import { expect } from 'vitest';
import type { Fields } from '../../conformance/wire/raw-methods.js';
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
import type { Target } from './target.js';

/** The answer to queue.declare with one argument. */
const withArgument =
  (key: string, tag: string, value: string | number): Row['ask'] =>
  async (target) =>
    answerTo(await target.openChannel(), 'queue.declare', { ...EXCLUSIVE, arguments: [[key, tag, value]] });

const withQuorumArgument =
  (key: string, tag: string, value: string | number): Row['ask'] =>
  async (target) =>
    answerTo(await target.openChannel(), 'queue.declare', {
      queue: QUEUE,
      durable: true,
      arguments: [
        ['x-queue-type', 'S', 'quorum'],
        [key, tag, value],
      ],
    });

const header =
  (bytes: string): Row['ask'] =>
  async (target) => {
    const client = await target.connect();
    client.write(Buffer.from(bytes, 'latin1'));
    await client.closed();
    return client.refusal!.toString('latin1');
  };

async function announced(target: Target): Promise<Fields> {
  return (await target.connect()).start();
}

/** What comes of a start-ok, of which no answer is sent when it is refused. */
async function loginBy(
  target: Target,
  mechanism: string,
  paddingBytes: number,
  refusal: string,
): Promise<string> {
  const client = await target.connect();
  await client.start();
  client.startOk('\0guest\0guest', mechanism, [['padding', 'S', 'x'.repeat(paddingBytes)]]);
  const tuned = client.method(0, 'connection.tune').then(() => 'tuned');
  const outcome = await Promise.race([tuned, target.logged(refusal).then(() => 'refused')]);
  client.destroy();
  await tuned.catch(() => {});
  return outcome;
}

async function tuneTo4096(target: Target): Promise<string> {
  const client = await target.connect();
  await client.tune({ frameMax: 4096 });
  client.send(0, 'connection.open', { virtualHost: '/' });
  const { name, fields } = await client.anyMethod(0);
  return fields.replyText ?? name;
}

const FRAME_MAX_TEXT =
  'NOT_ALLOWED - negotiated frame_max = 4096 is lower than the minimum allowed value (8192)';

const CONNECTION: readonly Row[] = [
  {
    what: 'an unknown protocol',
    ask: header('GET / HT'),
    answers: in4x('AMQP\x03\x01\x00\x00', 'AMQP\x00\x00\x09\x01'),
  },
  {
    what: 'AMQP 0-8',
    ask: header('AMQP\x01\x01\x08\x00'),
    answers: in4x('AMQP\x03\x01\x00\x00', 'AMQP\x00\x00\x09\x01'),
  },
  { what: 'AMQP 0-10', ask: header('AMQP\x00\x00\x0a\x00'), answers: everywhere('AMQP\x00\x00\x09\x01') },
  {
    what: 'product and version',
    ask: async (target) => {
      const properties = new Map(
        (await announced(target)).serverProperties!.map(([key, , value]) => [key, value]),
      );
      return `${properties.get('product')} ${properties.get('version')}`;
    },
    answers: {
      default: 'RabbitMQ 4.2.1',
      '3.13': 'RabbitMQ 3.13.7',
      '4.2': 'RabbitMQ 4.2.1',
      '4.3': 'RabbitMQ 4.3.5',
    },
  },
  {
    what: 'mechanisms',
    ask: async (target) => (await announced(target)).mechanisms,
    answers: in4x('PLAIN AMQPLAIN ANONYMOUS', 'PLAIN AMQPLAIN'),
  },
  {
    what: 'ANONYMOUS',
    ask: (target) => loginBy(target, 'ANONYMOUS', 0, 'login refused'),
    answers: in4x('tuned', 'refused'),
  },
  {
    what: 'a start-ok of more than 4096 bytes',
    ask: (target) => loginBy(target, 'PLAIN', 5000, 'closing the connection'),
    answers: in4x('tuned', 'refused'),
  },
  {
    what: 'a frame-max of 4096',
    ask: tuneTo4096,
    answers: {
      default: 'connection.open-ok',
      '3.13': 'connection.open-ok',
      '4.2': FRAME_MAX_TEXT,
      '4.3': FRAME_MAX_TEXT,
    },
  },
];

const denied = (feature: string): string =>
  `INTERNAL_ERROR - Feature \`${feature}\` is deprecated.\nBy default, this feature is not permitted anymore.\n` +
  'The feature will be removed from a future major RabbitMQ version, regardless of the configuration; actual version to be determined.\nTo';

const invalid = (key: string, why: string): string =>
  `PRECONDITION_FAILED - invalid arg '${key}' for queue 'q' in vhost '/'${why}`;

async function asNobody(target: Target, method: string, fields: Fields): Promise<string> {
  const owner = await target.openChannel();
  await owner.call(1, 'queue.declare', { queue: QUEUE, durable: true });
  return answerTo(await target.openChannel({ user: 'nobody', password: 'nobody' }), method, fields);
}

async function bindReplyTo(target: Target, method: string): Promise<string> {
  const client = await target.openChannel();
  return answerTo(client, method, { queue: REPLY_TO, exchange: 'amq.direct', routingKey: 'x' });
}

const REFUSED_BINDING = 'ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue';

const DECLARATIONS: readonly Row[] = [
  {
    what: 'an unknown exchange type',
    ask: async (target) =>
      answerTo(await target.openChannel(), 'exchange.declare', { exchange: 'x', type: 'nonsense' }),
    answers: everywhere("PRECONDITION_FAILED - unknown exchange type 'nonsense'"),
  },
  {
    what: 'an exchange of type x-local-random',
    ask: async (target) =>
      answerTo(await target.openChannel(), 'exchange.declare', { exchange: 'x', type: 'x-local-random' }),
    answers: in4x('exchange.declare-ok', "PRECONDITION_FAILED - unknown exchange type 'x-local-random'"),
  },
  {
    what: 'a queue without permission',
    ask: (target) => asNobody(target, 'queue.declare', { queue: 'other', durable: true }),
    answers: everywhere(
      "ACCESS_REFUSED - configure access to queue 'other' in vhost '/' refused for user 'nobody'",
    ),
  },
  {
    what: 'a passive queue.declare without permission',
    ask: (target) => asNobody(target, 'queue.declare', { queue: QUEUE, passive: true }),
    answers: until42(
      'queue.declare-ok',
      "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'nobody'",
    ),
  },
  {
    what: 'a passive exchange.declare without permission',
    ask: (target) => asNobody(target, 'exchange.declare', { exchange: 'amq.topic', passive: true }),
    answers: until42(
      'exchange.declare-ok',
      "ACCESS_REFUSED - configure access to exchange 'amq.topic' in vhost '/' refused for user 'nobody'",
    ),
  },
  {
    what: 'a passive exchange.declare with permission to write',
    ask: (target) => asNobody(target, 'exchange.declare', { exchange: 'amq.fanout', passive: true }),
    answers: everywhere('exchange.declare-ok'),
  },
  {
    what: 'a transient queue that is not exclusive',
    ask: async (target) => answerTo(await target.openChannel(), 'queue.declare', { queue: QUEUE }),
    answers: until42('queue.declare-ok', `${denied('transient_nonexcl_queues')}...`),
  },
  {
    what: 'x-queue-master-locator',
    ask: withArgument('x-queue-master-locator', 'S', 'random'),
    answers: until42(
      'queue.declare-ok',
      expect.stringContaining('Feature `queue_master_locator` is deprecated.\n'),
    ),
  },
  {
    what: 'x-queue-leader-locator on a classic queue',
    ask: withArgument('x-queue-leader-locator', 'S', 'client-local'),
    answers: in4x(
      'queue.declare-ok',
      invalid('x-queue-leader-locator', ' of queue type rabbit_classic_queue'),
    ),
  },
  {
    what: 'x-queue-mode of nonsense',
    ask: withArgument('x-queue-mode', 'S', 'fast'),
    answers: until42(invalid('x-queue-mode', ': "unsupported queue mode \'fast\'"'), 'queue.declare-ok'),
  },
  {
    what: 'x-queue-version 1',
    ask: withArgument('x-queue-version', 'I', 1),
    answers: until42('queue.declare-ok', invalid('x-queue-version', ': "unsupported queue version \'1\'"')),
  },
  {
    what: 'x-queue-version 2',
    ask: withArgument('x-queue-version', 'I', 2),
    answers: everywhere('queue.declare-ok'),
  },
  {
    what: 'x-queue-type by the name of a module',
    ask: withArgument('x-queue-type', 'S', 'rabbit_classic_queue'),
    answers: in4x(
      'queue.declare-ok',
      invalid('x-queue-type', ': "unsupported queue type \'rabbit_classic_queue\'"'),
    ),
  },
  {
    what: 'x-consumer-timeout on a classic queue',
    ask: withArgument('x-consumer-timeout', 'I', 60_000),
    answers: until42(
      'queue.declare-ok',
      invalid('x-consumer-timeout', ' of queue type rabbit_classic_queue'),
    ),
  },
  {
    what: 'x-delayed-retry-type on a classic queue',
    ask: withArgument('x-delayed-retry-type', 'S', 'all'),
    answers: until42(
      'queue.declare-ok',
      invalid('x-delayed-retry-type', ' of queue type rabbit_classic_queue'),
    ),
  },
  {
    what: 'x-delayed-retry-type on a quorum queue',
    ask: withQuorumArgument('x-delayed-retry-type', 'S', 'all'),
    answers: until42(
      'queue.declare-ok',
      "NOT_IMPLEMENTED - argument 'x-delayed-retry-type' of queue 'q' in vhost '/' is not supported by this broker yet",
    ),
  },
  {
    what: 'x-delayed-retry-type on a quorum queue, without an effect',
    ask: withQuorumArgument('x-delayed-retry-type', 'S', 'disabled'),
    answers: everywhere('queue.declare-ok'),
  },
  {
    what: 'x-delayed-retry-min on a quorum queue that does not delay',
    ask: withQuorumArgument('x-delayed-retry-min', 'I', 1_000),
    answers: everywhere('queue.declare-ok'),
  },
  {
    what: 'x-consumer-disconnected-timeout on a quorum queue',
    ask: withQuorumArgument('x-consumer-disconnected-timeout', 'I', 1_000),
    answers: everywhere('queue.declare-ok'),
  },
  {
    what: 'binding a reply address',
    ask: (target) => bindReplyTo(target, 'queue.bind'),
    answers: until42("NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'", REFUSED_BINDING),
  },
  {
    what: 'unbinding a reply address',
    ask: (target) => bindReplyTo(target, 'queue.unbind'),
    answers: until42('queue.unbind-ok', REFUSED_BINDING),
  },
];

suite('the connection', CONNECTION);
suite('declarations', DECLARATIONS);
