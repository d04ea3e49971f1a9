/** Bindings and messages for the tests of exchange types. */

import { FieldTable } from '../../src/amqp/field-table.js';
import type { FieldValue } from '../../src/amqp/field-value.js';
import type { BasicProperties } from '../../src/amqp/properties.js';
import { Exchange } from '../../src/exchanges/exchange.js';
import type {
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from '../../src/exchanges/exchange-type.js';
import { SeededRandom } from '../../src/lib/random.js';

export interface NamedDestination extends Destination {
  readonly name: string;
}

export const destination = (name: string, typeName = 'classic'): NamedDestination => ({ name, typeName });

export const tableOf = (...entries: readonly (readonly [string, FieldValue])[]): FieldTable =>
  FieldTable.of(entries);

export const message = (
  routingKey: string,
  headers: FieldTable = FieldTable.EMPTY,
  properties: BasicProperties = {},
): RoutedMessage => ({
  routingKey,
  headers: () => headers,
  properties: () => properties,
});

export const exchangeOf = (
  type: ExchangeTypeDefinition,
  args: FieldTable = FieldTable.EMPTY,
  random = new SeededRandom(1),
): Exchange<NamedDestination> =>
  new Exchange(
    { name: 'x', type, durable: true, autoDelete: false, internal: false, arguments: args },
    random,
  );

/** Names of the destinations of a message, sorted. */
export function namesOf(matcher: BindingMatcher<NamedDestination>, routed: RoutedMessage): string[] {
  const found = new Set<NamedDestination>();
  matcher.match(routed, found);
  return [...found].map(({ name }) => name).sort();
}
