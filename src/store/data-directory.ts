/** The directory that holds everything a broker keeps, and the lock that gives it one owner. */
import { join } from 'node:path';
import { type FileLock, lockFile, makePrivateDirectory } from '../lib/file-lock.js';

/** Locked as long as the directory is open; never deleted. */
const LOCK_FILE = 'lock';

export interface DataDirectory {
  /** As given to `openDataDirectory`. */
  readonly path: string;
  /** Lets another broker open the directory. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Creates the directory when it is missing, for its owner alone, and locks it until `close` or the end of the
 * process, however that ends.
 *
 * @throws Error whose message says what to do: the directory is in use, cannot be created, or cannot be locked
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  try {
    makePrivateDirectory(path);
  } catch (error) {
    throw new Error(
      `the data directory ${path} cannot be created (${reasonOf(error)}); choose another with --data-dir`,
      { cause: error },
    );
  }
  const lock = lockDirectory(path);
  if (lock === undefined) {
    throw new Error(
      `the data directory ${path} is in use by another broker; stop it, or give this one its own with --data-dir`,
    );
  }
  return { path, close: async () => lock.release() };
}

function lockDirectory(path: string): FileLock | undefined {
  try {
    return lockFile(join(path, LOCK_FILE));
  } catch (error) {
    throw new Error(
      `the data directory ${path} cannot be locked (${reasonOf(error)}); ` +
        'it must be writable and on a file system with locks: choose another with --data-dir',
      { cause: error },
    );
  }
}

/** The system's code of an error, such as `EACCES`, or else its message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
