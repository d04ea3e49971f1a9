/**
 * Exchanges of type x-local-random (RabbitMQ 4.0): as x-random, for classic queues only, bound with an empty key. In
 * a cluster RabbitMQ chooses among the queues of the publisher's node; one broker is one node.
 */

import { preconditionFailed } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import type { Random } from '../lib/random.js';
import type { Destination, ExchangeTypeDefinition } from './exchange-type.js';
import { RandomMatcher } from './random.js';

export const localRandomExchange: ExchangeTypeDefinition = {
  name: 'x-local-random',
  validateArguments() {},
  createMatcher: <D extends Destination>(_args: FieldTable, random: Random) =>
    new LocalRandomMatcher<D>(random),
};

/** RabbitMQ's names of the queue types that cannot be bound. */
const REFUSED_QUEUES: ReadonlyMap<string, string> = new Map([
  ['quorum', 'rabbit_quorum_queue'],
  ['stream', 'rabbit_stream_queue'],
]);

class LocalRandomMatcher<D extends Destination> extends RandomMatcher<D> {
  /** @throws AmqpError 406 for a key that is not empty, and for a destination that is no classic queue */
  override validateBinding(bindingKey: string, _args: FieldTable, destination: Destination): void {
    if (bindingKey !== '') throw preconditionFailed(`Non empty binding '${bindingKey}' key not permitted`);
    if (destination.typeName === 'classic') return;
    const refused = REFUSED_QUEUES.get(destination.typeName);
    if (refused === undefined) throw preconditionFailed('Destination not found');
    throw preconditionFailed(`Queue type ${refused} not valid for this exchange type`);
  }
}
