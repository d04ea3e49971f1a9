/** A quorum queue whose settings change while it has messages (rabbitmq.com/docs/policies). */
import { describe, expect, it } from 'vitest';
import { longstr } from '../../src/amqp/field-value.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import {
  type DurableBroker,
  declareQueue,
  drainTexts,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';

async function start(): Promise<{ durable: DurableBroker; queue: Queue; host: VirtualHost }> {
  const durable = await openDurable(new SimulatedFileSystem());
  const queue = declareQueue(durable.virtualHost, 'q', [['x-queue-type', longstr('quorum')]]);
  return { durable, queue, host: durable.virtualHost };
}

const set = (host: VirtualHost, definition: object): void =>
  host.policies.set('policy', { name: 'p', pattern: '^q$', definition, applyTo: 'quorum_queues' });

describe('a policy on a quorum queue', () => {
  it('drops what is too much, in length and in bytes', async () => {
    const { durable, queue, host } = await start();
    for (const text of ['aaaa', 'bb', 'cc', 'dd']) publish(durable, 'q', Buffer.from(text));
    set(host, { 'max-length': 3 });
    expect(queue.counts().ready).toBe(3);
    set(host, { 'max-length-bytes': 4 });
    await durable.settle();
    expect(await drainTexts(durable, 'q')).toEqual(['cc', 'dd']);
  });

  it('lets it refuse while it is full, and take again once the policy goes', async () => {
    const { durable, queue, host } = await start();
    for (const text of ['1', '2', '3']) publish(durable, 'q', Buffer.from(text));
    set(host, { 'max-length': 2, overflow: 'reject-publish' });
    publish(durable, 'q', Buffer.from('4'));
    expect(queue.counts().ready).toBe(3);
    host.policies.delete('policy', 'p');
    publish(durable, 'q', Buffer.from('5'));
    expect(await drainTexts(durable, 'q')).toEqual(['1', '2', '3', '5']);
  });

  it('changes the delivery limit at once', async () => {
    const { durable, queue, host } = await start();
    declareQueue(host, 'dead');
    publish(durable, 'q', Buffer.from('x'));
    set(host, { 'delivery-limit': 1, 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' });
    for (let i = 0; i < 2; i++) {
      const got = await getMessage(durable, queue);
      queue.requeue(got!.position, got!.sequence);
    }
    await durable.settle();
    expect(queue.counts().ready).toBe(0);
    expect(await drainTexts(durable, 'dead')).toEqual(['x']);
  });

  it('may make dead letters wait until they are safe', async () => {
    const { durable, queue, host } = await start();
    publish(durable, 'q', Buffer.from('x'));
    set(host, {
      'dead-letter-exchange': '',
      'dead-letter-routing-key': 'dead',
      'dead-letter-strategy': 'at-least-once',
      overflow: 'reject-publish',
    });
    const got = await getMessage(durable, queue);
    queue.reject(got!.position, got!.sequence);
    await durable.settle();
    // Nowhere to go yet: it stays, unseen.
    expect(queue.counts().ready).toBe(0);
    declareQueue(host, 'dead');
    durable.clock.advance(600_000);
    await durable.settle();
    expect(await drainTexts(durable, 'dead')).toEqual(['x']);
  });

  it('that changes the strategy does not count what died before', async () => {
    const { durable, queue, host } = await start();
    declareQueue(host, 'dead');
    const dlx = { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' };
    set(host, dlx);
    publish(durable, 'q', Buffer.from('x'));
    await durable.settle();
    const got = await getMessage(durable, queue);
    queue.reject(got!.position, got!.sequence);
    // The copy is not safe yet: the message is forgotten under the new strategy.
    set(host, {
      ...dlx,
      'dead-letter-strategy': 'at-least-once',
      overflow: 'reject-publish',
      'max-length': 1,
    });
    await durable.settle();
    for (const text of ['a', 'b', 'c']) publish(durable, 'q', Buffer.from(text));
    // One too many is noticed when it is there.
    expect(queue.counts().ready).toBe(2);
  });

  it('is none with keys that only classic queues know', async () => {
    const { queue, host } = await start();
    host.policies.set('policy', {
      name: 'p',
      pattern: '',
      definition: { 'queue-mode': 'lazy', 'max-length': 1 },
    });
    expect(queue.settings.maxLength).toBeUndefined();
  });
});
