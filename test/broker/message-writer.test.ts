import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { array, longstr, signedint } from '../../src/amqp/field-value.js';
import { readImage } from '../../src/amqp/message-image.js';
import { checkKeysHeader, keysOfHeader } from '../../src/broker/carbon-copies.js';
import { encodeNames, writeMessage } from '../../src/broker/message-writer.js';
import { contentHeader, patterned } from '../helpers/frames.js';
import { NO_NOTES, smallLog } from '../helpers/messages.js';

describe('writeMessage', () => {
  it('writes what readImage reads, with a body, without one, and with one larger than a segment', () => {
    const log = smallLog();
    for (const bodyBytes of [0, 1, 100, 5_000]) {
      const body = patterned(bodyBytes);
      const message = {
        exchange: 'größe',
        routingKey: '',
        contentHeader: contentHeader(bodyBytes, Buffer.from([0x10, 0, 2])),
        body,
        ...NO_NOTES,
        flags: 3,
      };
      const position = writeMessage(log, message);
      log.retain(position, 1);
      const read = readImage(log.segmentOf(position).block, log.payloadOffset(position));
      expect(read).toMatchObject({ exchange: 'größe', routingKey: '', flags: 3 });
      expect(read.body.equals(body)).toBe(true);
      expect(read.contentHeader.equals(message.contentHeader)).toBe(true);
    }
  });

  it('writes names as two short strings of UTF-8', () => {
    expect(encodeNames('é', 'ab')).toEqual(Buffer.from([2, 0xc3, 0xa9, 2, 0x61, 0x62]));
    expect(encodeNames('', '')).toEqual(Buffer.from([0, 0]));
  });
});

describe('the CC and BCC headers', () => {
  const headers = FieldTable.of([
    ['CC', array([longstr('a'), signedint(1), longstr('b')])],
    ['BCC', longstr('c')],
  ]);

  it('are keys where they are strings in an array', () => {
    expect(keysOfHeader(headers, 'CC')).toEqual(['a', 'b']);
    expect(keysOfHeader(headers, 'BCC')).toEqual([]);
    expect(keysOfHeader(undefined, 'CC')).toEqual([]);
  });

  it('must be arrays', () => {
    expect(() => checkKeysHeader(headers, 'CC')).not.toThrow();
    expect(() => checkKeysHeader(FieldTable.EMPTY, 'BCC')).not.toThrow();
    expect(() => checkKeysHeader(headers, 'BCC')).toThrow(
      'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",longstr}',
    );
  });
});
