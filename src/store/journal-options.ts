/** What a journal is told by its owner. */
import type { Clock } from '../lib/clock.js';
import type { DiskPatience } from './disk-patience.js';
import type { ResidencyOptions } from './residency.js';
import type { SyncMode } from './sync-mode.js';

export interface JournalOptions extends ResidencyOptions {
  readonly segmentBytes: number;
  readonly syncMode: SyncMode;
  /** Which opening of the data directory this is. */
  readonly epoch: number;
  readonly clock: Clock;
  /**
   * What else must be safe before a commit counts: the definitions of the queues its records name. Undefined when
   * that is so already; false when it will never be, which somebody else has reported.
   */
  readonly prerequisite?: () => Promise<boolean> | undefined;
  /** There is something to commit: `commit` is called soon. */
  readonly onDirty: () => void;
  readonly patience: DiskPatience;
}

/** Where an earlier opening of the data directory left off. */
export interface JournalState {
  readonly batchNumber: number;
  readonly segmentNumber: number;
}
