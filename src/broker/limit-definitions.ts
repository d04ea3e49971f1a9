/** Topic permissions and limits as records of the definitions log, and back; see `definitions.ts`. */
import type { LimitName, ResourceLimits } from '../auth/resource-limits.js';
import type { TopicPermissionRow } from '../auth/topic-permissions.js';
import type { DefinitionRecord } from '../store/definitions-log.js';
import type { Broker } from './broker.js';

export function topicPermissionRecord({
  user,
  virtualHost,
  exchange,
  write,
  read,
}: TopicPermissionRow): DefinitionRecord {
  return { t: 'topic-permission', user, vhost: virtualHost, exchange, write, read };
}

export function topicPermissionGoneRecord(
  user: string,
  virtualHost: string,
  exchange: string,
): DefinitionRecord {
  return { t: 'topic-permission-', user, vhost: virtualHost, exchange };
}

export function userLimitsRecord(user: string, limits: ResourceLimits): DefinitionRecord {
  return { t: 'user-limits', user, limits: [...limits] };
}

export function virtualHostLimitsRecord(virtualHost: string, limits: ResourceLimits): DefinitionRecord {
  return { t: 'vhost-limits', vhost: virtualHost, limits: [...limits] };
}

export function applyTopicPermission(broker: Broker, record: DefinitionRecord): void {
  const user = text(record, 'user');
  const virtualHost = text(record, 'vhost');
  if (broker.users.user(user) === undefined || broker.virtualHost(virtualHost) === undefined) return;
  broker.setTopicPermissions({
    user,
    virtualHost,
    exchange: text(record, 'exchange'),
    write: text(record, 'write'),
    read: text(record, 'read'),
  });
}

export function applyUserLimits(broker: Broker, record: DefinitionRecord): void {
  const user = text(record, 'user');
  if (broker.users.user(user) !== undefined) broker.users.setLimits(user, limitsOf(record));
}

export function limitsOf(record: DefinitionRecord): ResourceLimits {
  return new Map(record['limits'] as [LimitName, number][]);
}

function text(record: DefinitionRecord, key: string): string {
  return String(record[key]);
}
