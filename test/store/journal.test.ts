import { describe, expect, it } from 'vitest';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { NewerFormatError } from '../../src/store/batch-format.js';
import { microtasks } from '../helpers/durable-broker.js';
import { MESSAGES, openJournal, QUEUE_ID } from '../helpers/journal-bench.js';
import { buildSegment } from '../helpers/segment-file.js';

const FIRST = `${MESSAGES}/000000000001.log`;
const FIRST_HINT = `${MESSAGES}/000000000001.hint`;

const texts = (recovered: readonly { readonly text: string }[]): string[] =>
  recovered.map(({ text }) => text);
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);

describe('a commit', () => {
  it('writes and syncs once for everything that waits, and moves the watermark only then', async () => {
    const { journal, write, settle, takeOperations, disk } = await openJournal(undefined, {
      segmentBytes: 65_536,
    });
    for (const text of numbered(100)) write(text);
    const commit = journal.nextCommit;
    expect(takeOperations()).toEqual([]);
    journal.commit();
    const reached: number[] = [];
    for (let operations = -1; journal.durable.value < commit; operations = disk.operations) {
      if (operations !== disk.operations) reached.push(disk.operations);
      await microtasks(1);
    }
    expect(takeOperations()).toEqual([
      'open 1.log',
      'syncDirectory messages',
      'write 1.log',
      'dataSync 1.log',
    ]);
    await settle();
    expect(takeOperations()).toEqual([]);
    expect(texts((await openJournal(disk.powerCut())).recovered)).toEqual(numbered(100));
  });

  it('takes what comes while it runs in the next one, together', async () => {
    const { journal, write, takeOperations, settle } = await openJournal(undefined, { segmentBytes: 65_536 });
    write('first');
    const first = journal.nextCommit;
    journal.commit();
    for (const text of numbered(50)) {
      write(text);
      expect(journal.nextCommit).toBe(first + 1);
      journal.commit();
    }
    await settle();
    expect(journal.durable.value).toBe(first + 1);
    const operations = takeOperations();
    expect(operations.filter((line) => line === 'dataSync 1.log')).toHaveLength(2);
    expect(operations.filter((line) => line === 'write 1.log')).toHaveLength(2);
  });

  it('is asked for nothing when there is nothing to make safe', async () => {
    const { journal, settle, takeOperations } = await openJournal();
    await settle();
    expect(journal.isUrgent).toBe(false);
    expect(takeOperations()).toEqual([]);
  });

  it('is confirmed at no power cut before its sync', async () => {
    for (let cut = 1; cut <= 12; cut++) {
      const disk = new SimulatedFileSystem(cut);
      disk.cutAt(cut);
      const bench = await openJournal(disk).catch(() => undefined);
      if (bench === undefined) continue;
      for (const text of numbered(3)) {
        bench.write(text);
        await bench.settle();
      }
      const found = texts((await openJournal(disk.powerCut())).recovered);
      expect(found.length, `cut at ${cut}`).toBeGreaterThanOrEqual(bench.journal.durable.value);
      expect(found).toEqual(numbered(3).slice(0, found.length));
    }
  });

  it('finishes short writes', async () => {
    const { journal, write, settle, disk } = await openJournal();
    disk.failOperation(disk.operations + 1, 'short', 'lasting');
    for (const text of numbered(5)) write(text);
    await settle();
    expect(journal.durable.value).toBe(1);
    expect(texts((await openJournal(disk.powerCut())).recovered)).toEqual(numbered(5));
  });
});

