import { describe, expect, it } from 'vitest';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { array, bool, longstr, signedint } from '../../src/amqp/field-value.js';
import { IMAGE_PERSISTENT } from '../../src/amqp/message-image.js';
import { type BasicProperties, encodeProperties } from '../../src/amqp/properties.js';
import type { ExchangeHistory } from '../../src/broker/exchange-history.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import type { BrokerExchange } from '../../src/broker/router.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { type DurableBroker, declareQueue, drainTexts, openDurable } from '../helpers/durable-broker.js';
import { contentHeader } from '../helpers/frames.js';
import { expectNothingHeld, labelAt, NO_NOTES } from '../helpers/messages.js';
import { addExchange, addQueue, testBroker } from '../helpers/test-broker.js';

const { EMPTY } = FieldTable;

interface Published {
  readonly properties?: BasicProperties;
  readonly routingKey?: string;
  readonly deadlineMs?: number;
  readonly isPersistent?: boolean;
}

/** Publishes a label as a channel does. */
function publish(host: VirtualHost, exchange: BrokerExchange, label: string, message: Published = {}): void {
  const { properties = {}, routingKey = 'k', deadlineMs = Number.POSITIVE_INFINITY } = message;
  const headers = properties.headers ?? EMPTY;
  const histories: ExchangeHistory[] = [];
  const route = host.router.route(exchange, {
    routingKeys: [routingKey],
    headers: () => headers,
    properties: () => properties,
    keptBy: (history) => histories.push(history),
  });
  const body = Buffer.from(label);
  const content = {
    exchange: exchange.name,
    routingKey,
    contentHeader: contentHeader(body.length, encodeProperties(properties)),
    body,
    ...NO_NOTES,
    publishedMs: host.clock.nowMs(),
    deadlineMs,
    flags: message.isPersistent === true ? IMAGE_PERSISTENT : 0,
  };
  const position = writeMessage(host.log, content, route);
  for (const history of histories) history.add(position);
  host.log.retain(position, route.length);
  for (const queue of route) queue.publish(position, deadlineMs);
}

class Bench {
  readonly test = testBroker();
  readonly host: VirtualHost = this.test.broker.virtualHost('/')!;

  history(name: string, length?: number): BrokerExchange {
    const entries: FieldEntry[] =
      length === undefined ? [] : [['x-recent-history-length', signedint(length)]];
    return addExchange(this.host, name, 'x-recent-history', { arguments: entries });
  }

  /** Labels of the ready messages of a queue, which are gone then. */
  labels(queueName: string): string[] {
    const queue = this.host.queues.get(queueName)!;
    const labels: string[] = [];
    for (let position = queue.get(); position >= 0; position = queue.get()) {
      labels.push(labelAt(this.host.log, position));
      queue.acknowledge(position, queue.lastSequence);
    }
    return labels;
  }

  /** A new queue bound to the exchange, and what it got by that. */
  join(exchange: BrokerExchange, name: string, entries: readonly FieldEntry[] = []): string[] {
    this.host.bind(exchange, addQueue(this.host, name, entries), '', EMPTY);
    return this.labels(name);
  }
}

const NO_STORE = { headers: FieldTable.of([['x-recent-history-no-store', bool(true)]]) };

