/** Takes the time of one part: runs it until its code is compiled, then measures it some times. */
import { median } from '../statistics.js';
import type { Build, Part, Prepared } from './part.js';

const WARM_UP_MS = 300;
/** A sample takes at least so much: as many runs as that needs. */
const SAMPLE_MS = 30;

/** CPU time of one operation, in nanoseconds. */
export interface Timing {
  readonly name: string;
  readonly title: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** A build that has another interface cannot be measured. */
export type PartResult = Timing | { readonly name: string; readonly failure: string };

export async function timeOf(part: Part, build: Build, samples: number): Promise<Timing> {
  const prepared = await part.prepare(build);
  let runs = 0;
  let warmUpMs = 0;
  for (; warmUpMs < WARM_UP_MS; runs++) warmUpMs += await cpuMs(prepared, 1);
  const perSample = Math.max(1, Math.ceil((SAMPLE_MS * runs) / warmUpMs));
  const nanoseconds: number[] = [];
  while (nanoseconds.length < samples) {
    nanoseconds.push(((await cpuMs(prepared, perSample)) * 1e6) / (perSample * prepared.operations));
  }
  await prepared.close?.();
  const { name, title } = part;
  return {
    name,
    title,
    median: median(nanoseconds),
    min: Math.min(...nanoseconds),
    max: Math.max(...nanoseconds),
  };
}

/** CPU time of this process, garbage collection and writes to files included: waiting for a processor is not in it. */
async function cpuMs(prepared: Prepared, runs: number): Promise<number> {
  const start = process.cpuUsage();
  for (let i = 0; i < runs; i++) {
    const running = prepared.run();
    // Awaited only where it has to be: a turn of the microtasks costs more than some parts do.
    if (running !== undefined) await running;
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
