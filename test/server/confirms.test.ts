import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FRAME_METHOD, type RawClient } from '../../conformance/wire/raw-client.js';
import {
  channelClose,
  closeOf,
  connectionClose,
  countsOf,
  declareQueue,
  IS_ORACLE,
  Target,
  uniqueName,
} from './target.js';

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  queue = await declareQueue(client);
});
afterEach(() => target.close());

/** Reads confirms until everything up to `last` is confirmed; returns what was acked and what was nacked. */
async function confirms(last: number): Promise<{ acked: number[]; nacked: number[] }> {
  const open = new Set(Array.from({ length: last }, (_, i) => i + 1));
  const acked: number[] = [];
  const nacked: number[] = [];
  while (open.size > 0) {
    const { name, fields } = await client.anyMethod(1);
    const { deliveryTag = 0, multiple = false } = fields;
    const covered = multiple ? [...open].filter((tag) => tag <= deliveryTag) : [deliveryTag];
    for (const tag of covered) {
      if (!open.delete(tag)) throw new Error(`${tag} was confirmed twice, or never published`);
      (name === 'basic.ack' ? acked : nacked).push(tag);
    }
  }
  return { acked, nacked };
}

describe('publisher confirms', () => {
  it('begin with one after confirm.select, which may come twice', async () => {
    client.publish(1, { routingKey: queue });
    await client.call(1, 'confirm.select');
    client.publish(1, { routingKey: queue });
    expect(await client.method(1, 'basic.ack')).toEqual({ deliveryTag: 1, multiple: false });
    await client.call(1, 'confirm.select');
    client.publish(1, { routingKey: queue });
    expect(await client.method(1, 'basic.ack')).toEqual({ deliveryTag: 2, multiple: false });
  });

  it('say nothing to confirm.select when told so', async () => {
    client.send(1, 'confirm.select', { noWait: true });
    client.publish(1, { routingKey: queue });
    expect(await client.method(1, 'basic.ack')).toEqual({ deliveryTag: 1, multiple: false });
  });

  it('cover every publish once: routed, unroutable, to several queues, persistent', async () => {
    await client.call(1, 'confirm.select');
    const second = await declareQueue(client);
    for (const name of [queue, second])
      await client.call(1, 'queue.bind', { queue: name, exchange: 'amq.topic', routingKey: 'both' });
    for (let i = 0; i < 100; i++) {
      client.publish(1, { routingKey: queue, body: String(i), properties: { deliveryMode: 2 } });
      client.publish(1, { routingKey: 'nowhere' });
      client.publish(1, { exchange: 'amq.topic', routingKey: 'both', body: Buffer.alloc(1000) });
    }
    expect((await confirms(300)).acked).toHaveLength(300);
    expect((await countsOf(client, queue)).messageCount).toBe(200);
  });

  it('come after the return of the same message', async () => {
    await client.call(1, 'confirm.select');
    client.publish(1, { routingKey: 'nowhere', mandatory: true, body: '1' });
    client.publish(1, { routingKey: 'nowhere', mandatory: true, body: '2' });
    const order: string[] = [];
    let acked = 0;
    while (acked < 2) {
      const frame = await client.nextFrame(1);
      if (frame.type !== FRAME_METHOD) {
        if (frame.type === 3) order.push(`return ${frame.payload}`);
        continue;
      }
      if (frame.payload.readUInt16BE(2) !== 80) continue;
      const tag = Number(frame.payload.readBigUInt64BE(4));
      while (acked < tag) order.push(`ack ${++acked}`);
    }
    expect(order.indexOf('ack 1')).toBeGreaterThan(order.indexOf('return 1'));
    expect(order.indexOf('ack 2')).toBeGreaterThan(order.indexOf('return 2'));
    expect(order).toHaveLength(4);
  });

  it('are negative for what a full queue rejects', async () => {
    const full = uniqueName('full');
    await client.call(1, 'queue.declare', {
      queue: full,
      exclusive: true,
      arguments: [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish'],
      ],
    });
    await client.call(1, 'confirm.select');
    for (let i = 0; i < 3; i++) client.publish(1, { routingKey: full });
    client.publish(1, { routingKey: queue });
    const { acked, nacked } = await confirms(4);
    expect([acked.sort(), nacked.sort()]).toEqual([
      [1, 4],
      [2, 3],
    ]);
  });

  it('go to the channel that published', async () => {
    await client.openChannel(2);
    await client.call(1, 'confirm.select');
    await client.call(2, 'confirm.select');
    client.publish(2, { routingKey: queue });
    expect(await client.method(2, 'basic.ack')).toMatchObject({ deliveryTag: 1 });
    await client.sync(1);
    expect(client.pendingFrames(1)).toEqual([]);
  });

  it('are lost with the channel', async () => {
    await client.call(1, 'confirm.select');
    client.publish(1, { routingKey: queue });
    client.publish(1, { exchange: 'nowhere' });
    for (;;) {
      const { name } = await client.anyMethod(1);
      if (name === 'channel.close') break;
      expect(name).toBe('basic.ack');
    }
    client.send(1, 'channel.close-ok');
    await client.openChannel(1);
    client.publish(1, { routingKey: queue });
    await client.sync();
    expect(client.pendingFrames(1)).toEqual([]);
  });

  it('do not go with transactions', async () => {
    await client.call(1, 'confirm.select');
    client.send(1, 'tx.select');
    expect(await channelClose(client)).toEqual(
      closeOf('tx.select', 406, 'PRECONDITION_FAILED - cannot switch from confirm to tx mode'),
    );
    await client.call(1, 'tx.select');
    client.send(1, 'confirm.select');
    expect(await channelClose(client)).toEqual(
      closeOf('confirm.select', 406, 'PRECONDITION_FAILED - cannot switch from tx to confirm mode'),
    );
  });
});

