/** Messages that quorum queues share with others: who keeps them over a restart. */
import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr } from '../../src/amqp/field-value.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import {
  type DurableBroker,
  declareQueue,
  drainTexts,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';
import { expectNothingHeld } from '../helpers/messages.js';
import { testBroker } from '../helpers/test-broker.js';

const QUORUM = [['x-queue-type', longstr('quorum')]] as const;
const SEGMENTS = { segmentBytes: 65_536, residentBytesMax: 262_144 };

/** A fanout to a quorum queue, a durable classic one and a transient one. */
async function open(): Promise<DurableBroker> {
  const durable = await openDurable(new SimulatedFileSystem(), SEGMENTS);
  const { virtualHost } = durable;
  const fanout = virtualHost.exchangeNamed('amq.fanout');
  for (const queue of [
    declareQueue(virtualHost, 'quorum', QUORUM),
    declareQueue(virtualHost, 'classic'),
    declareQueue(virtualHost, 'transient', [], false),
  ]) {
    virtualHost.bind(fanout, queue, '', FieldTable.EMPTY);
  }
  return durable;
}

const send = (durable: DurableBroker, text: string, isPersistent: boolean): number =>
  publish(durable, '', Buffer.from(text), { exchange: 'amq.fanout', isPersistent });

describe('a message that a quorum queue shares with a classic one', () => {
  it('is kept by the quorum queue, and by the other only when it is persistent', async () => {
    const first = await open();
    send(first, 'transient', false);
    send(first, 'persistent', true);
    await first.settle();
    const again = await openDurable(first.disk.powerCut(), SEGMENTS);
    expect(await drainTexts(again, 'quorum')).toEqual(['transient', 'persistent']);
    expect(await drainTexts(again, 'classic')).toEqual(['persistent']);
  });

  it('is there for each while the broker lives, however deep they are', async () => {
    const durable = await open();
    const texts = Array.from({ length: 20_000 }, (_, i) => `message ${i}`);
    for (const [i, text] of texts.entries()) {
      send(durable, text, i % 3 === 0);
      if (i % 500 === 499) await durable.settle();
    }
    await durable.settle();
    for (const name of ['quorum', 'classic', 'transient'])
      expect(await drainTexts(durable, name)).toEqual(texts);
  });
});

describe('a broker in memory', () => {
  it('has quorum queues too', () => {
    const { broker } = testBroker();
    const virtualHost = broker.virtualHost('/')!;
    const queue = declareQueue(virtualHost, 'q', QUORUM);
    publish({ broker, virtualHost }, 'q', Buffer.from('m'), { isPersistent: false });
    queue.requeue(queue.get(), queue.lastSequence);
    const position = queue.get();
    expect([queue.lastRedelivered, queue.lastCounts]).toEqual([true, 1]);
    queue.acknowledge(position, queue.lastSequence);
    expectNothingHeld(broker.log);
  });
});
