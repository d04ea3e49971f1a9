/**
 * Password hashes in RabbitMQ's format (rabbitmq.com/docs/passwords, "Computing password hash"), so that users
 * move between brokers with their definitions:
 *
 *     base64( salt[4] ++ sha256( salt[4] ++ utf8 password ) )
 */

import { createHash, timingSafeEqual } from 'node:crypto';

/** Bytes of salt in front of the digest. */
export const PASSWORD_SALT_BYTES = 4;

/** Bytes of a hash before base64: the salt and a SHA-256 digest. */
export const PASSWORD_HASH_BYTES = PASSWORD_SALT_BYTES + 32;

/**
 * The stored form of a password.
 *
 * @param salt exactly `PASSWORD_SALT_BYTES` random bytes, fresh for every password
 * @throws Error when the salt has another length
 */
export function hashPassword(password: string, salt: Buffer): string {
  if (salt.length !== PASSWORD_SALT_BYTES) {
    throw new Error(`a password salt has ${PASSWORD_SALT_BYTES} bytes, not ${salt.length}`);
  }
  return Buffer.concat([salt, digestOf(salt, password)]).toString('base64');
}

/**
 * Whether a password belongs to a stored hash. The digests are compared in constant time. A blank password never
 * verifies, whatever the hash says (rabbitmq.com/docs/access-control, "Blank passwords"); nor does a hash of
 * another length, such as the empty hash of a user that has no password.
 */
export function verifyPassword(hash: string, password: string): boolean {
  const stored = Buffer.from(hash, 'base64');
  if (stored.length !== PASSWORD_HASH_BYTES) return false;
  const salt = stored.subarray(0, PASSWORD_SALT_BYTES);
  const isSame = timingSafeEqual(stored.subarray(PASSWORD_SALT_BYTES), digestOf(salt, password));
  return isSame && password !== '';
}

function digestOf(salt: Buffer, password: string): Buffer {
  return createHash('sha256').update(salt).update(password, 'utf8').digest();
}
