import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashPassword, PASSWORD_SALT_BYTES, verifyPassword } from '../../src/auth/password.js';

const salt = Buffer.from('908DC60A', 'hex');

describe('password hashes', () => {
  it("are RabbitMQ's: the vector of its documentation", () => {
    const hash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';
    expect(hashPassword('test12', salt)).toBe(hash);
    expect(verifyPassword(hash, 'test12')).toBe(true);
    expect(verifyPassword(hash, 'test13')).toBe(false);
  });

  it('verify the password they were made from and no other', () => {
    const saltArbitrary = fc
      .uint8Array({ minLength: PASSWORD_SALT_BYTES, maxLength: PASSWORD_SALT_BYTES })
      .map((bytes) => Buffer.from(bytes));
    const password = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(saltArbitrary, password, password, (randomSalt, right, other) => {
        const hash = hashPassword(right, randomSalt);
        expect(verifyPassword(hash, right)).toBe(true);
        expect(verifyPassword(hash, other)).toBe(right === other);
      }),
    );
  });

  it('of blank passwords never verify', () => {
    expect(verifyPassword(hashPassword('', salt), '')).toBe(false);
  });

  it('of another length never verify', () => {
    const whole = Buffer.from(hashPassword('x', salt), 'base64');
    expect(verifyPassword('', 'x')).toBe(false);
    expect(verifyPassword('', '')).toBe(false);
    expect(verifyPassword(whole.subarray(0, 35).toString('base64'), 'x')).toBe(false);
    expect(verifyPassword(Buffer.concat([whole, Buffer.alloc(1)]).toString('base64'), 'x')).toBe(false);
  });

  it('refuse a salt of another length', () => {
    expect(() => hashPassword('x', Buffer.alloc(5))).toThrow('4 bytes, not 5');
  });
});
