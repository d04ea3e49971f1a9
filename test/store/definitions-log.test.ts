import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { NewerFormatError } from '../../src/store/batch-format.js';
import { type DefinitionRecord, DefinitionsLog, readDefinitions } from '../../src/store/definitions-log.js';
import { DiskPatience } from '../../src/store/disk-patience.js';
import { microtasks } from '../helpers/durable-broker.js';

const DIRECTORY = '/data';
const PATH = '/data/definitions.log';

interface Writer {
  readonly log: DefinitionsLog;
  readonly fatal: unknown[];
  /** What was told of a full disk. */
  readonly full: boolean[];
  readonly patience: DiskPatience;
  /** The state the log takes its snapshots of. */
  readonly state: DefinitionRecord[];
}

async function open(
  disk: SimulatedFileSystem,
  state: DefinitionRecord[] = [],
  reserveBytes = 0,
): Promise<Writer> {
  await disk.makeDirectory(DIRECTORY);
  const fatal: unknown[] = [];
  const full: boolean[] = [];
  const patience = new DiskPatience((isFull) => full.push(isFull));
  const log = new DefinitionsLog({
    fileSystem: disk,
    directory: DIRECTORY,
    snapshot: () => state,
    patience,
    reserveBytes,
    onFatal: (error) => fatal.push(error),
  });
  await log.open();
  return { log, fatal, full, patience, state };
}

const record = (name: string): DefinitionRecord => ({ t: 'queue', name });
const records = async (disk: SimulatedFileSystem): Promise<readonly DefinitionRecord[]> =>
  (await readDefinitions(disk, DIRECTORY)).records;

async function bytesOf(disk: SimulatedFileSystem): Promise<Buffer> {
  const file = await disk.open(PATH, 'read');
  const bytes = Buffer.alloc(await file.size());
  await file.read(bytes, 0, bytes.length, 0);
  await file.close();
  return bytes;
}

async function diskWith(bytes: Buffer): Promise<SimulatedFileSystem> {
  const disk = new SimulatedFileSystem();
  await disk.makeDirectory(DIRECTORY);
  const file = await disk.open(PATH, 'create');
  if (bytes.length > 0) await file.write(bytes, 0, bytes.length, 0);
  await file.close();
  return disk;
}

/** A file of a snapshot and `count` chunks, each with one record. */
async function someFile(count: number): Promise<{ readonly bytes: Buffer; readonly ends: number[] }> {
  const disk = new SimulatedFileSystem();
  const { log } = await open(disk, [{ t: 'broker', epoch: 1 }]);
  const ends = [(await bytesOf(disk)).length];
  for (let i = 0; i < count; i++) {
    log.append(record(`q${i}`));
    await microtasks();
    ends.push((await bytesOf(disk)).length);
  }
  return { bytes: await bytesOf(disk), ends };
}

