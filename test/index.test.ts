/** The broker as a library: what its options say arrives where it counts. */
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../conformance/wire/raw-client.js';
import { type BrokerOptions, createBroker, type EmbeddedBroker } from '../src/index.js';

let broker: EmbeddedBroker | undefined;
let client: RawClient | undefined;
afterEach(async () => {
  client?.destroy();
  await broker?.close();
});

async function openChannel(options: BrokerOptions): Promise<RawClient> {
  broker = await createBroker(options);
  client = await RawClient.connect(broker.host, broker.port);
  await client.open();
  await client.openChannel(1);
  return client;
}

describe('createBroker', () => {
  it('takes policies and operator policies', async () => {
    const channel = await openChannel({
      policies: [{ name: 'p', pattern: '^q', definition: { 'max-length': 3 }, applyTo: 'queues' }],
      operatorPolicies: [{ name: 'op', pattern: '', definition: { 'max-length': 2 }, virtualHost: '/' }],
    });
    await channel.call(1, 'queue.declare', { queue: 'q' });
    for (let i = 0; i < 5; i++) channel.publish(1, { routingKey: 'q' });
    await channel.sync();
    expect(await channel.call(1, 'queue.purge', { queue: 'q' })).toMatchObject({ messageCount: 2 });
  });

  it('takes limits and topic permissions', async () => {
    const channel = await openChannel({
      virtualHostLimits: [{ virtualHost: '/', maxQueues: 0 }],
      userLimits: [{ user: 'guest', maxChannels: 2 }],
      topicPermissions: [{ user: 'guest', virtualHost: '/', exchange: 'amq.topic', write: 'a', read: '' }],
    });
    channel.send(1, 'queue.declare', { queue: 'q' });
    expect(await channel.method(1, 'channel.close')).toMatchObject({ replyCode: 406 });
    await channel.openChannel(2);
    channel.publish(2, { exchange: 'amq.topic', routingKey: 'b' });
    expect(await channel.method(2, 'channel.close')).toMatchObject({ replyCode: 403 });
    channel.send(3, 'channel.open');
    expect(await channel.method(0, 'connection.close')).toMatchObject({ replyCode: 530 });
  });

  it('refuses what is wrong in them, and leaves nothing open', async () => {
    const policies = [{ name: 'p', pattern: '(', definition: { 'max-length': 3 } }];
    await expect(createBroker({ policies })).rejects.toThrow('pattern should be regular expression');
    const userLimits = [{ user: 'nobody', maxChannels: 1 }];
    await expect(createBroker({ userLimits })).rejects.toThrow("names the user 'nobody'");
  });
});
