import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { RABBITMQ_4_2 } from '../../src/broker/generations/4-2.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import type { Generation } from '../../src/broker/generations/generation.js';
import type { BrokerExchange } from '../../src/broker/router.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { type DurableBroker, declareQueue, openDurable } from '../helpers/durable-broker.js';

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
});
