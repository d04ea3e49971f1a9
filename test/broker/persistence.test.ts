import { describe, expect, it } from 'vitest';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import type { BrokerExchange } from '../../src/broker/router.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import type { OpenFile, OpenMode } from '../../src/lib/file-system.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import {
  type DurableBroker,
  declareQueue,
  drain,
  drainTexts,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';

const { EMPTY } = FieldTable;

/** Ends the broker by a power cut once everything is quiet, and opens its data directory again. */
async function restart(durable: DurableBroker): Promise<DurableBroker> {
  await durable.settle();
  expect(durable.fatal).toEqual([]);
  return openDurable(durable.disk.powerCut());
}

function declareExchange(
  virtualHost: VirtualHost,
  name: string,
  type: string,
  properties: {
    readonly durable?: boolean;
    readonly autoDelete?: boolean;
    readonly internal?: boolean;
    readonly entries?: readonly FieldEntry[];
  } = {},
): BrokerExchange {
  return virtualHost.addExchange({
    name,
    type,
    durable: properties.durable ?? true,
    autoDelete: properties.autoDelete ?? false,
    internal: properties.internal ?? false,
    arguments: FieldTable.of(properties.entries ?? []),
  });
}

/** Everything that was declared, as one says it. */
function definitionsOf({ virtualHost }: DurableBroker): string[] {
  const lines: string[] = [];
  for (const exchange of virtualHost.exchanges.values()) {
    const { name, typeName, autoDelete, internal } = exchange;
    if (name !== '' && !name.startsWith('amq.')) {
      lines.push(`exchange ${name} ${typeName} ${autoDelete} ${internal} ${argumentsOf(exchange.arguments)}`);
    }
    for (const { destination, bindingKey, arguments: args } of exchange.bindings()) {
      lines.push(`bind ${name} ${destination.name} ${bindingKey} ${argumentsOf(args)}`);
    }
  }
  for (const { name, id, autoDelete, arguments: args } of virtualHost.queues.values()) {
    lines.push(`queue ${name} ${id} ${autoDelete} ${argumentsOf(args)}`);
  }
  return lines.sort();
}

const argumentsOf = (args: FieldTable): string => JSON.stringify(args.entries);

describe('definitions', () => {
  it('survive: exchanges that choose, and what they chose', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const { virtualHost } = first;
    const types: readonly (readonly [type: string, key: string, entries: readonly FieldEntry[]])[] = [
      ['x-consistent-hash', '3', []],
      ['x-consistent-hash', '3', [['hash-property', longstr('message_id')]]],
      ['x-modulus-hash', 'any', []],
      ['x-random', 'any', []],
      ['x-local-random', '', []],
    ];
    for (const [i, [type, key, entries]] of types.entries()) {
      const exchange = declareExchange(virtualHost, `${i}`, type, { entries });
      // Not in the order of their names.
      for (const j of [2, 0, 3, 1])
        virtualHost.bind(exchange, declareQueue(virtualHost, `${i}-${j}`), key, EMPTY);
    }
    /** Where messages go whose routing keys and ids differ. */
    const places = (durable: DurableBroker, name: string) =>
      Array.from({ length: 200 }, (_, i) => {
        const { router } = durable.virtualHost;
        const route = router.route(durable.virtualHost.exchangeNamed(name), {
          routingKeys: [`key ${i}`],
          headers: () => EMPTY,
          properties: () => ({ messageId: `id ${i}` }),
          keptBy: () => {},
        });
        return route.map((queue) => queue.name).join();
      });
    const before = definitionsOf(first);
    const second = await restart(first);
    expect(definitionsOf(second)).toEqual(before);
    for (const name of ['0', '1', '2']) expect(places(second, name)).toEqual(places(first, name));
    for (const name of ['0', '1', '2', '3', '4']) expect(new Set(places(second, name)).size).toBe(4);
  });

  it('survive: exchanges, queues, bindings of both kinds, with their arguments', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const { virtualHost } = first;
    const alternate = declareExchange(virtualHost, 'alternate', 'fanout', { internal: true });
    const source = declareExchange(virtualHost, 'source', 'headers', {
      autoDelete: true,
      entries: [['alternate-exchange', longstr('alternate')]],
    });
    const topic = declareExchange(virtualHost, 'töpic', 'topic');
    const a = declareQueue(virtualHost, 'a', [
      ['x-max-length', signedint(10)],
      ['x-dead-letter-exchange', longstr('alternate')],
    ]);
    const b = declareQueue(virtualHost, 'b');
    virtualHost.bind(source, a, '', FieldTable.of([['x-match', longstr('any')]]));
    virtualHost.bind(source, topic, '', FieldTable.of([['colour', longstr('red')]]));
    virtualHost.bind(topic, b, 'a.*.#', FieldTable.EMPTY);
    virtualHost.bind(topic, b, 'other', FieldTable.EMPTY);
    virtualHost.bind(virtualHost.exchangeNamed('amq.direct'), b, 'key', FieldTable.EMPTY);
    virtualHost.bind(topic, alternate, 'key', FieldTable.EMPTY);
    const before = definitionsOf(first);
    expect(before).toHaveLength(11);
    const second = await restart(first);
    expect(definitionsOf(second)).toEqual(before);
    expect(definitionsOf(await restart(second))).toEqual(before);
  });

  it('stay deleted: exchanges, queues and bindings, and what went with them', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const { virtualHost } = first;
    const x = declareExchange(virtualHost, 'x', 'direct');
    const gone = declareExchange(virtualHost, 'gone', 'direct');
    const unused = declareExchange(virtualHost, 'unused', 'fanout', { autoDelete: true });
    const a = declareQueue(virtualHost, 'a');
    const b = declareQueue(virtualHost, 'b');
    virtualHost.bind(x, a, 'kept', FieldTable.EMPTY);
    virtualHost.bind(x, a, 'undone', FieldTable.EMPTY);
    virtualHost.bind(x, b, 'goes with b', FieldTable.EMPTY);
    virtualHost.bind(gone, a, 'goes with gone', FieldTable.EMPTY);
    virtualHost.bind(unused, b, '', FieldTable.EMPTY);
    const second = await restart(first);
    const again = second.virtualHost;
    again.unbind(again.exchangeNamed('x'), again.queues.get('a')!, 'undone', FieldTable.EMPTY);
    again.deleteQueue(again.queues.get('b')!);
    again.deleteExchange(again.exchangeNamed('gone'));
    const expected = ['bind x a kept []', 'exchange x direct false false []', `queue a ${a.id} false []`];
    expect(definitionsOf(second)).toEqual(expected);
    expect(definitionsOf(await restart(second))).toEqual(expected);
  });

  it('that are exclusive or transient do not survive, nor bindings to or from them', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const { virtualHost } = first;
    const transient = declareExchange(virtualHost, 'transient', 'fanout', { durable: false });
    const durable = declareQueue(virtualHost, 'durable');
    const owned = virtualHost.addQueue({
      name: 'exclusive',
      durable: false,
      autoDelete: false,
      exclusiveOwner: {},
      arguments: FieldTable.EMPTY,
    });
    const fanout = virtualHost.exchangeNamed('amq.fanout');
    virtualHost.bind(transient, durable, '', FieldTable.EMPTY);
    virtualHost.bind(fanout, owned, '', FieldTable.EMPTY);
    virtualHost.bind(fanout, declareQueue(virtualHost, 'transient', [], false), '', FieldTable.EMPTY);
    const second = await restart(first);
    expect(definitionsOf(second)).toEqual([`queue durable ${durable.id} false []`]);
  });

  it('never give a queue the id of another, however often it is restarted', async () => {
    let durable = await openDurable(new SimulatedFileSystem());
    const ids: number[] = [];
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 3; i++) ids.push(declareQueue(durable.virtualHost, `q${i}`).id);
      for (const queue of [...durable.virtualHost.queues.values()]) durable.virtualHost.deleteQueue(queue);
      durable = await restart(durable);
    }
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('that are lost take their messages with them: no other queue inherits those', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'kept');
    await first.settle();
    // The declaration does not reach the disk; the message does.
    first.disk.failOperation(first.disk.operations + 1, 'EIO');
    declareQueue(first.virtualHost, 'lost');
    publish(first, 'kept', Buffer.from('keeps the segment'));
    publish(first, 'lost', Buffer.from('nobody else gets me'));
    await first.settle();
    expect(first.fatal).toHaveLength(1);
    const second = await openDurable(first.disk.powerCut());
    expect([...second.virtualHost.queues.keys()]).toEqual(['kept']);
    declareQueue(second.virtualHost, 'new');
    const third = await restart(second);
    expect(await drainTexts(third, 'new')).toEqual([]);
    expect(await drainTexts(third, 'kept')).toEqual(['keeps the segment']);
  });
});

