import { readFileSync } from 'node:fs';

/**
 * The whole of a UTF-8 text file, without a byte order mark. Synchronous: for what is read once, before anything
 * else runs.
 *
 * @throws the system's error, with its `code` (`ENOENT`, `EACCES`, ...)
 */
export function readTextFile(path: string): string {
  const text = readFileSync(path, 'utf8');
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
