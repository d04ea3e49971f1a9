/**
 * Compaction: a segment that is mostly dead is written anew with the records that are still needed, so that one
 * message that nobody takes does not pin the file of a hundred thousand others. Records keep their offsets, so no
 * queue notices. It happens at leisure, one segment at a time, and only where acks have come to rest: a queue that
 * is being drained in order ends its segments by itself.
 */
import type { Clock, Timer } from '../lib/clock.js';
import { type FileSystem, replaceFile } from '../lib/file-system.js';
import { readAcks } from './ack-files.js';
import type { Acks } from './ack-format.js';
import {
  BATCH_HEADER_BYTES,
  COMPACTED_ENTRY_BYTES,
  FILE_HEADER_BYTES,
  readFileHeader,
  type SegmentScan,
  scanSegment,
  sealBatch,
  targetsOffset,
  visitRecords,
  writeFileHeader,
} from './batch-format.js';
import { removeHint } from './hint-files.js';
import { acksPath, segmentPath } from './journal-files.js';
import type { MessageLog } from './message-log.js';
import { readFile } from './read-file.js';
import type { RecoveryVisitor } from './recovery.js';
import type { Segment } from './segment.js';

export interface CompactorOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly clock: Clock;
  readonly epoch: number;
  /** A compaction did not succeed: the segment's file is the old one, and nothing is lost. */
  readonly onFailed: (error: unknown) => void;
  /** Which records the queues there are now keep, as far as acks do not say otherwise (see RecoveryVisitor). */
  readonly keeper: () => RecoveryVisitor['isKept'];
  readonly onCompacted: (segmentNumber: number, bytesBefore: number, bytesAfter: number) => void;
}

/** How often the segments are looked at; also how long acks must have rested. */
export const COMPACTION_INTERVAL_MS = 2_000;
/** Bytes of files rewritten at each look, at most: a background task must not fill the disk's queue. */
const COMPACTION_BYTES_MAX = 33_554_432;
/** A smaller file is not worth it. */
const COMPACTION_FILE_BYTES_MIN = 4096;

export class Compactor {
  private readonly log: MessageLog;
  private readonly options: CompactorOptions;
  private timer: Timer | undefined;
  private running: Promise<void> | undefined;
  private isStopped = false;

  constructor(log: MessageLog, options: CompactorOptions) {
    this.log = log;
    this.options = options;
    this.arm();
  }

  /** Ends the task; a compaction under way is finished first. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
  }

  /** Looks at every segment once, and compacts what is worth it. */
  async compactAll(): Promise<void> {
    let budgetBytes = COMPACTION_BYTES_MAX;
    for (const segment of this.log.allSegments()) {
      if (!isMostlyDead(segment) || budgetBytes <= 0 || this.isStopped) continue;
      budgetBytes -= segment.end;
      await this.compact(segment);
    }
  }

  private arm(): void {
    if (this.isStopped) return;
    this.timer = this.options.clock.after(COMPACTION_INTERVAL_MS, () => {
      this.running = this.compactAll()
        .catch((error) => this.options.onFailed(error))
        .finally(() => {
          this.running = undefined;
          this.arm();
        });
    });
  }

  private async compact(segment: Segment): Promise<void> {
    const { fileSystem, directory } = this.options;
    const journal = segment.journal!;
    const path = segmentPath(directory, journal.number);
    // As for a commit: the segment does not retire while its file is read and replaced.
    journal.commitsUnderWay++;
    try {
      const file = await readFile(fileSystem, path);
      const header = readFileHeader(file);
      const scan = scanSegment(file);
      // What is damaged stays as it is: somebody may want to look at it.
      if (header === undefined || scan.damaged.length > 0 || file.length < COMPACTION_FILE_BYTES_MIN) return;
      const acks = await readAcks(fileSystem, acksPath(directory, journal.number));
      const compacted = this.rewrite(file, scan, acks, journal.number, segment.end);
      const isWorthIt = compacted.bytes.length * 2 <= file.length;
      if (isWorthIt) {
        // Before the new file has the name: nobody may look in it for batches where they were.
        journal.isCompacted = true;
        journal.isHinted = false;
        journal.batchStarts = undefined;
        await removeHint(fileSystem, directory, journal.number);
        await replaceFile(fileSystem, path, compacted.bytes);
      }
      journal.targets = compacted.targets;
      if (!isWorthIt) return;
      await this.log.journal!.files.letGo(journal);
      this.options.onCompacted(journal.number, file.length, compacted.bytes.length);
    } catch (error) {
      // The next look passes it over: a smaller one may find room on a full disk.
      journal.ackCountSeen = -1;
      throw error;
    } finally {
      journal.commitsUnderWay--;
      if (segment.live === 0) this.log.journal!.retire(segment);
    }
  }

  /** A file with the records that some queue still needs, and how many queues need them. */
  private rewrite(
    file: Buffer,
    scan: SegmentScan,
    acks: Acks,
    segmentNumber: number,
    extent: number,
  ): { readonly bytes: Buffer; readonly targets: number } {
    const bytes = Buffer.allocUnsafe(
      file.length + BATCH_HEADER_BYTES + COMPACTED_ENTRY_BYTES * countRecords(scan),
    );
    const start = FILE_HEADER_BYTES;
    let end = start + BATCH_HEADER_BYTES;
    let recordCount = 0;
    let targets = 0;
    const isKept = this.options.keeper();
    for (const batch of scan.batches) {
      visitRecords(file, batch, (offset, at) => {
        const length = file.readUInt32LE(at);
        const targetsAt = at + targetsOffset(0, file.readUInt32LE(at + 4));
        const count = file.readUInt32LE(targetsAt);
        let needed = 0;
        for (let i = 0; i < count; i++) {
          const queueId = file.readUInt32LE(targetsAt + 4 + 4 * i);
          if (!acks.has(offset, queueId) && isKept(queueId, segmentNumber, offset)) needed++;
        }
        if (needed === 0) return;
        bytes.writeUInt32LE(offset, end);
        bytes.writeUInt32LE(length, end + 4);
        file.copy(bytes, end + COMPACTED_ENTRY_BYTES, at, at + length);
        end += COMPACTED_ENTRY_BYTES + length;
        recordCount++;
        targets += needed;
      });
    }
    const { epoch, clock } = this.options;
    writeFileHeader(bytes, { epoch, segmentNumber, createdMs: clock.nowMs(), extent });
    sealBatch(bytes, start, {
      epoch,
      batchNumber: scan.batches.at(-1)?.header.batchNumber ?? 0,
      timeMs: clock.nowMs(),
      contentLength: end - start - BATCH_HEADER_BYTES,
      recordCount,
      isCompacted: true,
    });
    return { bytes: bytes.subarray(0, end), targets };
  }
}

/** Sealed, written, at rest since the last look, and less than half of it needed. */
function isMostlyDead(segment: Segment): boolean {
  const { journal } = segment;
  if (journal === undefined || !journal.isSealed || journal.hasTransientReferences) return false;
  const isAtRest = journal.ackCountSeen === journal.ackCount;
  journal.ackCountSeen = journal.ackCount;
  const isFree = journal.unwrittenRanges === 0 && journal.commitsUnderWay === 0 && !journal.hasAcks;
  return isAtRest && isFree && segment.live * 2 < journal.targets;
}

function countRecords(scan: SegmentScan): number {
  return scan.batches.reduce((sum, { header }) => sum + header.recordCount, 0);
}
