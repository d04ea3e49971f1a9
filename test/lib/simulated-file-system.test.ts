/**
 * The simulated disk must be able to do everything that a disk may do, and nothing else: the tests of what is
 * durable are worth as much as it is. Both file systems run the contract here, so that the one stands for the other.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DiskFault } from '../../src/lib/disk-faults.js';
import { type OpenFile, replaceFile, writeFully } from '../../src/lib/file-system.js';
import { NodeFileSystem } from '../../src/lib/node-file-system.js';
import { PowerCutError, SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { contentOf, fileSystemContract, readFile, writeFile } from './file-system-contract.js';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

async function textOf(disk: SimulatedFileSystem, path: string): Promise<string | undefined> {
  return (await readFile(disk, path))?.toString('latin1');
}

/** A disk on which the empty file `/log` is durable, and the file, open. */
async function diskWithLog(seed: number): Promise<{ disk: SimulatedFileSystem; log: OpenFile }> {
  const disk = new SimulatedFileSystem(seed);
  const log = await disk.open('/log', 'create');
  await disk.syncDirectory('/');
  return { disk, log };
}

async function append(log: OpenFile, bytes: Uint8Array): Promise<void> {
  await writeFully(log, bytes, 0, bytes.length, await log.size());
}

describe('SimulatedFileSystem as a file system', () => {
  fileSystemContract(async () => {
    const fileSystem = new SimulatedFileSystem();
    await fileSystem.makeDirectory('/data');
    return { fileSystem, root: '/data' };
  });
});

describe('NodeFileSystem as a file system', () => {
  let scratch: string;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'leveret-file-system-'));
  });
  afterAll(() => rm(scratch, { recursive: true }));

  fileSystemContract(async () => ({
    fileSystem: new NodeFileSystem(),
    root: await mkdtemp(join(scratch, 'test-')),
  }));

  it.skipIf(process.platform === 'win32')('keeps files and directories to their owner', async () => {
    const fileSystem = new NodeFileSystem();
    await fileSystem.makeDirectory(join(scratch, 'private', 'inner'));
    await writeFile(fileSystem, join(scratch, 'private', 'file'), '');
    const modeOf = async (...names: string[]): Promise<number> =>
      (await stat(join(scratch, ...names))).mode & 0o777;
    expect(await modeOf('private')).toBe(0o700);
    expect(await modeOf('private', 'inner')).toBe(0o700);
    expect(await modeOf('private', 'file')).toBe(0o600);
  });
});

/** One step of a random history of a file, in small numbers so that changes meet. */
type Step =
  | { readonly kind: 'write'; readonly position: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly length: number }
  | { readonly kind: 'dataSync' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      position: fc.nat(3000),
      length: fc.integer({ min: 1, max: 2000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), length: fc.nat(4000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'dataSync' as const }) },
);

/** Runs the steps; returns every content the file has had since its last sync, that one first. */
async function runSteps(log: OpenFile, steps: readonly Step[]): Promise<Buffer[]> {
  let versions: Buffer[] = [Buffer.alloc(0)];
  let stamp = 0;
  for (const next of steps) {
    if (next.kind === 'write') {
      const bytes = Buffer.alloc(next.length, (++stamp % 255) + 1);
      await writeFully(log, bytes, 0, bytes.length, next.position);
    } else if (next.kind === 'truncate') await log.truncate(next.length);
    else await log.dataSync();
    const content = await contentOf(log);
    versions = next.kind === 'dataSync' ? [content] : [...versions, content];
  }
  return versions;
}

