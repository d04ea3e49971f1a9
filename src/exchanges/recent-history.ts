/**
 * Exchanges of type x-recent-history (RabbitMQ's plugin rabbitmq_recent_history_exchange): as fanout, and the last
 * messages, 20 or `x-recent-history-length`, go to every queue that is bound later. A message with the header
 * `x-recent-history-no-store` set to true is not among them.
 */

import { erlangTerm } from '../amqp/erlang-term.js';
import { preconditionFailed } from '../amqp/errors.js';
import type { FieldTable } from '../amqp/field-table.js';
import type { FieldValue } from '../amqp/field-value.js';
import { RECENT_HISTORY_LENGTH_DEFAULT } from '../lib/limits.js';
import type { Destination, ExchangeTypeDefinition, HistoryRule, RoutedMessage } from './exchange-type.js';
import { FanoutMatcher } from './fanout.js';

export const recentHistoryExchange: ExchangeTypeDefinition = {
  name: 'x-recent-history',
  validateArguments: (args) => void lengthIn(args),
  createMatcher: <D extends Destination>(args: FieldTable) => new RecentHistoryMatcher<D>(lengthIn(args)),
};

class RecentHistoryMatcher<D extends Destination> extends FanoutMatcher<D> {
  /** Every message has to pass here, or it would not be kept. */
  override readonly isCacheable = false;
  readonly history: HistoryRule;

  constructor(lengthMax: number) {
    super();
    this.history = { lengthMax, keeps };
  }
}

function keeps(message: RoutedMessage): boolean {
  const value = message.headers().get('x-recent-history-no-store');
  return value?.type !== 'bool' || !value.value;
}

/** @throws AmqpError 406 unless the argument is absent or a positive integer */
function lengthIn(args: FieldTable): number {
  const value = args.get('x-recent-history-length');
  if (value === undefined) return RECENT_HISTORY_LENGTH_DEFAULT;
  if (isSignedInteger(value) && value.value > 0) return Number(value.value);
  throw preconditionFailed(
    `Invalid argument ${erlangTerm(value)}, 'x-recent-history-length' must be a positive integer`,
  );
}

/** The types that RabbitMQ takes here; unsigned ones and timestamps are not among them. */
function isSignedInteger(
  value: FieldValue,
): value is Extract<FieldValue, { readonly value: number | bigint }> {
  return ['byte', 'short', 'signedint', 'long'].includes(value.type);
}
