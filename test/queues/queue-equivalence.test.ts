import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.js';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import {
  array,
  bool,
  double,
  type FieldValue,
  long,
  longstr,
  signedint,
  table,
  timestamp,
} from '../../src/amqp/field-value.js';
import { ARGUMENT_RULES, KNOWN_ARGUMENTS } from '../../src/queues/queue-argument-rules.js';
import type { QueueType } from '../../src/queues/queue-arguments.js';
import {
  argumentsEquivalent,
  checkQueueArgumentsEquivalent,
  inequivalentArgument,
  inequivalentProperty,
} from '../../src/queues/queue-equivalence.js';

const binary = (...bytes: number[]): FieldValue => ({ type: 'binary', value: Buffer.from(bytes) });
const VOID: FieldValue = { type: 'void' };

/** What follows `for queue 'q' in vhost '/': ` in the error of a redeclare, or 'equivalent'. */
function outcome(current: FieldEntry[], received: FieldEntry[], type: QueueType = 'classic'): string {
  try {
    const place = { queue: 'q', virtualHost: '/' };
    checkQueueArgumentsEquivalent(
      FieldTable.of(current),
      FieldTable.of(received),
      type,
      place,
      ARGUMENT_RULES,
    );
  } catch (error) {
    if (error instanceof AmqpError) return error.replyText.replace("for queue 'q' in vhost '/': ", '');
    throw error;
  }
  return 'equivalent';
}

const maxLength = (value: FieldValue): FieldEntry[] => [['x-max-length', value]];
const prefix = "PRECONDITION_FAILED - inequivalent arg 'x-max-length' received";

