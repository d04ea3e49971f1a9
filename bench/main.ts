/** `leveret bench`: measures brokers by their URLs, or one that it starts, and says whether the targets are met. */
import { type Broker, givenBroker, startLeveret, startRabbitMq } from './brokers.js';
import { cleanUp, cleanUpOnSignal } from './cleanup.js';
import { matchesGlob } from './glob.js';
import { MEASURE_DEFAULTS, measure } from './measure.js';
import { reportOf, scenarioText } from './report.js';
import { measureScaling, type ScalingRow, scalingRows, scalingText } from './scaling.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';

export interface BenchOptions {
  /** Without any, a Leveret is started. */
  readonly urls: readonly string[];
  readonly runs?: number | undefined;
  /** Names or globs, with commas between them. */
  readonly only?: string | undefined;
  readonly messagesScale?: number | undefined;
  readonly list: boolean;
  readonly json: boolean;
  /** RabbitMQ is started, as the last broker. */
  readonly isVsRabbit: boolean;
  /** What a message costs as there is more of something, instead of the scenarios. */
  readonly isScaling: boolean;
  readonly stallMs?: number | undefined;
}

export interface Output {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

type Measurable = Scenario | ScalingRow;

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;

/** @returns the exit code: 0 when no message was lost, doubled or out of order, whatever the targets */
export async function bench(options: BenchOptions, output: Output): Promise<number> {
  const all: readonly Measurable[] = options.isScaling ? scalingRows : scenarios;
  const chosen = all.filter(({ name }) => isChosen(name, options.only));
  if (chosen.length === 0) {
    output.writeError('leveret bench: nothing fits --only; --list alone names what there is\n');
    return EXIT_USAGE;
  }
  if (options.list) {
    output.write(chosen.map(({ name, title }) => `${name}  ${title}\n`).join(''));
    return 0;
  }
  const brokers: Broker[] = [];
  const ignoreSignals = cleanUpOnSignal();
  try {
    if (options.urls.length === 0) brokers.push(await startLeveret());
    for (const url of options.urls) brokers.push(await givenBroker(url));
    if (options.isVsRabbit) brokers.push(await startRabbitMq());
    return await run(chosen, brokers, options, output);
  } catch (error) {
    output.writeError(`leveret bench: ${(error as Error).message}\n`);
    return EXIT_FAILED;
  } finally {
    await cleanUp();
    ignoreSignals();
  }
}

async function run(
  chosen: readonly Measurable[],
  brokers: readonly Broker[],
  options: BenchOptions,
  output: Output,
): Promise<number> {
  const measureOptions = {
    runs: options.runs ?? MEASURE_DEFAULTS.runs,
    messagesScale: options.messagesScale ?? MEASURE_DEFAULTS.messagesScale,
    stallMs: options.stallMs ?? MEASURE_DEFAULTS.stallMs,
    onProgress: (text: string): void => output.writeError(`${text}\n`),
  };
  const reports: object[] = [];
  let hasFailed = false;
  for (const one of chosen) {
    if ('sizes' in one) {
      const report = await measureScaling(one, brokers, measureOptions);
      hasFailed ||= report.brokers.some(({ cells }) => cells.some(({ failure }) => failure !== undefined));
      reports.push(report);
      if (!options.json) output.write(scalingText(report));
    } else {
      const report = reportOf(await measure(one, brokers, measureOptions), brokers);
      hasFailed ||= report.failures.length > 0;
      reports.push(report);
      if (!options.json) output.write(scenarioText(report));
    }
  }
  if (options.json) output.write(`${JSON.stringify(reports, undefined, 2)}\n`);
  return hasFailed ? EXIT_FAILED : 0;
}

function isChosen(name: string, only: string | undefined): boolean {
  return only === undefined || only.split(',').some((glob) => matchesGlob(name, glob));
}
