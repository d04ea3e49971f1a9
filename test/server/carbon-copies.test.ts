import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import type { Table } from '../../conformance/wire/raw-codec.js';
import { byGeneration, declareQueue, Target, uniqueName } from './target.js';

let target: Target;
let client: RawClient;
let queue: string;
beforeEach(async () => {
  target = await Target.start();
  client = await target.openChannel();
  queue = await declareQueue(client);
});
afterEach(() => target.close());

describe('CC and BCC', () => {
  it('are further routing keys; BCC is not shown to anybody', async () => {
    const copy = await declareQueue(client);
    const blind = await declareQueue(client);
    const headers: Table = [
      [
        'BCC',
        'A',
        [
          ['S', blind],
          ['S', queue],
        ],
      ],
      [
        'CC',
        'A',
        [
          ['S', copy],
          ['I', 5],
          ['S', 'nobody'],
        ],
      ],
      ['other', 'S', 'x'],
    ];
    client.publish(1, { routingKey: queue, properties: { headers } });
    await client.sync();
    for (const name of [queue, copy, blind]) {
      const { method, properties } = await client.get(1, name);
      expect(method.routingKey).toBe(queue);
      expect(properties.headers, name).toEqual(headers.filter(([key]) => key !== 'BCC'));
    }
    client.send(1, 'basic.get', { queue });
    await client.method(1, 'basic.get-empty');
  });

  it('count for the next message only when it has them', async () => {
    const copy = await declareQueue(client);
    client.publish(1, { routingKey: queue, properties: { headers: [['CC', 'A', [['S', copy]]]] } });
    client.publish(1, { routingKey: queue });
    await client.sync();
    expect(await client.call(1, 'queue.purge', { queue: copy })).toEqual({ messageCount: 1 });
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 2 });
  });

  it('satisfy mandatory, and are returned without BCC when they do not', async () => {
    client.publish(1, {
      routingKey: 'nobody',
      mandatory: true,
      properties: { headers: [['CC', 'A', [['S', queue]]]] },
    });
    client.publish(1, {
      routingKey: 'nobody',
      mandatory: true,
      properties: {
        headers: [
          ['BCC', 'A', [['S', 'nobody either']]],
          ['x', 'I', 1],
        ],
      },
    });
    const returned = await client.message(1, 'basic.return');
    expect(returned.properties.headers).toEqual([['x', 'I', 1]]);
    expect(await client.call(1, 'queue.purge', { queue })).toEqual({ messageCount: 1 });
  });

  it('are keys of a topic exchange too', async () => {
    await client.call(1, 'queue.bind', { queue, exchange: 'amq.topic', routingKey: `${queue}.#` });
    client.publish(1, {
      exchange: 'amq.topic',
      routingKey: 'other',
      properties: {
        headers: [
          [
            'CC',
            'A',
            [
              ['S', `${queue}.x`],
              ['S', `${queue}.y`],
            ],
          ],
        ],
      },
    });
    await client.sync();
    const { method } = await client.get(1, queue);
    expect([method.routingKey, method.messageCount]).toEqual(['other', 0]);
  });
});

describe('dead letters', () => {
  async function reject(name: string): Promise<void> {
    const { method } = await client.get(1, name, false);
    client.send(1, 'basic.reject', { deliveryTag: method.deliveryTag!, requeue: false });
    await client.sync();
  }

  it('go to a configured routing key only, whatever CC says, then and when they die again', async () => {
    const copy = await declareQueue(client);
    const last = await declareQueue(client);
    const middle = uniqueName('middle');
    const first = uniqueName('first');
    const dlx: Table = [['x-dead-letter-exchange', 'S', '']];
    await client.call(1, 'queue.declare', {
      queue: middle,
      exclusive: true,
      arguments: [['x-dead-letter-exchange', 'S', 'amq.direct']],
    });
    await client.call(1, 'queue.declare', {
      queue: first,
      exclusive: true,
      arguments: [...dlx, ['x-dead-letter-routing-key', 'S', middle]],
    });
    await client.call(1, 'queue.bind', { queue: last, exchange: 'amq.direct', routingKey: middle });
    await client.call(1, 'queue.bind', { queue: copy, exchange: 'amq.direct', routingKey: 'carbon' });
    client.publish(1, { routingKey: first, properties: { headers: [['CC', 'A', [['S', 'carbon']]]] } });
    await client.sync();
    await reject(first);
    await reject(middle);
    expect(await client.call(1, 'queue.purge', { queue: copy })).toEqual({ messageCount: 0 });
    const { method, properties } = await client.get(1, last);
    expect(method).toMatchObject({ exchange: 'amq.direct', routingKey: middle });
    const headers = new Map(properties.headers!.map(([key, , value]) => [key, value]));
    const deaths = headers.get('x-death') as unknown as readonly (readonly [string, Table])[];
    expect(deaths.map(([, death]) => death.find(([key]) => key === 'routing-keys')![2])).toEqual([
      [['S', middle]],
      [
        ['S', first],
        ['S', 'carbon'],
      ],
    ]);
    // Until 3.12 the header itself was dropped, later only its effect.
    expect(headers.has('CC')).toBe(byGeneration(true, false));
  });

  it('keep the original keys when none is configured', async () => {
    const source = uniqueName('source');
    const copy = await declareQueue(client);
    await client.call(1, 'queue.declare', {
      queue: source,
      exclusive: true,
      arguments: [['x-dead-letter-exchange', 'S', 'amq.direct']],
    });
    await client.call(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: source });
    await client.call(1, 'queue.bind', { queue: copy, exchange: 'amq.direct', routingKey: 'carbon' });
    client.publish(1, { routingKey: source, properties: { headers: [['CC', 'A', [['S', 'carbon']]]] } });
    await client.sync();
    await reject(source);
    for (const name of [queue, copy]) expect((await client.get(1, name)).method.routingKey).toBe(source);
  });
});
