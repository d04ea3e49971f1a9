/** The arguments of a method a client sent, with RabbitMQ's error for those that cannot be read. */
import { frameError } from '../amqp/errors.js';
import { erlangBinary } from '../amqp/frame-reader.js';
import { DecodeError } from '../amqp/method-reader.js';
import { type ClientMethod, decodeMethod } from '../amqp/methods.generated.js';

/**
 * Decodes `bytes[start..end)`, the arguments of method `id`; undefined when a client may not send it.
 * @param onUnnamed called before an error that RabbitMQ reports without naming the method: a string that is not UTF-8
 * @throws AmqpError 501
 */
export function decodeArguments(
  id: number,
  bytes: Buffer,
  start: number,
  end: number,
  onUnnamed?: () => void,
): ClientMethod | undefined {
  try {
    return decodeMethod(id, bytes, start, end);
  } catch (error) {
    if (!(error instanceof DecodeError)) {
      onUnnamed?.();
      throw error;
    }
    throw frameError(`cannot decode <<${erlangBinary(bytes.subarray(start, end))}>>`);
  }
}
