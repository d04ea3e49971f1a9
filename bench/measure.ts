/** Runs scenarios against the brokers in turns (A B A B), each run in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Broker } from './brokers.js';
import type { LoadRequest, RunResult, Scenario } from './scenario.js';

/** What one broker did in one scenario. */
export interface Runs {
  readonly results: readonly RunResult[];
  /** Why a run failed; there are no results then. */
  readonly failure: string | undefined;
}

export interface ScenarioRuns {
  readonly scenario: Scenario;
  /** By broker, in their order. */
  readonly runs: readonly Runs[];
}

export interface MeasureOptions {
  readonly runs: number;
  /** Times the messages of each scenario. */
  readonly messagesScale: number;
  readonly stallMs: number;
  readonly onProgress: (text: string) => void;
}

const LOAD_PROGRAM = fileURLToPath(new URL('./load.js', import.meta.url));
const STALL_MS_DEFAULT = 30_000;
/** The warm-up before the runs that count: compiled code, grown buffers. */
const WARM_UP_SHARE = 0.25;
/** A scenario that starts brokers of its own. */
const MEMORY_RUNS_MAX = 3;

export const MEASURE_DEFAULTS = { runs: 5, messagesScale: 1, stallMs: STALL_MS_DEFAULT } as const;

export async function measure(
  scenario: Scenario,
  brokers: readonly Broker[],
  options: MeasureOptions,
): Promise<ScenarioRuns> {
  const gathered = brokers.map(() => ({
    results: [] as RunResult[],
    failure: undefined as string | undefined,
  }));
  const isMemory = scenario.kind === 'memory';
  const runs = isMemory ? Math.min(options.runs, MEMORY_RUNS_MAX) : options.runs;
  for (let run = isMemory ? 1 : 0; run <= runs; run++) {
    for (const [i, broker] of brokers.entries()) {
      const own = gathered[i]!;
      if (own.failure !== undefined) continue;
      options.onProgress(
        `${scenario.name}: ${run === 0 ? 'warm-up' : `run ${run} of ${runs}`}, ${broker.label}`,
      );
      const share = (run === 0 ? WARM_UP_SHARE : 1) * options.messagesScale;
      try {
        const result = await runOnce(scenario, broker, share, options.stallMs);
        if (run > 0) own.results.push(result);
      } catch (error) {
        own.failure = (error as Error).message;
        own.results.length = 0;
      }
    }
  }
  return { scenario, runs: gathered };
}

/** One run. Resident memory is that of a broker that was just started, where one can be. */
async function runOnce(
  scenario: Scenario,
  broker: Broker,
  share: number,
  stallMs: number,
): Promise<RunResult> {
  if (scenario.kind !== 'memory' || broker.startFresh === undefined) {
    return load(scenario, broker, share, stallMs);
  }
  const fresh = await broker.startFresh();
  try {
    return await load(scenario, fresh, share, stallMs);
  } finally {
    await fresh.stop();
  }
}

function load(scenario: Scenario, broker: Broker, share: number, stallMs: number): Promise<RunResult> {
  const request: LoadRequest = {
    url: broker.url,
    scenario,
    messages: Math.max(1, Math.ceil(scenario.messages * share)),
    pid: broker.pid,
    probeDirectory: broker.directory,
    stallMs,
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [LOAD_PROGRAM, JSON.stringify(request)], (error, stdout, stderr) => {
      if (error === null) return resolve(JSON.parse(stdout, nullIsNaN) as RunResult);
      reject(new Error(stderr.trim() || error.message));
    });
  });
}

/** What is not known is NaN, which JSON has as null. */
const nullIsNaN = (_key: string, value: unknown): unknown => (value === null ? Number.NaN : value);
