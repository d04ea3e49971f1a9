import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTPUT_BYTES_MAX } from '../../src/lib/limits.js';
import {
  ChannelConsumer,
  DeliveryOwner,
  type HeldSettlement,
  Settlement,
  settleDelivery,
} from '../../src/server/deliveries.js';
import { DeliveriesBench } from '../helpers/deliveries-bench.js';

const { Acknowledge, Requeue, Reject } = Settlement;
const unknownTag = (tag: number): string => `PRECONDITION_FAILED - unknown delivery tag ${tag}`;

describe('Deliveries.settle', () => {
  it('settles one delivery by its tag, in any order and way', () => {
    const t = new DeliveriesBench();
    t.deliver(t.consumer(), 4);
    t.deliveries.settle(3, false, Reject);
    t.deliveries.settle(1, false, Acknowledge);
    t.deliveries.settle(4, false, Requeue);
    expect(t.settled()).toBe('reject 103,ack 101,requeue 104');
    expect(t.deliveries.unackedCount).toBe(1);
  });

  it('settles all up to a tag, or all there are, oldest first', () => {
    const t = new DeliveriesBench();
    t.deliver(t.consumer(), 6);
    t.deliveries.settle(2, false, Acknowledge);
    t.deliveries.settle(4, true, Reject);
    expect(t.settled()).toBe('ack 102,reject 101,reject 103,reject 104');
    t.deliveries.settle(0, true, Requeue);
    expect(t.settled()).toBe('requeue 105,requeue 106');
    t.deliveries.settle(0, true, Acknowledge);
    expect([t.settled(), t.deliveries.unackedCount]).toEqual(['', 0]);
  });

  it('refuses a tag that is not outstanding, also with multiple, and settles nothing then', () => {
    const t = new DeliveriesBench();
    const refuse = (tag: number, multiple: boolean): void =>
      expect(() => t.deliveries.settle(tag, multiple, Acknowledge)).toThrow(unknownTag(tag));
    refuse(1, false);
    refuse(1, true);
    refuse(0, false);
    t.deliver(t.consumer(), 5);
    t.deliveries.settle(3, false, Acknowledge);
    t.settled();
    for (const multiple of [false, true]) for (const tag of [3, 6, 2 ** 53, 1.5]) refuse(tag, multiple);
    refuse(0, false);
    expect([t.settled(), t.deliveries.unackedCount]).toEqual(['', 4]);
    t.deliveries.settle(2, true, Acknowledge);
    refuse(1, false);
    refuse(2, true);
  });

  it('numbers deliveries without acknowledgement too, and does not know them', () => {
    const t = new DeliveriesBench();
    t.deliver(t.consumer({ noAck: true }), 2);
    const owner = new DeliveryOwner(t.queue.asQueue());
    expect(t.deliveries.numberGet(undefined, t.position, 0)).toBe(3);
    expect(t.deliveries.numberGet(owner, t.position, 9)).toBe(4);
    expect(() => t.deliveries.settle(2, false, Acknowledge)).toThrow(unknownTag(2));
    expect(() => t.deliveries.settle(3, true, Acknowledge)).toThrow(unknownTag(3));
    expect(owner.unackedCount).toBe(1);
    t.deliveries.settle(4, true, Acknowledge);
    expect([t.settled(), owner.unackedCount]).toEqual(['ack 9', 0]);
  });

  it('behaves as a sorted list of tags', () => {
    const step = fc.record({
      kind: fc.constantFrom('deliver', 'deliver', 'skip', 'one', 'one', 'many', 'hold', 'restore', 'commit'),
      pick: fc.nat(500),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const t = new DeliveriesBench();
        const [acking, automatic] = [t.consumer(), t.consumer({ noAck: true })];
        let outstanding: number[] = [];
        let held: HeldSettlement[] = [];
        for (const { kind, pick } of steps) {
          // Any tag there ever was, and one there never was.
          const tag = pick % (t.nextTag + 1);
          const isKnown = outstanding.includes(tag) || (tag === 0 && kind === 'many');
          if (kind === 'deliver') {
            for (let i = 0; i <= pick % 40; i++) outstanding.push(t.nextTag + i);
            t.deliver(acking, (pick % 40) + 1);
          } else if (kind === 'skip') t.deliver(automatic, pick % 4);
          else if (kind === 'commit') {
            for (const one of held) settleDelivery(one.owner, one.position, one.sequence, one.kind);
            expect(t.settled()).toBe(held.map(({ sequence }) => `ack ${sequence}`).join());
            held = [];
          } else if (kind === 'restore') {
            t.deliveries.restore(held);
            outstanding = [...outstanding, ...held.map((one) => one.tag)].sort((a, b) => a - b);
            held = [];
          } else {
            const isMany = kind === 'many' || (kind === 'hold' && pick % 2 === 0);
            const act = (): void =>
              kind === 'hold'
                ? t.deliveries.hold(tag, isMany, Acknowledge, held)
                : t.deliveries.settle(tag, isMany, Acknowledge);
            const before = held.length;
            if (!isKnown && !(tag === 0 && isMany)) {
              expect(act).toThrow(unknownTag(tag));
              continue;
            }
            const expected = outstanding.filter((one) => (isMany ? tag === 0 || one <= tag : one === tag));
            act();
            outstanding = outstanding.filter((one) => !expected.includes(one));
            if (kind === 'hold') expect(held.slice(before).map((one) => one.tag)).toEqual(expected);
            else expect(t.settled()).toBe(expected.map((one) => `ack ${one + 100}`).join());
          }
          expect(t.deliveries.unackedCount).toBe(outstanding.length);
          expect(acking.unackedCount).toBe(outstanding.length + held.length);
        }
        t.deliveries.restore(held);
        const left = [...outstanding, ...held.map((one) => one.tag)].sort((a, b) => a - b);
        t.deliveries.settle(0, true, Requeue);
        expect(t.settled()).toBe(left.map((tag) => `requeue ${tag + 100}`).join());
        expect(acking.unackedCount).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('stays small when one old delivery is kept and a hundred thousand newer ones are settled', () => {
    const t = new DeliveriesBench();
    const consumer = t.consumer();
    t.deliver(consumer, 1);
    for (let i = 0; i < 1_000; i++) {
      t.deliver(consumer, 100);
      for (let tag = t.nextTag - 100; tag < t.nextTag; tag++) t.deliveries.settle(tag, false, Acknowledge);
    }
    expect(t.ringEntries).toBeLessThanOrEqual(256);
    t.settled();
    t.deliveries.settle(1, false, Requeue);
    expect([t.settled(), t.deliveries.unackedCount]).toEqual(['requeue 101', 0]);
  });

  it('holds as many as there are', () => {
    const t = new DeliveriesBench();
    t.deliver(t.consumer(), 5_000);
    expect(t.deliveries.unackedCount).toBe(5_000);
    for (let tag = 5_000; tag > 0; tag -= 2) t.deliveries.settle(tag, false, Acknowledge);
    t.settled();
    t.deliveries.settle(0, true, Acknowledge);
    expect(t.settled().split(',')).toHaveLength(2_500);
  });
});

describe('Deliveries.hold and restore', () => {
  it('takes deliveries out without telling their queue, and puts them back under their tags', () => {
    const t = new DeliveriesBench();
    const consumer = t.consumer({ prefetch: 4 });
    t.deliver(consumer, 4);
    const held: HeldSettlement[] = [];
    t.deliveries.hold(2, false, Acknowledge, held);
    t.deliveries.hold(3, true, Reject, held);
    expect(held.map(({ tag, kind }) => [tag, kind])).toEqual([
      [2, Acknowledge],
      [1, Reject],
      [3, Reject],
    ]);
    expect(() => t.deliveries.hold(2, false, Acknowledge, held)).toThrow(unknownTag(2));
    expect(() => t.deliveries.hold(3, true, Acknowledge, held)).toThrow(unknownTag(3));
    expect([t.settled(), t.deliveries.unackedCount, consumer.unackedCount]).toEqual(['', 1, 4]);
    expect(consumer.canTake()).toBe(false);
    t.deliveries.restore(held);
    expect([t.deliveries.unackedCount, consumer.unackedCount]).toEqual([4, 4]);
    t.deliveries.settle(0, true, Acknowledge);
    expect(t.settled()).toBe('ack 101,ack 102,ack 103,ack 104');
  });

  it('restores nothing onto nothing', () => {
    const t = new DeliveriesBench();
    t.deliveries.restore([]);
    expect(t.deliveries.unackedCount).toBe(0);
  });
});

describe('ChannelConsumer', () => {
  it('takes up to its prefetch, and is woken when one is settled', () => {
    const t = new DeliveriesBench();
    const consumer = t.consumer({ prefetch: 2 });
    t.deliver(consumer, 1);
    expect(consumer.canTake()).toBe(true);
    t.deliver(consumer, 1);
    expect(consumer.canTake()).toBe(false);
    t.deliveries.settle(1, false, Acknowledge);
    expect(t.queue.readyCount).toBe(0);
    consumer.isWaiting = true;
    t.deliveries.settle(2, false, Requeue);
    expect([t.queue.readyCount, consumer.isWaiting]).toEqual([1, false]);
  });

  it('is not woken while another limit holds it', () => {
    const t = new DeliveriesBench();
    const consumer = t.consumer({ prefetch: 1 });
    t.deliver(consumer, 2);
    consumer.isWaiting = true;
    t.deliveries.settle(1, false, Acknowledge);
    expect([t.queue.readyCount, consumer.isWaiting]).toEqual([0, true]);
  });

  it('shares the limit of its channel with all others', () => {
    const t = new DeliveriesBench();
    const [a, b] = [t.consumer(), t.consumer({ prefetch: 10 })];
    const automatic = t.consumer({ noAck: true, prefetch: 1 });
    t.deliveries.globalPrefetch = 3;
    t.deliver(a, 2);
    t.deliveries.numberGet(new DeliveryOwner(t.queue.asQueue()), t.position, 0);
    expect([a.canTake(), b.canTake(), automatic.canTake()]).toEqual([false, false, false]);
    t.deliveries.settle(1, false, Acknowledge);
    expect([a.canTake(), b.canTake()]).toEqual([true, true]);
  });

  it('takes nothing while its connection does not read', () => {
    const t = new DeliveriesBench();
    const [acking, automatic] = [t.consumer(), t.consumer({ noAck: true })];
    t.transport.writeBytes(Buffer.alloc(OUTPUT_BYTES_MAX));
    expect([acking.canTake(), automatic.canTake()]).toEqual([false, false]);
    t.turn();
    t.socket.complete();
    expect([acking.canTake(), automatic.canTake()]).toEqual([true, true]);
    expect(t.drainedCount).toBe(1);
  });

  it('tells its channel when the queue is gone', () => {
    const t = new DeliveriesBench();
    const gone: ChannelConsumer[] = [];
    const options = {
      tag: 'c',
      queue: t.queue.asQueue(),
      noAck: true,
      isExclusive: false,
      priority: 0,
      prefetch: 0,
    };
    const consumer = new ChannelConsumer(options, t.deliveries, (one) => gone.push(one));
    consumer.cancelledByQueue();
    expect(gone).toEqual([consumer]);
  });
});