describe('a power cut', () => {
  it('keeps what was synced, and of the rest invents nothing', async () => {
    const history = fc.array(step, { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.nat(), history, async (seed, steps) => {
        const { disk, log } = await diskWithLog(seed);
        const versions = await runSteps(log, steps);
        const found = await readFile(disk.powerCut(), '/log');
        expect(found).toBeDefined();
        const lengths = versions.map((version) => version.length);
        expect(found!.length).toBeGreaterThanOrEqual(Math.min(...lengths));
        expect(found!.length).toBeLessThanOrEqual(Math.max(...lengths));
        for (const [position, byte] of found!.entries()) {
          // A byte is what some version had there; a hole where the size arrived and the data did not.
          const isKnown = versions.some((version) => (version[position] ?? 0) === byte);
          if (!isKnown) expect({ position, byte }).toBe('a byte that was written there');
        }
      }),
      { numRuns: 400 },
    );
  });

  it('keeps a synced prefix whatever is appended after it', async () => {
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.alloc(700, 1));
      await log.dataSync();
      await append(log, Buffer.alloc(5000, 2));
      const found = await readFile(disk.powerCut(), '/log');
      expect(found!.subarray(0, 700).equals(Buffer.alloc(700, 1)), `seed ${seed}`).toBe(true);
    }
  });

  it('loses, keeps, tears and reorders what was not synced', async () => {
    const seen = { lost: 0, kept: 0, tornInSector: 0, hole: 0, laterWithoutEarlier: 0, overwrittenPartly: 0 };
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.alloc(2048, 9));
      await log.dataSync();
      await writeFully(log, Buffer.alloc(2048, 8), 0, 2048, 0);
      await append(log, Buffer.alloc(3000, 1));
      await append(log, Buffer.alloc(3000, 2));
      const found = (await readFile(disk.powerCut(), '/log'))!;
      const old = found.subarray(0, 2048).filter((byte) => byte === 9).length;
      const first = found.subarray(2048, 5048).filter((byte) => byte === 1).length;
      const second = found.subarray(5048).filter((byte) => byte === 2).length;
      if (found.length === 2048 && old === 2048) seen.lost++;
      if (found.length === 8048 && old === 0 && first + second === 6000) seen.kept++;
      if (found.length < 8048 && found.length % 512 !== 0 && found.length > 5048) seen.tornInSector++;
      if (found.subarray(2048).includes(0)) seen.hole++;
      if (found[4000] === 0 && found[7000] === 2) seen.laterWithoutEarlier++;
      if (old > 0 && old < 2048) seen.overwrittenPartly++;
    }
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
    expect(seen.lost).toBeGreaterThan(SEEDS.length / 10);
    expect(seen.kept).toBeGreaterThan(SEEDS.length / 10);
  });

  it('may leave a sector as it was between two writes', async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.from('one.'));
      await append(log, Buffer.from('two.'));
      await append(log, Buffer.from('three.'));
      found.add((await textOf(disk.powerCut(), '/log'))!);
    }
    for (const content of ['', 'one.', 'one.two.', 'one.two.three.', 'one.two.th'])
      expect(found).toContain(content);
  });

  it('takes or leaves names that were not synced, each for itself', async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const disk = new SimulatedFileSystem(seed);
      await writeFile(disk, '/removed', '');
      await writeFile(disk, '/kept', 'kept');
      await disk.syncDirectory('/');
      await writeFile(disk, '/a', 'a');
      await writeFile(disk, '/b', 'b');
      await disk.unlink('/removed');
      const next = disk.powerCut();
      const names = await next.list('/');
      expect(names).toContain('kept');
      if (names.includes('a')) expect(await textOf(next, '/a')).toBe('a');
      found.add(names.join(' '));
    }
    expect([...found].sort()).toEqual(
      ['kept', 'a kept', 'b kept', 'a b kept'].flatMap((names) => [names, `${names} removed`]).sort(),
    );
  });

  it('leaves a rename done or not done', async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const disk = new SimulatedFileSystem(seed);
      await disk.makeDirectory('/other');
      await writeFile(disk, '/a', 'new');
      await writeFile(disk, '/other/b', 'old');
      await disk.syncDirectory('/');
      await disk.syncDirectory('/other');
      await disk.rename('/a', '/other/b');
      const next = disk.powerCut();
      found.add(`${await textOf(next, '/a')} ${await textOf(next, '/other/b')}`);
    }
    expect([...found].sort()).toEqual(['new old', 'undefined new']);
  });

  it('undoes with a change of name those that depend on it', async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const disk = new SimulatedFileSystem(seed);
      await writeFile(disk, '/a', 'new');
      await writeFile(disk, '/b', 'old');
      await disk.syncDirectory('/');
      await disk.rename('/a', '/b');
      await disk.unlink('/b');
      const next = disk.powerCut();
      found.add(`${await textOf(next, '/a')} ${await textOf(next, '/b')}`);
    }
    expect([...found].sort()).toEqual(['new old', 'undefined new', 'undefined undefined']);
  });

  it('does not bring back what was cut off, when all that followed has survived', async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.from('abcdef'));
      await log.truncate(1);
      await writeFully(log, Buffer.from('X'), 0, 1, 4);
      found.add((await textOf(disk.powerCut(), '/log'))!);
    }
    expect(found).toContain('a\0\0\0X');
  });

  it('does the same for the same seed', async () => {
    const outcome = async (seed: number): Promise<string | undefined> => {
      const { disk, log } = await diskWithLog(seed);
      for (let i = 0; i < 10; i++) await append(log, Buffer.alloc(400, 65 + i));
      return textOf(disk.powerCut(), '/log');
    };
    expect(await outcome(5)).toBe(await outcome(5));
    expect(new Set(await Promise.all(SEEDS.slice(0, 20).map(outcome))).size).toBeGreaterThan(5);
  });

  it('ends the old disk: every operation on it is rejected, those under way too', async () => {
    const { disk, log } = await diskWithLog(1);
    const underWay = log.write(Buffer.from('x'), 0, 1, 0);
    const next = disk.powerCut();
    await expect(underWay).rejects.toBeInstanceOf(PowerCutError);
    await expect(log.dataSync()).rejects.toBeInstanceOf(PowerCutError);
    await expect(disk.list('/')).rejects.toBeInstanceOf(PowerCutError);
    expect(() => disk.powerCut()).toThrow('successor');
    expect(await next.list('/')).toEqual(['log']);
    expect(next.operations).toBe(1);
  });

  it('is not survived by what a sync only pretended to do', async () => {
    let lostNames = 0;
    let lostBytes = 0;
    for (const seed of SEEDS) {
      const disk = new SimulatedFileSystem(seed);
      disk.ignoreSync = true;
      await replaceFile(disk, '/state', Buffer.from('confirmed'));
      const found = await textOf(disk.powerCut(), '/state');
      if (found === undefined) lostNames++;
      else if (found !== 'confirmed') lostBytes++;
    }
    expect(Math.min(lostNames, lostBytes)).toBeGreaterThan(SEEDS.length / 10);
  });

  it('can come at any operation, which may then have happened or not', async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.from('old'));
      await log.dataSync();
      disk.cutAt(disk.operations + 1);
      await expect(log.write(Buffer.from('new'), 0, 3, 0)).rejects.toBeInstanceOf(PowerCutError);
      const { operations } = disk;
      await expect(log.size()).rejects.toBeInstanceOf(PowerCutError);
      expect(disk.operations).toBe(operations);
      found.add((await textOf(disk.powerCut(), '/log'))!);
    }
    expect([...found].sort()).toEqual(['ned', 'new', 'nld', 'old']);
  });
});

