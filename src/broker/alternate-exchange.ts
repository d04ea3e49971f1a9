import { preconditionFailed } from '../amqp/errors.js';
import type { ExchangeDeclaration } from './virtual-host.js';

/** @throws AmqpError 406 unless the argument `alternate-exchange` is absent or a string */
export function checkAlternateExchange(declared: ExchangeDeclaration, virtualHost: string): void {
  const value = declared.arguments.get('alternate-exchange');
  if (value === undefined || value.type === 'longstr') return;
  throw preconditionFailed(
    `invalid type '${value.type}' for arg 'alternate-exchange' in exchange '${declared.name}' in vhost '${virtualHost}'`,
  );
}
