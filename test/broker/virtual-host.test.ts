import { describe, expect, it } from 'vitest';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { checkAlternateExchange } from '../../src/broker/alternate-exchange.js';
import type { BrokerExchange } from '../../src/broker/router.js';
import type { ExchangeDeclaration, QueueDeclaration, VirtualHost } from '../../src/broker/virtual-host.js';
import { FakeConsumer } from '../helpers/fake-consumer.js';
import { expectNothingHeld, writeLabelled } from '../helpers/messages.js';
import { addExchange, addQueue, type TestBroker, testBroker } from '../helpers/test-broker.js';

const { EMPTY } = FieldTable;
const AUTO_DELETE = { autoDelete: true };

function bench(): TestBroker & { readonly host: VirtualHost } {
  const test = testBroker();
  return { ...test, host: test.broker.virtualHost('/')! };
}

function replyTextOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

function publish(host: VirtualHost, queueName: string, label: string): void {
  const position = writeLabelled(host.log, label);
  host.log.retain(position, 1);
  host.queues.get(queueName)!.publish(position);
}

const exchangeNames = (host: VirtualHost): string[] =>
  [...host.exchanges.keys()].filter((name) => name !== '' && !name.startsWith('amq.')).sort();

describe('a new virtual host', () => {
  it('has the exchanges RabbitMQ predeclares, all durable, one of them internal', () => {
    const { host } = bench();
    const rows = [...host.exchanges.values()].map((exchange) => {
      expect([exchange.durable, exchange.autoDelete]).toEqual([true, false]);
      return `${exchange.name} ${exchange.typeName}${exchange.internal ? ' internal' : ''}`;
    });
    expect(rows).toEqual([
      ' direct',
      'amq.direct direct',
      'amq.fanout fanout',
      'amq.headers headers',
      'amq.match headers',
      'amq.rabbitmq.trace topic internal',
      'amq.topic topic',
    ]);
    expect(host.queues.size).toBe(0);
  });

  it('tells what it does not have', () => {
    const { host } = bench();
    expect(replyTextOf(() => host.exchangeNamed('x'))).toBe("NOT_FOUND - no exchange 'x' in vhost '/'");
    expect(replyTextOf(() => host.queueFor('q', {}))).toBe("NOT_FOUND - no queue 'q' in vhost '/'");
  });
});

