import { constants } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, rename, statfs, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { FileSystem, OpenFile, OpenMode } from './file-system.js';

/** Nobody but its owner reads or lists what is kept on the disk. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** `wx+` fails when the name is taken, so no two writers ever share a new file. */
const FLAGS: Readonly<Record<OpenMode, string>> = { create: 'wx+', readWrite: 'r+', read: 'r' };

/** The machine's disk. */
export class NodeFileSystem implements FileSystem {
  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    return new NodeOpenFile(await open(path, FLAGS[mode], FILE_MODE));
  }

  async exists(path: string): Promise<boolean> {
    try {
      await access(path, constants.F_OK);
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw error;
    }
  }

  async list(directory: string): Promise<string[]> {
    return (await readdir(directory)).sort();
  }

  async makeDirectory(path: string): Promise<void> {
    const lowest = resolve(path);
    const highestCreated = await mkdir(lowest, { recursive: true, mode: DIRECTORY_MODE });
    if (highestCreated === undefined) {
      // It may be the work of a process that was killed before the sync below. A parent of somebody else's that
      // we may not open (a systemd StateDirectory has one) is that owner's to sync.
      await this.syncDirectory(dirname(lowest)).catch(ignoreNotPermitted);
      return;
    }
    // A directory's own name lies in the one above it: every level that is new needs its parent synced.
    const end = dirname(resolve(highestCreated));
    for (let parent = dirname(lowest); parent.length > end.length; parent = dirname(parent)) {
      await this.syncDirectory(parent);
    }
    await this.syncDirectory(end);
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to);
  }

  async unlink(path: string): Promise<void> {
    await unlink(path);
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows opens no directories; NTFS keeps names in its journal.
    if (process.platform === 'win32') return;
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } catch (error) {
      // What file systems answer that cannot sync a directory, as some network ones: nothing is to be done there.
      if (codeOf(error) !== 'EINVAL') throw error;
    } finally {
      await handle.close();
    }
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  }
}

/**
 * Over a FileHandle and not a bare descriptor: one that was closed answers `EBADF`, where the number might by then
 * be another file, and closing waits for the operations under way.
 */
class NodeOpenFile implements OpenFile {
  private readonly handle: FileHandle;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  async write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return (await this.handle.write(bytes, offset, length, position)).bytesWritten;
  }

  async read(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return (await this.handle.read(bytes, offset, length, position)).bytesRead;
  }

  async dataSync(): Promise<void> {
    await this.handle.datasync();
  }

  async truncate(length: number): Promise<void> {
    await this.handle.truncate(length);
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function ignoreNotPermitted(error: unknown): void {
  const code = codeOf(error);
  if (code !== 'EACCES' && code !== 'EPERM') throw error;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