describe('replaceFile on a failing disk', () => {
  const FAULTS: readonly DiskFault[] = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'EROFS', 'short'];
  const old = Buffer.alloc(1500, 'old ');
  const fresh = Buffer.alloc(2500, 'fresh ');

  async function diskWithOld(seed: number): Promise<SimulatedFileSystem> {
    const disk = new SimulatedFileSystem(seed);
    await replaceFile(disk, '/state', old);
    return disk;
  }

  it('leaves all of the old bytes or all of the new ones, wherever the power is cut', async () => {
    for (const seed of SEEDS) {
      const disk = await diskWithOld(seed);
      disk.cutAt(disk.operations + 1 + (seed % 10));
      const isDone = await replaceFile(disk, '/state', fresh).then(
        () => true,
        () => false,
      );
      const next = disk.powerCut();
      const found = await readFile(next, '/state');
      const isNew = found?.equals(fresh) === true;
      expect(isNew || (!isDone && found?.equals(old) === true), `seed ${seed}`).toBe(true);
      await replaceFile(next, '/state', old);
      expect((await readFile(next, '/state'))?.equals(old)).toBe(true);
    }
  });

  it.each(FAULTS)('survives %s at every operation, once or from then on', async (fault) => {
    for (const lasting of ['once', 'lasting'] as const) {
      for (let number = 1; number <= 8; number++) {
        const disk = await diskWithOld(number);
        const start = disk.operations;
        disk.failOperation(start + number, fault, lasting);
        const isDone = await replaceFile(disk, '/state', fresh).then(
          () => true,
          (error: NodeJS.ErrnoException) => {
            expect(error.code).toBe(fault);
            return false;
          },
        );
        if (number <= 7) expect(isDone).toBe(fault === 'short');
        const found = await readFile(disk.powerCut(), '/state');
        expect(found?.equals(fresh) === true || (!isDone && found?.equals(old) === true)).toBe(true);
      }
    }
  });
});

