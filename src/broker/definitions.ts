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
 */
import { encodeTable } from '../amqp/field-encoder.js';
import { decodeTable, type FieldTable } from '../amqp/field-table.js';
import type { Queue } from '../queues/queue.js';
import type { DefinitionRecord } from '../store/definitions-log.js';
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

/** The durable definitions of a virtual host, in an order in which they can be made again. */
export function snapshotOf(virtualHost: VirtualHost): DefinitionRecord[] {
  const { name } = virtualHost;
  const records: DefinitionRecord[] = [{ t: 'vhost', name }];
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
  return records;
}

/** Names that every virtual host has from the start. */
export function isPredeclared(exchangeName: string): boolean {
  return exchangeName === '' || exchangeName.startsWith('amq.');
}

/** Makes again what a record says. What it refers to may be gone: then there is nothing to do. */
export function applyRecord(virtualHost: VirtualHost, record: DefinitionRecord): void {
  switch (record['t']) {
    case 'exchange':
      if (virtualHost.exchanges.has(text(record, 'name'))) return;
      virtualHost.addExchange({
        name: text(record, 'name'),
        type: text(record, 'type'),
        durable: true,
        autoDelete: record['autoDelete'] === true,
        internal: record['internal'] === true,
        arguments: decodeArguments(record),
      });
      return;
    case 'exchange-': {
      const exchange = virtualHost.exchanges.get(text(record, 'name'));
      if (exchange !== undefined) virtualHost.deleteExchange(exchange);
      return;
    }
    case 'queue':
      applyQueue(virtualHost, record);
      return;
    case 'queue-': {
      const queue = virtualHost.queues.get(text(record, 'name'));
      if (queue !== undefined) virtualHost.deleteQueue(queue);
      return;
    }
    case 'bind':
    case 'unbind':
      applyBinding(virtualHost, record);
      return;
    default:
      return;
  }
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