describe('arguments of a redeclare', () => {
  it('have the text of RabbitMQ, in full', () => {
    const place = { queue: 'orders', virtualHost: 'shop' };
    expect(() =>
      checkQueueArgumentsEquivalent(
        FieldTable.of(maxLength(signedint(50))),
        FieldTable.of(maxLength(signedint(100))),
        'classic',
        place,
        ARGUMENT_RULES,
      ),
    ).toThrow(
      "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'orders' in vhost 'shop': " +
        "received '100' but current is '50'",
    );
  });

  it('name the type when one side is absent', () => {
    expect(outcome([], maxLength(long(6)))).toBe(
      `${prefix} the value '6' of type 'long' but current is none`,
    );
    expect(outcome(maxLength(signedint(6)), [])).toBe(
      `${prefix} none but current is the value '6' of type 'signedint'`,
    );
    expect(outcome(maxLength(VOID), [])).toBe(
      `${prefix} none but current is the value 'undefined' of type 'void'`,
    );
  });

  // Measured on RabbitMQ 3.10.8, but for the floats of the last line.
  it.each([
    [longstr('a'), "'a'"],
    [longstr('é'), "'é'"],
    [long(1_099_511_627_776), "'1099511627776'"],
    [long(2n ** 62n), "'4611686018427387904'"],
    [double(6), "'6.0'"],
    [bool(true), "'true'"],
    [VOID, 'none'],
    [array([]), "'[]'"],
    [array([signedint(1), signedint(2)]), "'[{signedint,1},{signedint,2}]'"],
    [array([longstr('ab'), binary(1, 2)]), '\'[{longstr,<<"ab">>},{binary,<<1,2>>}]\''],
    [array([longstr('a\'b"c\n\\')]), '\'[{longstr,<<"a\'b\\"c\\n\\\\">>}]\''],
    [array([longstr(''), longstr('€')]), "'[{longstr,<<>>},{longstr,<<226,130,172>>}]'"],
    [array([VOID, table([])]), "'[{void,undefined},{table,[]}]'"],
    [array([double(1e22), double(1.5e-7)]), "'[{double,1.0e22},{double,1.5e-7}]'"],
    [
      table([
        ['a', signedint(1)],
        ['b', longstr('x')],
      ]),
      '\'[{<<"a">>,signedint,1},{<<"b">>,longstr,<<"x">>}]\'',
    ],
    [{ type: 'decimal', scale: 2, value: 314 } as const, "'{2,314}'"],
    [double(0.1), "'0.1'"],
  ])('write a value as Erlang does: %#', (received, text) => {
    expect(outcome(maxLength(signedint(6)), maxLength(received))).toBe(
      `${prefix} ${text} but current is '6'`,
    );
  });

  it('are equivalent when numbers of any integer type are equal', () => {
    expect(outcome(maxLength(signedint(6)), maxLength(long(6)))).toBe('equivalent');
    expect(outcome(maxLength({ type: 'byte', value: 6 }), maxLength({ type: 'unsignedint', value: 6 }))).toBe(
      'equivalent',
    );
    expect(outcome(maxLength(double(6)), maxLength({ type: 'float', value: 6 }))).toBe('equivalent');
    expect(outcome(maxLength(signedint(6)), maxLength(double(6)))).not.toBe('equivalent');
  });

  it('are equivalent when they are the same Erlang term', () => {
    expect(outcome(maxLength(signedint(1_577_836_800)), maxLength(timestamp(1_577_836_800)))).toBe(
      'equivalent',
    );
    expect(outcome(maxLength(longstr('ab')), maxLength(binary(0x61, 0x62)))).toBe('equivalent');
    expect(outcome(maxLength(signedint(5)), maxLength(longstr('5')))).toBe(
      `${prefix} '5' but current is '5'`,
    );
    expect(outcome(maxLength(signedint(1)), maxLength(bool(true)))).not.toBe('equivalent');
  });

  it.each(['classic', 'quorum', 'stream'] as const)(
    "are compared in the order of a %s queue's list, and only those in it",
    (type) => {
      const all: FieldEntry[] = KNOWN_ARGUMENTS[type].map((key) => [key, longstr('set')]);
      const others: FieldEntry[] = [
        ['x-foo', longstr('set')],
        ['x-consumer-timeout', signedint(1)],
      ];
      expect(outcome([], others, type)).toBe('equivalent');
      expect(outcome(all, [...others, ...all.toReversed()], type)).toBe('equivalent');
      for (let i = 0; i < all.length; i++) {
        // All from i on differ; the first of them is reported.
        const received = all.map(([key, value], j): FieldEntry => [key, j < i ? value : longstr('other')]);
        expect(outcome(all, received.toReversed(), type)).toBe(
          `PRECONDITION_FAILED - inequivalent arg '${all[i]![0]}' received 'other' but current is 'set'`,
        );
      }
    },
  );

  it('take an absent x-queue-type for classic', () => {
    const type = (name: string): FieldEntry[] => [['x-queue-type', longstr(name)]];
    expect(outcome([], type('classic'))).toBe('equivalent');
    expect(outcome(type('classic'), [])).toBe('equivalent');
    const text = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' received";
    expect(outcome([], type('quorum'))).toBe(`${text} 'quorum' but current is 'classic'`);
    expect(outcome(type('quorum'), [], 'quorum')).toBe(`${text} 'classic' but current is 'quorum'`);
    expect(outcome(type('quorum'), type('classic'), 'quorum')).toBe(
      `${text} 'classic' but current is 'quorum'`,
    );
  });

  it('are an equivalence', () => {
    const value = fc.oneof(
      fc.constantFrom<FieldValue | undefined>(undefined, VOID, bool(true), longstr('1'), binary(0x31)),
      fc.integer({ min: 0, max: 2 }).map(signedint),
      fc.integer({ min: 0, max: 2 }).map(long),
      fc.integer({ min: 0, max: 2 }).map(timestamp),
      fc.integer({ min: 0, max: 2 }).map(double),
    );
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(argumentsEquivalent(a, a)).toBe(true);
        expect(argumentsEquivalent(a, b)).toBe(argumentsEquivalent(b, a));
        if (argumentsEquivalent(a, b) && argumentsEquivalent(b, c))
          expect(argumentsEquivalent(a, c)).toBe(true);
      }),
    );
  });
});

describe('the errors', () => {
  it('name exchanges and their arguments', () => {
    const error = inequivalentArgument('exchange', 'x', '/', 'alternate-exchange', longstr('a'), undefined);
    expect(error.code).toBe(406);
    expect(error.replyText).toBe(
      "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': " +
        "received none but current is the value 'a' of type 'longstr'",
    );
  });

  it('name properties', () => {
    expect(inequivalentProperty('queue', 'q', '/', 'durable', false, true).replyText).toBe(
      "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': " +
        "received 'true' but current is 'false'",
    );
  });

  it('write an exchange type with a dash as a quoted atom', () => {
    expect(inequivalentProperty('exchange', 'x', '/', 'type', 'direct', 'x-delayed-message').replyText).toBe(
      "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': " +
        "received ''x-delayed-message'' but current is 'direct'",
    );
  });

  it('stay within a short string', () => {
    const error = inequivalentArgument(
      'queue',
      'q',
      '/',
      'x-overflow',
      longstr('é'.repeat(500)),
      longstr('a'),
    );
    expect(Buffer.byteLength(error.replyText)).toBeLessThanOrEqual(255);
  });
});
