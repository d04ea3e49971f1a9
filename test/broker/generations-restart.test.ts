import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { RABBITMQ_3_13 } from '../../src/broker/generations/3-13.js';
import { RABBITMQ_4_2 } from '../../src/broker/generations/4-2.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import type { Generation } from '../../src/broker/generations/generation.js';
import type { BrokerExchange } from '../../src/broker/router.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { Return } from '../../src/queues/queue.js';
import { acquiredCountOf, deliveryCountOf } from '../../src/queues/return-counts.js';
import {
  type DurableBroker,
  declareQueue,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';

const open = (disk: SimulatedFileSystem, generation: Generation): Promise<DurableBroker> =>
  openDurable(disk, { config: { users: [], generation } });

/** Ends the broker by a power cut once everything is quiet, and opens its data directory again. */
async function restart(durable: DurableBroker, generation: Generation): Promise<DurableBroker> {
  await durable.settle();
  return open(durable.disk.powerCut(), generation);
}

function declareExchange({ virtualHost }: DurableBroker, name: string, durable = false): BrokerExchange {
  return virtualHost.addExchange({
    name,
    type: 'fanout',
    durable,
    autoDelete: false,
    internal: false,
    arguments: FieldTable.EMPTY,
  });
}

/** The exchanges that were declared, and their bindings. */
function exchangesOf({ virtualHost }: DurableBroker): string[] {
  const lines: string[] = [];
  for (const exchange of virtualHost.exchanges.values()) {
    if (exchange.name !== '' && !exchange.name.startsWith('amq.')) {
      lines.push(`${exchange.name}${exchange.durable ? '' : ', transient'}`);
    }
    for (const { destination } of exchange.bindings()) lines.push(`${exchange.name} > ${destination.name}`);
  }
  return lines.sort();
}

/** Three exchanges, one of them durable, and queues of both kinds behind the transient ones. */
async function declared(generation: Generation): Promise<DurableBroker> {
  const durable = await open(new SimulatedFileSystem(), generation);
  const { virtualHost } = durable;
  const [kept, deleted, a] = ['kept', 'deleted', 'a'].map((name) => declareExchange(durable, name));
  const b = declareExchange(durable, 'b', true);
  const queue = declareQueue(virtualHost, 'q');
  const exclusive = virtualHost.addQueue({
    name: 'exclusive',
    durable: false,
    autoDelete: false,
    exclusiveOwner: {},
    arguments: FieldTable.EMPTY,
  });
  for (const target of [queue, exclusive, a!]) virtualHost.bind(kept!, target, '', FieldTable.EMPTY);
  virtualHost.bind(b, a!, '', FieldTable.EMPTY);
  virtualHost.bind(kept!, b, '', FieldTable.EMPTY);
  virtualHost.unbind(kept!, b, '', FieldTable.EMPTY);
  virtualHost.deleteExchange(deleted!);
  return durable;
}

describe('transient exchanges', () => {
  it('are gone after a restart of 4.2, with their bindings', async () => {
    const after = await restart(await declared(RABBITMQ_4_2), RABBITMQ_4_2);
    expect(exchangesOf(after)).toEqual(['b']);
  });

  it('are there after a restart of 4.3, with the bindings to what is there', async () => {
    const lines = ['a, transient', 'b', 'b > a', 'kept > a', 'kept > q', 'kept, transient'];
    const after = await restart(await declared(RABBITMQ_4_3), RABBITMQ_4_3);
    expect(exchangesOf(after)).toEqual(lines);
    // And from the snapshot that the first restart made.
    expect(exchangesOf(await restart(after, RABBITMQ_4_3))).toEqual(lines);
  });

  it('of 4.3 are gone after a restart as 4.2', async () => {
    const after = await restart(await declared(RABBITMQ_4_3), RABBITMQ_4_2);
    expect(exchangesOf(after)).toEqual(['b']);
    expect(exchangesOf(await restart(after, RABBITMQ_4_3))).toEqual(['b']);
  });
});

describe('the counts of a quorum queue', () => {
  /** Lets a message come back in several ways. */
  async function comeBack(durable: DurableBroker, ...causes: readonly Return[]): Promise<void> {
    const queue = durable.virtualHost.queues.get('q')!;
    for (const cause of causes) {
      const { position, sequence } = (await getMessage(durable, queue))!;
      queue.requeue(position, sequence, cause);
    }
    await durable.settle();
    // What came back is written at leisure.
    durable.clock.advance(1_000);
  }

  /** How the next delivery would be marked: x-acquired-count/x-delivery-count. */
  async function countsOf(durable: DurableBroker): Promise<string> {
    const queue = durable.virtualHost.queues.get('q')!;
    const { isRedelivered } = (await getMessage(durable, queue))!;
    const counts = `${acquiredCountOf(queue.lastCounts)}/${deliveryCountOf(queue.lastCounts)}`;
    return isRedelivered ? `${counts}*` : counts;
  }

  async function withMessage(generation: Generation): Promise<DurableBroker> {
    const durable = await open(new SimulatedFileSystem(), generation);
    declareQueue(durable.virtualHost, 'q', [
      ['x-queue-type', longstr('quorum')],
      ['x-delivery-limit', signedint(2)],
    ]);
    publish(durable, 'q', Buffer.from('m'));
    await durable.settle();
    return durable;
  }

  it('of 4.3 are both there after restarts, and grow on', async () => {
    const first = await withMessage(RABBITMQ_4_3);
    await comeBack(first, Return.GivenBack, Return.Failed, Return.TimedOut, Return.GivenBack);
    const second = await restart(first, RABBITMQ_4_3);
    await comeBack(second, Return.GivenBack, Return.Abandoned);
    expect(await countsOf(await restart(second, RABBITMQ_4_3))).toBe('6/2*');
  });

  it('of 4.2 count every return', async () => {
    const first = await withMessage(RABBITMQ_4_2);
    await comeBack(first, Return.GivenBack, Return.Failed);
    expect(await countsOf(await restart(first, RABBITMQ_4_2))).toBe('0/2*');
  });

  it('go over from one generation to the other: what was no failure does not become one', async () => {
    const first = await withMessage(RABBITMQ_4_2);
    await comeBack(first, Return.GivenBack);
    const second = await restart(first, RABBITMQ_4_3);
    await comeBack(second, Return.GivenBack, Return.GivenBack, Return.GivenBack);
    const third = await restart(second, RABBITMQ_4_2);
    expect(await countsOf(third)).toBe('0/1*');
  });

  it('of 4.3 that has only given back are nothing to 4.2 but redelivered', async () => {
    const first = await withMessage(RABBITMQ_4_3);
    await comeBack(first, Return.GivenBack, Return.GivenBack, Return.GivenBack);
    expect(await countsOf(await restart(first, RABBITMQ_4_2))).toBe('0/0*');
  });
});

describe('queues of an earlier generation', () => {
  it('are there under one that would refuse to declare them', async () => {
    const before = await open(new SimulatedFileSystem(), RABBITMQ_4_2);
    declareQueue(before.virtualHost, 'q', [
      ['x-queue-version', signedint(1)],
      ['x-queue-master-locator', longstr('random')],
      ['x-max-length', signedint(5)],
    ]);
    const { virtualHost } = await restart(before, RABBITMQ_4_3);
    expect(virtualHost.queues.get('q')?.settings).toMatchObject({ type: 'classic', maxLength: 5 });
  });

  it('are there, with a warning, where they ask for what that one has and Leveret has not', async () => {
    const before = await open(new SimulatedFileSystem(), RABBITMQ_4_2);
    declareQueue(before.virtualHost, 'q', [
      ['x-queue-type', longstr('quorum')],
      ['x-delayed-retry-type', longstr('failed')],
    ]);
    expect(before.complaints).toEqual([]);
    const after = await restart(before, RABBITMQ_4_3);
    expect(after.virtualHost.queues.get('q')?.typeName).toBe('quorum');
    expect(after.complaints).toEqual([
      'the argument x-delayed-retry-type is not supported yet: what comes back is ready at once',
    ]);
  });
});

describe('a policy of another generation', () => {
  it('stays, whether this one would take it or not', async () => {
    const definition = { 'consumer-disconnected-timeout': 5, 'delivery-limit': -1, 'max-length': 7 };
    const before = await open(new SimulatedFileSystem(), RABBITMQ_4_3);
    before.virtualHost.policies.set('policy', { name: 'p', pattern: '', definition });
    const { virtualHost } = await restart(before, RABBITMQ_3_13);
    expect(
      virtualHost.policies.list('policy').map((policy) => Object.fromEntries(policy.definition)),
    ).toEqual([definition]);
    const queue = declareQueue(virtualHost, 'q', [['x-queue-type', longstr('quorum')]]);
    expect(queue.settings.maxLength).toBe(7);
  });
});