describe('messages', () => {
  it('come back in order, marked as redelivered, with every byte they had', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const queue = declareQueue(first.virtualHost, 'q');
    const bodies = Array.from({ length: 60 }, (_, i) => Buffer.alloc((i * 137) % 3_000, i));
    for (const body of bodies) publish(first, 'q', body);
    await first.settle();
    // Held by a consumer, given back, or only looked at: the order is that of their publication.
    const held = [
      await getMessage(first, queue),
      await getMessage(first, queue),
      await getMessage(first, queue),
    ];
    queue.requeue(held[1]!.position, held[1]!.sequence);
    const second = await restart(first);
    const found = await drain(second, second.virtualHost.queues.get('q')!);
    expect(found.map(({ body }) => body)).toEqual(bodies);
    expect(found.every(({ isRedelivered }) => isRedelivered)).toBe(true);
    publish(second, 'q', Buffer.from('fresh'));
    expect((await getMessage(second, second.virtualHost.queues.get('q')!))?.isRedelivered).toBe(false);
  });

  it('that are transient do not survive, nor persistent ones of a transient queue', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'durable');
    declareQueue(first.virtualHost, 'transient', [], false);
    const fanout = first.virtualHost.exchangeNamed('amq.fanout');
    for (const queue of first.virtualHost.queues.values()) {
      first.virtualHost.bind(fanout, queue, '', FieldTable.EMPTY);
    }
    publish(first, 'durable', Buffer.from('transient'), { isPersistent: false });
    publish(first, '', Buffer.from('persistent'), { exchange: 'amq.fanout' });
    publish(first, 'transient', Buffer.from('nowhere to stay'));
    const second = await restart(first);
    expect([...second.virtualHost.queues.keys()]).toEqual(['durable']);
    expect(await drainTexts(second, 'durable')).toEqual(['persistent']);
  });

  it('come back in the order of their priority', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'q', [['x-max-priority', signedint(5)]]);
    for (const priority of [0, 3, 5, 1, 3, 9]) {
      publish(first, 'q', Buffer.from(`priority ${priority}`), { priority });
    }
    const second = await restart(first);
    expect(await drainTexts(second, 'q')).toEqual([
      'priority 5',
      'priority 9',
      'priority 3',
      'priority 3',
      'priority 1',
      'priority 0',
    ]);
  });

  it('count for the limits of their queue again', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'length', [['x-max-length', signedint(3)]]);
    declareQueue(first.virtualHost, 'bytes', [['x-max-length-bytes', signedint(30)]]);
    const names = ['length', 'bytes'];
    for (let i = 0; i < 5; i++) for (const name of names) publish(first, name, Buffer.from(`message ${i}`));
    const second = await restart(first);
    for (const name of names) {
      publish(second, name, Buffer.from('message 5'));
      expect(await drainTexts(second, name)).toEqual(['message 3', 'message 4', 'message 5']);
    }
  });

  it('expire after a restart when they would have before', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'q', [['x-message-ttl', signedint(1_000)]]);
    publish(first, 'q', Buffer.from('late'));
    const second = await restart(first);
    const queue = second.virtualHost.queues.get('q')!;
    expect(queue.counts().ready).toBe(1);
    second.clock.advance(1_001);
    expect(queue.counts().ready).toBe(0);
  });

  it('that were purged stay away, many or few, and those that come later stay', async () => {
    for (const count of [10, 1_500]) {
      let durable = await openDurable(new SimulatedFileSystem(), { segmentBytes: 65_536 });
      declareQueue(durable.virtualHost, 'other');
      declareQueue(durable.virtualHost, 'q');
      publish(durable, 'other', Buffer.from('not purged'));
      for (let i = 0; i < count; i++) publish(durable, 'q', Buffer.from(`purged ${i}`));
      await durable.settle();
      expect(durable.virtualHost.queues.get('q')!.purge()).toBe(count);
      publish(durable, 'q', Buffer.from('after 0'));
      await durable.settle();
      durable.broker.log.journal!.syncAcks();
      for (let round = 1; round <= 4; round++) {
        durable = await restart(durable);
        publish(durable, 'q', Buffer.from(`after ${round}`));
      }
      durable = await restart(durable);
      const expected = [0, 1, 2, 3, 4].map((round) => `after ${round}`);
      expect(await drainTexts(durable, 'q')).toEqual(expected);
      expect(await drainTexts(durable, 'other')).toEqual(['not purged']);
    }
  });

  it('after a purge of everything are kept, although no segment is left to number on from', async () => {
    let durable = await openDurable(new SimulatedFileSystem(), { segmentBytes: 8_192 });
    declareQueue(durable.virtualHost, 'q');
    for (let i = 0; i < 1_500; i++) publish(durable, 'q', Buffer.from(`purged ${i}`));
    await durable.settle();
    durable.virtualHost.queues.get('q')!.purge();
    durable = await restart(durable);
    durable = await restart(durable);
    publish(durable, 'q', Buffer.from('kept'));
    durable = await restart(durable);
    expect(await drainTexts(durable, 'q')).toEqual(['kept']);
  });

  it('of a deleted queue do not come back with another of its name', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    declareQueue(first.virtualHost, 'other');
    declareQueue(first.virtualHost, 'q');
    for (let i = 0; i < 5; i++) publish(first, 'q', Buffer.from('old'));
    publish(first, 'other', Buffer.from('keeps the segment'));
    await first.settle();
    first.virtualHost.deleteQueue(first.virtualHost.queues.get('q')!);
    declareQueue(first.virtualHost, 'q');
    const second = await restart(first);
    expect(await drainTexts(second, 'q')).toEqual([]);
    expect(await drainTexts(second, 'other')).toEqual(['keeps the segment']);
  });
});

