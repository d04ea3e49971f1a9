/**
 * What users may publish and bind with on topic exchanges (rabbitmq.com/docs/access-control#topic-authorisation): a
 * second look, at the routing key, behind the permissions for the exchange. Where nothing is set everything is allowed.
 */
import { compilePermissionPattern, type PermissionPattern } from './permission-pattern.js';

export interface TopicPermissions {
  readonly write: string;
  readonly read: string;
}

export interface TopicPermissionRow extends TopicPermissions {
  readonly user: string;
  readonly virtualHost: string;
  readonly exchange: string;
}

export type TopicAccess = 'write' | 'read';

interface Entry {
  readonly row: TopicPermissionRow;
  readonly write: PermissionPattern;
  readonly read: PermissionPattern;
}

export class TopicPermissionTable {
  /** How many there are: most brokers have none, and need ask no further. */
  size = 0;
  /** User to virtual host to exchange. */
  readonly #entries = new Map<string, Map<string, Map<string, Entry>>>();

  /** @throws PatternError naming the pattern that is no regular expression */
  set(row: TopicPermissionRow): void {
    const entry = { row, write: compile(row, row.write), read: compile(row, row.read) };
    const byHost = child(this.#entries, row.user);
    const byExchange = child(byHost, row.virtualHost);
    if (!byExchange.has(row.exchange)) this.size++;
    byExchange.set(row.exchange, entry);
  }

  /** @returns whether there was one */
  delete(user: string, virtualHost: string, exchange: string): boolean {
    const isDeleted = this.#entries.get(user)?.get(virtualHost)?.delete(exchange) === true;
    if (isDeleted) this.size--;
    return isDeleted;
  }

  /** Those of a user, or those in a virtual host, or all. */
  *rows(user?: string, virtualHost?: string): IterableIterator<TopicPermissionRow> {
    for (const byHost of this.#entries.values()) {
      for (const byExchange of byHost.values()) {
        for (const { row } of byExchange.values()) {
          const isMeant =
            (user === undefined || row.user === user) &&
            (virtualHost === undefined || row.virtualHost === virtualHost);
          if (isMeant) yield row;
        }
      }
    }
  }

  isAllowed(user: string, virtualHost: string, exchange: string, access: TopicAccess, key: string): boolean {
    const entry = this.#entries.get(user)?.get(virtualHost)?.get(exchange);
    return entry === undefined || entry[access].matches(key);
  }
}

/** The variables are put in as they are, as RabbitMQ does: a name is part of the pattern then. */
function compile({ user, virtualHost }: TopicPermissionRow, pattern: string): PermissionPattern {
  return compilePermissionPattern(
    pattern.replaceAll('{username}', () => user).replaceAll('{vhost}', () => virtualHost),
  );
}

function child<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let found = map.get(key);
  if (found === undefined) {
    found = new Map();
    map.set(key, found);
  }
  return found;
}
