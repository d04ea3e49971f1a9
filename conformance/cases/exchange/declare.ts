/** exchange.declare and exchange.delete: success, every refusal, and what is left after it. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectChannelClose, expectConnectionClose, expectRefusal, expectSilence } from '../../expect.js';
import type { RawClient } from '../../wire/raw-client.js';
import type { Fields } from '../../wire/raw-methods.js';

const declare = section({ area: 'exchange', source: 'AMQP 0-9-1, exchange.declare', tags: ['core'] });
const remove = section({ area: 'exchange', source: 'AMQP 0-9-1, exchange.delete', tags: ['core'] });
const alternate = section({
  area: 'exchange',
  source: 'https://www.rabbitmq.com/docs/ae',
  tags: ['rabbitmq'],
});
const DEFAULT_EXCHANGE = 'ACCESS_REFUSED - operation not permitted on the default exchange';

const PREDECLARED = [
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
  ['amq.topic', 'topic'],
] as const;

const CHANGES: readonly (readonly [name: string, key: string, change: Fields, text: string])[] = [
  ['type', 'type', { type: 'direct' }, "received 'direct' but current is 'fanout'"],
  ['durable', 'durable', { durable: true }, "received 'true' but current is 'false'"],
  ['auto-delete', 'auto_delete', { autoDelete: true }, "received 'true' but current is 'false'"],
  ['internal', 'internal', { internal: true }, "received 'true' but current is 'false'"],
  [
    'alternate',
    'alternate-exchange',
    { arguments: [['alternate-exchange', 'S', 'other']] },
    "received 'other' but current is 'amq.direct'",
  ],
  [
    'no-alternate',
    'alternate-exchange',
    { arguments: [] },
    "received none but current is the value 'amq.direct' of type 'longstr'",
  ],
];

/** A passive declaration does not find it. */
function expectMissing(t: CaseContext, client: RawClient, exchange: string): Promise<void> {
  return expectRefusal(client, 'exchange.declare', { exchange, passive: true }, 404, t.noExchange(exchange));
}