describe('segments', () => {
  it('roll when they are full; a record larger than one gets its own; the order stays', async () => {
    const { write, settle, disk, journal } = await openJournal();
    const all = [...numbered(40), 'x'.repeat(5_000), ...numbered(3)];
    for (const text of all) write(text);
    await settle();
    expect((await disk.list(MESSAGES)).length).toBeGreaterThan(3);
    expect(journal.durable.value).toBe(1);
    expect(texts((await openJournal(disk.powerCut())).recovered)).toEqual(all);
  });

  it('go with their files when nothing refers to them, the log for good before the acks', async () => {
    const { log, write, settle, takeOperations, disk } = await openJournal();
    const positions = numbered(40).map(write);
    await settle();
    const inFirst = positions.filter((position) => log.segmentOf(position) === log.segmentOf(positions[0]!));
    log.settle(inFirst[0]!, QUEUE_ID);
    write('takes the ack along');
    await settle();
    expect(await disk.list(MESSAGES)).toContain('000000000001.ack');
    takeOperations();
    for (const position of inFirst.slice(1)) log.settle(position, QUEUE_ID);
    await settle();
    const operations = takeOperations().filter((line) => !line.startsWith('close'));
    expect(operations).toEqual(['unlink 1.log', 'syncDirectory messages', 'unlink 1.ack']);
    expect(await disk.list(MESSAGES)).not.toContain('000000000001.log');
  });

  it('retire once, also when their last ack comes with the end of a commit', async () => {
    const { log, journal, write, settle, fatal } = await openJournal();
    const positions = numbered(40).map(write);
    const segment = log.segmentOf(positions[0]!);
    const inFirst = positions.filter((position) => log.segmentOf(position) === segment);
    // As a dead letter's source does: it is given up when the copy is safe.
    journal.durable.onceAdvanced(() => {
      for (const position of inFirst) log.settle(position, QUEUE_ID);
    });
    await settle();
    const before = log.segmentCount;
    const [a, b] = [write('a'.repeat(2_000)), write('b'.repeat(2_000))];
    expect(log.segmentOf(a)).not.toBe(log.segmentOf(b));
    expect(log.segmentCount).toBe(before + 2);
    await settle();
    expect(fatal).toEqual([]);
  });

  it('that were never written leave no file behind', async () => {
    const { log, write, settle, disk, journal } = await openJournal();
    for (const text of numbered(60)) log.settle(write(text), QUEUE_ID);
    await settle();
    expect(journal.isUrgent).toBe(false);
    const found = (await openJournal(disk.powerCut())).recovered;
    // Acks are safe at leisure: what was in the newest segment may come back, and nothing else.
    expect(found.length).toBeLessThan(20);
  });

  it('leave nothing behind that a later segment of their number would inherit', async () => {
    const first = await openJournal();
    const positions = numbered(3).map(first.write);
    await first.settle();
    for (const position of positions) first.log.settle(position, QUEUE_ID);
    first.journal.syncAcks();
    await first.settle();
    // The log's removal reached the disk, and the power went before that of the acks.
    const disk = first.disk.powerCut();
    await disk.unlink(FIRST);
    const second = await openJournal(disk);
    for (const text of numbered(3)) second.write(text);
    await second.settle();
    expect(texts((await openJournal(disk.powerCut())).recovered)).toEqual(numbered(3));
  });

  it('are read back when they are needed, and only those within the budget stay', async () => {
    const { log, write, settle, read, fatal, damage } = await openJournal(undefined, {
      residentBytesMax: 3_000,
    });
    const positions = numbered(200).map((text) => {
      const position = write(text);
      return position;
    });
    await settle();
    write('makes the budget count');
    await settle();
    for (let i = 0; i < positions.length; i += 7) {
      const position = positions[i]!;
      if (!log.isReadable(position)) {
        log.fetch(position, () => {});
        await settle();
      }
      expect(read(position)).toBe(`message ${i}`);
    }
    expect([fatal, damage]).toEqual([[], []]);
  });
});

