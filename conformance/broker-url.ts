/** The broker under judgement, as its URL names it. */

export interface BrokerUrl {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

const DEFAULT_PORT = 5672;

/** @throws Error with one sentence about what is wrong */
export function parseBrokerUrl(text: string): BrokerUrl {
  if (!URL.canParse(text)) throw new Error(`'${text}' is not a URL; write amqp://user:password@host:port`);
  const url = new URL(text);
  if (url.protocol !== 'amqp:') {
    throw new Error(`the URL has to begin with amqp://, not ${url.protocol}//; TLS is not spoken here`);
  }
  if (url.hostname === '') throw new Error(`'${text}' names no host; write amqp://user:password@host:port`);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    user: url.username === '' ? 'guest' : decodeURIComponent(url.username),
    password: url.password === '' ? 'guest' : decodeURIComponent(url.password),
    // `amqp://host` and `amqp://host/` both mean the virtual host `/` to people, whatever the URI specification says.
    virtualHost: url.pathname.length <= 1 ? '/' : decodeURIComponent(url.pathname.slice(1)),
  };
}
