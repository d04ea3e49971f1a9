/**
 * Definitions as records of the definitions log, and back: virtual hosts, users, permissions, durable exchanges and
 * queues, and the bindings between durable ones. Arguments travel as the bytes of their field table, in base64;
 * a password as its hash (`auth/password.ts`), which is empty for a user without one.
 *
 *   { t: 'broker', epoch, lastQueueId,                                     once, first
 *     keepsUsers? }                          (true: users and permissions are kept here, be it none)
 *   { t: 'vhost', name }                                                   { t: 'vhost-', name }
 *   { t: 'user', name, hash, tags }          (again, for a change)         { t: 'user-', name }
 *   { t: 'permission', user, vhost,          (again, for a change)         { t: 'permission-', user, vhost }
 *     configure, write, read }
 *   { t: 'topic-permission', user, vhost,    (again, for a change)         { t: 'topic-permission-', user, vhost,
 *     exchange, write, read }                                                exchange }
 *   { t: 'user-limits', user, limits: [[name, number], ...] }              (all that there are, be it none)
 *   { t: 'vhost-limits', vhost, limits: [[name, number], ...] }            (the same)
 *   { t: 'policy', vhost, name, pattern,     (again, for a change)         { t: 'policy-', vhost, name }
 *     priority, applyTo, definition: [[key, value], ...] }
 *   { t: 'operator-policy', ... }                                          { t: 'operator-policy-', vhost, name }
 *   { t: 'exchange', vhost, name, type, autoDelete, internal, args,        { t: 'exchange-', vhost, name }
 *     durable? }                             (false: one that only some generations keep)
 *   { t: 'queue', vhost, name, id, autoDelete, args,                       { t: 'queue-', vhost, name, id }
 *     purgedSegment?, purgedOffset?,         (again, for a purge or
 *     ttls?: [[untilMs, ttlMs or null]] }     another time to live)
 *   { t: 'unsure', id }, { t: 'closed' }    the last records of a broker that ended in order: in the queues named, and
 *                                           only there, some messages were handed out that no ack file tells of
 *   { t: 'bind', vhost, source, kind, target, key, args }                  { t: 'unbind', ... }
 *
 * 'vhost-' ends everything in the virtual host, 'user-' the permissions and limits of the user. A new kind of definition is a
 * record here, a function in `KINDS`, and a line in `snapshotOf`.
 */
import { encodeTable } from '../amqp/field-encoder.js';
import { decodeTable, type FieldTable } from '../amqp/field-table.js';
import type { User } from '../auth/auth-backend.js';
import type { PermissionRow } from '../auth/users.js';
import type { TtlEra } from '../queues/message-expiry.js';
import type { Queue } from '../queues/queue.js';
import type { DefinitionRecord } from '../store/definitions-log.js';
import type { Broker } from './broker.js';
import {
  applyTopicPermission,
  applyUserLimits,
  limitsOf,
  topicPermissionRecord,
  userLimitsRecord,
  virtualHostLimitsRecord,
} from './limit-definitions.js';
import type { Policy, PolicyKind } from './policy.js';
import { BrokerExchange, type RouteTarget } from './router.js';
import type { VirtualHost } from './virtual-host.js';

export function brokerRecord(epoch: number, lastQueueId: number): DefinitionRecord {
  return { t: 'broker', epoch, lastQueueId, keepsUsers: true };
}

export function virtualHostRecord(name: string): DefinitionRecord {
  return { t: 'vhost', name };
}

export function virtualHostGoneRecord(name: string): DefinitionRecord {
  return { t: 'vhost-', name };
}

export function userRecord({ name, passwordHash, tags }: User): DefinitionRecord {
  return { t: 'user', name, hash: passwordHash, tags };
}

export function userGoneRecord(name: string): DefinitionRecord {
  return { t: 'user-', name };
}

export function permissionRecord({ user, virtualHost, ...patterns }: PermissionRow): DefinitionRecord {
  return { t: 'permission', user, vhost: virtualHost, ...patterns };
}

export function permissionGoneRecord(user: string, virtualHost: string): DefinitionRecord {
  return { t: 'permission-', user, vhost: virtualHost };
}

export function policyRecord(kind: PolicyKind, virtualHost: string, policy: Policy): DefinitionRecord {
  return {
    t: kind,
    vhost: virtualHost,
    name: policy.name,
    pattern: policy.pattern.source,
    priority: policy.priority,
    applyTo: policy.applyTo,
    definition: [...policy.definition],
  };
}

export function policyGoneRecord(kind: PolicyKind, virtualHost: string, name: string): DefinitionRecord {
  return { t: `${kind}-`, vhost: virtualHost, name };
}