describe('acks', () => {
  it('wait for a commit or for leisure, and are then safe', async () => {
    const { log, write, settle, clock, takeOperations, disk } = await openJournal();
    const [a, b] = [write('a'), write('b')];
    await settle();
    takeOperations();
    log.settle(a, QUEUE_ID);
    await settle();
    expect(takeOperations()).toEqual([]);
    clock.advance(250);
    await settle();
    const expected = ['open 1.ack', 'syncDirectory messages', 'write 1.ack', 'dataSync 1.ack'];
    expect(takeOperations()).toEqual(expected);
    expect(texts((await openJournal(disk.powerCut())).recovered)).toEqual(['b']);
    expect(b).toBeGreaterThan(a);
  });

  it.each([0, 1, 2, 3, 4, 5, 8, 12])(
    'are safe after syncAcks and its commit, also %i microtasks into another commit',
    async (delay) => {
      const { log, journal, write, settle, disk } = await openJournal();
      const a = write('a');
      await settle();
      log.settle(a, QUEUE_ID);
      write('b');
      journal.commit();
      await microtasks(delay);
      journal.syncAcks();
      expect(journal.isUrgent || delay > 11).toBe(true);
      const commit = journal.nextCommit;
      for (let i = 0; i < 200 && journal.durable.value < commit; i++) {
        journal.commit();
        await microtasks(1);
      }
      for (let seed = 1; seed <= 8; seed++) {
        const found = texts((await openJournal(disk.snapshot(seed).powerCut())).recovered);
        expect(found).not.toContain('a');
      }
    },
  );

  it('behind a torn tail of any length are found', async () => {
    for (let tornBytes = 1; tornBytes <= 40; tornBytes++) {
      const disk = new SimulatedFileSystem();
      const first = await openJournal(disk);
      const positions = numbered(4).map(first.write);
      await first.settle();
      expect(positions).toHaveLength(4);
      const file = await disk.open(`${MESSAGES}/000000000001.ack`, 'create');
      await file.write(Buffer.from('LVRA'.padEnd(tornBytes, '\0')), 0, tornBytes, 0);
      await disk.syncDirectory(MESSAGES);
      await file.dataSync();
      const second = await openJournal(disk.powerCut());
      second.log.settle(second.recovered[1]!.position, QUEUE_ID);
      second.journal.syncAcks();
      await second.settle();
      const third = await openJournal(second.disk.powerCut());
      expect(texts(third.recovered), `${tornBytes} bytes`).toEqual(['message 0', 'message 2', 'message 3']);
    }
  });

  it('are on the disk after a clean close, and so is everything else', async () => {
    for (const isCommitted of [true, false]) {
      const { log, journal, write, settle, disk } = await openJournal();
      const positions = numbered(50).map(write);
      if (isCommitted) await settle();
      for (const position of positions.slice(0, 30)) log.settle(position, QUEUE_ID);
      write('last');
      if (isCommitted) journal.commit();
      await journal.close();
      const found = texts((await openJournal(disk.powerCut())).recovered);
      expect(found).toEqual([...numbered(50).slice(30), 'last']);
    }
  });
});

describe('a transaction', () => {
  it('that publishes and settles the last of a segment brings back both or neither, cut at any operation', async () => {
    let isPublishSeen = false;
    let isOldSeen = false;
    for (let cut = 1; cut <= 40; cut++) {
      const disk = new SimulatedFileSystem(cut);
      const { log, journal, write, settle } = await openJournal(disk);
      const old = write('old '.repeat(200));
      await settle();
      // Its segment is complete, and goes with its last message.
      write('other '.repeat(200));
      await settle();
      disk.cutAt(disk.operations + cut);
      write('new');
      journal.settleTransaction(() => log.settle(old, QUEUE_ID));
      journal.syncAcks();
      await settle();
      const found = texts((await openJournal(disk.powerCut())).recovered);
      const isOld = found.includes('old '.repeat(200));
      const isNew = found.includes('new');
      expect(isOld || isNew, `cut at ${cut}`).toBe(true);
      isOldSeen ||= isOld;
      isPublishSeen ||= isNew && !isOld;
    }
    expect([isOldSeen, isPublishSeen]).toEqual([true, true]);
  });
});

describe('sync modes', () => {
  it('interval: the watermark does not wait for a sync, which comes within a second', async () => {
    const { journal, write, settle, clock, takeOperations } = await openJournal(undefined, {
      syncMode: 'interval',
    });
    write('a');
    await settle();
    expect(journal.durable.value).toBe(1);
    expect(takeOperations()).not.toContain('dataSync 1.log');
    clock.advance(1_000);
    await settle();
    expect(takeOperations()).toContain('dataSync 1.log');
  });

  it('os: nothing is ever synced, and a crash of the process alone loses nothing', async () => {
    const { journal, write, settle, clock, takeOperations, disk } = await openJournal(undefined, {
      syncMode: 'os',
    });
    const position = write('a');
    write('b');
    await settle();
    expect(position).toBeGreaterThan(0);
    clock.advance(10_000);
    journal.syncAcks();
    await settle();
    expect(journal.durable.value).toBeGreaterThan(0);
    expect(takeOperations().filter((line) => line.startsWith('dataSync'))).toEqual([]);
    expect(texts((await openJournal(disk.crash())).recovered)).toEqual(['a', 'b']);
  });
});

