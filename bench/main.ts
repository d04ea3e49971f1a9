/** `leveret bench`: measures brokers by their URLs, or one that it starts, and says whether the targets are met. */
import { type Broker, givenBroker, startLeveret, startRabbitMq } from './brokers.js';
import { matchesGlob } from './glob.js';
import { MEASURE_DEFAULTS, measure } from './measure.js';
import { reportOf, type ScenarioReport, scenarioText } from './report.js';
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
  readonly stallMs?: number | undefined;
}

export interface Output {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;

/** @returns the exit code: 0 when no message was lost, doubled or out of order, whatever the targets */
export async function bench(options: BenchOptions, output: Output): Promise<number> {
  const chosen = chooseScenarios(options.only);
  if (chosen.length === 0) {
    output.writeError('leveret bench: no scenario fits --only; --list alone names those there are\n');
    return EXIT_USAGE;
  }
  if (options.list) {
    output.write(chosen.map(({ name, title }) => `${name}  ${title}\n`).join(''));
    return 0;
  }
  const brokers: Broker[] = [];
  const stopAll = async (): Promise<void> => {
    for (const broker of brokers.splice(0)) await broker.stop();
  };
  const onSignal = (): void => void stopAll().then(() => process.exit(EXIT_FAILED));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    if (options.urls.length === 0) brokers.push(await startLeveret());
    for (const url of options.urls) brokers.push(await givenBroker(url));
    if (options.isVsRabbit) brokers.push(await startRabbitMq());
    return await run(chosen, brokers, options, output);
  } catch (error) {
    output.writeError(`leveret bench: ${(error as Error).message}\n`);
    return EXIT_FAILED;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await stopAll();
  }
}

async function run(
  chosen: readonly Scenario[],
  brokers: readonly Broker[],
  options: BenchOptions,
  output: Output,
): Promise<number> {
  const {
    runs = MEASURE_DEFAULTS.runs,
    messagesScale = MEASURE_DEFAULTS.messagesScale,
    stallMs = MEASURE_DEFAULTS.stallMs,
  } = options;
  const reports: ScenarioReport[] = [];
  const onProgress = (text: string): void => output.writeError(`${text}\n`);
  for (const scenario of chosen) {
    const measured = await measure(scenario, brokers, { runs, messagesScale, stallMs, onProgress });
    const report = reportOf(measured, brokers);
    reports.push(report);
    if (!options.json) output.write(scenarioText(report));
  }
  if (options.json) output.write(`${JSON.stringify(reports, undefined, 2)}\n`);
  return reports.some(({ failures }) => failures.length > 0) ? EXIT_FAILED : 0;
}

function chooseScenarios(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return scenarios;
  const globs = only.split(',');
  return scenarios.filter(({ name }) => globs.some((glob) => matchesGlob(name, glob)));
}
