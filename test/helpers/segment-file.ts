/** Segment files as a journal writes them, made by hand. */
import { crc32 } from '../../src/lib/checksum.js';
import {
  BATCH_HEADER_BYTES,
  FILE_HEADER_BYTES,
  sealBatch,
  targetsOffset,
  writeFileHeader,
} from '../../src/store/batch-format.js';

export interface BuiltSegment {
  readonly bytes: Buffer;
  readonly batches: readonly { readonly start: number; readonly end: number }[];
}

export interface SegmentFileOptions {
  readonly epoch?: number;
  readonly firstBatchNumber?: number;
  readonly segmentNumber?: number;
  /** The format version the file claims to have. */
  readonly version?: number;
  /** The one queue each record goes to. */
  readonly queueId?: number;
}

/** A file with one batch for each list of payloads. */
export function buildSegment(
  payloads: readonly (readonly Buffer[])[],
  options: SegmentFileOptions = {},
): BuiltSegment {
  const { epoch = 1, firstBatchNumber = 1, segmentNumber = 1, version = 1, queueId = 1 } = options;
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  writeFileHeader(header, { epoch, segmentNumber, createdMs: 1_700_000_000_000, extent: 0 });
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(crc32(header, 0, 60), 60);
  const parts = [header];
  const batches: { start: number; end: number }[] = [];
  let end = header.length;
  payloads.forEach((records, i) => {
    const batch = Buffer.concat([
      Buffer.alloc(BATCH_HEADER_BYTES),
      ...records.map((r) => record(r, queueId)),
    ]);
    sealBatch(batch, 0, {
      epoch,
      batchNumber: firstBatchNumber + i,
      timeMs: 1_700_000_000_000 + i,
      contentLength: batch.length - BATCH_HEADER_BYTES,
      recordCount: records.length,
      isCompacted: false,
    });
    batches.push({ start: end, end: end + batch.length });
    end += batch.length;
    parts.push(batch);
  });
  return { bytes: Buffer.concat(parts), batches };
}

function record(payload: Buffer, queueId: number): Buffer {
  const targetsAt = targetsOffset(0, payload.length);
  const bytes = Buffer.alloc((targetsAt + 8 + 7) & -8);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(payload.length, 4);
  payload.copy(bytes, 8);
  bytes.writeUInt32LE(1, targetsAt);
  bytes.writeUInt32LE(queueId, targetsAt + 4);
  return bytes;
}