describe('a full disk', () => {
  it.each([0, 1, 70, 200, 600])(
    'with %i bytes left: nothing is confirmed until there is room',
    async (room) => {
      const { journal, write, settle, disk, full, fatal } = await openJournal(undefined, {
        segmentBytes: 4_096,
      });
      write('before');
      await settle();
      const used = disk.capacityBytes - (await disk.freeBytes('/data'));
      disk.capacityBytes = used + room;
      const all = numbered(20);
      for (const text of all) write(text);
      await settle();
      expect([journal.durable.value, full]).toEqual([1, [true]]);
      journal.retry();
      await settle();
      expect([journal.durable.value, full]).toEqual([1, [true]]);
      disk.capacityBytes = 1_000_000;
      journal.retry();
      await settle();
      expect([journal.durable.value, full, fatal]).toEqual([2, [true, false], []]);
      write('after');
      await settle();
      expect(journal.durable.value).toBe(3);
      const found = texts((await openJournal(disk.powerCut())).recovered);
      expect(found).toEqual(['before', ...all, 'after']);
    },
  );

  it('that is cut off leaves only what was confirmed, and a torn tail that is told', async () => {
    const { write, settle, disk } = await openJournal(undefined, { segmentBytes: 4_096 });
    write('before');
    await settle();
    disk.capacityBytes = disk.capacityBytes - (await disk.freeBytes('/data')) + 100;
    for (const text of numbered(20)) write(text);
    await settle();
    expect(texts((await openJournal(disk.powerCut())).recovered)).toEqual(['before']);
  });

  it('is final when the journal is closed meanwhile: nothing is promised', async () => {
    const { journal, write, settle, disk, fatal } = await openJournal();
    disk.capacityBytes = 10;
    write('a');
    await settle();
    await journal.close();
    expect([journal.durable.value, fatal.length]).toEqual([0, 1]);
  });
});

describe('a disk that fails', () => {
  it.each(['EIO', 'ENOSPC'] as const)(
    '%s of a dataSync is final: told once, and nothing is confirmed',
    async (fault) => {
      const { journal, write, settle, disk, fatal } = await openJournal();
      write('confirmed');
      await settle();
      write('lost');
      // The write is the next operation, the sync the one after it.
      disk.failOperation(disk.operations + 2, fault);
      await settle();
      for (const text of numbered(5)) {
        write(text);
        await settle();
      }
      journal.syncAcks();
      await settle();
      await journal.close();
      expect([journal.durable.value, fatal.length]).toEqual([1, 1]);
      expect(texts((await openJournal(disk.powerCut())).recovered)[0]).toBe('confirmed');
    },
  );
});

describe('recovery', () => {
  it('refuses a newer format, and touches nothing', async () => {
    const { write, settle, disk } = await openJournal();
    for (const text of numbered(30)) write(text);
    await settle();
    const file = await disk.open(`${MESSAGES}/000000000900.log`, 'create');
    const { bytes } = buildSegment([[Buffer.from('from the future')]], { segmentNumber: 900, version: 2 });
    await file.write(bytes, 0, bytes.length, 0);
    for (const name of ['000000000001.log.tmp', '000000000800.ack']) {
      await (await disk.open(`${MESSAGES}/${name}`, 'create')).close();
    }
    const before = await disk.list(MESSAGES);
    await expect(openJournal(disk)).rejects.toThrow(NewerFormatError);
    expect(await disk.list(MESSAGES)).toEqual(before);
  });

  it('reports damage inside a segment and keeps the batches around it', async () => {
    const { write, settle, disk } = await openJournal(undefined, { segmentBytes: 4_096 });
    for (const text of numbered(5)) {
      write(text);
      await settle();
    }
    disk.flipBit(FIRST, (64 + 2 * 72 + 60) * 8);
    const after = await openJournal(disk.powerCut());
    expect(after.damage).toHaveLength(1);
    expect(texts(after.recovered)).toEqual(numbered(5).filter((text) => text !== 'message 2'));
  });

  it('believes the batches of a file whose header is damaged', async () => {
    const { write, settle, disk } = await openJournal(undefined, { segmentBytes: 4_096 });
    for (const text of numbered(5)) {
      write(text);
      await settle();
    }
    disk.flipBit(FIRST, 20 * 8);
    const after = await openJournal(disk.powerCut());
    expect(after.damage).toHaveLength(1);
    expect(texts(after.recovered)).toEqual(numbered(5));
  });
});

