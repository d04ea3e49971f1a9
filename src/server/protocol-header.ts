/**
 * The protocol header, the first eight bytes of a connection: `AMQP`, then protocol id, major, minor, revision
 * (AMQP 0-9-1 section 4.2.2). What we do not speak is answered with what we do, and TCP is closed.
 */
import type { Generation } from '../broker/generations/generation.js';

export const PROTOCOL_HEADER_BYTES = 8;

const AMQP_0_9_1 = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
/** RabbitMQ 4.x answers strangers with the header of AMQP 1.0 (SASL), the protocol it prefers. */
const AMQP_1_0_SASL = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1');

/**
 * @param forStrangers what those get who ask for no later version of the protocol that we speak
 * @returns undefined when the header asks for AMQP 0-9-1, else the header to answer with before closing
 */
export function answerToHeader(
  header: Buffer,
  forStrangers: Generation['headerForStrangers'],
): Buffer | undefined {
  const strangersHeader = forStrangers === 'AMQP 1.0' ? AMQP_1_0_SASL : AMQP_0_9_1;
  if (header.toString('latin1', 0, 4) !== 'AMQP') return strangersHeader;
  const [id, major, minor, revision] = header.subarray(4, PROTOCOL_HEADER_BYTES);
  if (id === 0 && major === 0 && minor === 9 && revision === 1) return undefined;
  // The header of 0-9, which some clients send for 0-9-1.
  if (id === 1 && major === 1 && minor === 0 && revision === 9) return undefined;
  if (id === 0 && major === 0 && minor! >= 9) return AMQP_0_9_1;
  return strangersHeader;
}