describe('transactions', () => {
  beforeEach(async () => {
    await client.openChannel(2);
    await client.call(2, 'tx.select');
    await client.call(2, 'tx.select');
  });

  it.each(['tx.commit', 'tx.rollback'])('%s needs tx.select', async (method) => {
    client.send(1, method);
    expect(await channelClose(client)).toEqual(
      closeOf(method, 406, 'PRECONDITION_FAILED - channel is not transactional'),
    );
  });

  it('hold publishes back until the commit', async () => {
    client.publish(2, { routingKey: queue, body: '1' });
    client.publish(2, { routingKey: queue, body: '2' });
    await client.sync(2);
    expect((await countsOf(client, queue)).messageCount).toBe(0);
    await client.call(2, 'tx.commit');
    expect((await countsOf(client, queue)).messageCount).toBe(2);
    expect(String((await client.get(1, queue)).body)).toBe('1');
  });

  it('drop publishes at a rollback, and begin anew', async () => {
    client.publish(2, { routingKey: queue, body: 'dropped' });
    await client.call(2, 'tx.rollback');
    client.publish(2, { routingKey: queue, body: 'kept' });
    await client.call(2, 'tx.commit');
    await client.call(2, 'tx.commit');
    const { body, method } = await client.get(1, queue);
    expect([String(body), method.messageCount]).toEqual(['kept', 0]);
  });

  it('return what goes nowhere at the commit, before commit-ok', async () => {
    client.publish(2, { routingKey: 'nowhere', mandatory: true, body: 'back' });
    await client.sync(2);
    expect(client.pendingFrames(2)).toEqual([]);
    client.send(2, 'tx.commit');
    expect(String((await client.message(2, 'basic.return')).body)).toBe('back');
    await client.method(2, 'tx.commit-ok');
  });

  it('find errors of publishes at once', async () => {
    client.publish(2, { exchange: 'nowhere' });
    expect(await channelClose(client, 2)).toEqual(
      closeOf('basic.publish', 404, "NOT_FOUND - no exchange 'nowhere' in vhost '/'"),
    );
  });

  it('hold settlements back until the commit', async () => {
    for (const body of ['1', '2', '3']) client.publish(1, { routingKey: queue, body });
    await client.sync();
    for (let i = 0; i < 3; i++) await client.get(2, queue, false);
    client.send(2, 'basic.ack', { deliveryTag: 1 });
    client.send(2, 'basic.nack', { deliveryTag: 2, requeue: true });
    client.send(2, 'basic.reject', { deliveryTag: 3, requeue: false });
    await client.sync(2);
    expect((await countsOf(client, queue)).messageCount).toBe(0);
    await client.call(2, 'tx.commit');
    const { body, method } = await client.get(1, queue);
    expect([String(body), method.redelivered, method.messageCount]).toEqual(['2', true, 0]);
  });

  it('look at delivery tags at once', async () => {
    client.publish(1, { routingKey: queue });
    await client.sync();
    await client.get(2, queue, false);
    client.send(2, 'basic.ack', { deliveryTag: 1 });
    client.send(2, 'basic.ack', { deliveryTag: 1 });
    expect(await channelClose(client, 2)).toEqual(
      closeOf('basic.ack', 406, 'PRECONDITION_FAILED - unknown delivery tag 1'),
    );
    // The end of the channel is a rollback: the message is still there.
    expect((await countsOf(client, queue)).messageCount).toBe(1);
  });

  it('make acknowledged deliveries outstanding again at a rollback, without delivering them again', async () => {
    for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body });
    await client.sync();
    for (let i = 0; i < 2; i++) await client.get(2, queue, false);
    client.send(2, 'basic.ack', { deliveryTag: 2, multiple: true });
    await client.call(2, 'tx.rollback');
    expect((await countsOf(client, queue)).messageCount).toBe(0);
    client.send(2, 'basic.ack', { deliveryTag: 1 });
    await client.call(2, 'tx.commit');
    await client.call(2, 'channel.close');
    const { body } = await client.get(1, queue);
    expect(String(body)).toBe('2');
  });

  it('keep consumers within their prefetch while settlements are held back', async () => {
    for (const body of ['1', '2']) client.publish(1, { routingKey: queue, body });
    await client.sync();
    await client.call(2, 'basic.qos', { prefetchCount: 1 });
    await client.call(2, 'basic.consume', { queue });
    await client.delivery(2);
    client.send(2, 'basic.ack', { deliveryTag: 1 });
    await client.sync(2);
    await countsOf(client, queue);
    expect(client.pendingFrames(2)).toEqual([]);
    client.send(2, 'tx.commit');
    await client.method(2, 'tx.commit-ok');
    expect(String((await client.delivery(2)).body)).toBe('2');
  });

  it('are not complete when a queue rejects a publish', async () => {
    const full = uniqueName('full');
    await client.call(1, 'queue.declare', {
      queue: full,
      exclusive: true,
      arguments: [
        ['x-max-length', 'I', 1],
        ['x-overflow', 'S', 'reject-publish'],
      ],
    });
    client.publish(2, { routingKey: full });
    client.publish(2, { routingKey: full });
    client.publish(2, { routingKey: queue });
    client.send(2, 'tx.commit');
    expect(await channelClose(client, 2)).toEqual(
      closeOf('tx.commit', 406, 'PRECONDITION_FAILED - partial tx completion'),
    );
    expect((await countsOf(client, queue)).messageCount).toBe(1);
  });

  it.skipIf(IS_ORACLE)('begin the time to live of their messages at the commit', async () => {
    client.publish(2, { routingKey: queue, properties: { expiration: '100' } });
    await client.sync(2);
    target.clock.advance(80);
    await client.call(2, 'tx.commit');
    target.clock.advance(99);
    expect((await countsOf(client, queue)).messageCount).toBe(1);
    target.clock.advance(1);
    expect((await countsOf(client, queue)).messageCount).toBe(0);
  });

  it('survive the end of a queue', async () => {
    client.publish(2, { routingKey: queue });
    await client.sync(2);
    await client.call(1, 'queue.delete', { queue });
    await client.call(2, 'tx.commit');
  });

  it('end with the connection', async () => {
    client.publish(2, { routingKey: queue });
    client.publish(2, { routingKey: queue, immediate: true });
    expect(await connectionClose(client)).toMatchObject({ replyCode: 540 });
  });
});
