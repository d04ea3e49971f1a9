import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataDirectory } from '../../src/store/data-directory.js';

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'leveret-data-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function inUse(path: string): string {
  return `the data directory ${path} is in use by another broker; stop it, or give this one its own with --data-dir`;
}

describe('openDataDirectory', () => {
  it('creates the directory and those above it, for the owner alone', async () => {
    const path = join(parent, 'a', 'b');
    const directory = await openDataDirectory(path);
    expect(directory.path).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, 'lock')).mode & 0o777).toBe(0o600);
    await directory.close();
  });

  it('leaves what is there as it is', async () => {
    const path = join(parent, 'a');
    mkdirSync(path, { mode: 0o750 });
    writeFileSync(join(path, 'lock'), 'kept');
    const directory = await openDataDirectory(path);
    await directory.close();
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(statSync(join(path, 'lock')).size).toBe(4);
  });

  it('has one owner at a time', async () => {
    const path = join(parent, 'a');
    const first = await openDataDirectory(path);
    await expect(openDataDirectory(path)).rejects.toThrow(inUse(path));
    // The failed attempt closed its own descriptor, and the lock is still held.
    await expect(openDataDirectory(path)).rejects.toThrow(inUse(path));
    await first.close();
    await first.close();
    const second = await openDataDirectory(path);
    await expect(openDataDirectory(path)).rejects.toThrow(inUse(path));
    // Closing the first once more does not take the lock from the second.
    await first.close();
    await expect(openDataDirectory(path)).rejects.toThrow(inUse(path));
    await second.close();
    expect(existsSync(join(path, 'lock'))).toBe(true);
  });

  it('is free again as soon as its owner has been killed', async () => {
    const path = join(parent, 'a');
    await (await openDataDirectory(path)).close();
    const holder = lockHolder(join(path, 'lock'));
    try {
      const [answer] = (await once(holder.stdout!, 'data')) as [Buffer];
      expect(answer.toString()).toBe('true');
      await expect(openDataDirectory(path)).rejects.toThrow(inUse(path));
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
    await (await openDataDirectory(path)).close();
  });

  it('says why a directory cannot be created or locked', async () => {
    const file = join(parent, 'file');
    writeFileSync(file, '');
    await expect(openDataDirectory(file)).rejects.toThrow(
      `the data directory ${file} cannot be created (EEXIST); choose another with --data-dir`,
    );
    const below = join(file, 'a');
    await expect(openDataDirectory(below)).rejects.toThrow(
      `the data directory ${below} cannot be created (ENOTDIR); choose another with --data-dir`,
    );
    const path = join(parent, 'a');
    mkdirSync(join(path, 'lock'), { recursive: true });
    await expect(openDataDirectory(path)).rejects.toThrow(
      `the data directory ${path} cannot be locked (EISDIR); ` +
        'it must be writable and on a file system with locks: choose another with --data-dir',
    );
  });
});

/** Another process that takes the lock, says whether it got it, and holds it until it is killed. */
function lockHolder(lockPath: string): ChildProcess {
  const modulePath = createRequire(import.meta.url).resolve('fs-native-extensions');
  const script =
    'const { tryLock } = require(process.argv[1]);' +
    "process.stdout.write(String(tryLock(require('node:fs').openSync(process.argv[2], 'a'))));" +
    'process.stdin.resume();';
  return spawn(process.execPath, ['-e', script, modulePath, lockPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}