describe('a clean close', () => {
  it('keeps messages and acks alike, and leaves no timer', async () => {
    const first = await openDurable(new SimulatedFileSystem());
    const queue = declareQueue(first.virtualHost, 'q');
    for (let i = 0; i < 10; i++) publish(first, 'q', Buffer.from(`message ${i}`));
    for (let i = 0; i < 4; i++) {
      const got = await getMessage(first, queue);
      queue.acknowledge(got!.position, got!.sequence);
    }
    await first.persistence.close();
    first.broker.close();
    expect(first.clock.pendingCount).toBe(0);
    const second = await openDurable(first.disk.powerCut());
    expect(await drainTexts(second, 'q')).toEqual([4, 5, 6, 7, 8, 9].map((i) => `message ${i}`));
    expect(second.complaints).toEqual([]);
  });
});

/** A disk whose syncs of the definitions log wait until they are let through. */
class SlowDefinitionsDisk extends SimulatedFileSystem {
  isHeld = false;
  private letThrough: () => void = () => {};

  release(): void {
    this.isHeld = false;
    this.letThrough();
  }

  override async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const file = await super.open(path, mode);
    if (!path.includes('definitions')) return file;
    const dataSync = file.dataSync.bind(file);
    file.dataSync = async () => {
      if (this.isHeld) {
        await new Promise<void>((resolve) => {
          this.letThrough = resolve;
        });
      }
      await dataSync();
    };
    return file;
  }
}

describe('a message to a queue that was declared without waiting', () => {
  it('is not confirmed before the queue is safe', async () => {
    const disk = new SlowDefinitionsDisk(1);
    const durable = await openDurable(disk);
    disk.isHeld = true;
    declareQueue(durable.virtualHost, 'q');
    const commit = publish(durable, 'q', Buffer.from('m'));
    await durable.settle();
    const { durable: safe } = durable.broker.log.journal!;
    expect(safe.value).toBeLessThan(commit);
    disk.release();
    await durable.settle();
    expect(safe.value).toBeGreaterThanOrEqual(commit);
  });
});
