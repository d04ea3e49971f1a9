/**
 * What survives a restart: opens a data directory, makes the definitions again, puts the messages back into their
 * queues, and from then on keeps both. Listeners open afterwards.
 */
import { IMAGE_DEADLINE_MS, IMAGE_PRIORITY } from '../amqp/message-image.js';
import type { FileSystem } from '../lib/file-system.js';
import { RESIDENT_BYTES_MAX, SEGMENT_FILE_BYTES, SPILL_MEMORY_SHARE } from '../lib/limits.js';
import type { Queue } from '../queues/queue.js';
import { HandOut } from '../queues/ready-index.js';
import { NORMAL_PRIORITY_MAX } from '../queues/two-level-index.js';
import { Compactor } from '../store/compactor.js';
import { type DefinitionRecord, DefinitionsLog, readDefinitions } from '../store/definitions-log.js';
import { DiskPatience, isFullDisk } from '../store/disk-patience.js';
import { findSegments, type RecoveryVisitor, recoverSegments } from '../store/recovery.js';
import { emptySpillDirectory } from '../store/spill.js';
import type { SyncMode } from '../store/sync-mode.js';
import type { Broker } from './broker.js';
import { applyConfig, applyPolicies } from './configured-definitions.js';
import { applyRecord, brokerRecord, snapshotOf } from './definitions.js';
import { DiskSpace } from './disk-space.js';

export interface PersistenceOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly syncMode: SyncMode;
  /** Publishers are blocked while the volume has less room than this, in bytes. */
  readonly diskFreeLimitBytes?: number;
  /** The disk failed: nothing can be confirmed any more, and the process should end. */
  readonly onFatal: (error: unknown) => void;
  /** Bytes of a segment file; smaller ones let tests see edges. */
  readonly segmentBytes?: number;
  /** Bytes of durable segments kept in memory. */
  readonly residentBytesMax?: number;
  /** Bytes read back at a time. */
  readonly readBlockBytes?: number;
}

export interface Persistence {
  /** Makes everything safe and closes the files. */
  close(): Promise<void>;
}

/** @throws NewerFormatError, DamagedDefinitionsError or UnknownNameError with nothing touched */
export async function openPersistence(broker: Broker, options: PersistenceOptions): Promise<Persistence> {
  const { fileSystem, directory } = options;
  const messages = `${directory}/messages`;
  const startedAtMs = broker.clock.monotonicMs();
  await fileSystem.makeDirectory(messages);
  const { records, droppedBytes } = await readDefinitions(fileSystem, directory);
  const segmentNumbers = await findSegments(fileSystem, messages);
  const handOutOf = handOutJudge(records);
  const epoch = replay(broker, records);
  if (droppedBytes > 0) broker.logger.warn({ droppedBytes }, 'dropped a torn tail of the definitions');

  const queues = durableQueues(broker);
  const space = new DiskSpace(broker.clock, fileSystem, directory, options.diskFreeLimitBytes ?? 0, {
    onChange: (isLow) => broker.alarms.set('disk', isLow),
    onRetry: () => broker.log.journal!.retry(),
  });
  const patience = new DiskPatience((isFull) => space.setFull(isFull));
  broker.log.startJournal(
    {
      fileSystem,
      directory: messages,
      segmentBytes: options.segmentBytes ?? SEGMENT_FILE_BYTES,
      syncMode: options.syncMode,
      epoch,
      clock: broker.clock,
      inspect: wantsLook,
      ...(options.readBlockBytes !== undefined && { readBlockBytes: options.readBlockBytes }),
      onDirty: () => broker.scheduler.scheduleCommit(),
      prerequisite: () => {
        const { definitions } = broker;
        const isSafe = definitions === undefined || definitions.durable.value >= definitions.sequence;
        return isSafe ? undefined : definitions.allSafe();
      },
      patience,
      onFatal: options.onFatal,
      onDamage: (segmentNumber, start, end) => reportDamage(broker, segmentNumber, start, end, false),
    },
    options.residentBytesMax ?? RESIDENT_BYTES_MAX,
  );
  await startSpill(broker, fileSystem, `${directory}/spill`);
  const { journal } = broker.log;
  const isKept = keeperOf(queues);
  let messageCount = 0;
  const state = await recoverSegments(fileSystem, messages, segmentNumbers, broker.log, {
    isKept: (queueId, segmentNumber, offset) => {
      // The definition of its queue may be lost where its messages are not: they are nobody else's.
      broker.continueQueueIds(queueId);
      return isKept(queueId, segmentNumber, offset);
    },
    recoversByMessage: (queueId) => queues.get(queueId)!.recoversByMessage,
    onMessage: (queueId, position, returnCount, failureCount) => {
      const handOut = returnCount > 0 ? HandOut.Noted : handOutOf(queueId);
      queues.get(queueId)!.recover(position, handOut, returnCount, failureCount);
      messageCount++;
    },
    onRun: (queueId, run) => {
      queues.get(queueId)!.recoverRun(run, handOutOf(queueId));
      messageCount += run.count;
    },
    onDamage: (number, start, end, isTail) => reportDamage(broker, number, start, end, isTail),
  });
  // Numbers start again once every segment is gone, but not below a purge: what follows it is not purged.
  let { segmentNumber } = state;
  for (const { purgeMark } of queues.values()) {
    segmentNumber = Math.max(segmentNumber, purgeMark?.segmentNumber ?? 0);
  }
  journal!.continueAfter({ ...state, segmentNumber });
  broker.scheduler.commit = () => journal!.commit();
  const compactor = new Compactor(broker.log, {
    fileSystem,
    directory: messages,
    clock: broker.clock,
    epoch,
    onFailed: (error) => broker.logger.warn({ err: error }, 'a compaction failed; it will be tried again'),
    keeper: () => keeperOf(durableQueues(broker)),
    onCompacted: (segmentNumber, bytesBefore, bytesAfter) =>
      broker.logger.debug({ segmentNumber, bytesBefore, bytesAfter }, 'compacted a segment'),
  });

  const definitions = new DefinitionsLog({
    fileSystem,
    directory,
    patience,
    onFatal: options.onFatal,
    snapshot: () => [brokerRecord(epoch, broker.lastQueueId), ...snapshotOf(broker)],
  });
  await definitions.open();
  broker.definitions = definitions;
  applyPolicies(broker);
  // What expired meanwhile goes now, and the timers of the rest are set.
  for (const queue of queues.values()) queue.counts();
  broker.logger.info(
    {
      queues: queues.size,
      messages: messageCount,
      recoveryMs: Math.round(broker.clock.monotonicMs() - startedAtMs),
    },
    'recovered the data directory',
  );
  return {
    close: async () => {
      space.stop();
      await compactor.stop();
      await broker.log.stopSpill();
      if (await journal!.close()) {
        await broker.log.hintAll();
        for (const { id, isHandOutNoted } of durableQueues(broker).values()) {
          if (!isHandOutNoted) definitions.append({ t: 'unsure', id });
        }
        definitions.append({ t: 'closed' });
      }
      await definitions.close();
    },
  };
}

