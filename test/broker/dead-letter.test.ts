import { describe, expect, it } from 'vitest';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { array, longstr, signedint, textOf } from '../../src/amqp/field-value.js';
import {
  CONTENT_HEADER_FIXED_BYTES,
  IMAGE_DEATH_HISTORY,
  IMAGE_PERSISTENT,
  type MessageParts,
  readImage,
} from '../../src/amqp/message-image.js';
import { type BasicProperties, decodeProperties, encodeProperties } from '../../src/amqp/properties.js';
import { deadLetter } from '../../src/broker/dead-letter.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import type { DeadLetterReason, Queue } from '../../src/queues/queue.js';
import { contentHeader } from '../helpers/frames.js';
import { expectNothingHeld, NO_NOTES } from '../helpers/messages.js';
import { addExchange, addQueue, testBroker } from '../helpers/test-broker.js';

const { EMPTY } = FieldTable;

interface Dead {
  readonly parts: MessageParts;
  readonly properties: BasicProperties;
}

class Bench {
  readonly test = testBroker();
  readonly host: VirtualHost = this.test.broker.virtualHost('/')!;

  /** Writes a message that was published to `orders` with `rk`; one reference is taken. */
  message(properties: BasicProperties = {}, flags = 0): number {
    const body = Buffer.from('body');
    const position = writeMessage(this.host.log, {
      exchange: 'orders',
      routingKey: 'rk',
      contentHeader: contentHeader(body.length, encodeProperties(properties)),
      body,
      ...NO_NOTES,
      flags,
    });
    this.host.log.retain(position, 1);
    return position;
  }

  /** Declares a queue that dead-letters to the exchange `dlx`. */
  source(name: string, entries: readonly FieldEntry[] = [], dlx = 'dlx'): Queue {
    return addQueue(this.host, name, [['x-dead-letter-exchange', longstr(dlx)], ...entries]);
  }

  /** Declares `dlx`, a fanout with the queue `dead`. */
  target(): Queue {
    const queue = addQueue(this.host, 'dead');
    this.host.bind(addExchange(this.host, 'dlx', 'fanout'), queue, '', EMPTY);
    return queue;
  }

  /** A queue gives a message up. */
  die(queue: Queue, position: number, reason: DeadLetterReason = 'rejected'): void {
    deadLetter(this.host, { queue, position, reason, diedMs: this.host.clock.nowMs() });
    this.host.log.release(position);
  }

  /** Takes a message without settling it. */
  take(queue: Queue): Dead & { readonly position: number } {
    const position = queue.get();
    expect(position).toBeGreaterThanOrEqual(0);
    const parts = readImage(this.host.log.segmentOf(position).block, this.host.log.payloadOffset(position));
    const header = parts.contentHeader;
    return {
      position,
      parts,
      properties: decodeProperties(header, CONTENT_HEADER_FIXED_BYTES, header.length),
    };
  }

  expectNothingHeld(): void {
    expectNothingHeld(this.host.log);
  }
}

const header = (dead: Dead, key: string): string | undefined => textOf(dead.properties.headers?.get(key));