describe('declaring again', () => {
  const X: ExchangeDeclaration = {
    name: 'x',
    type: 'direct',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: FieldTable.of([['alternate-exchange', longstr('ae')]]),
  };
  const exchangeRows: readonly (readonly [Partial<ExchangeDeclaration>, string])[] = [
    [
      { type: 'fanout', durable: false },
      "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'",
    ],
    [
      { durable: false, autoDelete: true },
      "'durable' for exchange 'x' in vhost '/': received 'false' but current is 'true'",
    ],
    [
      { autoDelete: true, internal: true },
      "'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      { internal: true, arguments: EMPTY },
      "'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      { arguments: EMPTY },
      "'alternate-exchange' for exchange 'x' in vhost '/': received none but current is the value 'ae' of type 'longstr'",
    ],
    [
      { arguments: FieldTable.of([['alternate-exchange', longstr('b')]]) },
      "'alternate-exchange' for exchange 'x' in vhost '/': received 'b' but current is 'ae'",
    ],
  ];

  it('accepts an equal exchange, and arguments it does not compare', () => {
    const { host } = bench();
    const exchange = host.addExchange(X);
    expect(() => host.checkExchangeEquivalent(exchange, X)).not.toThrow();
    const entries: FieldEntry[] = [...X.arguments.entries, ['other', signedint(1)]];
    expect(() =>
      host.checkExchangeEquivalent(exchange, { ...X, arguments: FieldTable.of(entries) }),
    ).not.toThrow();
  });

  it.each(exchangeRows)('refuses an exchange with %j, naming the first difference', (over, text) => {
    const { host } = bench();
    const exchange = host.addExchange(X);
    const refusal = replyTextOf(() => host.checkExchangeEquivalent(exchange, { ...X, ...over }));
    expect(refusal).toBe(`PRECONDITION_FAILED - inequivalent arg ${text}`);
  });

  const Q: QueueDeclaration = {
    name: 'q',
    durable: true,
    autoDelete: false,
    exclusiveOwner: undefined,
    arguments: EMPTY,
  };

  it('compares a queue: owner, durable, auto_delete, then arguments', () => {
    const { host } = bench();
    const queue = host.addQueue(Q);
    const check = (over: Partial<QueueDeclaration>): string =>
      replyTextOf(() => host.checkQueueEquivalent(queue, { ...Q, ...over }));
    const argument = FieldTable.of([['x-max-length', signedint(5)]]);
    expect(check({})).toBe('accepted');
    expect(check({ durable: false, autoDelete: true })).toBe(
      "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
    );
    expect(check({ autoDelete: true, arguments: argument })).toBe(
      "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'",
    );
    expect(check({ arguments: argument })).toContain("inequivalent arg 'x-max-length' for queue 'q'");
    expect(check({ exclusiveOwner: {}, durable: false })).toMatch(
      /^RESOURCE_LOCKED - cannot obtain exclusive/,
    );
  });

  it('does not accept an alternate exchange that is no string', () => {
    const declared = { ...X, arguments: FieldTable.of([['alternate-exchange', signedint(1)]]) };
    expect(replyTextOf(() => checkAlternateExchange(declared, '/'))).toBe(
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
    );
    expect(() => checkAlternateExchange(X, '/')).not.toThrow();
    expect(() => checkAlternateExchange({ ...X, arguments: EMPTY }, '/')).not.toThrow();
  });
});

describe('a queue', () => {
  it('belongs to the connection that declared it exclusive', () => {
    const { host } = bench();
    const [owner, stranger] = [{}, {}];
    const queue = addQueue(host, 'q', [], { exclusiveOwner: owner });
    expect(host.queueFor('q', owner)).toBe(queue);
    expect(replyTextOf(() => host.queueFor('q', stranger))).toBe(
      "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally " +
        'declared on another connection or the exclusive property value does not match that of the original declaration.',
    );
  });

  it('goes with its owner, and the queues of others stay', () => {
    const { host } = bench();
    const [owner, other] = [{}, {}];
    addQueue(host, 'a', [], { exclusiveOwner: owner });
    addQueue(host, 'b', [], { exclusiveOwner: owner });
    addQueue(host, 'c', [], { exclusiveOwner: other });
    addQueue(host, 'd');
    host.deleteQueue(host.queues.get('b')!);
    const b = addQueue(host, 'b');
    host.deleteExclusiveQueues(owner);
    host.deleteExclusiveQueues(owner);
    expect([...host.queues.keys()].sort()).toEqual(['b', 'c', 'd']);
    expect(host.queues.get('b')).toBe(b);
  });

  it('when deleted takes its bindings and messages along, once', () => {
    const { host } = bench();
    const x = addExchange(host, 'x', 'fanout');
    const queue = addQueue(host, 'q');
    host.bind(x, queue, '', EMPTY);
    publish(host, 'q', '1');
    publish(host, 'q', '2');
    expect(host.deleteQueue(queue)).toBe(2);
    expect(x.bindingCount).toBe(0);
    const next = addQueue(host, 'q');
    expect(host.deleteQueue(queue)).toBe(0);
    expect(host.queues.get('q')).toBe(next);
    expect(next.isDeleted).toBe(false);
    expect(host.log.segmentOf(host.log.append(0)).live).toBe(0);
  });

  it('gets a number of its own, also when it is declared anew', () => {
    const { host } = bench();
    const first = addQueue(host, 'q');
    host.deleteQueue(first);
    expect(addQueue(host, 'q').id).not.toBe(first.id);
  });

  it('goes with its last consumer when it is auto-delete, and not before it had one', () => {
    const { host } = bench();
    const queue = addQueue(host, 'q', [], AUTO_DELETE);
    const [a, b] = [new FakeConsumer(), new FakeConsumer()];
    queue.subscribe(a);
    queue.subscribe(b);
    queue.unsubscribe(a);
    expect(host.queues.has('q')).toBe(true);
    queue.unsubscribe(b);
    expect(host.queues.has('q')).toBe(false);
    expect(queue.isDeleted).toBe(true);
    const kept = addQueue(host, 'kept');
    kept.subscribe(a);
    kept.unsubscribe(a);
    expect(host.queues.has('kept')).toBe(true);
  });

  it('is run by the turn', () => {
    const { host, turn } = bench();
    const queue = addQueue(host, 'q');
    const consumer = new FakeConsumer({ noAck: true });
    let count = 0;
    consumer.deliver = () => {
      count++;
    };
    queue.subscribe(consumer);
    publish(host, 'q', '1');
    expect(count).toBe(0);
    turn();
    expect(count).toBe(1);
  });

  it('of a reply consumer is reached by its name only, and not listed', () => {
    const { host } = bench();
    const queue = host.addReplyQueue('amq.rabbitmq.reply-to.1');
    const request = {
      routingKeys: ['amq.rabbitmq.reply-to.1'],
      headers: () => EMPTY,
      properties: () => ({}),
      keptBy: () => {},
    };
    expect(host.hasReplyQueue('amq.rabbitmq.reply-to.1')).toBe(true);
    expect(host.router.route(host.exchangeNamed(''), request)).toEqual([queue]);
    expect(host.queues.size).toBe(0);
    expect(() => host.queueFor('amq.rabbitmq.reply-to.1', {})).toThrow('NOT_FOUND');
    host.deleteReplyQueue(queue);
    expect(host.hasReplyQueue('amq.rabbitmq.reply-to.1')).toBe(false);
    expect(host.router.route(host.exchangeNamed(''), request)).toEqual([]);
    expect(queue.isDeleted).toBe(true);
  });
});