describe('the history of an exchange', () => {
  it('gives a queue that is bound the last messages, oldest first, and each binding anew', () => {
    const t = new Bench();
    const x = t.history('x', 3);
    expect(t.join(x, 'early')).toEqual([]);
    for (const label of ['a', 'b', 'c', 'd']) publish(t.host, x, label);
    publish(t.host, x, 'secret', { properties: NO_STORE });
    expect(t.labels('early')).toEqual(['a', 'b', 'c', 'd', 'secret']);
    expect(t.join(x, 'late')).toEqual(['b', 'c', 'd']);
    const late = t.host.queues.get('late')!;
    t.host.bind(x, late, '', EMPTY);
    expect(t.labels('late')).toEqual([]);
    t.host.bind(x, late, 'another key', EMPTY);
    expect(t.labels('late')).toEqual(['b', 'c', 'd']);
    publish(t.host, x, 'e');
    expect(t.labels('late')).toEqual(['e']);
  });

  it('holds references, one for each message, and gives all back with its exchange', () => {
    const t = new Bench();
    const x = t.history('x', 2);
    const before = t.host.log.bytesHeld;
    const body = 'x'.repeat(400_000);
    for (let i = 0; i < 20; i++) publish(t.host, x, `${i}${body}`);
    // Two messages in segments of a mebibyte, not twenty.
    expect(t.host.log.bytesHeld - before).toBeLessThan(3 * 1_048_576);
    t.host.bind(x, addQueue(t.host, 'q'), '', EMPTY);
    expect(x.history!.length).toBe(2);
    const held = t.host.log.bytesHeld;
    t.host.bind(x, addQueue(t.host, 'q2'), '', EMPTY);
    expect(t.host.log.bytesHeld).toBe(held);
    t.host.deleteExchange(x);
    expect(t.labels('q').map((label) => label.slice(0, 2))).toEqual(['18', '19']);
    t.labels('q2');
    expectNothingHeld(t.host.log);
  });

  it('is of the records that queues have, not of copies', () => {
    const t = new Bench();
    const x = t.history('x');
    const [early, late] = [addQueue(t.host, 'early'), addQueue(t.host, 'late')];
    t.host.bind(x, early, '', EMPTY);
    publish(t.host, x, 'a');
    t.host.bind(x, late, '', EMPTY);
    const [kept] = x.history!.hold();
    expect([early.get(), late.get()]).toEqual([kept, kept]);
  });

  it('goes with an auto-delete exchange, and with the broker', () => {
    const t = new Bench();
    const x = addExchange(t.host, 'x', 'x-recent-history', { autoDelete: true });
    publish(t.host, x, 'a');
    t.join(x, 'q');
    t.host.deleteQueue(t.host.queues.get('q')!);
    expect(t.host.exchanges.has('x')).toBe(false);
    expectNothingHeld(t.host.log);
    publish(t.host, t.history('y'), 'b');
    t.host.close();
    expectNothingHeld(t.host.log);
  });

  it('takes messages that come by way of other exchanges', () => {
    const t = new Bench();
    const x = t.history('x');
    const fanout = addExchange(t.host, 'fanout', 'fanout');
    t.host.bind(fanout, x, '', EMPTY);
    const direct = addExchange(t.host, 'direct', 'direct', {
      arguments: [['alternate-exchange', longstr('x')]],
    });
    publish(t.host, fanout, 'by binding');
    publish(t.host, direct, 'by alternate');
    expect(t.join(x, 'q')).toEqual(['by binding', 'by alternate']);
  });

  it('goes through an exchange that is bound, which may keep it in turn', () => {
    const t = new Bench();
    const x = t.history('x');
    const hashed = addExchange(t.host, 'hashed', 'direct');
    const next = t.history('next');
    t.host.bind(hashed, addQueue(t.host, 'q'), 'k', EMPTY);
    t.host.bind(hashed, addQueue(t.host, 'cc'), 'copy', EMPTY);
    const copied = { headers: FieldTable.of([['CC', array([longstr('copy')])]]) };
    publish(t.host, x, 'a', { properties: copied });
    publish(t.host, x, 'b');
    publish(t.host, x, 'nowhere', { routingKey: 'other' });
    t.host.bind(x, hashed, '', EMPTY);
    expect([t.labels('q'), t.labels('cc')]).toEqual([['a', 'b'], ['a']]);
    t.host.bind(x, next, '', EMPTY);
    t.host.deleteExchange(x);
    expect(t.join(next, 'later')).toEqual(['a', 'b', 'nowhere']);
    t.host.deleteExchange(next);
    expectNothingHeld(t.host.log);
  });

  it('lets times to live begin with the binding', () => {
    const t = new Bench();
    const x = t.history('x');
    publish(t.host, x, 'short', { deadlineMs: t.test.clock.nowMs() + 100 });
    publish(t.host, x, 'plain');
    t.test.clock.advance(1_000);
    const limited: readonly FieldEntry[] = [['x-message-ttl', signedint(500)]];
    for (const [name, entries] of [
      ['q', []],
      ['limited', limited],
    ] as const) {
      t.host.bind(x, addQueue(t.host, name, entries), '', EMPTY);
    }
    const ready = (name: string) => t.host.queues.get(name)!.counts().ready;
    const counts = () => [ready('q'), ready('limited')];
    expect(counts()).toEqual([2, 2]);
    t.test.clock.advance(99);
    expect(counts()).toEqual([2, 2]);
    t.test.clock.advance(1);
    expect(counts()).toEqual([1, 1]);
    t.test.clock.advance(400);
    expect(counts()).toEqual([1, 0]);
    // What was kept has not moved in time.
    expect(t.join(x, 'later')).toEqual(['short', 'plain']);
  });

  it('takes dead letters, also those that its own replay makes', () => {
    const t = new Bench();
    const x = t.history('x', 3);
    for (const label of ['a', 'b', 'c']) publish(t.host, x, label);
    const entries: readonly FieldEntry[] = [
      ['x-max-length', signedint(1)],
      ['x-dead-letter-exchange', longstr('x')],
    ];
    expect(t.join(x, 'full', entries)).toEqual(['c']);
    t.host.deleteQueue(t.host.queues.get('full')!);
    expect(t.join(x, 'q')).toEqual(['c', 'a', 'b']);
    t.host.deleteExchange(x);
    expectNothingHeld(t.host.log);
  });
});