/** Makes the definitions again, and adds what the options say. @returns the epoch that begins */
function replay(broker: Broker, records: readonly DefinitionRecord[]): number {
  let epoch = 1;
  // Directories from before users were kept have virtual hosts in them, but no users.
  let hasUsers = false;
  for (const record of records) {
    if (record['t'] === 'broker') {
      epoch = Number(record['epoch']) + 1;
      hasUsers = record['keepsUsers'] === true;
      broker.continueQueueIds(Number(record['lastQueueId']));
    } else {
      applyRecord(broker, record);
    }
  }
  applyConfig(broker, { virtualHosts: records.length > 0, users: hasUsers });
  return epoch;
}

/** Transient messages go to the disk before they block publishers; in files that nobody will want again. */
async function startSpill(broker: Broker, fileSystem: FileSystem, directory: string): Promise<void> {
  const onFailed = (error: unknown): void =>
    broker.logger.warn({ err: error }, 'transient messages could not be moved to the disk');
  try {
    await emptySpillDirectory(fileSystem, directory);
  } catch (error) {
    // A full volume may have no room for the name; it must not keep the broker from starting, and from making room.
    if (!isFullDisk(error)) throw error;
    return onFailed(error);
  }
  broker.log.startSpill({
    fileSystem,
    directory,
    memoryBytesMax: broker.config.memoryLimitBytes * SPILL_MEMORY_SHARE,
    onFailed,
    onDamage: () => broker.logger.error({}, 'transient messages on the disk are damaged, and lost'),
  });
}

function durableQueues(broker: Broker): ReadonlyMap<number, Queue> {
  const queues = new Map<number, Queue>();
  for (const virtualHost of broker.allVirtualHosts()) {
    for (const queue of virtualHost.queues.values()) if (queue.durable) queues.set(queue.id, queue);
  }
  return queues;
}

/** A record is kept for a queue that exists and was not purged since. */
function keeperOf(queues: ReadonlyMap<number, Queue>): RecoveryVisitor['isKept'] {
  return (queueId, segmentNumber, offset) => {
    const queue = queues.get(queueId);
    if (queue?.purgeMark === undefined) return queue !== undefined;
    const { purgeMark } = queue;
    if (segmentNumber !== purgeMark.segmentNumber) return segmentNumber > purgeMark.segmentNumber;
    return offset >= purgeMark.offset;
  };
}

/**
 * What is known of the messages of a queue that never came back to it. After a crash nobody knows
 * what was out; a broker that ended in order says of which queues it did not know either.
 */
function handOutJudge(records: readonly DefinitionRecord[]): (queueId: number) => HandOut {
  if (records.at(-1)?.['t'] !== 'closed') return () => HandOut.Presumed;
  const unsure = new Set(records.filter(({ t }) => t === 'unsure').map(({ id }) => Number(id)));
  return (queueId) => (unsure.has(queueId) ? HandOut.Presumed : HandOut.Never);
}

/** A message with an expiration of its own makes its queue look at deadlines; one with a high priority may go first. */
function wantsLook(view: DataView, image: number): boolean {
  if (view.getUint8(image + IMAGE_PRIORITY) > NORMAL_PRIORITY_MAX) return true;
  return view.getFloat64(image + IMAGE_DEADLINE_MS, true) !== Number.POSITIVE_INFINITY;
}

function reportDamage(
  broker: Broker,
  segmentNumber: number,
  start: number,
  end: number,
  isTail: boolean,
): void {
  const fields = { segmentNumber, start, end };
  if (isTail) broker.logger.warn(fields, 'dropped a torn tail: it was never confirmed');
  else broker.logger.error(fields, 'a stretch of the message log is damaged; its messages are lost');
}
