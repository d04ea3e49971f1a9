/** What was measured, as text for people and as an object for programs. */
import type { Broker } from './brokers.js';
import type { Runs, ScenarioRuns } from './measure.js';
import type { Figure, Measured, Targets } from './scenario.js';
import { median, type Spread, spreadOf } from './statistics.js';

/** The generator's share of the time above which it, and not the broker, is likely to be what was measured. */
const GENERATOR_BUSY_MAX = 0.95;
const MEBIBYTE = 1_048_576;

export interface FigureReport {
  readonly broker: string;
  readonly spread: Spread;
  /** How many times better than the last broker; undefined of the last one. */
  readonly timesLast: number | undefined;
  readonly brokerMicros: number;
  readonly generatorMicros: number;
  readonly generatorBusy: number;
  readonly timesSyncs: number | undefined;
  /** One sentence for each target. */
  readonly targets: readonly Verdict[];
  readonly residentMegabytes: number;
}

export interface Verdict {
  readonly text: string;
  readonly isMet: boolean;
}

export interface ScenarioReport {
  readonly name: string;
  readonly title: string;
  readonly failures: readonly { readonly broker: string; readonly failure: string }[];
  readonly figures: readonly {
    readonly name: string;
    readonly title: string;
    readonly unit: string;
    readonly brokers: readonly FigureReport[];
  }[];
}

export function reportOf({ scenario, runs }: ScenarioRuns, brokers: readonly Broker[]): ScenarioReport {
  const failures = runs.flatMap(({ failure }, i) =>
    failure === undefined ? [] : [{ broker: brokers[i]!.label, failure }],
  );
  const figures = scenario.figures.map((figure) => ({
    name: figure.key === '' ? scenario.name : `${scenario.name}/${figure.key}`,
    title: figure.title,
    unit: figure.unit,
    brokers: brokers.flatMap((_, i) =>
      runs[i]!.results.length === 0 ? [] : [figureReport(figure, i, runs, brokers)],
    ),
  }));
  return { name: scenario.name, title: scenario.title, failures, figures };
}

function figureReport(
  figure: Figure,
  i: number,
  runs: readonly Runs[],
  brokers: readonly Broker[],
): FigureReport {
  const { results } = runs[i]!;
  const broker = brokers[i]!;
  const measured = results.map(({ figures }) => figures[figure.key]!);
  const spread = spreadOf(measured.map(({ value }) => value));
  const timesLast = i === brokers.length - 1 ? undefined : timesLastOf(figure, spread.median, runs.at(-1)!);
  const syncs = results.flatMap(({ figures, syncsPerSecond }) =>
    syncsPerSecond === undefined ? [] : [figures[figure.key]!.value / syncsPerSecond],
  );
  const timesSyncs = syncs.length === 0 ? undefined : median(syncs);
  const timesRabbit = brokers.at(-1)!.isRabbit ? timesLast : undefined;
  return {
    broker: broker.label,
    spread,
    timesLast,
    brokerMicros: medianOf(measured, 'brokerMicros'),
    generatorMicros: medianOf(measured, 'generatorMicros'),
    generatorBusy: medianOf(measured, 'generatorBusy'),
    timesSyncs,
    // They are Leveret's; RabbitMQ is what they are compared with.
    targets: broker.isRabbit ? [] : verdicts(figure.targets, spread.median, timesRabbit, timesSyncs),
    residentMegabytes: median(results.map(({ residentBytes }) => residentBytes)) / MEBIBYTE,
  };
}

function timesLastOf({ key, unit }: Figure, value: number, last: Runs): number | undefined {
  if (last.results.length === 0) return undefined;
  const lastValue = median(last.results.map(({ figures }) => figures[key]!.value));
  return isLowerBetter(unit) ? lastValue / value : value / lastValue;
}

const isLowerBetter = (unit: string): boolean => unit === 'us' || unit === 'MB';

const medianOf = (measured: readonly Measured[], key: Exclude<keyof Measured, 'value'>): number =>
  median(measured.map((one) => one[key]));

function verdicts(
  targets: Targets,
  value: number,
  timesRabbit: number | undefined,
  timesSyncs: number | undefined,
): Verdict[] {
  const found: Verdict[] = [];
  const { perSecond, atMost } = targets;
  if (perSecond !== undefined) found.push({ text: thousands(perSecond), isMet: value >= perSecond });
  if (atMost !== undefined) found.push({ text: `at most ${thousands(atMost)}`, isMet: value <= atMost });
  if (targets.timesRabbit !== undefined && timesRabbit !== undefined) {
    found.push({ text: `${targets.timesRabbit}x RabbitMQ`, isMet: timesRabbit >= targets.timesRabbit });
  }
  if (targets.timesSyncs !== undefined && timesSyncs !== undefined) {
    found.push({
      text: `${targets.timesSyncs} of the disk's syncs`,
      isMet: timesSyncs >= targets.timesSyncs,
    });
  }
  return found;
}

/** A scenario as lines of text. */
export function scenarioText(report: ScenarioReport): string {
  const lines = [`${report.name}: ${report.title}`];
  for (const { broker, failure } of report.failures) lines.push(`  ${broker}: FAILED, ${failure}`);
  for (const figure of report.figures) {
    const title = figure.title === '' ? '' : `${figure.title}: `;
    for (const one of figure.brokers) {
      lines.push(`  ${one.broker}: ${title}${figureText(one, figure.unit)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function figureText(figure: FigureReport, unit: string): string {
  const { spread, timesLast, timesSyncs, brokerMicros, residentMegabytes, generatorBusy } = figure;
  const parts = [
    `${thousands(spread.median)} ${unit} (${thousands(spread.min)} to ${thousands(spread.max)})`,
  ];
  if (timesLast !== undefined) parts.push(`${timesLast.toFixed(2)} times better than the last`);
  if (timesSyncs !== undefined) parts.push(`${timesSyncs.toFixed(2)} of the disk's syncs`);
  if (!Number.isNaN(brokerMicros)) parts.push(`${brokerMicros.toFixed(2)} us CPU each`);
  if (!Number.isNaN(residentMegabytes) && unit !== 'MB') {
    parts.push(`${Math.round(residentMegabytes)} MB resident`);
  }
  if (unit.endsWith('/s') && generatorBusy > GENERATOR_BUSY_MAX) {
    parts.push(`the generator was busy ${Math.round(generatorBusy * 100)}% of the time`);
  }
  for (const { text, isMet } of figure.targets) parts.push(`${text}: ${isMet ? 'met' : 'MISSED'}`);
  return parts.join('; ');
}

function thousands(value: number): string {
  return Math.abs(value) < 100
    ? value.toFixed(1).replace(/\.0$/, '')
    : Math.round(value).toLocaleString('en-US');
}
