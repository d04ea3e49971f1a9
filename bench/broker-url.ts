/** Where a broker is, and who logs in: `amqp://user:password@host:port/virtual-host`. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

const PORT_DEFAULT = 5672;

/** @throws when it is no such URL */
export function parseUrl(url: string): Endpoint {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error(`'${url}' is no URL; name a broker as amqp://user:password@host:port`);
  }
  if (parsed.protocol !== 'amqp:') {
    throw new Error(`'${url}' does not begin with amqp://; name a broker as amqp://user:password@host:port`);
  }
  const { hostname, port, username, password, pathname } = parsed;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? PORT_DEFAULT : Number(port),
    user: decodeURIComponent(username) || 'guest',
    password: decodeURIComponent(password) || 'guest',
    virtualHost: pathname.length > 1 ? decodeURIComponent(pathname.slice(1)) : '/',
  };
}