export function exchangeRecord(virtualHost: string, exchange: BrokerExchange): DefinitionRecord {
  return {
    t: 'exchange',
    vhost: virtualHost,
    name: exchange.name,
    type: exchange.typeName,
    autoDelete: exchange.autoDelete,
    internal: exchange.internal,
    args: encodeArguments(exchange.arguments),
    ...(exchange.durable ? {} : { durable: false }),
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
    // Infinity is null in JSON.
    ...(queue.ttlEras.length > 0 && { ttls: queue.ttlEras.map(({ untilMs, ttlMs }) => [untilMs, ttlMs]) }),
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

/**
 * Virtual hosts, users and permissions, then policies and what is durable in the virtual hosts: an order to make it
 * again in.
 */
export function snapshotOf(broker: Broker): DefinitionRecord[] {
  const virtualHosts = broker.allVirtualHosts();
  const records = virtualHosts.map(({ name }) => virtualHostRecord(name));
  for (const user of broker.users.users()) records.push(userRecord(user));
  for (const row of broker.users.permissions()) records.push(permissionRecord(row));
  for (const row of broker.users.topicPermissions()) records.push(topicPermissionRecord(row));
  for (const { name } of broker.users.users()) {
    const limits = broker.users.limitsOf(name);
    if (limits.size > 0) records.push(userLimitsRecord(name, limits));
  }
  for (const virtualHost of virtualHosts) pushContent(records, virtualHost);
  return records;
}

function pushContent(records: DefinitionRecord[], virtualHost: VirtualHost): void {
  const { name, policies, limits } = virtualHost;
  if (limits.size > 0) records.push(virtualHostLimitsRecord(name, limits));
  for (const kind of POLICY_KINDS) {
    for (const policy of policies.list(kind)) records.push(policyRecord(kind, name, policy));
  }
  for (const exchange of virtualHost.exchanges.values()) {
    if (!virtualHost.isStored(exchange) || isPredeclared(exchange.name)) continue;
    records.push(exchangeRecord(name, exchange));
  }
  for (const queue of virtualHost.queues.values()) if (queue.durable) records.push(queueRecord(name, queue));
  for (const exchange of virtualHost.exchanges.values()) {
    if (!virtualHost.isStored(exchange)) continue;
    for (const { destination, bindingKey, arguments: args } of exchange.bindings()) {
      if (virtualHost.isStored(destination)) {
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

const POLICY_KINDS: readonly PolicyKind[] = ['policy', 'operator-policy'];

const KINDS: ReadonlyMap<string, ApplyRecord> = new Map<string, ApplyRecord>([
  ['vhost', (broker, record) => broker.addVirtualHost(text(record, 'name'))],
  ['vhost-', (broker, record) => broker.deleteVirtualHost(text(record, 'name'))],
  ['user', applyUser],
  ['user-', (broker, record) => broker.users.deleteUser(text(record, 'name'))],
  ['permission', applyPermission],
  [
    'permission-',
    (broker, record) => broker.users.clearPermissions(text(record, 'user'), text(record, 'vhost')),
  ],
  ['topic-permission', applyTopicPermission],
  [
    'topic-permission-',
    (broker, record) =>
      broker.users.clearTopicPermissions(
        text(record, 'user'),
        text(record, 'vhost'),
        text(record, 'exchange'),
      ),
  ],
  ['user-limits', applyUserLimits],
  [
    'vhost-limits',
    inVirtualHost((virtualHost, record) => {
      virtualHost.limits = limitsOf(record);
    }),
  ],
  ['policy', inVirtualHost((virtualHost, record) => applyPolicy('policy', virtualHost, record))],
  ['policy-', inVirtualHost(({ policies }, record) => policies.delete('policy', text(record, 'name')))],
  [
    'operator-policy',
    inVirtualHost((virtualHost, record) => applyPolicy('operator-policy', virtualHost, record)),
  ],
  [
    'operator-policy-',
    inVirtualHost(({ policies }, record) => policies.delete('operator-policy', text(record, 'name'))),
  ],
  ['exchange', inVirtualHost(applyExchange)],
  ['exchange-', inVirtualHost(applyExchangeGone)],
  ['queue', applyQueueRecord],
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

function applyUser(broker: Broker, record: DefinitionRecord): void {
  const { tags } = record;
  broker.users.restoreUser({
    name: text(record, 'name'),
    passwordHash: text(record, 'hash'),
    tags: Array.isArray(tags) ? tags : [],
  });
}

function applyPermission(broker: Broker, record: DefinitionRecord): void {
  const user = text(record, 'user');
  const virtualHost = text(record, 'vhost');
  if (broker.users.user(user) === undefined || broker.virtualHost(virtualHost) === undefined) return;
  broker.setPermissions(user, virtualHost, {
    configure: text(record, 'configure'),
    write: text(record, 'write'),
    read: text(record, 'read'),
  });
}

function applyPolicy(kind: PolicyKind, { policies }: VirtualHost, record: DefinitionRecord): void {
  policies.restore(kind, {
    name: text(record, 'name'),
    pattern: record['pattern'],
    definition: Object.fromEntries(record['definition'] as [string, string | number][]),
    priority: record['priority'],
    applyTo: record['applyTo'],
  });
}

function applyExchange(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const name = text(record, 'name');
  const durable = record['durable'] !== false;
  if (virtualHost.exchanges.has(name) || !(durable || virtualHost.generation.keepsTransientExchanges)) return;
  virtualHost.addExchange({
    name,
    type: text(record, 'type'),
    durable,
    autoDelete: record['autoDelete'] === true,
    internal: record['internal'] === true,
    arguments: decodeArguments(record),
  });
}

function applyExchangeGone(virtualHost: VirtualHost, record: DefinitionRecord): void {
  const exchange = virtualHost.exchanges.get(text(record, 'name'));
  if (exchange !== undefined) virtualHost.deleteExchange(exchange);
}

/** Also the id of a queue that has no virtual host any more is never given to another. */
function applyQueueRecord(broker: Broker, record: DefinitionRecord): void {
  broker.continueQueueIds(Number(record['id']));
  const virtualHost = broker.virtualHost(text(record, 'vhost'));
  if (virtualHost !== undefined) applyQueue(virtualHost, record);
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
  const queue = virtualHost.queues.get(name)!;
  queue.ttlEras = decodeEras(record);
  if (record['purgedSegment'] === undefined) return;
  queue.purgeMark = {
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

function decodeEras(record: DefinitionRecord): TtlEra[] {
  const eras = (record['ttls'] ?? []) as [number, number | null][];
  return eras.map(([untilMs, ttlMs]) => ({ untilMs, ttlMs: ttlMs ?? Number.POSITIVE_INFINITY }));
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
