/** The headers in which a quorum queue tells what became of a message before (rabbitmq.com/docs/quorum-queues). */
import { uint32At, valueEnd } from './field-scan.js';
import { CONTENT_HEADER_FIXED_BYTES } from './message-image.js';
import { PropertyFlag } from './properties.js';

const DELIVERY_COUNT = Buffer.from('x-delivery-count');
const ACQUIRED_COUNT = Buffer.from('x-acquired-count');
const TAG_LONG = 0x6c;
const TABLE_LENGTH_BYTES = 4;

/**
 * A content header's payload with `x-delivery-count` and `x-acquired-count`, unless they are 0, each at the place that
 * the order of the keys gives it. One that the publisher wrote is replaced. Nothing of `header`, which was checked when
 * it came in, is changed.
 */
export function withCounts(header: Buffer, deliveryCount: number, acquiredCount: number): Buffer {
  const counted = deliveryCount > 0 ? withCount(header, DELIVERY_COUNT, deliveryCount) : header;
  return acquiredCount > 0 ? withCount(counted, ACQUIRED_COUNT, acquiredCount) : counted;
}

function withCount(header: Buffer, key: Buffer, count: number): Buffer {
  /** Length and key, tag, eight octets. */
  const entryBytes = 1 + key.length + 1 + 8;
  const flags = header.readUInt16BE(CONTENT_HEADER_FIXED_BYTES);
  let at = CONTENT_HEADER_FIXED_BYTES + 2;
  if ((flags & PropertyFlag.ContentType) !== 0) at += 1 + header[at]!;
  if ((flags & PropertyFlag.ContentEncoding) !== 0) at += 1 + header[at]!;
  const hasTable = (flags & PropertyFlag.Headers) !== 0;
  const tableAt = at;
  const tableStart = hasTable ? tableAt + TABLE_LENGTH_BYTES : tableAt;
  const tableEnd = hasTable ? tableStart + uint32At(header, tableAt) : tableStart;

  let before = tableStart;
  let order = -1;
  let next = before;
  while (before < tableEnd) {
    const keyEnd = before + 1 + header[before]!;
    next = valueEnd(header, keyEnd, tableEnd);
    order = header.compare(key, 0, key.length, before + 1, keyEnd);
    if (order >= 0) break;
    before = next;
  }
  const after = before < tableEnd && order === 0 ? next : before;

  const edited = Buffer.allocUnsafe(
    header.length + entryBytes + (hasTable ? 0 : TABLE_LENGTH_BYTES) - (after - before),
  );
  header.copy(edited, 0, 0, tableAt);
  edited.writeUInt16BE(flags | PropertyFlag.Headers, CONTENT_HEADER_FIXED_BYTES);
  at = edited.writeUInt32BE(tableEnd - tableStart - (after - before) + entryBytes, tableAt);
  at += header.copy(edited, at, tableStart, before);
  at = edited.writeUInt8(key.length, at);
  at += key.copy(edited, at);
  at = edited.writeUInt8(TAG_LONG, at);
  at = edited.writeBigInt64BE(BigInt(count), at);
  header.copy(edited, at, after);
  return edited;
}
