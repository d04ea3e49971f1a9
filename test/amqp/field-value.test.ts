import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTable } from '../../src/amqp/field-encoder.js';
import { decodeTable, FieldTable } from '../../src/amqp/field-table.js';
import {
  array,
  bool,
  double,
  type FieldValue,
  long,
  longstr,
  signedint,
  table,
  valuesEquivalent,
} from '../../src/amqp/field-value.js';
import { anyValue } from './field-arbitraries.js';

const decimal = (scale: number, value: number): FieldValue => ({ type: 'decimal', scale, value });

describe('equivalence of declared arguments', () => {
  it.each<[FieldValue | undefined, FieldValue | undefined, boolean]>([
    [undefined, undefined, true],
    [signedint(1), undefined, false],
    [undefined, signedint(1), false],
    [signedint(60000), long(60000), true],
    [{ type: 'unsignedbyte', value: 5 }, { type: 'short', value: 5 }, true],
    [signedint(1), signedint(2), false],
    [long(2n ** 60n), long(2n ** 60n), true],
    [long(2n ** 60n), long(2n ** 60n + 1n), false],
    [{ type: 'long', value: 5n }, signedint(5), true],
    [{ type: 'float', value: 1.5 }, double(1.5), true],
    [signedint(1), double(1), false],
    [decimal(0, 1), signedint(1), false],
    [decimal(1, 10), decimal(1, 10), true],
    [decimal(1, 10), decimal(0, 1), false],
    [longstr('a'), longstr('a'), true],
    [longstr('a'), longstr('b'), false],
    [longstr('a'), { type: 'binary', value: Buffer.from('a') }, false],
    [{ type: 'timestamp', value: 1 }, long(1), false],
    [bool(true), bool(true), true],
    [bool(true), signedint(1), false],
    [{ type: 'void' }, { type: 'void' }, true],
    [array([signedint(1)]), array([signedint(1)]), true],
    [array([signedint(1)]), array([long(1)]), false],
    [table([['a', bool(true)]]), table([['a', bool(true)]]), true],
    [table([['a', bool(true)]]), table([['a', bool(false)]]), false],
  ])('case %#', (a, b, expected) => {
    expect(valuesEquivalent(a, b)).toBe(expected);
    expect(valuesEquivalent(b, a)).toBe(expected);
  });

  it('holds between a value and itself sent again', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeTable(FieldTable.of([['k', value]]));
        expect(valuesEquivalent(decodeTable(bytes, 0, bytes.length).get('k'), value)).toBe(true);
      }),
    );
  });
});
