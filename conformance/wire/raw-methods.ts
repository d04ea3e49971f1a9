/** The methods of AMQP 0-9-1 with RabbitMQ's extensions, as cases and tests write and read them. */
import type { Table } from './raw-codec.js';

/** Everything a field of a method can hold; the names are those of the specification, in camel case. */
export interface Fields {
  versionMajor?: number;
  versionMinor?: number;
  serverProperties?: Table;
  mechanisms?: string;
  locales?: string;
  clientProperties?: Table;
  mechanism?: string;
  response?: string | Buffer;
  locale?: string;
  challenge?: string;
  channelMax?: number;
  frameMax?: number;
  heartbeat?: number;
  virtualHost?: string;
  capabilities?: string;
  insist?: boolean;
  knownHosts?: string;
  replyCode?: number;
  replyText?: string;
  classId?: number;
  methodId?: number;
  reason?: string;
  newSecret?: string;
  outOfBand?: string;
  channelId?: string;
  active?: boolean;
  realm?: string;
  ticket?: number;
  exchange?: string;
  type?: string;
  passive?: boolean;
  durable?: boolean;
  autoDelete?: boolean;
  internal?: boolean;
  noWait?: boolean;
  arguments?: Table;
  ifUnused?: boolean;
  ifEmpty?: boolean;
  destination?: string;
  source?: string;
  routingKey?: string;
  queue?: string;
  exclusive?: boolean;
  messageCount?: number;
  consumerCount?: number;
  credit?: number;
  drain?: boolean;
  prefetchSize?: number;
  prefetchCount?: number;
  global?: boolean;
  consumerTag?: string;
  noLocal?: boolean;
  noAck?: boolean;
  mandatory?: boolean;
  immediate?: boolean;
  deliveryTag?: number;
  redelivered?: boolean;
  clusterId?: string;
  multiple?: boolean;
  requeue?: boolean;
}

/**
 * Class id, method id and fields. Types: o octet, h short, l long, L long long, b bit, s short string, S long
 * string, t table.
 */
