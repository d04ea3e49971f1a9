/** Policies at work, in virtual time: rabbitmq.com/docs/policies. */
import { describe, expect, it } from 'vitest';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { readImage } from '../../src/amqp/message-image.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import { PolicyError, type PolicyInput, type PolicyKind } from '../../src/broker/policy.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import type { Queue } from '../../src/queues/queue.js';
import { FakeConsumer } from '../helpers/fake-consumer.js';
import { contentHeader } from '../helpers/frames.js';
import { expectNothingHeld, NO_NOTES } from '../helpers/messages.js';
import { addExchange, addQueue, type TestBroker, testBroker } from '../helpers/test-broker.js';

class Bench {
  readonly test: TestBroker = testBroker();
  readonly host: VirtualHost = this.test.broker.virtualHost('/')!;

  set(name: string, definition: object, rest: Partial<PolicyInput> & { kind?: PolicyKind } = {}): void {
    const { kind = 'policy', ...input } = rest;
    this.host.policies.set(kind, { name, pattern: '.*', definition, ...input });
  }

  queue(name: string, entries: readonly FieldEntry[] = []): Queue {
    return addQueue(this.host, name, entries);
  }

  /** Publishes to a queue, now. @returns whether it was taken */
  publish(queue: Queue, body: string): boolean {
    const { log } = this.test.broker;
    const bytes = Buffer.from(body);
    const position = writeMessage(log, {
      ...NO_NOTES,
      exchange: '',
      routingKey: queue.name,
      contentHeader: contentHeader(bytes.length),
      body: bytes,
      publishedMs: this.test.clock.nowMs(),
    });
    log.retain(position, 1);
    return queue.publish(position);
  }

  /** Takes the ready messages, acknowledged at once. */
  drain(queue: Queue): string[] {
    const { log } = this.test.broker;
    const bodies: string[] = [];
    for (let position = queue.get(); position >= 0; position = queue.get()) {
      bodies.push(readImage(log.segmentOf(position).block, log.payloadOffset(position)).body.toString());
      queue.acknowledge(position, queue.lastSequence);
    }
    return bodies;
  }

  /** The queues a message published to an exchange reaches. */
  routeOf(exchange: string, routingKey = ''): string[] {
    const request = {
      routingKeys: [routingKey],
      headers: () => FieldTable.EMPTY,
      properties: () => ({}),
      keptBy: () => {},
    };
    return this.host.router.route(this.host.exchangeNamed(exchange), request).map(({ name }) => name);
  }
}

