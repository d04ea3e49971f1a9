import { totalmem } from 'node:os';

/** Bytes of memory this process may use: the machine's, or those of its container when that has fewer. */
export function availableMemoryBytes(): number {
  return smallerMemoryLimit(totalmem(), process.constrainedMemory());
}

/**
 * @param constrainedBytes `process.constrainedMemory()`: 0 or undefined when nothing is known of a limit, a
 *   number beyond any machine's memory when there is none
 */
export function smallerMemoryLimit(totalBytes: number, constrainedBytes: number | undefined): number {
  if (constrainedBytes === undefined || constrainedBytes === 0) return totalBytes;
  return Math.min(totalBytes, constrainedBytes);
}
