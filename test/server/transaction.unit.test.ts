import { describe, expect, it } from 'vitest';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import type { Queue } from '../../src/queues/queue.js';
import { Channel } from '../../src/server/channel.js';
import { DeliveryOwner, Settlement } from '../../src/server/deliveries.js';
import { type HeldPublish, Transaction } from '../../src/server/transaction.js';
import { expectNothingHeld, labelAt, writeLabelled } from '../helpers/messages.js';
import { addQueue, testBroker } from '../helpers/test-broker.js';
import { TransportBench } from '../helpers/transport-bench.js';

const NEVER_MS = Number.POSITIVE_INFINITY;
const BASIC_RETURN = 0x003c0032;

class Bench {
  readonly broker = testBroker().broker;
  readonly host: VirtualHost = this.broker.virtualHost('/')!;
  readonly log = this.broker.log;
  readonly wire = new TransportBench({ log: this.log, slabBytes: 65_536 });
  readonly transaction = new Transaction(false);
  readonly channel = new Channel(1, {
    broker: this.broker,
    virtualHost: this.host,
    user: this.broker.users.user('guest')!,
    transport: this.wire.transport,
    owner: {},
    takesCancel: true,
    onPublish: () => {},
    closeChannel: () => {},
    failChannel: () => {},
    waitFor: () => {},
  });

  /** Publishes in the transaction, to the queues given; mandatory when it `returns` to its publisher. */
  publish(label: string, route: readonly Queue[], returns: HeldPublish['returns'] = 'never'): void {
    const position = writeLabelled(this.log, label);
    this.transaction.publish(this.log, { position, route, absent: [], deadlineMs: NEVER_MS, returns });
  }

  /** Puts messages into a queue and takes them on the channel as basic.get does. */
  take(queue: Queue, count: number): DeliveryOwner {
    const owner = new DeliveryOwner(queue);
    for (let i = 0; i < count; i++) {
      const position = writeLabelled(this.log, `taken ${i}`);
      this.log.retain(position, 1);
      queue.publish(position);
      this.channel.deliveries.numberGet(owner, queue.get(), queue.lastSequence);
    }
    return owner;
  }

  settle(tag: number, multiple: boolean, kind: Settlement): void {
    this.transaction.settle(this.channel.deliveries, tag, multiple, kind);
  }

  drain(queue: Queue): string[] {
    const labels: string[] = [];
    for (let position = queue.get(); position >= 0; position = queue.get()) {
      labels.push(labelAt(this.log, position) + (queue.lastRedelivered ? '*' : ''));
      queue.acknowledge(position, queue.lastSequence);
    }
    return labels;
  }
}

describe('a commit', () => {
  it('publishes in order what was held, to every queue, and nothing before', () => {
    const t = new Bench();
    const [a, b] = [addQueue(t.host, 'a'), addQueue(t.host, 'b')];
    t.publish('1', [a]);
    t.publish('2', [a, b]);
    expect([a.counts().ready, b.counts().ready]).toEqual([0, 0]);
    t.transaction.commit(t.channel);
    expect([t.drain(a), t.drain(b)]).toEqual([['1', '2'], ['2']]);
    t.transaction.commit(t.channel);
    expect(a.counts().ready).toBe(0);
    expectNothingHeld(t.log);
  });

  it('settles what was held, in order', () => {
    const t = new Bench();
    const dead = addQueue(t.host, 'dead');
    const queue = addQueue(t.host, 'q', [
      ['x-dead-letter-exchange', longstr('')],
      ['x-dead-letter-routing-key', longstr('dead')],
    ]);
    const owner = t.take(queue, 4);
    t.settle(4, false, Settlement.Reject);
    t.settle(1, false, Settlement.Acknowledge);
    t.settle(3, true, Settlement.Requeue);
    expect(queue.counts()).toMatchObject({ ready: 0, unacked: 4 });
    expect(() => t.settle(1, false, Settlement.Acknowledge)).toThrow('unknown delivery tag 1');
    t.transaction.commit(t.channel);
    expect(queue.counts()).toMatchObject({ ready: 2, unacked: 0 });
    expect(owner.unackedCount).toBe(0);
    expect(t.drain(queue)).toEqual(['taken 1*', 'taken 2*']);
    expect(t.drain(dead)).toEqual(['taken 3']);
    expectNothingHeld(t.log);
  });

  it('returns what was mandatory and had no route, and drops the rest of such', () => {
    const t = new Bench();
    t.publish('dropped', []);
    t.publish('returned', [], 'unrouted');
    expect(t.wire.sentFrames()).toEqual([]);
    t.transaction.commit(t.channel);
    const frames = t.wire.sentFrames();
    expect(frames.map(({ type, channel }) => [type, channel])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(frames[0]!.payload.readUInt32BE(0)).toBe(BASIC_RETURN);
    expect(frames[2]!.payload.toString()).toBe('returned');
    t.wire.socket.complete();
    expectNothingHeld(t.log);
  });

  it('leaves out a queue that was deleted since', () => {
    const t = new Bench();
    const [a, b] = [addQueue(t.host, 'a'), addQueue(t.host, 'b')];
    t.publish('1', [a, b]);
    t.publish('2', [a]);
    t.host.deleteQueue(a);
    t.transaction.commit(t.channel);
    expect(t.drain(b)).toEqual(['1']);
    expect(t.wire.sentFrames()).toEqual([]);
    expectNothingHeld(t.log);
  });

  it('tells when a queue rejected a publish, having done all the others', () => {
    const t = new Bench();
    const full = addQueue(t.host, 'full', [
      ['x-max-length', signedint(1)],
      ['x-overflow', longstr('reject-publish')],
    ]);
    const queue = addQueue(t.host, 'q');
    t.take(queue, 1);
    for (const label of ['1', '2', '3']) t.publish(label, [full, queue]);
    t.settle(1, false, Settlement.Acknowledge);
    expect(() => t.transaction.commit(t.channel)).toThrow('PRECONDITION_FAILED - partial tx completion');
    expect([t.drain(full), t.drain(queue)]).toEqual([['1'], ['1', '2', '3']]);
    expect(queue.counts().unacked).toBe(0);
    expectNothingHeld(t.log);
  });
});

describe('a rollback', () => {
  it('forgets publishes, and has the deliveries outstanding again under their tags, not redelivered', () => {
    const t = new Bench();
    const queue = addQueue(t.host, 'q');
    const owner = t.take(queue, 3);
    t.publish('1', [queue]);
    t.publish('2', [], 'unrouted');
    t.settle(2, true, Settlement.Reject);
    t.transaction.rollback(t.channel);
    expect(queue.counts()).toMatchObject({ ready: 0, unacked: 3 });
    expect([t.channel.deliveries.unackedCount, owner.unackedCount]).toEqual([3, 3]);
    t.transaction.commit(t.channel);
    expect(queue.counts()).toMatchObject({ ready: 0, unacked: 3 });
    for (const tag of [2, 3, 1]) t.settle(tag, false, Settlement.Acknowledge);
    t.transaction.commit(t.channel);
    expect(t.wire.sentFrames()).toEqual([]);
    expectNothingHeld(t.log);
  });

  it('is what the end of a channel does first: what was settled goes back to its queue', () => {
    const t = new Bench();
    const queue = addQueue(t.host, 'q');
    t.take(queue, 2);
    t.channel.transaction = t.transaction;
    t.settle(1, false, Settlement.Acknowledge);
    t.publish('1', [queue]);
    t.channel.release();
    expect(t.drain(queue)).toEqual(['taken 0*', 'taken 1*']);
    expectNothingHeld(t.log);
  });
});