describe('a policy applies', () => {
  it('to what its pattern is found in, unanchored, amq. names included', () => {
    const t = new Bench();
    t.set('p', { 'max-length': 7 }, { pattern: 'rder' });
    t.set('gen', { 'max-length': 3 }, { pattern: '^amq\\.' });
    expect(t.queue('orders').settings.maxLength).toBe(7);
    expect(t.queue('amq.gen-1').settings.maxLength).toBe(3);
    expect(t.queue('other').settings.maxLength).toBeUndefined();
  });

  it('everywhere with an empty pattern', () => {
    const t = new Bench();
    t.set('p', { 'max-length': 7 }, { pattern: '' });
    expect(t.queue('orders').settings.maxLength).toBe(7);
  });

  it.each<[string, boolean, boolean]>([
    ['all', true, true],
    ['queues', true, false],
    ['classic_queues', true, false],
    ['quorum_queues', false, false],
    ['streams', false, false],
    ['exchanges', false, true],
  ])('to %s', (applyTo, isQueueMeant, isExchangeMeant) => {
    const t = new Bench();
    const queue = t.queue('q');
    const exchange = addExchange(t.host, 'x', 'fanout');
    t.set('p', { 'alternate-exchange': 'ae', expires: 5 }, { applyTo });
    expect(queue.settings.expiresMs).toBe(isQueueMeant ? 5 : undefined);
    expect(exchange.alternateExchange).toBe(isExchangeMeant ? 'ae' : undefined);
    const none = { policy: undefined, operatorPolicy: undefined };
    expect(t.host.policies.appliedTo('classic', 'q')).toEqual(isQueueMeant ? { ...none, policy: 'p' } : none);
    expect(t.host.policies.appliedTo('exchange', 'x')).toEqual(
      isExchangeMeant ? { ...none, policy: 'p' } : none,
    );
  });

  it('alone: the one of the highest priority, whatever the others say', () => {
    const t = new Bench();
    const queue = t.queue('q');
    t.set('low', { 'max-length': 1, expires: 9 }, { priority: -1 });
    t.set('high', { 'max-length': 5 }, { priority: 2 });
    t.set('middle', { 'max-length': 3 });
    expect(queue.settings).toMatchObject({ maxLength: 5 });
    expect(queue.settings.expiresMs).toBeUndefined();
    t.host.policies.delete('policy', 'high');
    expect(queue.settings.maxLength).toBe(3);
    t.set('low', { 'max-length': 1 }, { priority: 1 });
    expect(queue.settings.maxLength).toBe(1);
    // Of equals the one that has been there longest.
    t.set('late', { 'max-length': 7 }, { priority: 1 });
    expect(queue.settings.maxLength).toBe(1);
  });

  it('not to a queue whose type does not know one of its keys: the next one does', () => {
    const t = new Bench();
    t.set('quorum', { 'max-length': 1, 'delivery-limit': 3 }, { priority: 9 });
    t.set('any', { 'max-length': 5 });
    expect(t.queue('q').settings.maxLength).toBe(5);
    expect(t.host.policies.appliedTo('quorum', 'q').policy).toBe('quorum');
  });

  it('beside an operator policy, and both beside the arguments', () => {
    const t = new Bench();
    const queue = t.queue('q', [['x-max-length', signedint(6)]]);
    t.set('p', { 'max-length': 9, 'dead-letter-exchange': 'dlx' });
    t.set('op', { 'max-length': 8, expires: 500 }, { kind: 'operator-policy' });
    expect(queue.settings).toMatchObject({ maxLength: 6, deadLetterExchange: 'dlx', expiresMs: 500 });
    t.set('op', { 'max-length': 4 }, { kind: 'operator-policy' });
    expect(queue.settings.maxLength).toBe(4);
    expect(t.host.policies.appliedTo('classic', 'q')).toEqual({ policy: 'p', operatorPolicy: 'op' });
    expect(t.host.policies.delete('operator-policy', 'op')).toBe(true);
    expect(t.host.policies.delete('operator-policy', 'op')).toBe(false);
    t.host.policies.delete('policy', 'p');
    expect(queue.settings).toMatchObject({ maxLength: 6 });
    expect(queue.settings.expiresMs).toBeUndefined();
  });

  it('to its virtual host only', () => {
    const t = new Bench();
    t.test.broker.addVirtualHost('other');
    t.set('p', { 'max-length': 1 });
    expect(addQueue(t.test.broker.virtualHost('other')!, 'q').settings.maxLength).toBeUndefined();
  });

  it('not at all when it is refused, and what was there stays', () => {
    const t = new Bench();
    const queue = t.queue('q');
    t.set('p', { 'max-length': 3 });
    expect(() => t.set('p', { 'max-length': -1 })).toThrow(PolicyError);
    expect(() => t.set('op', { 'dead-letter-exchange': 'x' }, { kind: 'operator-policy' })).toThrow(
      '[{<<"dead-letter-exchange">>,<<"x">>}] are not recognised policy settings',
    );
    expect(queue.settings.maxLength).toBe(3);
    expect(t.host.policies.list('operator-policy')).toEqual([]);
  });

  it('without a part in redeclaring', () => {
    const t = new Bench();
    const queue = t.queue('q', [['x-max-length', signedint(6)]]);
    t.set('p', { 'max-length': 2, expires: 1000, 'dead-letter-exchange': 'dlx' });
    const again = {
      name: 'q',
      durable: false,
      autoDelete: false,
      exclusiveOwner: undefined,
      arguments: FieldTable.of([['x-max-length', signedint(6)]]),
    };
    t.host.checkQueueEquivalent(queue, again);
    const other = { ...again, arguments: FieldTable.of([['x-max-length', signedint(2)]]) };
    expect(() => t.host.checkQueueEquivalent(queue, other)).toThrow("received '2' but current is '6'");
  });
});