export const METHODS = new Map<string, readonly [classId: number, methodId: number, fields: string]>([
  ['connection.start', [10, 10, 'o:versionMajor o:versionMinor t:serverProperties S:mechanisms S:locales']],
  ['connection.start-ok', [10, 11, 't:clientProperties s:mechanism S:response s:locale']],
  ['connection.secure', [10, 20, 'S:challenge']],
  ['connection.secure-ok', [10, 21, 'S:response']],
  ['connection.tune', [10, 30, 'h:channelMax l:frameMax h:heartbeat']],
  ['connection.tune-ok', [10, 31, 'h:channelMax l:frameMax h:heartbeat']],
  ['connection.open', [10, 40, 's:virtualHost s:capabilities b:insist']],
  ['connection.open-ok', [10, 41, 's:knownHosts']],
  ['connection.close', [10, 50, 'h:replyCode s:replyText h:classId h:methodId']],
  ['connection.close-ok', [10, 51, '']],
  ['connection.blocked', [10, 60, 's:reason']],
  ['connection.unblocked', [10, 61, '']],
  ['connection.update-secret', [10, 70, 'S:newSecret s:reason']],
  ['connection.update-secret-ok', [10, 71, '']],
  ['channel.open', [20, 10, 's:outOfBand']],
  ['channel.open-ok', [20, 11, 'S:channelId']],
  ['channel.flow', [20, 20, 'b:active']],
  ['channel.flow-ok', [20, 21, 'b:active']],
  ['channel.close', [20, 40, 'h:replyCode s:replyText h:classId h:methodId']],
  ['channel.close-ok', [20, 41, '']],
  ['access.request', [30, 10, 's:realm b:exclusive b:passive b:active b:write b:read']],
  ['access.request-ok', [30, 11, 'h:ticket']],
  [
    'exchange.declare',
    [40, 10, 'h:ticket s:exchange s:type b:passive b:durable b:autoDelete b:internal b:noWait t:arguments'],
  ],
  ['exchange.declare-ok', [40, 11, '']],
  ['exchange.delete', [40, 20, 'h:ticket s:exchange b:ifUnused b:noWait']],
  ['exchange.delete-ok', [40, 21, '']],
  ['exchange.bind', [40, 30, 'h:ticket s:destination s:source s:routingKey b:noWait t:arguments']],
  ['exchange.bind-ok', [40, 31, '']],
  ['exchange.unbind', [40, 40, 'h:ticket s:destination s:source s:routingKey b:noWait t:arguments']],
  ['exchange.unbind-ok', [40, 51, '']],
  [
    'queue.declare',
    [50, 10, 'h:ticket s:queue b:passive b:durable b:exclusive b:autoDelete b:noWait t:arguments'],
  ],
  ['queue.declare-ok', [50, 11, 's:queue l:messageCount l:consumerCount']],
  ['queue.bind', [50, 20, 'h:ticket s:queue s:exchange s:routingKey b:noWait t:arguments']],
  ['queue.bind-ok', [50, 21, '']],
  ['queue.purge', [50, 30, 'h:ticket s:queue b:noWait']],
  ['queue.purge-ok', [50, 31, 'l:messageCount']],
  ['queue.delete', [50, 40, 'h:ticket s:queue b:ifUnused b:ifEmpty b:noWait']],
  ['queue.delete-ok', [50, 41, 'l:messageCount']],
  ['queue.unbind', [50, 50, 'h:ticket s:queue s:exchange s:routingKey t:arguments']],
  ['queue.unbind-ok', [50, 51, '']],
  ['basic.qos', [60, 10, 'l:prefetchSize h:prefetchCount b:global']],
  ['basic.qos-ok', [60, 11, '']],
  [
    'basic.consume',
    [60, 20, 'h:ticket s:queue s:consumerTag b:noLocal b:noAck b:exclusive b:noWait t:arguments'],
  ],
  ['basic.consume-ok', [60, 21, 's:consumerTag']],
  ['basic.cancel', [60, 30, 's:consumerTag b:noWait']],
  ['basic.cancel-ok', [60, 31, 's:consumerTag']],
  ['basic.publish', [60, 40, 'h:ticket s:exchange s:routingKey b:mandatory b:immediate']],
  ['basic.return', [60, 50, 'h:replyCode s:replyText s:exchange s:routingKey']],
  ['basic.deliver', [60, 60, 's:consumerTag L:deliveryTag b:redelivered s:exchange s:routingKey']],
  ['basic.get', [60, 70, 'h:ticket s:queue b:noAck']],
  ['basic.get-ok', [60, 71, 'L:deliveryTag b:redelivered s:exchange s:routingKey l:messageCount']],
  ['basic.get-empty', [60, 72, 's:clusterId']],
  ['basic.ack', [60, 80, 'L:deliveryTag b:multiple']],
  ['basic.reject', [60, 90, 'L:deliveryTag b:requeue']],
  ['basic.recover-async', [60, 100, 'b:requeue']],
  ['basic.recover', [60, 110, 'b:requeue']],
  ['basic.recover-ok', [60, 111, '']],
  ['basic.credit', [60, 200, 's:consumerTag l:credit b:drain']],
  ['basic.nack', [60, 120, 'L:deliveryTag b:multiple b:requeue']],
  ['confirm.select', [85, 10, 'b:noWait']],
  ['confirm.select-ok', [85, 11, '']],
  ['tx.select', [90, 10, '']],
  ['tx.select-ok', [90, 11, '']],
  ['tx.commit', [90, 20, '']],
  ['tx.commit-ok', [90, 21, '']],
  ['tx.rollback', [90, 30, '']],
  ['tx.rollback-ok', [90, 31, '']],
]);

/** The (class, method) ids of a method, as they stand in a close. */
export function idsOf(name: string): { classId: number; methodId: number } {
  const [classId, methodId] = definitionOf(name);
  return { classId, methodId };
}

export function definitionOf(name: string): readonly [number, number, string] {
  const definition = METHODS.get(name);
  if (definition === undefined) throw new Error(`there is no method '${name}'`);
  return definition;
}
