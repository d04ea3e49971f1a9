import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmqpError } from '../../src/amqp/errors.js';
import { DecodeError } from '../../src/amqp/field-error.js';
import { checkTable, TABLE_HAS_CC } from '../../src/amqp/field-scan.js';
import { decodeTable, FieldTable } from '../../src/amqp/field-table.js';
import { bool, longstr } from '../../src/amqp/field-value.js';
import {
  type BasicProperties,
  decodeProperties,
  encodeProperties,
  PropertyFlag,
  PropertyScan,
} from '../../src/amqp/properties.js';
import { anyTable, plainTable, shortText } from './field-arbitraries.js';

const octet = fc.nat(255);
const anyProperties = fc.record(
  {
    contentType: shortText,
    contentEncoding: shortText,
    headers: anyTable,
    deliveryMode: octet,
    priority: octet,
    correlationId: shortText,
    replyTo: shortText,
    expiration: shortText,
    messageId: shortText,
    timestamp: fc.oneof(
      fc.maxSafeInteger().map(Math.abs),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    ),
    type: shortText,
    userId: shortText,
    appId: shortText,
    clusterId: shortText,
  },
  { requiredKeys: [] },
);

const decode = (bytes: Buffer): BasicProperties => decodeProperties(bytes, 0, bytes.length);
const plain = (properties: BasicProperties): unknown => ({
  ...properties,
  headers: properties.headers === undefined ? undefined : plainTable(properties.headers),
});
/** The properties in the middle of other bytes, as they are in a frame. */
const framed = (properties: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(3, 0xaa), properties, Buffer.alloc(3, 0xaa)]);

/** Which of the two wire errors f fails with, by name; anything else fails the test. */
function wireErrorName(f: () => unknown): string {
  try {
    f();
    return 'none';
  } catch (error) {
    if (error instanceof DecodeError || error instanceof AmqpError) return error.name;
    throw error;
  }
}

describe('properties', () => {
  it('have the flag bits and the order of the protocol definition', () => {
    const definition = JSON.parse(
      readFileSync(new URL('../../spec/amqp-0-9-1.json', import.meta.url), 'utf8'),
    );
    const basic = definition.classes.find((amqpClass: { name: string }) => amqpClass.name === 'basic');
    const defined = basic.properties.map((property: { name: string; 'flag-bit': number }) => [
      property.name.replaceAll(/(^|-)(.)/g, (_all, _dash, letter: string) => letter.toUpperCase()),
      2 ** property['flag-bit'],
    ]);
    expect(Object.entries(PropertyFlag)).toEqual(defined);
  });

  it('match a vector written by hand', () => {
    const bytes = Buffer.from(
      'fffc' +
        '0161' + // content-type a
        '0162' + // content-encoding b
        '00000004' + // headers, 4 bytes: x = true
        '01787401' +
        '02' + // delivery-mode
        '09' + // priority
        '0163' + // correlation-id c
        '0164' + // reply-to d
        '023530' + // expiration 50
        '0166' + // message-id f
        '0000000000000007' + // timestamp
        '0168' + // type h
        '0169' + // user-id i
        '016a' + // app-id j
        '016b', // cluster-id k
      'hex',
    );
    const properties = {
      contentType: 'a',
      contentEncoding: 'b',
      headers: FieldTable.of([['x', bool(true)]]),
      deliveryMode: 2,
      priority: 9,
      correlationId: 'c',
      replyTo: 'd',
      expiration: '50',
      messageId: 'f',
      timestamp: 7,
      type: 'h',
      userId: 'i',
      appId: 'j',
      clusterId: 'k',
    };
    expect(encodeProperties(properties)).toEqual(bytes);
    expect(plain(decode(bytes))).toEqual(plain(properties));
  });

  it('decode to what was encoded', () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const bytes = encodeProperties(properties);
        const decoded = decode(bytes);
        expect(plain(decoded)).toEqual(plain(properties));
        expect(encodeProperties(decoded)).toEqual(bytes);
      }),
    );
  });

  it('leave out what is undefined', () => {
    expect(encodeProperties({ contentType: undefined, timestamp: undefined })).toEqual(Buffer.from([0, 0]));
    expect(decode(Buffer.from([0, 3]))).toEqual({});
  });

  it('keep text that is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from([0x80, 0, 255]), Buffer.alloc(255, 0xfe)]);
    expect(encodeProperties(decode(bytes))).toEqual(bytes);
  });

  it('refuse text past 255 bytes', () => {
    expect(() => encodeProperties({ userId: 'x'.repeat(256) })).toThrow(RangeError);
  });

  it('do not share memory with the bytes they were read from', () => {
    const bytes = encodeProperties({ headers: FieldTable.of([['k', longstr('v')]]) });
    const decoded = decode(bytes);
    bytes.fill(0);
    expect(decoded.headers?.has('k')).toBe(true);
  });
});

