/**
 * Recovery: reads back what an earlier opening of the data directory wrote. A segment with a hint (hint-format.ts) is
 * not read: its queues get runs, and its batches are proven when they are needed. Of the others the batches are proven
 * by their checksums here; a torn tail was never confirmed and is dropped, damage elsewhere is reported and confined
 * to its batch. Nothing is ever appended to what is found: a new segment follows.
 */
import type { FileSystem } from '../lib/file-system.js';
import { readAcks } from './ack-files.js';
import type { Acks } from './ack-format.js';
import {
  type BatchRange,
  FILE_HEADER_BYTES,
  imageOf,
  readFileHeader,
  targetsOffset,
  visitRecords,
} from './batch-format.js';
import { readHint } from './hint-files.js';
import { type Hint, type HintSection, offsetsOf } from './hint-format.js';
import { acksPath, segmentNumberOf, segmentPath } from './journal-files.js';
import type { JournalState } from './journal-options.js';
import type { MessageLog } from './message-log.js';
import { readFile } from './read-file.js';
import type { RecordRun } from './run-finder.js';
import type { Segment } from './segment.js';
import { SegmentJournal } from './segment-journal.js';

export interface RecoveryVisitor {
  /** Whether the queue has this record: it exists, and was not purged since. Others are forgotten. */
  isKept(queueId: number, segmentNumber: number, recordOffset: number): boolean;
  /** Whether the queue, which exists, has to see each of its messages. */
  recoversByMessage(queueId: number): boolean;
  /**
   * A message that a queue has, which came back to it `returnCount` times, `failureCount` of them as a failure. Each
   * call is one reference of `position`, in the order of the log.
   */
  onMessage(queueId: number, position: number, returnCount: number, failureCount: number): void;
  /** Messages that a queue has and that never came back to it, as many references. */
  onRun(queueId: number, run: RecordRun): void;
  /** Bytes that cannot be proven. `isTail`: at the end of the newest segment, never confirmed. */
  onDamage(segmentNumber: number, start: number, end: number, isTail: boolean): void;
}

/**
 * The numbers of the segments in a directory, in the order they were written.
 * @throws NewerFormatError when one of them is of a newer format: nothing has been touched then
 */
export async function findSegments(fileSystem: FileSystem, directory: string): Promise<readonly number[]> {
  const numbers: number[] = [];
  const names = await fileSystem.list(directory);
  for (const name of names) {
    const number = segmentNumberOf(name);
    if (number === undefined) continue;
    readFileHeader(await readFile(fileSystem, segmentPath(directory, number), FILE_HEADER_BYTES));
    numbers.push(number);
  }
  const logs = new Set(names.filter((name) => segmentNumberOf(name) !== undefined));
  for (const name of names) {
    // What its log left behind would count for another that gets its number.
    const isOrphan = /\.(ack|hint)$/.test(name) && !logs.has(name.replace(/\.\w+$/, '.log'));
    // What a compaction left behind when it was interrupted.
    if (isOrphan || name.endsWith('.tmp')) await fileSystem.unlink(`${directory}/${name}`);
  }
  return numbers.sort((a, b) => a - b);
}

/** Brings every record back into `log`, whose journal has been started. @returns where numbering goes on */
export async function recoverSegments(
  fileSystem: FileSystem,
  directory: string,
  numbers: readonly number[],
  log: MessageLog,
  visitor: RecoveryVisitor,
): Promise<JournalState> {
  let batchNumber = 0;
  for (const number of numbers) {
    const acks = await readAcks(fileSystem, acksPath(directory, number));
    const hint = await usableHint(fileSystem, directory, number, visitor);
    const lastBatchNumber =
      hint === undefined
        ? await recoverByReading(fileSystem, directory, number, number === numbers.at(-1), log, acks, visitor)
        : recoverByHint(hint, log, acks, visitor);
    batchNumber = Math.max(batchNumber, lastBatchNumber);
  }
  return { batchNumber, segmentNumber: numbers.at(-1) ?? 0 };
}

/** The hint of a segment, if it is of this log as it is, and enough for every queue. */
async function usableHint(
  fileSystem: FileSystem,
  directory: string,
  number: number,
  visitor: RecoveryVisitor,
): Promise<Hint | undefined> {
  const hint = await readHint(fileSystem, directory, number);
  if (hint === undefined) return undefined;
  const file = await fileSystem.open(segmentPath(directory, number), 'read');
  try {
    const start = Buffer.alloc(FILE_HEADER_BYTES);
    await file.read(start, 0, start.length, 0);
    const header = readFileHeader(start);
    const isOfLog = header?.epoch === hint.epoch && header.extent === 0;
    if (!isOfLog || (await file.size()) !== hint.logBytes) return undefined;
  } finally {
    await file.close();
  }
  const isEnough = hint.sections.every(
    ({ queueId, last, wantsLook }) =>
      !visitor.isKept(queueId, number, last) || !(wantsLook || visitor.recoversByMessage(queueId)),
  );
  return isEnough ? hint : undefined;
}

