/** What holds over a restart for durable queues of every type, on a simulated disk. */
import { describe, expect, it } from 'vitest';
import type { FieldEntry } from '../../src/amqp/field-table.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import {
  type DurableBroker,
  declareQueue,
  drain,
  type GotMessage,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';
import type { QueueTraits } from './queue-contract.js';

/** As many segments as a broker keeps in memory by default. */
export const MEMORY = { segmentBytes: 8_192, residentBytesMax: 32_768 };

/** How a broker ends: in order, or by a power cut when everything is quiet. */
export type End = 'in order' | 'by a power cut';

/** Ends a broker and opens its data directory again. */
export async function restart(durable: DurableBroker, end: End): Promise<DurableBroker> {
  await durable.settle();
  // What came back is written at leisure.
  durable.clock.advance(1_000);
  await durable.settle();
  expect(durable.fatal).toEqual([]);
  if (end === 'by a power cut') return openDurable(durable.disk.powerCut(), MEMORY);
  durable.broker.close();
  await durable.persistence.close();
  return openDurable(durable.disk.crash(), MEMORY);
}

export function queueOf(durable: DurableBroker): Queue {
  return durable.virtualHost.queues.get('q')!;
}

export function publishTexts(durable: DurableBroker, ...texts: readonly string[]): void {
  for (const text of texts) publish(durable, 'q', Buffer.from(text));
}

export async function take(durable: DurableBroker, count: number): Promise<GotMessage[]> {
  const taken: GotMessage[] = [];
  for (let i = 0; i < count; i++) taken.push((await getMessage(durable, queueOf(durable)))!);
  return taken;
}

/** All ready messages, with a `*` behind those that are redelivered. */
export async function drainMarked(durable: DurableBroker): Promise<string[]> {
  const got = await drain(durable, queueOf(durable));
  return got.map(({ body, isRedelivered }) => `${body.toString()}${isRedelivered ? '*' : ''}`);
}

export function describeRestartContract(
  typeName: string,
  entries: readonly FieldEntry[],
  { returnsTo }: QueueTraits,
): void {
  describe.each<End>(['in order', 'by a power cut'])(
    `a durable queue of type ${typeName} that ends %s`,
    (end) => {
      const open = async (): Promise<DurableBroker> => {
        const durable = await openDurable(new SimulatedFileSystem(), MEMORY);
        declareQueue(durable.virtualHost, 'q', entries);
        return durable;
      };

      it('has its messages again, in their order, but those that were acknowledged', async () => {
        const first = await open();
        publishTexts(first, '1', '2', '3', '4');
        const [, second] = await take(first, 2);
        queueOf(first).acknowledge(second!.position, second!.sequence);
        const again = await restart(first, end);
        expect(queueOf(again).counts()).toEqual({ ready: 3, unacked: 0, consumers: 0 });
        const texts = (await drainMarked(again)).map((text) => text.replace('*', ''));
        expect(texts).toEqual(['1', '3', '4']);
      });

      it('knows what came back to it', async () => {
        const first = await open();
        publishTexts(first, '1', '2', '3');
        const taken = await take(first, 2);
        for (const { position, sequence } of taken) queueOf(first).requeue(position, sequence);
        const again = await restart(first, end);
        // After a crash nobody knows what else was handed out.
        expect(await drainMarked(again)).toEqual(['1*', '2*', end === 'in order' ? '3' : '3*']);
      });

      it('is as deep as it was, however deep', async () => {
        const first = await open();
        const texts = Array.from({ length: 3_000 }, (_, i) => `message ${i} ${'x'.repeat(20)}`);
        publishTexts(first, ...texts);
        const [gone, returned] = await take(first, 2);
        queueOf(first).acknowledge(gone!.position, gone!.sequence);
        queueOf(first).requeue(returned!.position, returned!.sequence);
        const again = await restart(await restart(first, end), end);
        publishTexts(again, 'fresh');
        const drained = (await drainMarked(again)).map((text) => text.replace('*', ''));
        expect(drained).toEqual([...texts.slice(1), 'fresh']);
      });

      it('stays purged, and can be purged of what a restart brought back', async () => {
        const first = await open();
        publishTexts(first, '1', '2');
        expect(queueOf(first).purge()).toBe(2);
        publishTexts(first, '3');
        const second = await restart(first, end);
        expect(queueOf(second).purge()).toBe(1);
        const third = await restart(second, end);
        expect(queueOf(third).counts().ready).toBe(0);
      });

      it(`puts what comes back to its ${returnsTo} afterwards too`, async () => {
        const first = await open();
        publishTexts(first, '1', '2', '3');
        const again = await restart(first, end);
        const taken = await take(again, 2);
        for (const { position, sequence } of taken.reverse()) queueOf(again).requeue(position, sequence);
        publishTexts(again, '4');
        const texts = (await drainMarked(again)).map((text) => text.replace('*', ''));
        expect(texts).toEqual(returnsTo === 'original place' ? ['1', '2', '3', '4'] : ['2', '1', '3', '4']);
      });
    },
  );
}
