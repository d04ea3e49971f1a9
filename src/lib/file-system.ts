/**
 * The disk as an argument. What is durable hangs on four rules that every caller keeps (POSIX promises no more):
 *
 *   - bytes and sizes are on the disk once `dataSync` of their file has returned, and not before;
 *   - names (creations, renames, removals) once `syncDirectory` of their directory has returned;
 *   - a write may be short, and one that was not synced may be torn at any byte;
 *   - after a failed `dataSync` the system may have forgotten which bytes were not written: a second one that
 *     succeeds proves nothing (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
 *
 * Operations that are not awaited one after the other may happen in any order. Failures reject with the system's
 * error, whose `code` is `ENOENT`, `ENOSPC`, `EIO`...
 */
import { dirname } from 'node:path';

/** One open file. Positions and lengths are bytes. */
export interface OpenFile {
  /**
   * Writes up to `length` bytes of `bytes` from `offset` at `position`; returns how many were written, which may
   * be fewer: a disk that becomes full gives a short write first and an error only to the next one.
   */
  write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** Returns how many bytes were read, which may be fewer than asked for; 0 at the end. */
  read(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** fdatasync: data and size are on the disk. After an error the file must not be trusted or synced again. */
  dataSync(): Promise<void>;
  /** Cuts the file, or extends it with zeros. */
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  /** A second call does nothing; every other operation on a closed file fails with `EBADF`. */
  close(): Promise<void>;
}

/** `create`: must not exist, reads and writes. `readWrite` and `read`: must exist. */
export type OpenMode = 'create' | 'readWrite' | 'read';

export interface FileSystem {
  /** Opens a file; one that is created can be read and written by its owner only. */
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Whether a file or directory has this name. */
  exists(path: string): Promise<boolean>;
  /** Names of the files and directories in a directory, sorted by code unit. */
  list(directory: string): Promise<string[]>;
  /** With those above it, for the owner only (0700), and durable when it returns; no error when it exists. */
  makeDirectory(path: string): Promise<void>;
  /** Gives a file another name, in one step; a file that had that name is gone. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes a user may still write on the volume. */
  freeBytes(path: string): Promise<number>;
}

/** An error as the system reports it: its name in `code`. */
export function systemError(code: string, operation: string, path?: string): NodeJS.ErrnoException {
  const text = path === undefined ? `${code}: ${operation}` : `${code}: ${operation} '${path}'`;
  return Object.assign(new Error(text), { code, syscall: operation, ...(path !== undefined && { path }) });
}

/**
 * Writes all `length` bytes, however short the single writes are.
 *
 * @throws the system's error; `ENOSPC` also when a write accepts nothing
 */
export async function writeFully(
  file: OpenFile,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < length) {
    const count = await file.write(bytes, offset + written, length - written, position + written);
    if (count === 0) throw systemError('ENOSPC', 'write');
    written += count;
  }
}

/** Reads `length` bytes, or as many as there are before the end; returns how many. */
export async function readFully(
  file: OpenFile,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await file.read(bytes, offset + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/**
 * Replaces or creates a small file so that after a power cut it holds all of the old bytes or all of the new ones,
 * and the new ones once this has returned. On an error it holds either; `path`.tmp is removed, or else by the next call.
 */
export async function replaceFile(fileSystem: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporaryPath = `${path}.tmp`;
  if (await fileSystem.exists(temporaryPath)) await fileSystem.unlink(temporaryPath);
  try {
    const file = await fileSystem.open(temporaryPath, 'create');
    try {
      await writeFully(file, bytes, 0, bytes.length, 0);
      // Before the rename: otherwise the new name may reach the disk ahead of the bytes, and the file is empty.
      await file.dataSync();
    } finally {
      await file.close();
    }
    await fileSystem.rename(temporaryPath, path);
  } catch (error) {
    // On a full disk it would stand in the way of everybody else.
    await fileSystem.unlink(temporaryPath).catch(() => {});
    throw error;
  }
  await fileSystem.syncDirectory(dirname(path));
}
