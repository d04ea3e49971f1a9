/** The dead-letter strategy at-least-once: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering. */
import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr } from '../../src/amqp/field-value.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import { declareQueue, drainTexts, openDurable, publish } from '../helpers/durable-broker.js';
import { expectNothingHeld, labelAt, writeLabelled } from '../helpers/messages.js';
import { addExchange, testBroker } from '../helpers/test-broker.js';
import { entriesOf } from '../queues/quorum-bench.js';

const RETRY_MS = 180_000;

const KEEPING = {
  'x-queue-type': 'quorum',
  'x-overflow': 'reject-publish',
  'x-dead-letter-exchange': 'dlx',
  'x-dead-letter-strategy': 'at-least-once',
};

const quorum = (
  host: VirtualHost,
  name: string,
  args: Readonly<Record<string, number | string>> = KEEPING,
): Queue => declareQueue(host, name, entriesOf(args));

class Bench {
  readonly test = testBroker();
  readonly host = this.test.broker.virtualHost('/')!;
  readonly source: Queue;

  constructor(args: Readonly<Record<string, number | string>> = {}) {
    this.source = quorum(this.host, 'source', { ...KEEPING, ...args });
  }

  offer(label: string, queue = this.source): boolean {
    const position = writeLabelled(this.host.log, label);
    this.host.log.retain(position, 1);
    return queue.publish(position);
  }

  /** Publishes messages, takes them, and gives them up. */
  reject(...labels: readonly string[]): void {
    for (const label of labels) {
      expect(this.offer(label)).toBe(true);
      this.source.reject(this.source.get(), this.source.lastSequence);
    }
  }

  /** The exchange, with queues that get everything. */
  exchange(...queues: readonly Queue[]): void {
    const exchange = this.host.exchanges.get('dlx') ?? addExchange(this.host, 'dlx', 'fanout');
    for (const queue of queues) this.host.bind(exchange, queue, '', FieldTable.EMPTY);
  }

  /** What a queue has, taken out. */
  drain(queue: Queue): string[] {
    const labels: string[] = [];
    for (let position = queue.get(); position >= 0; position = queue.get()) {
      labels.push(labelAt(this.host.log, position));
      queue.acknowledge(position, queue.lastSequence);
    }
    return labels;
  }

  expectNothingLeft(): void {
    for (const queue of this.host.queues.values())
      expect(queue.counts()).toMatchObject({ ready: 0, unacked: 0 });
    expectNothingHeld(this.host.log);
  }
}