describe('a binding', () => {
  it('goes with either of its ends', () => {
    const { host } = bench();
    const [x, y] = [addExchange(host, 'x', 'fanout'), addExchange(host, 'y', 'fanout')];
    const queue = addQueue(host, 'q');
    host.bind(x, y, 'a', EMPTY);
    host.bind(x, y, 'b', EMPTY);
    host.bind(y, queue, '', EMPTY);
    host.deleteExchange(y);
    expect([x.bindingCount, exchangeNames(host)]).toEqual([0, ['x']]);
    host.bind(x, queue, '', EMPTY);
    host.deleteQueue(queue);
    expect(x.bindingCount).toBe(0);
  });

  it('that is removed leaves those beside it', () => {
    const { host } = bench();
    const x = addExchange(host, 'x', 'topic');
    const queue = addQueue(host, 'q');
    host.bind(x, queue, 'a', EMPTY);
    host.bind(x, queue, 'b', EMPTY);
    host.unbind(x, queue, 'a', EMPTY);
    host.unbind(x, queue, 'never', EMPTY);
    expect([...x.bindings()].map(({ bindingKey }) => bindingKey)).toEqual(['b']);
    host.deleteQueue(queue);
    expect(x.bindingCount).toBe(0);
  });

  it('leaves nothing behind at a queue that outlives its exchanges', () => {
    const { host } = bench();
    const { sources } = host as unknown as { readonly sources: ReadonlyMap<unknown, unknown> };
    const queue = addQueue(host, 'q');
    for (let i = 0; i < 3; i++) {
      const x = addExchange(host, 'x', 'fanout');
      host.bind(x, queue, '', EMPTY);
      host.deleteExchange(x);
    }
    const x = addExchange(host, 'x', 'fanout', AUTO_DELETE);
    host.bind(x, queue, '', EMPTY);
    host.unbind(x, queue, '', EMPTY);
    expect(sources.size).toBe(0);
  });

  it('that the type refuses changes nothing', () => {
    const { host } = bench();
    const x = addExchange(host, 'x', 'headers');
    const queue = addQueue(host, 'q');
    const args = FieldTable.of([['x-match', longstr('some')]]);
    expect(() => host.bind(x, queue, '', args)).toThrow('PRECONDITION_FAILED');
    expect(x.bindingCount).toBe(0);
  });
});