function recoverByHint(hint: Hint, log: MessageLog, acks: Acks, visitor: RecoveryVisitor): number {
  const journal = new SegmentJournal(hint.segmentNumber, hint.epoch);
  journal.isSealed = true;
  journal.writtenEnd = hint.logBytes;
  journal.isHintBegun = true;
  journal.isHinted = true;
  const segment = log.restoreCold(journal, hint.logBytes);
  for (const section of hint.sections) {
    journal.targets += section.recordCount;
    recoverSection(hint, section, log, segment, acks, visitor);
  }
  if (segment.live === 0) log.journal!.retire(segment);
  return hint.lastBatchNumber;
}

/** What a queue has in a segment: runs, and between them single messages that came back once. */
function recoverSection(
  hint: Hint,
  section: HintSection,
  log: MessageLog,
  segment: Segment,
  acks: Acks,
  visitor: RecoveryVisitor,
): void {
  const { queueId, first, last } = section;
  const { segmentNumber } = hint;
  const endRun = (from: number, to: number, count: number): void => {
    if (count === 0) return;
    segment.live += count;
    visitor.onRun(queueId, {
      first: log.positionIn(segment, from),
      last: log.positionIn(segment, to),
      count,
    });
  };
  if (!visitor.isKept(queueId, segmentNumber, last)) return;
  if (acks.isEmpty && visitor.isKept(queueId, segmentNumber, first)) {
    return endRun(first, last, section.recordCount);
  }
  let from = 0;
  let to = 0;
  let count = 0;
  for (const offset of offsetsOf(hint, section)) {
    if (acks.has(offset, queueId) || !visitor.isKept(queueId, segmentNumber, offset)) continue;
    const returnCount = acks.returnCount(offset, queueId);
    if (returnCount > 0) {
      endRun(from, to, count);
      count = 0;
      segment.live++;
      visitor.onMessage(
        queueId,
        log.positionIn(segment, offset),
        returnCount,
        acks.failureCount(offset, queueId),
      );
    } else {
      if (count++ === 0) from = offset;
      to = offset;
    }
  }
  endRun(from, to, count);
}

async function recoverByReading(
  fileSystem: FileSystem,
  directory: string,
  number: number,
  isNewest: boolean,
  log: MessageLog,
  acks: Acks,
  visitor: RecoveryVisitor,
): Promise<number> {
  const file = await readFile(fileSystem, segmentPath(directory, number));
  const header = readFileHeader(file);
  const image = imageOf(file, header?.extent);
  const journal = new SegmentJournal(number, header?.epoch);
  journal.isCompacted = (header?.extent ?? 0) > 0;
  journal.isSealed = true;
  journal.writtenEnd = image.bytes.length;
  journal.damaged = image.damaged;
  const segment = log.restore(journal, image.bytes);
  for (const { start, end } of image.damaged) {
    const isTail = isNewest && end === file.length;
    visitor.onDamage(number, start, end, isTail);
    if (isTail) await cut(fileSystem, segmentPath(directory, number), start);
  }
  for (const batch of image.batches) recoverBatch(log, segment, file, batch, acks, visitor);
  if (segment.live === 0) log.journal!.retire(segment);
  return image.batches.at(-1)?.header.batchNumber ?? 0;
}

function recoverBatch(
  log: MessageLog,
  segment: Segment,
  file: Buffer,
  batch: BatchRange,
  acks: Acks,
  visitor: RecoveryVisitor,
): void {
  const journal = segment.journal!;
  visitRecords(file, batch, (offset, at) => {
    const position = log.positionIn(segment, offset);
    const targetsAt = at + targetsOffset(0, file.readUInt32LE(at + 4));
    const count = file.readUInt32LE(targetsAt);
    journal.targets += count;
    for (let i = 0; i < count; i++) {
      const queueId = file.readUInt32LE(targetsAt + 4 + 4 * i);
      if (acks.has(offset, queueId) || !visitor.isKept(queueId, journal.number, offset)) continue;
      segment.live++;
      const returnCount = acks.returnCount(offset, queueId);
      visitor.onMessage(queueId, position, returnCount, acks.failureCount(offset, queueId));
    }
  });
}

/** A torn tail goes for good: at the next start this is not the newest segment, and it would count as damage. */
async function cut(fileSystem: FileSystem, path: string, length: number): Promise<void> {
  const file = await fileSystem.open(path, 'readWrite');
  try {
    await file.truncate(length);
    await file.dataSync();
  } finally {
    await file.close();
  }
}