export const cases: readonly Case[] = [
  ...['direct', 'fanout', 'topic', 'headers'].map((type) =>
    declare(
      `declare-${type}`,
      `an exchange of type ${type} can be declared, found and deleted`,
      'Every broker has the types direct, fanout, topic and headers, and what is deleted is not found any more.',
      async (t) => {
        const client = await t.openChannel();
        const exchange = await t.declareExchange(client, type);
        await client.call(1, 'exchange.declare', { exchange, passive: true });
        await client.call(1, 'exchange.delete', { exchange });
        await expectMissing(t, client, exchange);
      },
    ),
  ),
  ...PREDECLARED.map(([exchange, type]) =>
    declare(
      `predeclared-${exchange.replace('.', '-')}`,
      `${exchange} is there, durable and of type ${type}`,
      'Every virtual host has these exchanges from its beginning, and they can be declared as they are.',
      async (t) => {
        const client = await t.openChannel();
        await client.call(1, 'exchange.declare', { exchange, type, durable: true });
      },
    ),
  ),
  declare(
    'declare-again',
    'the same exchange can be declared again, whatever the unknown arguments',
    'A declaration is equivalent when type, flags and alternate exchange are the same; RabbitMQ compares no other arguments.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'fanout', { arguments: [['a', 'I', 1]] });
      await client.call(1, 'exchange.declare', { exchange, type: 'fanout', arguments: [['b', 'S', 'x']] });
    },
    ['rabbitmq'],
  ),
  declare(
    'declare-line-breaks',
    'line breaks in the name are dropped',
    'RabbitMQ strips CR and LF from the names of exchanges that are declared.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = t.name('x');
      await client.call(1, 'exchange.declare', { exchange: `${exchange}\r\n`, type: 'fanout' });
      await client.call(1, 'exchange.declare', { exchange, passive: true });
    },
    ['rabbitmq'],
  ),
  ...CHANGES.map(([name, key, change, text]) =>
    declare(
      `declare-other-${name}`,
      `another ${key} is refused`,
      'A declaration that is not equivalent is the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        const options = { arguments: [['alternate-exchange', 'S', 'amq.direct']] } as const;
        const exchange = await t.declareExchange(client, 'fanout', options);
        await expectRefusal(
          client,
          'exchange.declare',
          { exchange, type: 'fanout', ...options, ...change },
          406,
          `PRECONDITION_FAILED - inequivalent arg '${key}' for ${t.inVhost('exchange', exchange)}: ${text}`,
        );
        await client.call(1, 'exchange.declare', { exchange, passive: true });
      },
    ),
  ),
  declare(
    'passive-ignores-fields',
    'a passive declaration does not look at the other fields',
    'With passive set only the name of the exchange counts, and neither its type nor its flags are compared.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = await t.declareExchange(client, 'fanout');
      await client.call(1, 'exchange.declare', { exchange, type: 'nonsense', durable: true, passive: true });
    },
  ),
  declare(
    'passive-missing',
    'a passive declaration of what is not there is refused',
    'A passive declaration of an exchange that does not exist is the channel error 404.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = t.name('x');
      await expectMissing(t, client, exchange);
    },
  ),
  declare(
    'declare-unknown-type',
    'an unknown type is refused',
    'A type that the broker does not have is the channel error 406, and was the connection error 503 until 3.13.3.',
    async (t) => {
      const client = await t.openChannel();
      const text = "unknown exchange type 'x-nonsense'";
      client.send(1, 'exchange.declare', { exchange: t.name('x'), type: 'x-nonsense' });
      if (t.dialect === 'rabbitmq-3' && (await client.closingChannel(1)) === 0) {
        await expectConnectionClose(client, 'exchange.declare', 503, `COMMAND_INVALID - ${text}`);
      } else {
        await expectChannelClose(client, 'exchange.declare', 406, `PRECONDITION_FAILED - ${text}`);
      }
    },
    ['rabbitmq'],
  ),
  ...[true, false].map((passive) =>
    declare(
      passive ? 'passive-default' : 'declare-default',
      `the default exchange cannot be declared${passive ? ', not even passively' : ''}`,
      'The default exchange is there without being declared; declaring it is the channel error 403.',
      async (t) => {
        const client = await t.openChannel();
        const fields = { exchange: '', type: 'direct', passive };
        await expectRefusal(client, 'exchange.declare', fields, 403, DEFAULT_EXCHANGE);
      },
    ),
  ),
  declare(
    'declare-reserved',
    'a new name of the broker itself is refused',
    'Names that begin with amq. are reserved: the channel error 403.',
    async (t) => {
      const client = await t.openChannel();
      const fields = { exchange: 'amq.new', type: 'direct' };
      const text = "ACCESS_REFUSED - exchange name 'amq.new' contains reserved prefix 'amq.*'";
      await expectRefusal(client, 'exchange.declare', fields, 403, text);
    },
  ),
  declare(
    'declare-no-wait',
    'no-wait says nothing but of an error',
    'With no-wait there is no reply; an error closes the channel all the same.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = t.name('x');
      client.send(1, 'exchange.declare', { exchange, type: 'fanout', noWait: true });
      client.send(1, 'exchange.declare', { exchange, passive: true, noWait: true });
      await expectSilence(client);
      client.send(1, 'exchange.delete', { exchange, noWait: true });
      const fields = { exchange, passive: true, noWait: true };
      await expectRefusal(client, 'exchange.declare', fields, 404, t.noExchange(exchange));
    },
  ),
  alternate(
    'alternate-no-name',
    'an alternate exchange that is no name is refused',
    'The argument alternate-exchange must be a string: the channel error 406.',
    async (t) => {
      const client = await t.openChannel();
      const exchange = t.name('x');
      await expectRefusal(
        client,
        'exchange.declare',
        { exchange, type: 'direct', arguments: [['alternate-exchange', 'I', 1]] },
        406,
        `PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in ${t.inVhost('exchange', exchange)}`,
      );
    },
  ),
  remove(
    'delete-missing',
    'what is not there can be deleted',
    'Deleting an exchange that does not exist succeeds: RabbitMQ answers with delete-ok.',
    async (t) => {
      const client = await t.openChannel();
      await client.call(1, 'exchange.delete', { exchange: t.name('x') });
    },
  ),
  remove(
    'delete-default',
    'the default exchange cannot be deleted',
    'The default exchange cannot be deleted: it is the channel error 403.',
    async (t) => {
      const client = await t.openChannel();
      await expectRefusal(client, 'exchange.delete', { exchange: '' }, 403, DEFAULT_EXCHANGE);
    },
  ),
  ...['amq.topic', 'amq.never'].map((exchange) =>
    remove(
      `delete-${exchange.replace('.', '-')}`,
      `${exchange} cannot be deleted`,
      'Exchanges whose names begin with amq. are those of the broker; deleting one, there or not, is the channel error 403.',
      async (t) => {
        const client = await t.openChannel();
        const text = `ACCESS_REFUSED - deletion of system ${t.inVhost('exchange', exchange)} not allowed`;
        await expectRefusal(client, 'exchange.delete', { exchange }, 403, text);
      },
    ),
  ),
  remove(
    'delete-if-unused',
    'if-unused spares an exchange with a binding',
    'It is the channel error 406; being bound to another exchange is no use of it.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout');
      const source = await t.declareExchange(client, 'fanout');
      await client.call(1, 'exchange.bind', { source, destination: exchange });
      await client.call(1, 'queue.bind', { queue, exchange });
      const text = `PRECONDITION_FAILED - ${t.inVhost('exchange', exchange)} in use`;
      await expectRefusal(client, 'exchange.delete', { exchange, ifUnused: true }, 406, text);
      await client.call(1, 'queue.unbind', { queue, exchange });
      await client.call(1, 'exchange.delete', { exchange, ifUnused: true });
    },
  ),
  remove(
    'delete-bindings',
    'an exchange takes its bindings with it',
    'An exchange that is deleted takes its bindings with it: one of the same name declared later has none.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout');
      await client.call(1, 'queue.bind', { queue, exchange });
      await client.call(1, 'exchange.delete', { exchange });
      await client.call(1, 'exchange.declare', { exchange, type: 'fanout' });
      client.publish(1, { exchange, mandatory: true });
      await client.message(1, 'basic.return');
    },
  ),
  remove(
    'auto-delete',
    'an auto-delete exchange goes with its last binding, and not before it had one',
    'An auto-delete exchange is deleted when its last binding to something ends, and not as long as it never had one.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout', { autoDelete: true });
      await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'a' });
      await client.call(1, 'queue.bind', { queue, exchange, routingKey: 'b' });
      await client.call(1, 'queue.unbind', { queue, exchange, routingKey: 'a' });
      await client.call(1, 'exchange.declare', { exchange, passive: true });
      await client.call(1, 'queue.unbind', { queue, exchange, routingKey: 'b' });
      await expectMissing(t, client, exchange);
    },
    ['rabbitmq'],
  ),
  remove(
    'auto-delete-with-queue',
    'an auto-delete exchange goes with the last queue bound to it',
    'The end of a queue ends its bindings, and with its last binding an auto-delete exchange goes.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'fanout', { autoDelete: true });
      await client.call(1, 'queue.bind', { queue, exchange });
      await client.call(1, 'queue.delete', { queue });
      await expectMissing(t, client, exchange);
    },
    ['rabbitmq'],
  ),
];