describe('a dead message', () => {
  it('is published to the dead-letter exchange with its history, and keeps the rest', () => {
    const t = new Bench();
    const dead = t.target();
    const properties: BasicProperties = {
      contentType: 'text/plain',
      headers: FieldTable.of([['mine', signedint(7)]]),
      deliveryMode: 2,
      priority: 3,
      replyTo: 'r',
      expiration: '60000',
      userId: 'guest',
    };
    t.die(t.source('work'), t.message(properties, IMAGE_PERSISTENT));

    const got = t.take(dead);
    expect(got.parts).toMatchObject({
      exchange: 'dlx',
      routingKey: 'rk',
      flags: IMAGE_PERSISTENT | IMAGE_DEATH_HISTORY,
    });
    expect(got.parts.body.toString()).toBe('body');
    expect(got.parts.contentHeader.readUInt16BE(0)).toBe(60);
    expect(got.parts.contentHeader.readBigUInt64BE(4)).toBe(4n);
    const { headers, expiration, ...others } = got.properties;
    const { headers: _headers, expiration: _expiration, ...expected } = properties;
    expect(others).toEqual(expected);
    expect(expiration).toBeUndefined();
    expect(headers?.get('mine')).toEqual(signedint(7));
    expect(header(got, 'x-first-death-queue')).toBe('work');
    expect(header(got, 'x-first-death-exchange')).toBe('orders');
    const deaths = headers?.get('x-death');
    if (deaths?.type !== 'array' || deaths.value[0]?.type !== 'table') throw new Error('no x-death');
    const entry = deaths.value[0].value;
    expect(textOf(entry.get('original-expiration'))).toBe('60000');
    expect(textOf(entry.get('reason'))).toBe('rejected');
    expect(entry.get('time')).toMatchObject({ type: 'timestamp', value: 1_700_000_000 });
    expect(entry.get('routing-keys')).toEqual(array([longstr('rk')]));
    dead.acknowledge(got.position, dead.lastSequence);
    t.expectNothingHeld();
  });

  it('goes to every queue of the route with one record', () => {
    const t = new Bench();
    const first = t.target();
    const second = addQueue(t.host, 'dead-too');
    t.host.bind(t.host.exchangeNamed('dlx'), second, '', EMPTY);
    t.die(t.source('work'), t.message());
    const [a, b] = [t.take(first), t.take(second)];
    expect(a.position).toBe(b.position);
    first.acknowledge(a.position, first.lastSequence);
    expect(t.host.log.segmentOf(b.position).live).toBe(1);
    second.acknowledge(b.position, second.lastSequence);
    t.expectNothingHeld();
  });

  it('keeps its routing key and its copies, unless the queue has a key for its dead', () => {
    const t = new Bench();
    const dlx = addExchange(t.host, 'dlx', 'direct');
    const names = ['rk', 'cc', 'graveyard'];
    const [rk, cc, graveyard] = names.map((name) => {
      const queue = addQueue(t.host, name);
      t.host.bind(dlx, queue, name, EMPTY);
      return queue;
    });
    const copied = { headers: FieldTable.of([['CC', array([longstr('cc')])]]) };
    t.die(t.source('plain'), t.message(copied));
    expect([rk!.counts().ready, cc!.counts().ready, graveyard!.counts().ready]).toEqual([1, 1, 0]);
    t.die(t.source('keyed', [['x-dead-letter-routing-key', longstr('graveyard')]]), t.message(copied));
    expect([rk!.counts().ready, cc!.counts().ready, graveyard!.counts().ready]).toEqual([1, 1, 1]);
    expect(t.take(graveyard!).parts.routingKey).toBe('graveyard');
    expect(t.take(cc!).parts.routingKey).toBe('rk');
  });

  it('may go to a queue by its name, through the default exchange', () => {
    const t = new Bench();
    const target = addQueue(t.host, 'dead');
    t.die(t.source('work', [['x-dead-letter-routing-key', longstr('dead')]], ''), t.message());
    expect(t.take(target).parts).toMatchObject({ exchange: '', routingKey: 'dead' });
  });

  it('is dropped without a dead-letter exchange, with one that is missing, or that routes it nowhere', () => {
    const t = new Bench();
    t.die(addQueue(t.host, 'none'), t.message());
    t.die(t.source('missing', [], 'nowhere'), t.message());
    addExchange(t.host, 'deaf', 'direct');
    t.die(t.source('unrouted', [], 'deaf'), t.message());
    t.expectNothingHeld();
  });

  it('is dropped when its new key fits no short string', () => {
    const t = new Bench();
    const dead = t.target();
    const source = (name: string, length: number): Queue =>
      t.source(name, [['x-dead-letter-routing-key', longstr('k'.repeat(length))]]);
    t.die(source('longest', 255), t.message());
    t.die(source('too-long', 256), t.message());
    expect(dead.counts().ready).toBe(1);
    expect(t.take(dead).parts.routingKey).toBe('k'.repeat(255));
  });

  it('goes to the alternate of an exchange that does not route it', () => {
    const t = new Bench();
    addExchange(t.host, 'dlx', 'direct', { arguments: [['alternate-exchange', longstr('rest')]] });
    const queue = addQueue(t.host, 'rest-queue');
    t.host.bind(addExchange(t.host, 'rest', 'fanout'), queue, '', EMPTY);
    t.die(t.source('work'), t.message());
    expect(queue.counts().ready).toBe(1);
  });

  it('does not go round: a queue where it died already is left out, unless it was rejected since', () => {
    const t = new Bench();
    const loop = t.source('loop', [['x-dead-letter-routing-key', longstr('loop')]], '');
    t.die(loop, t.message(), 'expired');
    expect(loop.counts().ready).toBe(0);
    t.expectNothingHeld();
    t.die(loop, t.message(), 'rejected');
    const again = t.take(loop);
    expect(header(again, 'x-last-death-reason')).toBe('rejected');
    t.die(loop, again.position, 'rejected');
    expect(loop.counts().ready).toBe(1);
  });

  it('starts its history anew when a publisher made it up, and goes on with its own', () => {
    const t = new Bench();
    const dead = t.target();
    const headers = FieldTable.of([['x-death', longstr('made up')]]);
    const work = t.source('work');
    t.die(work, t.message({ headers }));
    const once = t.take(dead);
    const countOf = (one: Dead): unknown => {
      const deaths = one.properties.headers?.get('x-death');
      const entry = deaths?.type === 'array' ? deaths.value[0] : undefined;
      return entry?.type === 'table' ? entry.value.get('count') : undefined;
    };
    expect(countOf(once)).toMatchObject({ type: 'long', value: 1 });
    t.die(work, once.position);
    expect(countOf(t.take(dead))).toMatchObject({ type: 'long', value: 2 });
  });

  it('is what a queue makes of a rejected one', () => {
    const t = new Bench();
    const dead = t.target();
    const work = t.source('work');
    work.publish(t.message());
    work.reject(work.get(), work.lastSequence);
    expect(work.counts()).toMatchObject({ ready: 0, unacked: 0 });
    expect(dead.counts().ready).toBe(1);
  });
});

describe('two full queues that dead-letter to each other', () => {
  // Published within one another, the depth of the calls was the number of messages.
  it('hand their messages over, however many they hold', () => {
    const t = new Bench();
    const full = (name: string, other: string, length: number): Queue =>
      addQueue(t.host, name, [
        ['x-dead-letter-exchange', longstr('')],
        ['x-dead-letter-routing-key', longstr(other)],
        ['x-max-length', signedint(length)],
      ]);
    const [a, b] = [full('a', 'b', 5_000), full('b', 'a', 5_000)];
    for (const queue of [a, b]) for (let i = 0; i < 5_000; i++) queue.publish(t.message());
    a.publish(t.message());
    expect([a.counts().ready, b.counts().ready]).toEqual([5_000, 5_000]);
  });
});
