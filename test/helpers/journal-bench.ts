/** A message log with a journal on a simulated disk; the test decides when a commit starts. */
import { ManualClock } from '../../src/lib/manual-clock.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { DiskPatience } from '../../src/store/disk-patience.js';
import type { Journal } from '../../src/store/journal.js';
import { MessageLog } from '../../src/store/message-log.js';
import { findSegments, recoverSegments } from '../../src/store/recovery.js';
import type { SyncMode } from '../../src/store/sync-mode.js';
import { microtasks } from './durable-broker.js';

export const MESSAGES = '/data/messages';
export const QUEUE_ID = 7;

export interface JournalBench {
  readonly log: MessageLog;
  readonly journal: Journal;
  readonly disk: SimulatedFileSystem;
  readonly clock: ManualClock;
  readonly fatal: unknown[];
  /** What onFull was told. */
  readonly full: boolean[];
  readonly damage: (readonly [segmentNumber: number, start: number, end: number])[];
  /** Payloads of the messages that recovery found, and where. */
  readonly recovered: { readonly text: string; readonly position: number }[];
  /** Appends a message for one queue. @returns its position */
  write(text: string): number;
  read(position: number): string;
  /** Starts a commit, and lets the disk work until nothing happens any more. */
  settle(): Promise<void>;
  /** The operations since the last call, as `write 1.log`, without reads. */
  takeOperations(): string[];
}

export interface JournalBenchOptions {
  readonly segmentBytes?: number;
  readonly residentBytesMax?: number;
  readonly syncMode?: SyncMode;
  readonly readBlockBytes?: number;
}

export async function openJournal(
  disk = new SimulatedFileSystem(),
  options: JournalBenchOptions = {},
): Promise<JournalBench> {
  await disk.makeDirectory(MESSAGES);
  const clock = new ManualClock();
  const log = new MessageLog();
  const fatal: unknown[] = [];
  const full: boolean[] = [];
  const damage: [number, number, number][] = [];
  const numbers = await findSegments(disk, MESSAGES);
  log.startJournal(
    {
      fileSystem: disk,
      directory: MESSAGES,
      segmentBytes: options.segmentBytes ?? 1_024,
      syncMode: options.syncMode ?? 'always',
      epoch: 1 + numbers.length,
      clock,
      inspect: () => false,
      readBlockBytes: options.readBlockBytes ?? 1_000_000,
      onDirty: () => {},
      patience: new DiskPatience((isFull) => full.push(isFull)),
      onFatal: (error) => fatal.push(error),
      onDamage: (segmentNumber, start, end) => damage.push([segmentNumber, start, end]),
    },
    options.residentBytesMax ?? 1_000_000,
  );
  const journal = log.journal!;
  const read = (position: number): string => {
    const at = log.payloadOffset(position);
    return log.segmentOf(position).bytes.toString('latin1', at, at + log.payloadLength(position));
  };
  const recovered: { text: string; position: number }[] = [];
  const state = await recoverSegments(disk, MESSAGES, numbers, log, {
    isKept: (queueId) => queueId === QUEUE_ID,
    recoversByMessage: () => true,
    onRun: () => {},
    onMessage: (_queueId, position) => recovered.push({ text: read(position), position }),
    onDamage: (segmentNumber, start, end) => damage.push([segmentNumber, start, end]),
  });
  journal.continueAfter(state);
  let seen = disk.operations;
  return {
    log,
    journal,
    disk,
    clock,
    fatal,
    full,
    damage,
    recovered,
    read,
    write: (text) => {
      const position = log.appendDurable(text.length, 1);
      log.segmentOf(position).bytes.write(text, log.payloadOffset(position), 'latin1');
      log.writeTarget(position, 0, QUEUE_ID);
      log.retain(position, 1);
      return position;
    },
    settle: async () => {
      for (let before = -1; before !== disk.operations; ) {
        before = disk.operations;
        journal.commit();
        await microtasks();
      }
    },
    takeOperations: () => {
      const lines = disk.operationLog.map((line) => /^(\d+) (\w+) ([^ :]+)/.exec(line)!);
      const fresh = lines.filter(([, number]) => Number(number) > seen);
      seen = disk.operations;
      const changes = fresh.filter(
        ([, , operation]) => !['exists', 'read', 'size', 'list'].includes(operation!),
      );
      return changes.map(([, , operation, path]) => `${operation} ${path!.replace(/^.*\/0*/, '')}`);
    },
  };
}
