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
import { canonicalKey, type FieldEntry, FieldTable } from '../amqp/field-table.js';
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
  readonly headers: readonly FieldEntry[];
}

/** The bindings that one header may decide: by the value they want of it, and those that only want it there. */
class HeaderBindings<D extends Destination> {
  readonly byTerm = new Map<string, Set<Binding<D>>>();
  readonly ofAnyValue = new Set<Binding<D>>();

  get isEmpty(): boolean {
    return this.byTerm.size === 0 && this.ofAnyValue.size === 0;
  }

  add(value: FieldValue, binding: Binding<D>): void {
    if (value.type === 'void') {
      this.ofAnyValue.add(binding);
      return;
    }
    const term = termKey(value);
    const bindings = this.byTerm.get(term);
    if (bindings === undefined) this.byTerm.set(term, new Set([binding]));
    else bindings.add(binding);
  }

  remove(value: FieldValue, binding: Binding<D>): void {
    this.ofAnyValue.delete(binding);
    const term = termKey(value);
    const bindings = this.byTerm.get(term);
    if (bindings?.delete(binding) === true && bindings.size === 0) this.byTerm.delete(term);
  }

  /** How many bindings a message with this value has to be compared with. */
  countFor(value: FieldValue): number {
    return this.ofAnyValue.size + (this.byTerm.get(termKey(value))?.size ?? 0);
  }
}

/**
 * A binding that wants several headers all at once is found by one of them, the one that fewest others are found by;
 * one that wants any of them by each. A message is compared with what its own headers find, however many bindings
 * there are.
 */
class HeadersMatcher<D extends Destination> implements BindingMatcher<D> {
  /** Messages of one routing key differ in their headers. */
  readonly isCacheable = false;
  readonly looksAtEveryKey = false;
  readonly #wanted = new Map<Binding<D>, Wanted>();
  /** Bindings that want nothing in particular, and get everything. */
  readonly #unconditional = new Set<Binding<D>>();
  readonly #byHeader = new Map<string, HeaderBindings<D>>();

  validateBinding(_bindingKey: string, args: FieldTable): void {
    modeOf(args);
  }

  add(binding: Binding<D>): void {
    const mode = modeOf(binding.arguments);
    const isWanted = (key: string) => key !== X_MATCH && (mode.withX || !key.startsWith('x-'));
    const headers = binding.arguments.entries.filter(([key]) => isWanted(key));
    const wanted = { isAll: mode.isAll, headers };
    this.#wanted.set(binding, wanted);
    if (!wanted.isAll) for (const header of headers) this.#addTo(header, binding);
    else if (headers.length === 0) this.#unconditional.add(binding);
    else this.#addTo(this.#leastShared(headers), binding);
  }

  remove(binding: Binding<D>): void {
    const wanted = this.#wanted.get(binding);
    if (wanted === undefined) return;
    this.#wanted.delete(binding);
    this.#unconditional.delete(binding);
    for (const [key, value] of wanted.headers) {
      const bindings = this.#byHeader.get(key);
      bindings?.remove(value, binding);
      if (bindings?.isEmpty === true) this.#byHeader.delete(key);
    }
  }

  match(message: RoutedMessage, into: Set<D>): void {
    for (const binding of this.#unconditional) into.add(binding.destination);
    if (this.#byHeader.size === 0) return;
    const headers = message.headers();
    for (const [key, value] of headers.entries) {
      const bindings = this.#byHeader.get(key);
      if (bindings === undefined) continue;
      this.#compare(bindings.ofAnyValue, headers, into);
      if (bindings.byTerm.size > 0) this.#compare(bindings.byTerm.get(termKey(value)), headers, into);
    }
  }

  #compare(candidates: ReadonlySet<Binding<D>> | undefined, headers: FieldTable, into: Set<D>): void {
    if (candidates === undefined) return;
    for (const binding of candidates) {
      if (into.has(binding.destination)) continue;
      if (isMatch(this.#wanted.get(binding)!, headers)) into.add(binding.destination);
    }
  }

  #addTo([key, value]: FieldEntry, binding: Binding<D>): void {
    let bindings = this.#byHeader.get(key);
    if (bindings === undefined) {
      bindings = new HeaderBindings();
      this.#byHeader.set(key, bindings);
    }
    bindings.add(value, binding);
  }

  #leastShared(headers: readonly FieldEntry[]): FieldEntry {
    const countOf = ([key, value]: FieldEntry): number => this.#byHeader.get(key)?.countFor(value) ?? 0;
    return headers.reduce((best, header) => (countOf(header) < countOf(best) ? header : best));
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

/** A text that is the same for two values whenever `isSameTerm` is true of them. */
function termKey(value: FieldValue): string {
  switch (value.type) {
    case 'longstr':
    case 'binary':
      return `s${value.value.toString('latin1')}`;
    case 'array':
    case 'table':
      return `${value.type}${contentOf(value)}`;
    case 'void':
      return 'v';
    case 'bool':
      return `b${value.value}`;
    case 'float':
    case 'double':
      return `f${value.value}`;
    case 'decimal':
      return `d${value.scale},${value.value}`;
    default:
      return `i${value.value}`;
  }
}

function contentOf(value: FieldValue): string {
  return canonicalKey(FieldTable.of([['', value]]));
}
