/**
 * The room on the volume (rabbitmq.com/docs/disk-alarms): asked for once a second; below the limit, or once a write
 * found the disk full, publishers are held back. Acks, deletions and purges go on: they make room.
 */
import type { Clock, Timer } from '../lib/clock.js';
import type { FileSystem } from '../lib/file-system.js';
import { DISK_SPACE_INTERVAL_MS } from '../lib/limits.js';

export interface DiskSpaceEvents {
  onChange(isLow: boolean): void;
  /** A write that found the disk full may be tried again. */
  onRetry(): void;
}

export class DiskSpace {
  private readonly clock: Clock;
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly limitBytes: number;
  private readonly events: DiskSpaceEvents;
  private timer: Timer | undefined;
  private isFull = false;
  private isBelowLimit = false;
  private isStopped = false;

  constructor(
    clock: Clock,
    fileSystem: FileSystem,
    directory: string,
    limitBytes: number,
    events: DiskSpaceEvents,
  ) {
    this.clock = clock;
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.limitBytes = limitBytes;
    this.events = events;
    this.arm();
  }

  /** A write found the disk full, or went through again. */
  setFull(isFull: boolean): void {
    this.isFull = isFull;
    this.report();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private arm(): void {
    if (!this.isStopped) this.timer = this.clock.after(DISK_SPACE_INTERVAL_MS, () => void this.check());
  }

  private async check(): Promise<void> {
    try {
      this.isBelowLimit = (await this.fileSystem.freeBytes(this.directory)) < this.limitBytes;
      this.report();
    } catch {
      // A volume that does not tell its room is judged by its writes alone.
    }
    if (this.isFull) this.events.onRetry();
    this.arm();
  }

  private report(): void {
    if (!this.isStopped) this.events.onChange(this.isFull || this.isBelowLimit);
  }
}