describe('a dead message that is kept until it is safe elsewhere', () => {
  it('goes to every queue that its exchange routes it to, and is gone', () => {
    const t = new Bench();
    const [a, b] = [declareQueue(t.host, 'a'), quorum(t.host, 'b')];
    t.exchange(a, b);
    t.reject('1', '2');
    expect([t.drain(a), t.drain(b)]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
    t.expectNothingLeft();
  });

  it('waits for an exchange, then for a route, out of sight of consumers', () => {
    const t = new Bench();
    t.reject('1');
    expect(t.source.counts()).toEqual({ ready: 0, unacked: 0, consumers: 0 });
    expect(t.source.get()).toBe(-1);
    t.exchange();
    t.test.clock.advance(RETRY_MS);
    const dead = declareQueue(t.host, 'dead');
    t.exchange(dead);
    t.test.clock.advance(RETRY_MS - 1);
    expect(t.drain(dead)).toEqual([]);
    t.test.clock.advance(1);
    expect(t.drain(dead)).toEqual(['1']);
    t.expectNothingLeft();
    expect(t.test.clock.pendingCount).toBe(0);
  });

  it('is tried again only where it was refused', () => {
    const t = new Bench();
    const full = declareQueue(
      t.host,
      'full',
      entriesOf({ 'x-max-length': 1, 'x-overflow': 'reject-publish' }),
    );
    const other = declareQueue(t.host, 'other');
    t.exchange(full, other);
    t.reject('1', '2');
    expect(t.drain(other)).toEqual(['1', '2']);
    expect(t.drain(full)).toEqual(['1']);
    t.test.clock.advance(RETRY_MS);
    expect([t.drain(full), t.drain(other)]).toEqual([['2'], []]);
    t.expectNothingLeft();
  });

  it('counts toward the limits of its queue', () => {
    const t = new Bench({ 'x-max-length': 2 });
    t.reject('1', '2', '3');
    expect(t.offer('4')).toBe(false);
    const dead = declareQueue(t.host, 'dead');
    t.exchange(dead);
    t.test.clock.advance(RETRY_MS);
    expect(t.offer('5')).toBe(true);
    expect([t.drain(dead), t.drain(t.source)]).toEqual([['1', '2', '3'], ['5']]);
    t.expectNothingLeft();
  });

  it('counts its bytes too', () => {
    const t = new Bench({ 'x-max-length-bytes': 4 });
    t.reject('aaaaa');
    expect(t.offer('b')).toBe(false);
    t.exchange(declareQueue(t.host, 'dead'));
    t.test.clock.advance(RETRY_MS);
    expect(t.offer('c')).toBe(true);
  });

  it('is one of at most 32 under way: others wait behind those that get nowhere', () => {
    const t = new Bench();
    const labels = Array.from({ length: 40 }, (_, i) => String(i));
    t.reject(...labels);
    const dead = declareQueue(t.host, 'dead');
    t.exchange(dead);
    t.reject('40');
    expect(t.drain(dead)).toEqual([]);
    t.test.clock.advance(RETRY_MS);
    expect(t.drain(dead)).toEqual([...labels, '40']);
    t.expectNothingLeft();
  });

  it('survives a purge, and goes with its queue', () => {
    const t = new Bench();
    t.reject('1', ...Array.from({ length: 40 }, (_, i) => String(i)));
    t.offer('2');
    expect(t.source.purge()).toBe(1);
    const dead = declareQueue(t.host, 'dead');
    t.exchange(dead);
    t.test.clock.advance(RETRY_MS);
    expect(t.drain(dead)).toHaveLength(41);
    t.host.deleteExchange(t.host.exchangeNamed('dlx'));
    t.reject('3');
    expect(t.host.deleteQueue(t.source)).toBe(0);
    t.expectNothingLeft();
    expect(t.test.clock.pendingCount).toBe(0);
  });

  it('dies also of age and of too many deliveries', () => {
    const t = new Bench({ 'x-message-ttl': 100, 'x-delivery-limit': 0 });
    const dead = declareQueue(t.host, 'dead');
    t.exchange(dead);
    t.offer('often');
    t.source.requeue(t.source.get(), t.source.lastSequence);
    t.offer('old');
    t.test.clock.advance(101);
    expect(t.drain(dead)).toEqual(['often', 'old']);
    t.expectNothingLeft();
  });

  it('goes through a chain of queues', () => {
    const t = new Bench();
    const chain = Array.from({ length: 200 }, (_, i) =>
      quorum(t.host, `q${i}`, {
        ...KEEPING,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': `q${i + 1}`,
        'x-message-ttl': 0,
      }),
    );
    const end = declareQueue(t.host, 'q200');
    t.offer('m', chain[0]);
    expect(t.drain(end)).toHaveLength(1);
    t.expectNothingLeft();
  });
});

describe('without what at-least-once needs', () => {
  it.each([
    ['a queue that drops its head', { 'x-overflow': 'drop-head' }],
    ['a queue of the other strategy', { 'x-dead-letter-strategy': 'at-most-once' }],
  ])('%s drops what is routed nowhere', (_, args) => {
    const t = new Bench(args);
    t.reject('1');
    t.expectNothingLeft();
    expect(t.test.clock.pendingCount).toBe(0);
  });
});

describe('a dead message on the disk', () => {
  it.each([
    [true, [], ['m']],
    [false, ['m'], []],
  ])('leaves its queue when the copy is safe: %s', async (isCopySafe, atSource, atTarget) => {
    const durable = await openDurable(new SimulatedFileSystem());
    const { virtualHost } = durable;
    const source = quorum(virtualHost, 'source');
    const dead = quorum(virtualHost, 'dead', { 'x-queue-type': 'quorum' });
    virtualHost.bind(addExchange(virtualHost, 'dlx', 'fanout'), dead, '', FieldTable.EMPTY);
    publish(durable, 'source', Buffer.from('m'), { isPersistent: false });
    await durable.settle();
    source.reject(source.get(), source.lastSequence);
    expect(dead.counts().ready).toBe(1);
    if (isCopySafe) {
      await durable.settle();
      durable.clock.advance(1_000);
      await durable.settle();
    }
    const after = await openDurable(durable.disk.powerCut());
    expect(await drainTexts(after, 'source')).toEqual(atSource);
    expect(await drainTexts(after, 'dead')).toEqual(atTarget);
  });

  it('survives a purge of so many others that a mark stands for them', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const source = quorum(first.virtualHost, 'source');
    publish(first, 'source', Buffer.from('dead'));
    source.reject(source.get(), source.lastSequence);
    for (let i = 0; i < 1_000; i++) publish(first, 'source', Buffer.from(String(i)));
    expect(source.purge()).toBe(1_000);
    await first.settle();
    first.clock.advance(1_000);
    await first.settle();
    const second = await openDurable(first.disk.powerCut());
    expect(await drainTexts(second, 'source')).toEqual(['dead']);
  });

  it('is still there after a restart, and goes where it can go then', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const source = quorum(first.virtualHost, 'source', { ...KEEPING, 'x-delivery-limit': 0 });
    publish(first, 'source', Buffer.from('often'));
    publish(first, 'source', Buffer.from('rejected'));
    source.requeue(source.get(), source.lastSequence);
    expect(source.counts().ready).toBe(1);
    await first.settle();
    first.clock.advance(1_000);
    await first.settle();
    const second = await openDurable(first.disk.powerCut());
    const again = second.virtualHost.queues.get('source')!;
    expect(again.counts().ready).toBe(1);
    const dead = declareQueue(second.virtualHost, 'dead', [['x-queue-type', longstr('quorum')]]);
    second.virtualHost.bind(addExchange(second.virtualHost, 'dlx', 'fanout'), dead, '', FieldTable.EMPTY);
    second.clock.advance(RETRY_MS);
    expect(await drainTexts(second, 'dead')).toEqual(['often']);
    expect(await drainTexts(second, 'source')).toEqual(['rejected']);
  });
});