describe('an auto-delete exchange', () => {
  it('stays while it was never bound, and goes with its last binding as source', () => {
    const { host } = bench();
    const x = addExchange(host, 'x', 'direct', AUTO_DELETE);
    const queue = addQueue(host, 'q');
    host.unbind(x, queue, 'k', EMPTY);
    expect(exchangeNames(host)).toEqual(['x']);
    host.bind(x, queue, 'k', EMPTY);
    host.bind(x, queue, 'l', EMPTY);
    host.unbind(x, queue, 'k', EMPTY);
    expect(exchangeNames(host)).toEqual(['x']);
    host.unbind(x, queue, 'l', EMPTY);
    expect(exchangeNames(host)).toEqual([]);
  });

  it('stays when only bindings to it go', () => {
    const { host } = bench();
    const [x, y] = [addExchange(host, 'x', 'fanout'), addExchange(host, 'y', 'fanout', AUTO_DELETE)];
    host.bind(x, y, '', EMPTY);
    host.unbind(x, y, '', EMPTY);
    expect(exchangeNames(host)).toEqual(['x', 'y']);
  });

  it('goes with the queue it was bound to, and takes along those that were bound to it', () => {
    const { host } = bench();
    const names = ['a', 'b', 'c'];
    const [a, b, c] = names.map((name) => addExchange(host, name, 'fanout', AUTO_DELETE));
    const kept = addExchange(host, 'kept', 'fanout');
    const queue = addQueue(host, 'q');
    host.bind(a!, b!, '', EMPTY);
    host.bind(kept, b!, '', EMPTY);
    host.bind(b!, c!, '', EMPTY);
    host.bind(c!, queue, '', EMPTY);
    host.deleteQueue(queue);
    expect(exchangeNames(host)).toEqual(['kept']);
    expect(kept.bindingCount).toBe(0);
  });

  it('may be bound in a circle, or to itself', () => {
    const { host } = bench();
    const [a, b] = ['a', 'b'].map((name) => addExchange(host, name, 'fanout', AUTO_DELETE));
    host.bind(a!, b!, '', EMPTY);
    host.bind(b!, a!, '', EMPTY);
    host.bind(a!, a!, '', EMPTY);
    host.deleteExchange(a!);
    expect(exchangeNames(host)).toEqual([]);
  });

  it('may be one of many in a row: the end of one queue takes them all', () => {
    const { host } = bench();
    const chain = Array.from({ length: 20_000 }, (_, i) => addExchange(host, `x${i}`, 'fanout', AUTO_DELETE));
    for (let i = 1; i < chain.length; i++) host.bind(chain[i - 1]!, chain[i]!, '', EMPTY);
    const owner = {};
    host.bind(chain.at(-1) as BrokerExchange, addQueue(host, 'q', [], { exclusiveOwner: owner }), '', EMPTY);
    host.deleteExclusiveQueues(owner);
    expect(exchangeNames(host)).toEqual([]);
  });

  it('of another object under the same name is not meant', () => {
    const { host } = bench();
    const x = addExchange(host, 'x', 'direct', AUTO_DELETE);
    host.deleteExchange(x);
    const next = addExchange(host, 'x', 'direct');
    host.deleteExchange(x);
    expect(host.exchangeNamed('x')).toBe(next);
  });
});

describe('a virtual host that is closed', () => {
  it('holds no messages and cancels its consumers', () => {
    const { host, broker } = bench();
    const consumer = new FakeConsumer({ capacity: 0 });
    addQueue(host, 'q').subscribe(consumer);
    publish(host, 'q', '1');
    broker.close();
    expect(consumer.isCancelled).toBe(true);
    expect(broker.virtualHost('/')).toBeUndefined();
    expectNothingHeld(broker.log);
  });
});