describe('the scan', () => {
  const scan = new PropertyScan();

  it('agrees with the decoder, whatever was scanned before', () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const bytes = framed(encodeProperties(properties));
        const text = (start: number, end: number): string | undefined =>
          start < 0 ? undefined : bytes.toString('utf8', start, end);
        scan.scan(bytes, 3, bytes.length - 3);
        const decoded = decodeProperties(bytes, 3, bytes.length - 3);
        expect(scan.flags).toBe(bytes.readUInt16BE(3));
        expect(scan.deliveryMode).toBe(decoded.deliveryMode ?? 0);
        expect(scan.priority).toBe(decoded.priority ?? 0);
        expect(text(scan.replyToStart, scan.replyToEnd)).toBe(decoded.replyTo);
        expect(text(scan.expirationStart, scan.expirationEnd)).toBe(decoded.expiration);
        expect(text(scan.userIdStart, scan.userIdEnd)).toBe(decoded.userId);
        if (decoded.headers === undefined) {
          expect([scan.headersStart, scan.headersEnd, scan.headerBits]).toEqual([-1, -1, 0]);
        } else {
          const { headersStart: start, headersEnd: end } = scan;
          expect(plainTable(decodeTable(bytes, start, end))).toEqual(plainTable(decoded.headers));
          expect(scan.headerBits).toBe(checkTable(bytes, start, end));
        }
      }),
    );
  });

  it('fails where the decoder fails, at every byte', () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const bytes = encodeProperties(properties);
        for (let end = 0; end < bytes.length; end++) {
          expect(wireErrorName(() => scan.scan(bytes, 0, end))).toBe('DecodeError');
          expect(wireErrorName(() => decodeProperties(bytes, 0, end))).toBe('DecodeError');
        }
        const longer = Buffer.concat([bytes, Buffer.from([0])]);
        expect(wireErrorName(() => scan.scan(longer, 0, longer.length))).toBe('DecodeError');
        expect(wireErrorName(() => decode(longer))).toBe('DecodeError');
      }),
      { numRuns: 40 },
    );
  });

  it('fails where the decoder fails, on noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (noise) => {
        const bytes = Buffer.from(noise);
        expect(wireErrorName(() => scan.scan(bytes, 0, bytes.length))).toBe(
          wireErrorName(() => decode(bytes)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('starts anew after a failure', () => {
    const bytes = encodeProperties({
      headers: FieldTable.of([['CC', bool(true)]]),
      deliveryMode: 2,
      replyTo: 'r',
      userId: 'u',
    });
    expect(() => scan.scan(bytes, 0, bytes.length - 1)).toThrow(DecodeError);
    expect(scan.headerBits & TABLE_HAS_CC).toBe(TABLE_HAS_CC);
    scan.scan(Buffer.from([0, 3]), 0, 2);
    expect(scan).toEqual(new PropertyScan());
  });
});