describe('the definitions log', () => {
  it('gives back the state at its opening and what was added, in order', async () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const anyRecord = fc.dictionary(fc.string(), value, { maxKeys: 4, noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord), fc.array(anyRecord), async (state, added) => {
        const disk = new SimulatedFileSystem();
        const { log } = await open(disk, state);
        for (const one of added) log.append(one);
        await log.close();
        // Keys like __proto__ mean nothing to anybody: what JSON makes of them is compared.
        const expected = [...state, ...added].map((one) => JSON.parse(JSON.stringify(one)));
        expect(await records(disk)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is empty in a new directory', async () => {
    const disk = new SimulatedFileSystem();
    await disk.makeDirectory(DIRECTORY);
    expect(await readDefinitions(disk, DIRECTORY)).toEqual({ records: [], chunkBytes: 0, droppedBytes: 0 });
  });

  it('says that a record is safe only once a power cut cannot take it', async () => {
    for (let cut = 1; cut <= 60; cut++) {
      const disk = new SimulatedFileSystem(cut);
      disk.cutAt(8 + (cut % 14));
      const { log } = await open(disk);
      for (let i = 0; i < 5; i++) {
        log.append(record(`q${i}`));
        await microtasks(cut % 9);
      }
      await microtasks();
      const safe = log.durable.value;
      const found = await records(disk.powerCut());
      expect(found.length).toBeGreaterThanOrEqual(safe);
      expect(found).toEqual(Array.from({ length: found.length }, (_, i) => record(`q${i}`)));
    }
  });

  it('syncs once for everything that waits', async () => {
    const disk = new SimulatedFileSystem();
    const { log } = await open(disk);
    const before = disk.operations;
    for (let i = 0; i < 50; i++) expect(log.append(record(`q${i}`))).toBe(i + 1);
    expect(log.durable.value).toBe(0);
    await microtasks();
    expect(log.durable.value).toBe(50);
    // The first record goes at once; the 49 that came while it was written go together.
    expect(disk.operations - before).toBe(4);
  });

  it('is rewritten when it has grown, and keeps what is added meanwhile', async () => {
    const disk = new SimulatedFileSystem();
    const { log, state } = await open(disk);
    const long = 'x'.repeat(100_000);
    for (let i = 0; i < 15; i++) {
      state.splice(0, state.length, { t: 'queue', name: `${i}${long}` });
      log.append(state[0]!);
      await microtasks(i % 3 === 0 ? 200 : 0);
    }
    await microtasks(400);
    log.append(record('last'));
    await microtasks();
    const found = await records(disk);
    expect(found.at(-1)).toEqual(record('last'));
    expect(found.at(-2)).toEqual(state[0]);
    expect((await bytesOf(disk)).length).toBeLessThan(700_000);
    expect(await disk.list(DIRECTORY)).toEqual(['definitions.log']);
  });

  it.each(['EIO', 'EROFS', 'EMFILE'] as const)(
    'tells of %s once, and promises nothing afterwards',
    async (fault) => {
      const disk = new SimulatedFileSystem();
      const { log, fatal } = await open(disk);
      log.append(record('a'));
      await microtasks();
      disk.failOperation(disk.operations + 1, fault, 'lasting');
      log.append(record('b'));
      await microtasks();
      log.append(record('c'));
      await microtasks();
      expect([log.durable.value, fatal.length]).toEqual([1, 1]);
      const after = disk.powerCut();
      expect((await records(after))[0]).toEqual(record('a'));
    },
  );

  it('finishes short writes', async () => {
    const disk = new SimulatedFileSystem();
    const { log } = await open(disk);
    disk.failOperation(disk.operations + 1, 'short', 'lasting');
    log.append(record('a'));
    await microtasks(400);
    expect(log.durable.value).toBe(1);
    expect(await records(disk.powerCut())).toEqual([record('a')]);
  });

  it('takes hundreds of records on a disk without any room, and waits for room for the rest', async () => {
    const disk = new SimulatedFileSystem();
    const { log, fatal, full, patience } = await open(disk, [], 65_536);
    disk.capacityBytes -= await disk.freeBytes(DIRECTORY);
    for (let i = 0; i < 1_000; i++) log.append(record(`q${i}`));
    await microtasks(400);
    for (let i = 0; i < 1_000 && full.length === 0; i++) {
      log.append(record(`more${i}`));
      await microtasks(20);
    }
    expect([log.durable.value >= 1_000, full]).toEqual([true, [true]]);
    const safe = log.durable.value;
    const waiting = log.append(record('waits'));
    patience.retry();
    await microtasks(400);
    expect([log.durable.value, full]).toEqual([safe, [true]]);
    disk.capacityBytes += 1_000;
    patience.retry();
    await microtasks(400);
    expect([log.durable.value, full, fatal]).toEqual([waiting, [true, false], []]);
    expect((await records(disk.powerCut())).at(-1)).toEqual(record('waits'));
  });

  it.each([/^open .*tmp create/, /^write .*tmp 0\+/, /^rename/])(
    'goes on with the old file when a second one finds the disk full at %s',
    async (kind) => {
      const disk = new SimulatedFileSystem();
      const { log, state, fatal, full } = await open(disk);
      state.push(record('state'));
      disk.failEvery(kind, 'ENOSPC');
      const long = record('x'.repeat(600_000));
      for (let i = 0; i < 4; i++) {
        log.append(long);
        await microtasks(200);
      }
      expect([log.durable.value, fatal, full]).toEqual([4, [], []]);
      expect(await disk.list(DIRECTORY)).toEqual(['definitions.log']);
      expect(await records(disk.snapshot(1).powerCut())).toEqual([long, long, long, long]);
      disk.heal();
      log.append(record('last'));
      await microtasks(200);
      expect(await records(disk.powerCut())).toEqual([record('state')]);
    },
  );

  it('of an earlier opening goes on when the disk is full at the start', async () => {
    const disk = new SimulatedFileSystem();
    const before = await open(disk, [record('opened')], 65_536);
    before.log.append(record('a'));
    await before.log.close();
    disk.capacityBytes -= await disk.freeBytes(DIRECTORY);
    const { log, fatal, full } = await open(disk, [record('opened again'), record('a')], 65_536);
    expect([log.sequence, await disk.list(DIRECTORY)]).toEqual([0, ['definitions.log']]);
    log.append(record('b'));
    await microtasks(400);
    expect([log.durable.value, fatal, full]).toEqual([1, [], []]);
    const found = await records(disk.powerCut());
    expect(found).toEqual([record('opened'), record('a'), record('opened again'), record('b')]);
  });

  it('that cannot be made yet holds everything until it can', async () => {
    const disk = new SimulatedFileSystem();
    await disk.makeDirectory(DIRECTORY);
    disk.failEvery(/^syncDirectory/, 'EDQUOT');
    const { log, fatal, full, patience } = await open(disk, [record('state')]);
    await microtasks(400);
    expect([log.durable.value < log.sequence, full]).toEqual([true, [true]]);
    disk.heal();
    patience.retry();
    await microtasks(400);
    expect([log.durable.value, full, fatal]).toEqual([log.sequence, [true, false], []]);
    expect(await records(disk.powerCut())).toEqual([record('state')]);
  });

  it('is final when a sync finds the disk full: what it was about may be gone', async () => {
    const disk = new SimulatedFileSystem();
    const { log, fatal, full, patience } = await open(disk);
    disk.failOperation(disk.operations + 2, 'ENOSPC');
    log.append(record('a'));
    await microtasks(400);
    patience.retry();
    await microtasks(400);
    expect([log.durable.value, fatal.length, full]).toEqual([0, 1, []]);
  });

  it('of a newer version is refused', async () => {
    const { bytes } = await someFile(1);
    const { crc32 } = await import('../../src/lib/checksum.js');
    bytes.writeUInt32LE(2, 4);
    bytes.writeUInt32LE(crc32(bytes, 0, 16), 16);
    await expect(readDefinitions(await diskWith(bytes), DIRECTORY)).rejects.toThrow(NewerFormatError);
  });

  it('cut at every byte keeps its whole chunks, whatever follows the cut', async () => {
    const { bytes, ends } = await someFile(6);
    for (let cut = ends[0]!; cut <= bytes.length; cut++) {
      const whole = ends.filter((end) => end <= cut);
      for (const tail of [Buffer.alloc(0), Buffer.alloc(30), Buffer.alloc(30, 0xb7)]) {
        const torn = Buffer.concat([bytes.subarray(0, cut), tail]);
        const found = await readDefinitions(await diskWith(torn), DIRECTORY);
        expect(found.records, `cut at ${cut}`).toHaveLength(whole.length);
        // Zeros behind a whole chunk are room for more.
        const isRoom = torn.subarray(whole.at(-1)!).every((byte) => byte === 0);
        expect(found.droppedBytes).toBe(isRoom ? 0 : torn.length - whole.at(-1)!);
      }
    }
  });

  it('with any one bit flipped makes up no record, and does not keep quiet about it', async () => {
    const { bytes } = await someFile(6);
    const all = await records(await diskWith(bytes));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const found = await readDefinitions(await diskWith(flipped), DIRECTORY).catch(() => undefined);
      // Refusing to start is an answer, too.
      if (found === undefined) continue;
      expect(found.droppedBytes, `bit ${bit}`).toBeGreaterThan(0);
      expect(found.records).toEqual(all.slice(0, found.records.length));
    }
  });

  // Damage before chunks that can be proven is no torn tail: what they hold was promised, and messages hang on it.
  it('refuses a file whose damage is not at its end, instead of dropping what follows it', async () => {
    const { bytes, ends } = await someFile(6);
    bytes[ends[2]! - 3]! ^= 1;
    await expect(readDefinitions(await diskWith(bytes), DIRECTORY)).rejects.toThrow();
  });

  // The first chunk is written before the file gets its name: it is never torn, so this is damage.
  it('refuses a file whose first chunk cannot be proven', async () => {
    const { bytes } = await someFile(0);
    bytes[30]! ^= 1;
    await expect(readDefinitions(await diskWith(bytes), DIRECTORY)).rejects.toThrow();
  });
});
