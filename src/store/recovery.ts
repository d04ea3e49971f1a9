/**
 * Recovery: reads back what an earlier opening of the data directory wrote. Batches are proven by their checksums;
 * a torn tail was never confirmed and is dropped, damage elsewhere is reported and confined to its batch. Nothing is
 * ever appended to what is found: a new segment follows.
 */
import { type FileSystem, readFully } from '../lib/file-system.js';
import { ackKey, decodeAcks } from './ack-format.js';
import {
  type BatchRange,
  FILE_HEADER_BYTES,
  imageOf,
  readFileHeader,
  targetsOffset,
  visitRecords,
} from './batch-format.js';
import type { JournalState } from './journal.js';
import { acksPath, segmentNumberOf, segmentPath } from './journal-files.js';
import type { MessageLog } from './message-log.js';
import type { Segment } from './segment.js';
import { SegmentJournal } from './segment-journal.js';

export interface RecoveryVisitor {
  /** Whether the queue has this record: it exists, and was not purged since. Others are forgotten. */
  isKept(queueId: number, segmentNumber: number, recordOffset: number): boolean;
  /** A message that a queue has. Each call is one reference of `position`, in the order of the log. */
  onMessage(queueId: number, position: number): void;
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
    // Acks whose log is gone would count for another that gets its number.
    const isOrphan = name.endsWith('.ack') && !logs.has(name.replace(/\.ack$/, '.log'));
    // What a compaction left behind when it was interrupted.
    if (isOrphan || name.endsWith('.tmp')) await fileSystem.unlink(`${directory}/${name}`);
  }
  return numbers.sort((a, b) => a - b);
}

/** Reads every record back into `log`, whose journal has been started. @returns where numbering goes on */
export async function recoverSegments(
  fileSystem: FileSystem,
  directory: string,
  numbers: readonly number[],
  log: MessageLog,
  visitor: RecoveryVisitor,
): Promise<JournalState> {
  let batchNumber = 0;
  for (const number of numbers) {
    const isNewest = number === numbers.at(-1);
    const file = await readFile(fileSystem, segmentPath(directory, number));
    const header = readFileHeader(file);
    const image = imageOf(file, header?.extent);
    const journal = new SegmentJournal(number);
    journal.isSealed = true;
    journal.writtenEnd = image.bytes.length;
    journal.damaged = image.damaged;
    const segment = log.restore(journal, image.bytes);
    for (const { start, end } of image.damaged) {
      const isTail = isNewest && end === file.length;
      visitor.onDamage(number, start, end, isTail);
      if (isTail) await cut(fileSystem, segmentPath(directory, number), start);
    }
    batchNumber = Math.max(batchNumber, image.batches.at(-1)?.header.batchNumber ?? 0);
    if (image.batches.length > 0) {
      const acks = await readAcks(fileSystem, acksPath(directory, number));
      for (const batch of image.batches) recoverBatch(log, segment, file, batch, acks, visitor);
    }
    if (segment.live === 0) log.journal!.retire(segment);
  }
  return { batchNumber, segmentNumber: numbers.at(-1) ?? 0 };
}

function recoverBatch(
  log: MessageLog,
  segment: Segment,
  file: Buffer,
  batch: BatchRange,
  acks: ReadonlySet<number>,
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
      if (acks.has(ackKey(offset, queueId)) || !visitor.isKept(queueId, journal.number, offset)) continue;
      segment.live++;
      visitor.onMessage(queueId, position);
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

export async function readAcks(fileSystem: FileSystem, path: string): Promise<ReadonlySet<number>> {
  return (await fileSystem.exists(path)) ? decodeAcks(await readFile(fileSystem, path)) : new Set<number>();
}

/** A file's bytes, or the first `bytesMax` of them. */
export async function readFile(fileSystem: FileSystem, path: string, bytesMax = Infinity): Promise<Buffer> {
  const file = await fileSystem.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafeSlow(Math.min(bytesMax, await file.size()));
    const length = await readFully(file, bytes, 0, bytes.length, 0);
    return length === bytes.length ? bytes : bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
