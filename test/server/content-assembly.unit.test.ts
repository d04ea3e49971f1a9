import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../src/amqp/message-image.js';
import { encodeNames } from '../../src/broker/message-writer.js';
import { blockOver } from '../../src/lib/bytes.js';
import { SlabPool } from '../../src/lib/slab-pool.js';
import { ContentAssembly } from '../../src/server/content-assembly.js';
import { MessageLog, RECORD_HEADER_BYTES } from '../../src/store/message-log.js';
import { contentHeader, patterned } from '../helpers/frames.js';
import { NO_NOTES } from '../helpers/messages.js';

/** Lends nothing: every record is its own. */
const NO_BUFFERS = new SlabPool(0, 0);

/** The header lies in a larger buffer, and the names block is longer than the names. */
function assemblyOf(header: Buffer, bodySize: number, buffers = NO_BUFFERS): ContentAssembly {
  const names = Buffer.concat([encodeNames('x', 'key'), Buffer.from('left over')]);
  const read = Buffer.concat([Buffer.from('before'), header, Buffer.from('behind')]);
  const namesLength = names.length - 'left over'.length;
  return new ContentAssembly(
    blockOver(names),
    namesLength,
    blockOver(read),
    6,
    header.length,
    bodySize,
    buffers,
  );
}

describe('ContentAssembly', () => {
  it('gathers a record that the log takes as it is, whatever the pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(50), fc.nat(200_000)), { maxLength: 8 }),
        fc.uint8Array({ minLength: 2, maxLength: 60 }),
        (lengths, properties) => {
          const total = lengths.reduce((sum, length) => sum + length, 0);
          const body = patterned(total, total & 0xff);
          const header = contentHeader(total, properties);
          const assembly = assemblyOf(header, total);
          let sent = 0;
          for (const length of lengths) {
            expect(assembly.isComplete).toBe(sent === total);
            const piece = Buffer.concat([Buffer.from('frame'), body.subarray(sent, sent + length)]);
            assembly.add(blockOver(piece), 5, 5 + length);
            sent += length;
            expect(assembly.received).toBe(sent);
          }
          expect(assembly.isComplete).toBe(true);
          const inPlace = assembly.block.bytes.subarray(assembly.bodyStart, assembly.bodyStart + total);
          expect(inPlace.equals(body)).toBe(true);

          const log = new MessageLog();
          const record = assembly.record({ ...NO_NOTES, flags: 1, priority: 9 });
          expect(record.length % 8).toBe(0);
          const position = log.adopt(record);
          log.retain(position, 1);
          const read = readImage(log.segmentOf(position).block, log.payloadOffset(position));
          expect(read).toMatchObject({
            ...NO_NOTES,
            exchange: 'x',
            routingKey: 'key',
            flags: 1,
            priority: 9,
          });
          expect(read.contentHeader.equals(header)).toBe(true);
          expect(read.body.equals(body)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('costs what has arrived, not what was announced', () => {
    const assembly = assemblyOf(contentHeader(500_000_000), 500_000_000);
    expect(assembly.block.bytes.length).toBeLessThan(300_000);
    for (let i = 0; i < 10; i++) assembly.add(blockOver(patterned(100_000)), 0, 100_000);
    expect(assembly.block.bytes.length).toBeLessThan(2 * 1_000_000 + 300_000);
  });

  it('ends with memory of exactly the record', () => {
    const assembly = assemblyOf(contentHeader(300_000), 300_000);
    assembly.add(blockOver(patterned(300_000)), 0, 300_000);
    const record = assembly.record(NO_NOTES);
    expect(record.length).toBeGreaterThanOrEqual(RECORD_HEADER_BYTES + 300_000);
    expect(record.length).toBeLessThan(300_000 + 128);
    expect(record.buffer.byteLength).toBe(record.length);
  });

  it('lends a buffer for what fits, and gives it back for the next', () => {
    const buffers = new SlabPool(4096, 2);
    const first = assemblyOf(contentHeader(1000), 1000, buffers);
    first.add(blockOver(patterned(1000)), 0, 1000);
    const read = first.block.bytes.subarray(first.bodyStart, first.bodyStart + 1000);
    expect([read.equals(patterned(1000)), buffers.idleCount]).toEqual([true, 0]);
    first.giveBack();
    expect(buffers.idleCount).toBe(1);
    const second = assemblyOf(contentHeader(1000), 1000, buffers);
    expect([second.block === first.block, buffers.idleCount]).toEqual([true, 0]);
    const large = assemblyOf(contentHeader(4096), 4096, buffers);
    large.giveBack();
    expect([large.block.bytes.length < 4300, buffers.idleCount]).toEqual([true, 0]);
  });
});
