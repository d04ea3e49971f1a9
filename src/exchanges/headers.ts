/**
 * Headers exchanges (AMQP 0-9-1 section 3.1.3.4): a binding's arguments are the headers it wants. Its argument
 * `x-match` says how many of them a message must have:
 *
 *     all (the default)   every one; a binding that wants none matches every message
 *     any                 at least one; a binding that wants none matches nothing
 *     all-with-x, any-with-x
 *                         the same, but arguments that start with `x-` count too; `x-match` itself never does
 *
 * A void argument wants the header to be there, whatever its value. Any other must be equal. Values are compared
 * as RabbitMQ 4 compares Erlang terms: the width of a number and string or byte array make no difference, but 1
 * is not 1.0.
 */

import { erlangTerm } from '../amqp/erlang-term.js';
import { preconditionFailed } from '../amqp/errors.js';
import { canonicalKey, FieldTable } from '../amqp/field-table.js';
import { type FieldValue, isErlangInteger } from '../amqp/field-value.js';
import type {
  Binding,
  BindingMatcher,
  Destination,
  ExchangeTypeDefinition,
  RoutedMessage,
} from './exchange-type.js';

export const headersExchange: ExchangeTypeDefinition = {
  name: 'headers',
  validateArguments() {},
  createMatcher: <D extends Destination>() => new HeadersMatcher<D>(),
};

interface MatchMode {
  /** Every wanted header is needed, not only one. */
  readonly isAll: boolean;
  /** Arguments that start with `x-` are wanted headers too. */
  readonly withX: boolean;
}

const X_MATCH = 'x-match';
const ALL: MatchMode = { isAll: true, withX: false };
const MODES: ReadonlyMap<string, MatchMode> = new Map([
  ['all', ALL],
  ['any', { isAll: false, withX: false }],
  ['all-with-x', { isAll: true, withX: true }],
  ['any-with-x', { isAll: false, withX: true }],
]);

/** A binding's arguments, made ready to be compared. */
interface Wanted {
  readonly isAll: boolean;
  readonly headers: readonly (readonly [key: string, value: FieldValue])[];
}

class HeadersMatcher<D extends Destination> implements BindingMatcher<D> {
  /** Messages of one routing key differ in their headers. */
  readonly isCacheable = false;
  readonly looksAtEveryKey = false;
  readonly #wanted = new Map<Binding<D>, Wanted>();

  validateBinding(_bindingKey: string, args: FieldTable): void {
    modeOf(args);
  }

  add(binding: Binding<D>): void {
    const mode = modeOf(binding.arguments);
    const isWanted = (key: string) => key !== X_MATCH && (mode.withX || !key.startsWith('x-'));
    const headers = binding.arguments.entries.filter(([key]) => isWanted(key));
    this.#wanted.set(binding, { isAll: mode.isAll, headers });
  }

  remove(binding: Binding<D>): void {
    this.#wanted.delete(binding);
  }

  match(message: RoutedMessage, into: Set<D>): void {
    if (this.#wanted.size === 0) return;
    const headers = message.headers();
    for (const [binding, wanted] of this.#wanted) {
      if (!into.has(binding.destination) && isMatch(wanted, headers)) into.add(binding.destination);
    }
  }
}

/** @throws AmqpError 406 when `x-match` is none of the four words */
function modeOf(args: FieldTable): MatchMode {
  const value = args.get(X_MATCH);
  if (value === undefined) return ALL;
  if (value.type !== 'longstr') {
    throw preconditionFailed(
      `Invalid x-match field type ${value.type} (value ${erlangTerm(value)}); expected longstr`,
    );
  }
  const mode = MODES.get(value.value.toString());
  if (mode === undefined) {
    throw preconditionFailed(
      `Invalid x-match field value ${erlangTerm(value)}; expected all, any, all-with-x, or any-with-x`,
    );
  }
  return mode;
}

function isMatch(wanted: Wanted, headers: FieldTable): boolean {
  for (const [key, value] of wanted.headers) {
    const header = headers.get(key);
    const isFound = header !== undefined && (value.type === 'void' || isSameTerm(value, header));
    if (isFound !== wanted.isAll) return isFound;
  }
  return wanted.isAll;
}

/** Whether two values are the same Erlang term in RabbitMQ, which drops the AMQP type of everything but content. */
function isSameTerm(a: FieldValue, b: FieldValue): boolean {
  switch (a.type) {
    case 'bool':
      return b.type === 'bool' && a.value === b.value;
    case 'longstr':
    case 'binary':
      return (b.type === 'longstr' || b.type === 'binary') && a.value.equals(b.value);
    case 'float':
    case 'double':
      return (b.type === 'float' || b.type === 'double') && a.value === b.value;
    case 'decimal':
      return b.type === 'decimal' && a.scale === b.scale && a.value === b.value;
    case 'void':
      return b.type === 'void';
    case 'array':
    case 'table':
      // What is inside keeps its types.
      return a.type === b.type && contentOf(a) === contentOf(b);
    default:
      // An integer is a number up to 2^53 - 1 and a bigint beyond, so equal ones are identical.
      return isErlangInteger(b) && a.value === b.value;
  }
}

function contentOf(value: FieldValue): string {
  return canonicalKey(FieldTable.of([['', value]]));
}
