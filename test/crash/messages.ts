/** The messages of a crash test on the wire: who published them, which number, and the checksum of the body. */
import { createHash } from 'node:crypto';
import type { ConsumeMessage, GetMessage, Options } from 'amqplib';
import type { Arrival, Entry } from './ledger.js';

export function checksumOf(body: Buffer): string {
  return createHash('sha1').update(body).digest('base64');
}

export function propertiesOf(entry: Entry): Options.Publish {
  const { publisher, sequence, checksum } = entry;
  return {
    persistent: true,
    contentType: 'application/octet-stream',
    messageId: `${publisher}/${sequence}`,
    headers: { publisher, sequence, checksum },
  };
}

export function arrivalOf(queue: string, message: ConsumeMessage | GetMessage): Arrival {
  const headers = new Map<string, unknown>(Object.entries(message.properties.headers ?? {}));
  const publisher = headers.get('publisher');
  const sequence = headers.get('sequence');
  // Properties are part of what was published: a message that lost some of them arrived damaged.
  const areWhole =
    message.properties.messageId === `${publisher}/${sequence}` &&
    message.properties.contentType === 'application/octet-stream' &&
    message.properties.deliveryMode === 2;
  const checksum = checksumOf(message.content);
  return {
    queue,
    publisher,
    sequence,
    checksum: areWhole && headers.get('checksum') === checksum ? checksum : `${checksum}, properties differ`,
    isRedelivered: message.fields.redelivered,
  };
}
