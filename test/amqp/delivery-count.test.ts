import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withCounts } from '../../src/amqp/delivery-count.js';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { long, longstr } from '../../src/amqp/field-value.js';
import { CONTENT_HEADER_FIXED_BYTES } from '../../src/amqp/message-image.js';
import { type BasicProperties, decodeProperties, encodeProperties } from '../../src/amqp/properties.js';
import { contentHeader } from '../helpers/frames.js';

const KEY = 'x-delivery-count';

function counted(properties: BasicProperties, count: number, acquiredCount = 0): BasicProperties {
  const edited = withCounts(contentHeader(7, encodeProperties(properties)), count, acquiredCount);
  expect(edited.subarray(0, CONTENT_HEADER_FIXED_BYTES)).toEqual(
    contentHeader(7, encodeProperties({})).subarray(0, CONTENT_HEADER_FIXED_BYTES),
  );
  return decodeProperties(edited, CONTENT_HEADER_FIXED_BYTES, edited.length);
}

describe('x-delivery-count', () => {
  it('makes headers where there are none', () => {
    const bare = counted({}, 1);
    expect(Object.keys(bare)).toEqual(['headers']);
    expect(bare.headers!.entries).toEqual([[KEY, long(1)]]);
    const properties = { contentType: 'text/plain', contentEncoding: 'gzip', deliveryMode: 2, appId: 'app' };
    const { headers, ...others } = counted(properties, 2);
    expect(others).toEqual(properties);
    expect(headers!.entries).toEqual([[KEY, long(2)]]);
  });

  it('replaces what a publisher wrote there', () => {
    const entries: FieldEntry[] = [
      ['a', longstr('1')],
      [KEY, longstr('mine')],
      ['z', longstr('2')],
    ];
    expect(counted({ headers: FieldTable.of(entries) }, 3).headers!.entries).toEqual([
      entries[0],
      [KEY, long(3)],
      entries[2],
    ]);
  });

  it('takes its place in the order of the keys, whatever the others are', () => {
    const key = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(KEY, 'x-delivery', `${KEY}s`, 'x-e', ''),
    );
    fc.assert(
      fc.property(fc.uniqueArray(key), fc.option(fc.string({ maxLength: 9 })), (keys, contentType) => {
        const sorted = keys.map((name) => [Buffer.from(name), name] as const);
        sorted.sort(([a], [b]) => Buffer.compare(a, b));
        const entries = sorted.map(([, name]): FieldEntry => [name, longstr(name)]);
        const rest = { contentType: contentType ?? undefined, messageId: 'id' };
        const { headers, ...others } = counted({ ...rest, headers: FieldTable.of(entries) }, 9);
        const expected = [...new Set([...sorted.map(([, name]) => name), KEY])].sort((a, b) =>
          Buffer.compare(Buffer.from(a), Buffer.from(b)),
        );
        expect(headers!.entries.map(([name]) => name)).toEqual(expected);
        expect(headers!.get(KEY)).toEqual(long(9));
        expect(others.messageId).toBe('id');
        expect(others.contentType).toBe(contentType ?? undefined);
      }),
    );
  });

  it('stands behind x-acquired-count, each only where it counts something', () => {
    const headers = FieldTable.of([
      ['x-a', longstr('1')],
      ['x-b', longstr('2')],
      ['x-z', longstr('3')],
    ]);
    const keys = (deliveryCount: number, acquiredCount: number): unknown =>
      counted({ headers }, deliveryCount, acquiredCount).headers!.entries.map(([name, value]) =>
        value.type === 'long' ? `${name} ${value.value}` : name,
      );
    expect(keys(1, 2)).toEqual(['x-a', 'x-acquired-count 2', 'x-b', 'x-delivery-count 1', 'x-z']);
    expect(keys(0, 2)).toEqual(['x-a', 'x-acquired-count 2', 'x-b', 'x-z']);
    expect(keys(1, 0)).toEqual(['x-a', 'x-b', 'x-delivery-count 1', 'x-z']);
    expect(keys(0, 0)).toEqual(['x-a', 'x-b', 'x-z']);
  });
});
