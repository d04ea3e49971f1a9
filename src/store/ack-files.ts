/** Ack files on the disk, for reading. */
import type { FileSystem } from '../lib/file-system.js';
import { Acks, decodeAcks } from './ack-format.js';
import { readFile } from './read-file.js';

export async function readAcks(fileSystem: FileSystem, path: string): Promise<Acks> {
  return (await fileSystem.exists(path)) ? decodeAcks(await readFile(fileSystem, path)) : new Acks();
}
