/**
 * Definitions as records of the definitions log, and back: virtual hosts, durable exchanges and queues, and the
 * bindings between durable ones. Arguments travel as the bytes of their field table, in base64.
 *
 *   { t: 'broker', epoch, lastQueueId }                                    once, first
 *   { t: 'vhost', name }
 *   { t: 'exchange', vhost, name, type, autoDelete, internal, args }       { t: 'exchange-', vhost, name }
 *   { t: 'queue', vhost, name, id, autoDelete, args,                       { t: 'queue-', vhost, name, id }
 *     purgedSegment?, purgedOffset? }        (again, for a purge)
 *   { t: 'unsure', id }, { t: 'closed' }    the last records of a broker that ended in order: in the queues named, and
 *                                           only there, some messages were handed out that no ack file tells of
 *   { t: 'bind', vhost, source, kind, target, key, args }                  { t: 'unbind', ... }
 *
 * A new kind of definition is a record here, a function in `KINDS`, and a line in `snapshotOf`.
 */
import { encodeTable } from '../amqp/field-encoder.js';
import { decodeTable, type FieldTable } from '../amqp/field-table.js';
import type { Queue } from '../queues/queue.js';
import type { DefinitionRecord } from '../store/definitions-log.js';
import type { Broker } from './broker.js';
import { BrokerExchange, type RouteTarget } from './router.js';
import type { VirtualHost } from './virtual-host.js';

export function exchangeRecord(virtualHost: string, exchange: BrokerExchange): DefinitionRecord {
  return {
    t: 'exchange',
    vhost: virtualHost,
    name: exchange.name,
    type: exchange.typeName,
    autoDelete: exchange.autoDelete,
    internal: exchange.internal,
    args: encodeArguments(exchange.arguments),
  };
}

export function exchangeGoneRecord(virtualHost: string, exchange: BrokerExchange): DefinitionRecord {
  return { t: 'exchange-', vhost: virtualHost, name: exchange.name };
}

export function queueRecord(virtualHost: string, queue: Queue): DefinitionRecord {
  return {
    t: 'queue',
    vhost: virtualHost,
    name: queue.name,
    id: queue.id,
    autoDelete: queue.autoDelete,
    args: encodeArguments(queue.arguments),
    ...(queue.purgeMark === undefined
      ? {}
      : { purgedSegment: queue.purgeMark.segmentNumber, purgedOffset: queue.purgeMark.offset }),
  };
}

export function queueGoneRecord(virtualHost: string, queue: Queue): DefinitionRecord {
  return { t: 'queue-', vhost: virtualHost, name: queue.name, id: queue.id };
}

export function bindingRecord(
  change: 'bind' | 'unbind',
  virtualHost: string,
  source: BrokerExchange,
  target: RouteTarget,
  bindingKey: string,
  args: FieldTable,
): DefinitionRecord {
  return {
    t: change,
    vhost: virtualHost,
    source: source.name,
    kind: target instanceof BrokerExchange ? 'exchange' : 'queue',
    target: target.name,
    key: bindingKey,
    args: encodeArguments(args),
  };
}

/** The virtual hosts, and what is durable in them, in an order in which it can be made again. */
export function snapshotOf(broker: Broker): DefinitionRecord[] {
  const records: DefinitionRecord[] = [];
  for (const virtualHost of broker.allVirtualHosts()) pushContent(records, virtualHost);
  return records;
}

function pushContent(records: DefinitionRecord[], virtualHost: VirtualHost): void {
  const { name } = virtualHost;
  records.push({ t: 'vhost', name });
  for (const exchange of virtualHost.exchanges.values()) {
    if (exchange.durable && !isPredeclared(exchange.name)) records.push(exchangeRecord(name, exchange));
  }
  for (const queue of virtualHost.queues.values()) if (queue.durable) records.push(queueRecord(name, queue));
  for (const exchange of virtualHost.exchanges.values()) {
    if (!exchange.durable) continue;
    for (const { destination, bindingKey, arguments: args } of exchange.bindings()) {
      if (destination.durable) {
        records.push(bindingRecord('bind', name, exchange, destination, bindingKey, args));
      }
    }
  }
}

/** Names that every virtual host has from the start. */
export function isPredeclared(exchangeName: string): boolean {
  return exchangeName === '' || exchangeName.startsWith('amq.');
}

/** Makes again what a record says. What it refers to may be gone: then there is nothing to do. */
export function applyRecord(broker: Broker, record: DefinitionRecord): void {
  // A kind that this version does not know is no reason not to start.
  KINDS.get(text(record, 't'))?.(broker, record);
}

type ApplyRecord = (broker: Broker, record: DefinitionRecord) => void;

const KINDS: ReadonlyMap<string, ApplyRecord> = new Map<string, ApplyRecord>([
  ['exchange', inVirtualHost(applyExchange)],
  ['exchange-', inVirtualHost(applyExchangeGone)],
  ['queue', inVirtualHost(applyQueue)],
  ['queue-', inVirtualHost(applyQueueGone)],
  ['bind', inVirtualHost(applyBinding)],
  ['unbind', inVirtualHost(applyBinding)],
]);

function inVirtualHost(apply: (virtualHost: VirtualHost, record: DefinitionRecord) => void): ApplyRecord {
  return (broker, record) => {
    const virtualHost = broker.virtualHost(text(record, 'vhost'));
    if (virtualHost !== undefined) apply(virtualHost, record);
  };
}

function applyExchange(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const name = text(record, 'name');
  if (virtualHost.exchanges.has(name)) return;
  virtualHost.addExchange({
    name,
    type: text(record, 'type'),
    durable: true,
    autoDelete: record['autoDelete'] === true,
    internal: record['internal'] === true,
    arguments: decodeArguments(record),
  });
}

function applyExchangeGone(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const exchange = virtualHost.exchanges.get(text(record, 'name'));
  if (exchange !== undefined) virtualHost.deleteExchange(exchange);
}

function applyQueueGone(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const queue = virtualHost.queues.get(text(record, 'name'));
  if (queue !== undefined) virtualHost.deleteQueue(queue);
}

function applyQueue(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const name = text(record, 'name');
  if (!virtualHost.queues.has(name)) {
    virtualHost.restoreQueue(Number(record['id']), {
      name,
      durable: true,
      autoDelete: record['autoDelete'] === true,
      exclusiveOwner: undefined,
      arguments: decodeArguments(record),
    });
  }
  if (record['purgedSegment'] === undefined) return;
  virtualHost.queues.get(name)!.purgeMark = {
    segmentNumber: Number(record['purgedSegment']),
    offset: Number(record['purgedOffset']),
  };
}

function applyBinding(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const source = virtualHost.exchanges.get(text(record, 'source'));
  const name = text(record, 'target');
  const target =
    record['kind'] === 'exchange' ? virtualHost.exchanges.get(name) : virtualHost.queues.get(name);
  if (source === undefined || target === undefined) return;
  const args = decodeArguments(record);
  if (record['t'] === 'bind') virtualHost.bind(source, target, text(record, 'key'), args);
  else virtualHost.unbind(source, target, text(record, 'key'), args);
}

function text(record: DefinitionRecord, key: string): string {
  return String(record[key]);
}

function encodeArguments(args: FieldTable): string {
  return encodeTable(args).toString('base64');
}

function decodeArguments(record: DefinitionRecord): FieldTable {
  const bytes = Buffer.from(text(record, 'args'), 'base64');
  return decodeTable(bytes, 0, bytes.length);
}
