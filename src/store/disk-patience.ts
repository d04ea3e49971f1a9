/**
 * A full disk is waited for: what finds it full is carried out again, from its beginning, when there may be room.
 * Meanwhile nothing of it counts as done, and the owner is told, so that publishers are held back.
 *
 * Directories may be synced again: nothing of theirs is in memory alone that a failed sync would drop. A sync of bytes
 * is never tried twice, a full disk or not (see file-system.ts): `syncBytes` makes its error final.
 */
import type { OpenFile } from '../lib/file-system.js';

export class DiskPatience {
  private readonly onFull: (isFull: boolean) => void;
  private waitingCount = 0;
  private isWaiting = true;
  private wakeUps: (() => void)[] = [];

  /** @param onFull the disk is full (true), or all that waited for room has found it */
  constructor(onFull: (isFull: boolean) => void) {
    this.onFull = onFull;
  }

  /** @throws what `operation` throws, but for a full disk: then it is called again, until `stopWaiting` */
  async attempt<T>(operation: () => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        const result = await operation();
        if (!isFirst) this.count(-1);
        return result;
      } catch (error) {
        if (!isFullDisk(error) || !this.isWaiting) throw error;
        if (isFirst) this.count(1);
        await new Promise<void>((resolve) => this.wakeUps.push(resolve));
      }
    }
  }

  /** There may be room again. */
  retry(): void {
    const { wakeUps } = this;
    this.wakeUps = [];
    for (const wakeUp of wakeUps) wakeUp();
  }

  /** From now on a full disk is an error: who is told to end cannot wait for somebody to make room. */
  stopWaiting(): void {
    this.isWaiting = false;
    this.retry();
  }

  private count(change: number): void {
    const wasFull = this.waitingCount > 0;
    this.waitingCount += change;
    const isFull = this.waitingCount > 0;
    if (isFull !== wasFull) this.onFull(isFull);
  }
}

/** No room on the volume, or none left for this user. */
export function isFullDisk(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** fdatasync. Some disks find out here only that they are full: what got no room then may be gone, and waits for none. */
export async function syncBytes(file: OpenFile): Promise<void> {
  try {
    await file.dataSync();
  } catch (error) {
    if (!isFullDisk(error)) throw error;
    throw new Error('the disk was found full at an fdatasync, which may have lost what was written', {
      cause: error,
    });
  }
}
