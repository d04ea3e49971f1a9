/** How often the disk syncs an append: what a broker that confirms one message at a time can reach at most. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const PROBE_MS = 1000;

/** @returns appends of so many bytes, each synced, in a second */
export function syncsPerSecond(directory: string, bytes: number): number {
  const folder = mkdtempSync(join(directory, 'leveret-bench-probe-'));
  const file = openSync(join(folder, 'probe'), 'a');
  try {
    const payload = Buffer.alloc(bytes, 'leveret ');
    const startedMs = performance.now();
    let syncs = 0;
    let elapsedMs = 0;
    for (; elapsedMs < PROBE_MS; syncs++) {
      writeSync(file, payload);
      fdatasyncSync(file);
      elapsedMs = performance.now() - startedMs;
    }
    return (syncs / elapsedMs) * 1000;
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}
