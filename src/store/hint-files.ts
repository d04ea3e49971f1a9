/** Hint files on the disk. They are not synced, and none is needed: one that is missing or damaged is done without. */
import { type FileSystem, writeFully } from '../lib/file-system.js';
import { decodeHint, type Hint } from './hint-format.js';
import { hintPath } from './journal-files.js';
import { readFile } from './read-file.js';

/** @returns undefined when there is none that can be believed, or it is not of this log */
export async function readHint(
  fileSystem: FileSystem,
  directory: string,
  segmentNumber: number,
): Promise<Hint | undefined> {
  const path = hintPath(directory, segmentNumber);
  if (!(await fileSystem.exists(path))) return undefined;
  const hint = decodeHint(await readFile(fileSystem, path));
  return hint?.segmentNumber === segmentNumber ? hint : undefined;
}

export async function writeHint(
  fileSystem: FileSystem,
  directory: string,
  segmentNumber: number,
  bytes: Buffer,
): Promise<void> {
  await removeHint(fileSystem, directory, segmentNumber);
  const file = await fileSystem.open(hintPath(directory, segmentNumber), 'create');
  try {
    await writeFully(file, bytes, 0, bytes.length, 0);
  } finally {
    await file.close();
  }
}

export async function removeHint(
  fileSystem: FileSystem,
  directory: string,
  segmentNumber: number,
): Promise<void> {
  const path = hintPath(directory, segmentNumber);
  if (await fileSystem.exists(path)) await fileSystem.unlink(path);
}
