/**
 * Every operation of the disk fails once, in every way a disk has: what was promised is there on a healthy disk
 * afterwards, and the broker either goes on or says that it cannot.
 */
import { describe, expect, it } from 'vitest';
import type { DiskFault } from '../../src/lib/disk-faults.js';
import { SeededRandom } from '../../src/lib/random.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import { type DurableBroker, declareQueue, openDurable, publish } from '../helpers/durable-broker.js';
import { DurableDriver } from '../helpers/durable-driver.js';
import { DurableModel, type Promised } from '../helpers/durable-model.js';

const FAULTS: readonly DiskFault[] = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'EROFS', 'short'];
const SCRIPT_SEED = 4;
const STEPS = 60;
const NOTHING: Promised = { commit: 0, definition: 0, ending: 'either' };

/** A data directory with something in it, and what that is. */
async function prepared(): Promise<{ readonly disk: SimulatedFileSystem; readonly model: DurableModel }> {
  const disk = new SimulatedFileSystem(1);
  const model = new DurableModel();
  const durable = await openDurable(disk);
  const driver = new DurableDriver(durable, model, new SeededRandom(SCRIPT_SEED));
  for (let i = 0; i < STEPS; i++) await driver.step();
  await durable.settle();
  const promised: Promised = { ...driver.promised, ending: 'crash' };
  const next = disk.powerCut();
  await model.check(await openDurable(next.snapshot(2)), promised);
  return { disk: next, model };
}

/** Opens the data directory and does what the script says, come what may. */
async function runScript(
  disk: SimulatedFileSystem,
  model: DurableModel,
): Promise<{ readonly durable: DurableBroker | undefined; readonly promised: Promised }> {
  let durable: DurableBroker;
  try {
    durable = await openDurable(disk);
  } catch {
    // It refuses to start: nothing was promised.
    return { durable: undefined, promised: NOTHING };
  }
  const driver = new DurableDriver(durable, model, new SeededRandom(SCRIPT_SEED + 1));
  for (let i = 0; i < STEPS; i++) await driver.step();
  await durable.settle();
  return { durable, promised: { ...driver.promised, ending: 'crash' } };
}

/** Whether a message published now is confirmed. */
async function isServing(durable: DurableBroker): Promise<boolean> {
  const { broker, virtualHost, clock, settle } = durable;
  declareQueue(virtualHost, 'still-here');
  const commit = publish(durable, 'still-here', Buffer.from('still here'));
  const { sequence } = broker.definitions!;
  for (let i = 0; i < 4; i++) {
    await settle();
    clock.advance(1_000);
  }
  await settle();
  return broker.log.journal!.durable.value >= commit && broker.definitions!.durable.value >= sequence;
}

async function operationCount(): Promise<number> {
  const { disk, model } = await prepared();
  await runScript(disk, model);
  return disk.operations;
}

describe('a disk operation that fails', () => {
  it.each(FAULTS)(
    'with %s, each in turn: it goes on or fails cleanly, and keeps its promises',
    {
      timeout: 60_000,
    },
    async (fault) => {
      const total = await operationCount();
      expect(total).toBeGreaterThan(100);
      let served = 0;
      for (let number = 1; number <= total; number++) {
        const { disk, model } = await prepared();
        disk.failOperation(number, fault);
        const { durable, promised } = await runScript(disk, model);
        const where = disk.operationLog.find((line) => line.endsWith(fault)) ?? '';
        const next = number % 2 === 0 ? disk.snapshot(number).powerCut() : disk.snapshot(number).crash();
        await model.check(await openDurable(next), promised).catch((error) => {
          throw new Error(`${fault} at ${number} (${where}): ${String(error)}`);
        });
        const needsRoom = /^\d+ (write|rename|syncDirectory|open \S+ create) /.test(where);
        if (fault === 'ENOSPC' && needsRoom) expect(durable?.fatal, where).toEqual([]);
        if (durable === undefined || durable.fatal.length > 0) continue;
        expect(await isServing(durable), `${fault} at ${number} (${where})`).toBe(true);
        served++;
      }
      // A short write or read is nobody's end.
      if (fault === 'short') expect(served).toBe(total);
    },
  );

  it.each(FAULTS)(
    'with %s, and all after it: nothing is promised any more that is not kept',
    {
      timeout: 60_000,
    },
    async (fault) => {
      const total = await operationCount();
      for (let number = 1; number <= total; number++) {
        const { disk, model } = await prepared();
        disk.failOperation(number, fault, 'lasting');
        const { promised } = await runScript(disk, model);
        const next = number % 2 === 0 ? disk.powerCut() : disk.crash();
        await model.check(await openDurable(next), promised).catch((error) => {
          throw new Error(`${fault} from ${number} on: ${String(error)}`);
        });
      }
    },
  );
});
