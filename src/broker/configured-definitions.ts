/** Virtual hosts, users and permissions as the options say them, put into a new broker. */
import type { Broker } from './broker.js';

const EVERYTHING = { configure: '.*', write: '.*', read: '.*' } as const;

export function applyConfig(broker: Broker): void {
  const { config, users } = broker;
  for (const { name, password, tags } of config.users) users.addUser(name, password, tags);
  for (const name of config.virtualHosts) broker.addVirtualHost(name);
  for (const { user, virtualHost, ...patterns } of config.permissions) {
    users.setPermissions(user, virtualHost, patterns);
  }
  for (const name of config.unrestrictedUsers) {
    if (users.user(name) === undefined) continue;
    for (const virtualHost of broker.allVirtualHosts()) {
      if (!users.hasAccess(name, virtualHost.name)) users.setPermissions(name, virtualHost.name, EVERYTHING);
    }
  }
}
