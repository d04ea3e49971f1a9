/** Bindings and messages for the tests of exchange types. */

import { FieldTable } from '../../src/amqp/field-table.js';
import type { FieldValue } from '../../src/amqp/field-value.js';
import { Exchange } from '../../src/exchanges/exchange.js';
import type {
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from '../../src/exchanges/exchange-type.js';

export interface NamedDestination extends Destination {
  readonly name: string;
}

export const destination = (name: string): NamedDestination => ({ name });

export const tableOf = (...entries: readonly (readonly [string, FieldValue])[]): FieldTable =>
  FieldTable.of(entries);

export const message = (routingKey: string, headers: FieldTable = FieldTable.EMPTY): RoutedMessage => ({
  routingKey,
  headers: () => headers,
});

export const exchangeOf = (
  type: ExchangeTypeDefinition,
  args: FieldTable = FieldTable.EMPTY,
): Exchange<NamedDestination> =>
  new Exchange({ name: 'x', type, durable: true, autoDelete: false, internal: false, arguments: args });

/** Names of the destinations of a message, sorted. */
export function namesOf(matcher: BindingMatcher<NamedDestination>, routed: RoutedMessage): string[] {
  const found = new Set<NamedDestination>();
  matcher.match(routed, found);
  return [...found].map(({ name }) => name).sort();
}