describe('the history of a durable exchange', () => {
  const add = (host: VirtualHost): BrokerExchange =>
    host.addExchange({
      name: 'x',
      type: 'x-recent-history',
      durable: true,
      autoDelete: false,
      internal: false,
      arguments: FieldTable.of([['x-recent-history-length', signedint(2)]]),
    });
  const restart = async (durable: DurableBroker) => {
    await durable.settle();
    expect(durable.fatal).toEqual([]);
    return openDurable(durable.disk.powerCut());
  };

  it('is empty after a restart; what queues had of it is there, and its length counts again', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const x = add(first.virtualHost);
    publish(first.virtualHost, x, 'transient');
    publish(first.virtualHost, x, 'persistent', { isPersistent: true });
    first.virtualHost.bind(x, declareQueue(first.virtualHost, 'q'), '', EMPTY);
    publish(first.virtualHost, x, 'to both', { isPersistent: true });

    const second = await restart(first);
    const host = second.virtualHost;
    const again = host.exchangeNamed('x');
    expect(again.history!.length).toBe(0);
    expect(await drainTexts(second, 'q')).toEqual(['persistent', 'to both']);
    for (const label of ['1', '2', '3']) publish(host, again, label);
    host.bind(again, declareQueue(host, 'late', [], false), '', EMPTY);
    expect(await drainTexts(second, 'late')).toEqual(['2', '3']);
  });

  it('holds no segment file, and is readable when those it came from are gone', async () => {
    const durable = await openDurable(new SimulatedFileSystem());
    const host = durable.virtualHost;
    const x = add(host);
    const queue = declareQueue(host, 'q');
    host.bind(x, queue, '', EMPTY);
    const filler = addExchange(host, 'filler', 'fanout');
    host.bind(filler, queue, '', EMPTY);
    publish(host, x, 'kept', { isPersistent: true });
    for (let i = 0; i < 60; i++) publish(host, filler, 'y'.repeat(1_000), { isPersistent: true });
    await durable.settle();
    queue.purge();
    await durable.settle();
    expect([...durable.broker.log.allSegments()].filter(({ journal }) => journal?.isSealed === true)).toEqual(
      [],
    );
    host.bind(x, declareQueue(host, 'late'), '', EMPTY);
    expect(await drainTexts(durable, 'late')).toEqual(['kept']);
  });
});
