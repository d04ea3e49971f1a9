/** The durable message log, on the disk of the temporary directory. Nothing is synced: the disk is not what is measured. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageLog } from '../../src/store/message-log.js';
import type { Build, Part } from './part.js';

const QUEUE_ID = 7;
const PAYLOAD_BYTES = 160;
const APPENDED = 20_000;
const PER_COMMIT = 500;
const RECOVERED = 100_000;
const SEGMENT_BYTES = 8_388_608;
const RESIDENT_BYTES_MAX = 268_435_456;

async function openLog(build: Build, directory: string): Promise<MessageLog> {
  const { MessageLog: Log } =
    await build.load<typeof import('../../src/store/message-log.js')>('store/message-log');
  const { NodeFileSystem } =
    await build.load<typeof import('../../src/lib/node-file-system.js')>('lib/node-file-system');
  const { SystemClock } = await build.load<typeof import('../../src/lib/clock.js')>('lib/clock');
  const { DiskPatience } =
    await build.load<typeof import('../../src/store/disk-patience.js')>('store/disk-patience');
  const fail = (error: unknown): void => {
    throw error;
  };
  const log = new Log();
  log.startJournal(
    {
      fileSystem: new NodeFileSystem(),
      directory,
      segmentBytes: SEGMENT_BYTES,
      syncMode: 'os',
      epoch: 1,
      clock: new SystemClock(),
      inspect: () => false,
      onDirty: () => {},
      patience: new DiskPatience(() => {}),
      onFatal: fail,
      onDamage: () => fail(new Error('damage was found')),
    },
    RESIDENT_BYTES_MAX,
  );
  return log;
}

function append(log: MessageLog): number {
  const position = log.appendDurable(PAYLOAD_BYTES, 1);
  log
    .segmentOf(position)
    .bytes.fill(1, log.payloadOffset(position), log.payloadOffset(position) + PAYLOAD_BYTES);
  log.writeTarget(position, 0, QUEUE_ID);
  log.retain(position, 1);
  return position;
}

/** Commits what was appended, and waits until it counts as safe. */
async function commit(log: MessageLog): Promise<void> {
  const journal = log.journal!;
  const wanted = journal.nextCommit;
  journal.commit();
  while (journal.durable.value < wanted) {
    await new Promise<void>((resolve) => journal.durable.onceAdvanced(resolve));
  }
}

async function recover(build: Build, directory: string): Promise<MessageLog> {
  const { findSegments, recoverSegments } =
    await build.load<typeof import('../../src/store/recovery.js')>('store/recovery');
  const { NodeFileSystem } =
    await build.load<typeof import('../../src/lib/node-file-system.js')>('lib/node-file-system');
  const disk = new NodeFileSystem();
  const log = await openLog(build, directory);
  let found = 0;
  await recoverSegments(disk, directory, await findSegments(disk, directory), log, {
    isKept: () => true,
    recoversByMessage: () => true,
    onRun: (_queueId, { count }) => {
      found += count;
    },
    onMessage: () => {
      found++;
    },
    onDamage: () => {
      throw new Error('damage was found');
    },
  });
  if (found !== RECOVERED) throw new Error(`${found} messages were recovered, of ${RECOVERED}`);
  return log;
}

export const journalParts: readonly Part[] = [
  {
    name: 'journal-append',
    title: '160 B appended, written in commits of 500, and settled: one message',
    async prepare(build) {
      const directory = await mkdtemp(join(tmpdir(), 'leveret-parts-'));
      const log = await openLog(build, directory);
      log.journal!.continueAfter({ batchNumber: 0, segmentNumber: 0 });
      const positions = new Float64Array(PER_COMMIT);
      return {
        operations: APPENDED,
        run: async () => {
          for (let done = 0; done < APPENDED; done += PER_COMMIT) {
            for (let i = 0; i < PER_COMMIT; i++) positions[i] = append(log);
            await commit(log);
            for (const position of positions) log.settle(position, QUEUE_ID);
          }
        },
        close: async () => {
          await log.journal!.close();
          await rm(directory, { recursive: true });
        },
      };
    },
  },
  {
    name: 'recovery',
    title: '100,000 messages of 160 B read back from their logs: one message',
    async prepare(build) {
      const directory = await mkdtemp(join(tmpdir(), 'leveret-parts-'));
      const log = await openLog(build, directory);
      log.journal!.continueAfter({ batchNumber: 0, segmentNumber: 0 });
      for (let done = 0; done < RECOVERED; done++) {
        append(log);
        if (done % PER_COMMIT === PER_COMMIT - 1) await commit(log);
      }
      await log.journal!.close();
      return {
        operations: RECOVERED,
        run: async () => {
          await recover(build, directory);
        },
        close: () => rm(directory, { recursive: true }),
      };
    },
  },
];
