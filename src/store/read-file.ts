import { type FileSystem, readFully } from '../lib/file-system.js';

/** A file's bytes, or the first `bytesMax` of them. */
export async function readFile(fileSystem: FileSystem, path: string, bytesMax = Infinity): Promise<Buffer> {
  const file = await fileSystem.open(path, 'read');
  try {
    const bytes = Buffer.allocUnsafeSlow(Math.min(bytesMax, await file.size()));
    const length = await readFully(file, bytes, 0, bytes.length, 0);
    return length === bytes.length ? bytes : bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
