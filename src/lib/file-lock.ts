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
  const locks = nativeLocks();
  // 'a': created when missing, never truncated, and writable, which an exclusive lock requires. A bare descriptor,
  // because a FileHandle that nobody refers to any more is closed, and the lock with it.
  let descriptor: number | undefined = openSync(path, 'a', FILE_MODE);
  try {
    if (!tryLock(locks, descriptor)) {
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
      locks.unlock(held, 0, 0);
      closeSync(held);
    },
  };
}

/** The native part of fs-native-extensions, as far as it is used here; it ships no types. */
interface NativeLocks {
  /** Locks so many bytes from `offset` on, 0 for the whole file. @throws an error with the code EAGAIN when another descriptor has a lock */
  tryLock(fd: number, offset: number, length: number, isExclusive: boolean): void;
  unlock(fd: number, offset: number, length: number): void;
}

/**
 * Loaded when the first lock is asked for: a broker in memory never loads a native module. The JavaScript around it,
 * which looks for the file that suits the machine, takes 5 MB of resident memory to do so: it is asked only where the
 * file is not at the usual place.
 */
function nativeLocks(): NativeLocks {
  const require = createRequire(import.meta.url);
  try {
    const file = `prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`;
    return require(`fs-native-extensions/${file}`) as NativeLocks;
  } catch {
    return require('fs-native-extensions/binding.js') as NativeLocks;
  }
}

/** Whether the lock is ours now. @throws the system's error, with `code` */
function tryLock(locks: NativeLocks, fd: number): boolean {
  try {
    locks.tryLock(fd, 0, 0, true);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
}