describe('a cold segment', () => {
  it('that was damaged on the disk is reported when it is read, and its messages are not readable as intact', async () => {
    const { log, write, settle, disk, damage } = await openJournal(undefined, { residentBytesMax: 1_500 });
    const positions = numbered(60).map(write);
    await settle();
    for (const text of numbered(30)) write(text);
    await settle();
    const cold = positions[1]!;
    expect(log.isReadable(cold)).toBe(false);
    disk.flipBit(FIRST, log.payloadOffset(cold) * 8);
    log.fetch(cold, () => {});
    await settle();
    expect(damage.length).toBe(1);
    expect(damage[0]![0]).toBe(1);
    expect(log.isReadable(cold)).toBe(true);
    expect(log.isDamaged(cold)).toBe(true);
  });

  it('with a hint is read in blocks of whole batches, and each batch is proven for itself', async () => {
    const bench = await openJournal(undefined, {
      residentBytesMax: 6_000,
      segmentBytes: 6_000,
      readBlockBytes: 600,
    });
    const { log, write, settle, disk, damage, read } = bench;
    const positions: number[] = [];
    // A batch for every ten messages.
    for (let i = 0; i < 400; i++) {
      positions.push(write(`message ${i}`));
      if (i % 10 === 9) await settle();
    }
    const first = positions.filter((position) => log.isSameSegment(position, positions[0]!));
    expect(first.length).toBeGreaterThan(100);
    const isReadable = (): boolean[] => first.map((position) => log.isReadable(position));
    expect(isReadable()).not.toContain(true);
    disk.flipBit(FIRST, log.payloadOffset(first[75]!) * 8);

    const load = async (index: number): Promise<void> => {
      log.fetch(first[index]!, () => {});
      await settle();
    };
    await load(31);
    // Two batches of ten are just above 600 bytes; what was in front of them was not read.
    expect(
      isReadable()
        .map((is, i) => (is ? i : -1))
        .filter((i) => i >= 0),
    ).toEqual(Array.from({ length: 20 }, (_, i) => 30 + i));
    expect(log.readAhead(first[35]!)).toBe(false);
    await settle();
    expect([log.isReadable(first[29]!), log.isReadable(first[69]!), log.isReadable(first[70]!)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(damage).toEqual([]);
    await load(first.length - 1);
    await load(0);
    expect(isReadable()).not.toContain(false);
    expect(damage).toHaveLength(1);
    for (const [i, position] of first.entries()) {
      expect(log.isDamaged(position), `message ${i}`).toBe(i >= 70 && i < 80);
      if (i !== 75) expect(read(position)).toBe(`message ${i}`);
    }
    expect(log.readAhead(first[0]!)).toBe(true);
  });

  it('whose hint is damaged, or gone, is read whole', async () => {
    for (const change of ['damage', 'remove'] as const) {
      const bench = await openJournal(undefined, { residentBytesMax: 1_500, readBlockBytes: 100 });
      const { log, write, settle, disk, read } = bench;
      const positions = numbered(120).map(write);
      await settle();
      for (const text of numbered(30)) write(text);
      await settle();
      const cold = positions[1]!;
      expect(log.isReadable(cold)).toBe(false);
      if (change === 'damage') disk.flipBit(FIRST_HINT, 500);
      else await disk.unlink(FIRST_HINT);
      log.fetch(cold, () => {});
      await settle();
      expect([log.isReadable(cold), log.isDamaged(cold), read(cold)]).toEqual([true, false, 'message 1']);
      expect(bench.fatal).toEqual([]);
    }
  });
});