describe('max-length', () => {
  it('drops what is too much at once, to the dead-letter exchange of the same policy', () => {
    const t = new Bench();
    const queue = t.queue('q');
    const dead = t.queue('dead');
    for (const body of ['1', '2', '3', '4']) t.publish(queue, body);
    t.set(
      'p',
      { 'max-length': 2, 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' },
      { pattern: '^q$' },
    );
    expect(t.drain(dead)).toEqual(['1', '2']);
    t.publish(queue, '5');
    expect(t.drain(queue)).toEqual(['4', '5']);
    expect(t.drain(dead)).toEqual(['3']);
    t.host.policies.delete('policy', 'p');
    for (const body of ['1', '2', '3', '4']) t.publish(queue, body);
    expect(t.drain(queue)).toEqual(['1', '2', '3', '4']);
    expectNothingHeld(t.test.broker.log);
  });

  it('rejects with overflow reject-publish, and drops nothing that is there', () => {
    const t = new Bench();
    const queue = t.queue('q');
    for (const body of ['1', '2', '3']) t.publish(queue, body);
    t.set('p', { 'max-length': 2, overflow: 'reject-publish' });
    expect(t.publish(queue, '4')).toBe(false);
    expect(queue.counts().ready).toBe(3);
    t.set('p', { 'max-length': 2, overflow: 'drop-head' });
    expect(t.publish(queue, '4')).toBe(true);
    expect(t.drain(queue)).toEqual(['3', '4']);
  });

  it('counts bytes of what came before the limit too, once', () => {
    const t = new Bench();
    const queue = t.queue('q');
    for (const body of ['aaaa', 'bb', 'c']) t.publish(queue, body);
    const returned = queue.get();
    const { lastSequence } = queue;
    queue.requeue(returned, lastSequence);
    t.set('p', { 'max-length-bytes': 7 });
    expect(queue.counts().ready).toBe(3);
    t.publish(queue, 'd');
    expect(queue.counts().ready).toBe(3);
    // Another limit of the same kind goes on with the count; a limit of another kind does not keep it.
    t.set('p', { 'max-length-bytes': 3 });
    expect(queue.counts().ready).toBe(2);
    t.set('p', { 'max-length': 100 });
    t.publish(queue, 'eeeee');
    t.set('p', { 'max-length-bytes': 6 });
    expect(t.drain(queue)).toEqual(['d', 'eeeee']);
    for (const body of ['123456', '7']) t.publish(queue, body);
    expect(t.drain(queue)).toEqual(['7']);
    expectNothingHeld(t.test.broker.log);
  });

  it('counts the bytes of every level of a queue with priorities', () => {
    const t = new Bench();
    const queue = t.queue('q', [['x-max-priority', signedint(3)]]);
    for (const body of ['aa', 'bb', 'cc']) t.publish(queue, body);
    t.set('p', { 'max-length-bytes': 4 });
    expect(t.drain(queue)).toEqual(['bb', 'cc']);
  });

  it('counts the bytes of a long queue in memory', () => {
    const t = new Bench();
    const queue = t.queue('q');
    for (let i = 0; i < 12_000; i++) t.publish(queue, '1');
    t.set('p', { 'max-length-bytes': 11_000 });
    expect(queue.counts().ready).toBe(11_000);
  });

  it('finds what a consumer was to get already delivered', () => {
    const t = new Bench();
    const queue = t.queue('q');
    const consumer = new FakeConsumer();
    queue.subscribe(consumer);
    t.publish(queue, '1');
    t.set('p', { 'max-length': 0 });
    expect(consumer.unsettled.length).toBe(1);
  });

  it('does not touch what is out for acknowledgement', () => {
    const t = new Bench();
    const queue = t.queue('q');
    for (const body of ['1', '2', '3']) t.publish(queue, body);
    const consumer = new FakeConsumer({ capacity: 2 });
    queue.subscribe(consumer);
    t.test.turn();
    t.set('p', { 'max-length': 0 });
    expect(queue.counts()).toMatchObject({ ready: 0, unacked: 2 });
    consumer.settle(queue, consumer.unsettled[0]!, 'acknowledge');
    consumer.settle(queue, consumer.unsettled[0]!, 'acknowledge');
    expectNothingHeld(t.test.broker.log);
  });
});

describe('message-ttl', () => {
  it('is that of the moment a message came, be it none', () => {
    const t = new Bench();
    const queue = t.queue('q');
    t.publish(queue, 'for ever');
    t.test.clock.advance(1);
    t.set('p', { 'message-ttl': 1000 });
    t.test.clock.advance(1);
    t.publish(queue, 'a second');
    t.test.clock.advance(5000);
    // Behind a live head.
    expect(queue.counts().ready).toBe(2);
    expect(t.drain(queue)).toEqual(['for ever']);
    t.publish(queue, 'another');
    t.test.clock.advance(999);
    expect(queue.counts().ready).toBe(1);
    t.test.clock.advance(1);
    expect(queue.counts().ready).toBe(0);
    expectNothingHeld(t.test.broker.log);
  });

  it('stays with a message whose policy went, requeued or not', () => {
    const t = new Bench();
    const queue = t.queue('q');
    t.set('p', { 'message-ttl': 1000 });
    t.publish(queue, 'a second');
    t.test.clock.advance(1);
    t.host.policies.delete('policy', 'p');
    t.test.clock.advance(1);
    t.publish(queue, 'for ever');
    const position = queue.get();
    t.test.clock.advance(2000);
    queue.requeue(position, queue.lastSequence);
    expect(t.drain(queue)).toEqual(['for ever']);
  });

  it('changes back and forth without the queue remembering more than it must', () => {
    const t = new Bench();
    const queue = t.queue('q');
    for (let i = 0; i < 10; i++) t.set('p', { 'message-ttl': 1000 + i });
    expect(queue.ttlEras).toEqual([]);
    t.publish(queue, 'first');
    for (let i = 0; i < 100; i++) {
      t.test.clock.advance(1);
      t.set('p', { 'message-ttl': 500 + i });
      t.set('p', { 'message-ttl': 1000 + i });
    }
    expect(queue.ttlEras.length).toBe(64);
    t.test.clock.advance(908);
    expect(queue.counts().ready).toBe(1);
    // The longest life of those that were merged.
    t.test.clock.advance(200);
    expect(queue.counts().ready).toBe(0);
  });

  it('counts with the argument and the expiration: the first that is over', () => {
    const t = new Bench();
    const queue = t.queue('q', [['x-message-ttl', signedint(500)]]);
    t.set('p', { 'message-ttl': 1000 });
    t.publish(queue, '1');
    t.test.clock.advance(500);
    expect(queue.counts().ready).toBe(0);
  });
});

describe('expires', () => {
  it('begins with the policy, and ends with it', () => {
    const t = new Bench();
    t.queue('q');
    t.test.clock.advance(10_000);
    t.set('p', { expires: 1000 });
    t.test.clock.advance(999);
    expect(t.host.queues.has('q')).toBe(true);
    t.set('p', { expires: 2000 });
    t.test.clock.advance(1999);
    t.host.policies.delete('policy', 'p');
    t.test.clock.advance(100_000);
    expect(t.host.queues.has('q')).toBe(true);
    t.set('p', { expires: 1000 });
    t.test.clock.advance(1000);
    expect(t.host.queues.has('q')).toBe(false);
  });

  it('waits for the last consumer', () => {
    const t = new Bench();
    const queue = t.queue('q');
    const consumer = new FakeConsumer();
    queue.subscribe(consumer);
    t.set('p', { expires: 1000 });
    t.test.clock.advance(5000);
    expect(t.host.queues.has('q')).toBe(true);
    queue.unsubscribe(consumer);
    t.test.clock.advance(1000);
    expect(t.host.queues.has('q')).toBe(false);
  });
});

describe('alternate-exchange', () => {
  it('is followed at once, also on routes that were found already, unless the exchange names its own', () => {
    const t = new Bench();
    addExchange(t.host, 'x', 'fanout');
    addExchange(t.host, 'own', 'fanout', { arguments: [['alternate-exchange', longstr('nowhere')]] });
    t.host.bind(addExchange(t.host, 'ae', 'fanout'), t.queue('unrouted'), '', FieldTable.EMPTY);
    expect(t.routeOf('x')).toEqual([]);
    const { generation } = t.host.router;
    t.set('p', { 'alternate-exchange': 'ae' }, { applyTo: 'exchanges', pattern: '^(x|own|late)$' });
    expect(t.host.router.generation).toBeGreaterThan(generation);
    expect([t.routeOf('x'), t.routeOf('own')]).toEqual([['unrouted'], []]);
    addExchange(t.host, 'late', 'fanout');
    expect(t.routeOf('late')).toEqual(['unrouted']);
    t.host.policies.delete('policy', 'p');
    expect([t.routeOf('x'), t.routeOf('late')]).toEqual([[], []]);
  });

  it('of a policy for queues leaves routes as they are', () => {
    const t = new Bench();
    const { generation } = t.host.router;
    t.set('p', { 'max-length': 1 });
    expect(t.host.router.generation).toBe(generation);
  });
});

describe('reply queues', () => {
  it('have no policies', () => {
    const t = new Bench();
    t.set('p', { 'max-length': 0 });
    expect(t.host.addReplyQueue('amq.rabbitmq.reply-to.x').settings.maxLength).toBeUndefined();
  });
});