describe('a killed process', () => {
  it('leaves all it has written, which a later power cut may still lose', async () => {
    let lost = 0;
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.from('written'));
      await writeFile(disk, '/new', 'new');
      const next = disk.crash();
      await expect(log.size()).rejects.toBeInstanceOf(PowerCutError);
      expect(await textOf(next, '/log')).toBe('written');
      expect(await textOf(next, '/new')).toBe('new');
      if ((await textOf(next.powerCut(), '/log')) !== 'written') lost++;
    }
    expect(lost).toBeGreaterThan(SEEDS.length / 10);
  });
});

describe('faults', () => {
  it('lets a sync after a failed one succeed without making anything durable', async () => {
    let lost = 0;
    let kept = 0;
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      await append(log, Buffer.from('safe.'));
      await log.dataSync();
      await append(log, Buffer.from('doubtful.'));
      disk.failOperation(disk.operations + 1, 'EIO');
      await expect(log.dataSync()).rejects.toMatchObject({ code: 'EIO' });
      await log.dataSync();
      expect((await contentOf(log)).toString()).toBe('safe.doubtful.');
      const found = (await textOf(disk.powerCut(), '/log'))!;
      expect(found.startsWith('safe.')).toBe(true);
      if (found === 'safe.doubtful.') kept++;
      else lost++;
    }
    expect(Math.min(lost, kept)).toBeGreaterThan(SEEDS.length / 10);
  });

  it('trusts the file again after a boot', async () => {
    for (const seed of SEEDS) {
      const { disk, log } = await diskWithLog(seed);
      disk.failOperation(disk.operations + 1, 'EIO');
      await expect(log.dataSync()).rejects.toMatchObject({ code: 'EIO' });
      const next = disk.powerCut();
      const again = await next.open('/log', 'readWrite');
      await append(again, Buffer.from('confirmed'));
      await again.dataSync();
      expect(await textOf(next.powerCut(), '/log')).toBe('confirmed');
    }
  });

  it('fails one operation, or all from one on, without an effect', async () => {
    const { disk, log } = await diskWithLog(1);
    const start = disk.operations;
    disk.failOperation(start + 2, 'EACCES');
    disk.failOperation(start + 4, 'EROFS', 'lasting');
    const write = (): Promise<number> => log.write(Buffer.from('x'), 0, 1, 0);
    expect(await write()).toBe(1);
    await expect(disk.unlink('/log')).rejects.toMatchObject({ code: 'EACCES', path: '/log' });
    await log.truncate(0);
    await expect(write()).rejects.toMatchObject({ code: 'EROFS' });
    await expect(disk.open('/b', 'create')).rejects.toMatchObject({ code: 'EROFS' });
    expect(disk.operations).toBe(start + 5);
    expect(await textOf(disk.crash(), '/log')).toBe('');
  });

  it('writes and reads short, never nothing', async () => {
    const { disk, log } = await diskWithLog(3);
    disk.failOperation(1, 'short', 'lasting');
    const bytes = Buffer.from('0123456789');
    const count = await log.write(bytes, 0, 10, 0);
    expect(count > 0 && count < 10).toBe(true);
    expect(await log.size()).toBe(count);
    await writeFully(log, bytes, 0, 10, 0);
    expect((await contentOf(log)).toString()).toBe('0123456789');
  });

  it('fills up: short writes, then ENOSPC, until there is room again', async () => {
    const { disk, log } = await diskWithLog(1);
    disk.capacityBytes = 1000;
    expect(await log.write(Buffer.alloc(800), 0, 800, 0)).toBe(800);
    expect(await disk.freeBytes('/')).toBe(200);
    expect(await log.write(Buffer.alloc(800), 0, 800, 800)).toBe(200);
    await expect(log.write(Buffer.alloc(800), 0, 800, 1000)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await log.write(Buffer.alloc(1000), 0, 1000, 0)).toBe(1000);
    await expect(writeFile(disk, '/b', 'b')).rejects.toMatchObject({ code: 'ENOSPC' });
    disk.capacityBytes = 1100;
    await expect(append(log, Buffer.alloc(101))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await log.size()).toBe(1100);
    await disk.unlink('/log');
    expect(await disk.freeBytes('/')).toBe(0);
    await log.close();
    expect(await disk.freeBytes('/')).toBe(1100);
  });

  it('reports a write that accepts nothing as a full disk', async () => {
    const { log } = await diskWithLog(1);
    const stuck: OpenFile = { ...log, write: async () => 0 };
    await expect(writeFully(stuck, Buffer.from('x'), 0, 1, 0)).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});

describe('inspection', () => {
  it('damages what is at rest', async () => {
    const { disk, log } = await diskWithLog(1);
    await append(log, Buffer.from('abc'));
    await log.dataSync();
    disk.flipBit('/log', 8 + 5);
    disk.corrupt('/log', 2, Buffer.from('!'));
    expect(await textOf(disk.powerCut(), '/log')).toBe('aB!');
    expect(() => disk.flipBit('/none', 0)).toThrow('ENOENT');
    expect(() => disk.corrupt('/log', 3, Buffer.from('!'))).toThrow(RangeError);
  });

  it('copies a disk, unsynced changes and all, without a tie to the original', async () => {
    const found = new Set<string>();
    const { disk, log } = await diskWithLog(1);
    await append(log, Buffer.from('base.'));
    await log.dataSync();
    await append(log, Buffer.from('more.'));
    await log.truncate(7);
    for (const seed of SEEDS.slice(0, 40)) {
      const copy = disk.snapshot(seed);
      expect(await textOf(copy, '/log')).toBe('base.mo');
      copy.corrupt('/log', 0, Buffer.from('B'));
      found.add((await textOf(copy.powerCut(), '/log'))!);
    }
    expect(found).toContain('Base.');
    expect(found).toContain('Base.mo');
    expect((await contentOf(log)).toString()).toBe('base.mo');
  });

  it('counts operations and remembers the last 200 with their outcome', async () => {
    const { disk, log } = await diskWithLog(1);
    await log.write(Buffer.from('abc'), 0, 3, 0);
    await expect(disk.open('/none', 'read')).rejects.toThrow();
    expect(disk.operationLog).toEqual([
      '1 open /log create: ok',
      '2 syncDirectory /: ok',
      '3 write /log 0+3: ok',
      '4 open /none read: ENOENT',
    ]);
    for (let i = 0; i < 500; i++) await log.size();
    expect(disk.operations).toBe(504);
    expect(disk.operationLog).toHaveLength(200);
    expect(disk.operationLog[0]).toBe('305 size /log: ok');
  });

  it('carries operations out in the order of the calls, none before the call has returned', async () => {
    const { disk, log } = await diskWithLog(1);
    const bytes = Buffer.from('a');
    const writes = [log.write(bytes, 0, 1, 0), log.size(), log.truncate(0), log.size()];
    expect(disk.operations).toBe(2);
    bytes.write('b');
    expect(await Promise.all(writes)).toEqual([1, 1, undefined, 0]);
  });
});
