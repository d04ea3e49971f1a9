/**
 * One owner at a time, held by the kernel: an open-file-description lock (Linux), `flock` (macOS) or `LockFileEx`
 * (Windows) on a file. It ends with the descriptor, so it is gone when its holder is, also after `kill -9`; there
 * is no process id in a file that could be stale.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';

export interface FileLock {
  /** Lets the next owner in. A second call does nothing. */
  release(): void;
}

/** Nobody but its owner reads or lists what is kept in such a directory. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** Creates a directory and those above it; what exists keeps its mode. @throws the system's error, with `code` */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
}

/**
 * Locks a file, which is created when it is missing and never deleted: deleting it would let two processes hold
 * locks on two files of the same name.
 *
 * @returns undefined when another descriptor holds the lock, in this process or another
 * @throws the system's error, with its `code`, also when the file system has no locks
 */
export function lockFile(path: string): FileLock | undefined {
  const { tryLock, unlock } = nativeLocks();
  // 'a': created when missing, never truncated, and writable, which an exclusive lock requires. A bare descriptor,
  // because a FileHandle that nobody refers to any more is closed, and the lock with it.
  let descriptor: number | undefined = openSync(path, 'a', FILE_MODE);
  try {
    if (!tryLock(descriptor)) {
      closeSync(descriptor);
      return undefined;
    }
  } catch (error) {
    closeSync(descriptor);
    // What Windows answers while another process holds the lock.
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return undefined;
    throw error;
  }
  return {
    release: () => {
      if (descriptor === undefined) return;
      const held = descriptor;
      descriptor = undefined;
      unlock(held);
      closeSync(held);
    },
  };
}

/** The part of fs-native-extensions used here; it ships no types. Without a range the whole file is meant. */
interface NativeLocks {
  /** An exclusive lock: false when another descriptor holds one. */
  tryLock(fd: number): boolean;
  unlock(fd: number): void;
}

/** Loaded when the first lock is asked for: a broker in memory never loads a native module. */
function nativeLocks(): NativeLocks {
  return createRequire(import.meta.url)('fs-native-extensions') as NativeLocks;
}
