import { describe, expect, it } from 'vitest';
import { ConfirmReader } from '../../bench/confirm-reader.js';
import { consumerTag, DeliveryReader, type Sequence } from '../../bench/delivery-reader.js';
import { frame, method, shortstr, u8, u16, u64 } from '../../bench/frames.js';

const IN_TURNS = { first: (queueIndex: number) => queueIndex, step: 2 };
const ALL = { first: () => 0, step: 1 };

function delivery(queueIndex: number, tag: number, number: number, bodyBytes = 16): Buffer {
  const body = Buffer.alloc(bodyBytes, 0xce);
  body.writeUInt32BE(number, 0);
  const header = Buffer.concat([u16(60), u16(0), u64(bodyBytes), u16(0)]);
  return Buffer.concat([
    method(1, 60, 60, shortstr(consumerTag(queueIndex)), u64(tag), u8(0), shortstr('x'), shortstr('key')),
    frame(2, 1, header),
    frame(3, 1, body),
  ]);
}

class Reading {
  readonly tags: number[] = [];
  isChannelClosed = false;
  readonly reader: DeliveryReader;

  constructor(queueCount: number, sequence: Sequence = ALL) {
    this.reader = new DeliveryReader(queueCount, sequence, {
      onTag: (bytes, at) => this.tags.push(Number(Buffer.from(bytes).readBigUInt64BE(at))),
      onChannelClosed: () => {
        this.isChannelClosed = true;
      },
    });
  }

  push(...deliveries: readonly Buffer[]): void {
    const bytes = Buffer.concat(deliveries);
    this.reader.push(bytes, bytes.length);
  }
}

describe('a delivery reader', () => {
  it.each([1, 2, 3, 7, 8, 22, 23, 24, 100, 4096])('counts what comes in pieces of %i bytes', (pieceBytes) => {
    const t = new Reading(2, IN_TURNS);
    const sizes = [16, 64, 5000, 17, 16, 16];
    const all = Buffer.concat([
      ...sizes.map((bodyBytes, i) => delivery(i % 2, i + 1, i, bodyBytes)),
      method(1, 20, 41),
    ]);
    const piece = Buffer.alloc(pieceBytes);
    for (let at = 0; at < all.length; at += pieceBytes) {
      // The same buffer each time, as the socket's.
      t.reader.push(piece, all.copy(piece, 0, at, at + pieceBytes));
    }
    expect(t.reader.count).toBe(sizes.length);
    expect(t.tags).toEqual([1, 2, 3, 4, 5, 6]);
    expect(t.isChannelClosed).toBe(true);
  });

  it('counts a message when its last byte has come', () => {
    const t = new Reading(1);
    const bytes = delivery(0, 1, 0, 5000);
    t.reader.push(bytes, bytes.length - 1);
    expect(t.reader.count).toBe(0);
    t.reader.push(bytes.subarray(-1), 1);
    expect(t.reader.count).toBe(1);
  });

  it('fails when one is lost', () => {
    const t = new Reading(1);
    expect(() => t.push(delivery(0, 1, 0), delivery(0, 2, 2))).toThrow(
      'queue 0: message 2 came where 1 was due: 1 was lost, or overtaken',
    );
  });

  it('fails when one comes twice', () => {
    const t = new Reading(1);
    expect(() => t.push(delivery(0, 1, 0), delivery(0, 2, 0))).toThrow(
      'queue 0: message 0 came where 1 was due: 0 came again, or late',
    );
  });

  it('fails when one comes to the queue of another', () => {
    const t = new Reading(2, IN_TURNS);
    expect(() => t.push(delivery(1, 1, 0))).toThrow('queue 1: message 0 came where 1 was due');
  });

  it('tells why the broker closed the channel', () => {
    const t = new Reading(1);
    const close = method(1, 20, 40, u16(404), shortstr('NOT_FOUND - no queue'), u16(0), u16(0));
    expect(() => t.push(close)).toThrow('the broker sent method 20.40: 404 NOT_FOUND - no queue');
  });
});

describe('a confirm reader', () => {
  const push = (reader: ConfirmReader, tag: number, isMultiple: boolean): void => {
    const bytes = method(1, 60, 80, u64(tag), u8(isMultiple ? 1 : 0));
    reader.push(bytes, bytes.length);
  };

  it('counts each message once, whichever way it is confirmed', () => {
    const reader = new ConfirmReader(10);
    push(reader, 3, false);
    push(reader, 5, false);
    expect(reader.confirmed).toBe(2);
    push(reader, 4, true);
    expect(reader.confirmed).toBe(5);
    push(reader, 10, true);
    expect(reader.confirmed).toBe(10);
  });

  it('fails on a nack, and on a confirm of what was never published', () => {
    const nack = method(1, 60, 120, u64(1), u8(0));
    expect(() => new ConfirmReader(1).push(nack, nack.length)).toThrow(
      'a publish was not confirmed: the broker sent method 60.120',
    );
    expect(() => push(new ConfirmReader(1), 2, false)).toThrow(
      'message 2 was confirmed, and never published',
    );
  });
});
