import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePlainResponse } from '../../src/auth/sasl.js';

const parse = (text: string) => parsePlainResponse(Buffer.from(text));

describe('SASL PLAIN', () => {
  it('reads user and password', () => {
    expect(parse('\0guest\0secret')).toEqual({ user: 'guest', password: 'secret' });
    expect(parse('\0jürgen\0pässwört')).toEqual({ user: 'jürgen', password: 'pässwört' });
  });

  it('accepts blank names and passwords, which no user has', () => {
    expect(parse('\0\0')).toEqual({ user: '', password: '' });
    expect(parse('\0guest\0')).toEqual({ user: 'guest', password: '' });
  });

  it.each([
    ['nothing', ''],
    ['a single NUL', '\0'],
    ['no second NUL', '\0guest'],
    ['an authorization identity', 'admin\0guest\0guest'],
    ['no first NUL', 'guest\0guest'],
    ['a NUL in the password', '\0guest\0gu\0est'],
    ['a NUL after the password', '\0guest\0guest\0'],
  ])('refuses %s', (_what, response) => {
    expect(parse(response)).toBeUndefined();
  });

  it('accepts exactly what can be written back to the same bytes', () => {
    const byte = fc.constantFrom(0, 0, 0x61, 0x62);
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 8 }), (bytes) => {
        const response = Buffer.from(bytes);
        const parsed = parsePlainResponse(response);
        const isWellFormed = bytes[0] === 0 && bytes.filter((b) => b === 0).length === 2;
        expect(parsed !== undefined).toBe(isWellFormed);
        if (parsed !== undefined) {
          expect(Buffer.from(`\0${parsed.user}\0${parsed.password}`)).toEqual(response);
        }
      }),
    );
  });
});
