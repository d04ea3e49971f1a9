/** What a message costs as there is more of something: queues, bindings, connections, messages that wait. */
import type { Broker } from './brokers.js';
import { type MeasureOptions, measure, type Runs } from './measure.js';
import type { FlowScenario } from './scenario.js';
import { backlogFigures, flow } from './scenarios.js';
import { median } from './statistics.js';

export interface ScalingRow {
  readonly name: string;
  readonly title: string;
  readonly sizes: readonly number[];
  make(size: number): Partial<FlowScenario> & { readonly messages: number };
}

const SIZES = [1, 10, 100, 1_000, 10_000];
const DEPTHS = [1_000, 10_000, 100_000, 1_000_000];
const MESSAGES = 200_000;
/** Of a fan-out to many. */
const MESSAGES_MIN = 20;

export const scalingRows: readonly ScalingRow[] = [
  {
    name: 'queues',
    title: 'queues that are published to in turns, all consumed on one connection',
    sizes: SIZES,
    make: (queues) => ({ queues, messages: MESSAGES }),
  },
  {
    name: 'direct',
    title: 'bindings of a direct exchange, whose keys are used in turns, to one queue',
    sizes: SIZES,
    make: (bindings) => ({ exchange: 'direct', bindings, messages: MESSAGES }),
  },
  {
    name: 'topic',
    title: 'bindings of a topic exchange, whose keys are used in turns, to one queue',
    sizes: SIZES,
    make: (bindings) => ({ exchange: 'topic', bindings, messages: MESSAGES }),
  },
  {
    name: 'fanout',
    title: 'queues of a fanout exchange: one delivery',
    sizes: SIZES,
    make: (queues) => ({
      exchange: 'fanout',
      queues,
      messages: Math.max(MESSAGES_MIN, Math.ceil(MESSAGES / queues)),
    }),
  },
  {
    name: 'connections',
    title: 'connections that publish, each to a queue of its own, all consumed on one connection',
    sizes: SIZES,
    make: (count) => ({ producers: count, queues: count, messages: MESSAGES }),
  },
  {
    name: 'idle-connections',
    title: 'connections that do nothing, beside one that publishes and one that consumes',
    sizes: SIZES,
    make: (idleConnections) => ({ idleConnections, messages: MESSAGES }),
  },
  {
    name: 'depth',
    title: 'messages of 100 B that wait, published and then drained',
    sizes: DEPTHS,
    make: (messages) => ({ bodyBytes: 100, isBacklog: true, messages, figures: backlogFigures() }),
  },
];

export interface ScalingReport {
  readonly name: string;
  readonly title: string;
  readonly brokers: readonly { readonly broker: string; readonly cells: readonly ScalingCell[] }[];
}

export interface ScalingCell {
  readonly size: number;
  /** CPU time of the broker for one delivery, or the time it took where that is unknown; in microseconds. */
  readonly micros: number;
  readonly failure: string | undefined;
}

export async function measureScaling(
  row: ScalingRow,
  brokers: readonly Broker[],
  options: MeasureOptions,
): Promise<ScalingReport> {
  const cells = brokers.map((): ScalingCell[] => []);
  for (const size of row.sizes) {
    const { messages, ...settings } = row.make(size);
    const text = { name: `${row.name} ${size}`, title: row.title, messages };
    const { runs } = await measure(flow(text, settings), brokers, options);
    for (const [i, own] of runs.entries()) cells[i]!.push({ size, ...costOf(own) });
  }
  const { name, title } = row;
  return { name, title, brokers: brokers.map(({ label }, i) => ({ broker: label, cells: cells[i]! })) };
}

function costOf({ results, failure }: Runs): Omit<ScalingCell, 'size'> {
  const costs = results.map(({ figures }) =>
    Object.values(figures).reduce(
      (sum, { brokerMicros, value }) => sum + (brokerMicros > 0 ? brokerMicros : 1_000_000 / value),
      0,
    ),
  );
  return { micros: median(costs), failure };
}

export function scalingText({ name, title, brokers }: ScalingReport): string {
  const lines = [`${name}: ${title}; us CPU each`];
  for (const { broker, cells } of brokers) {
    const figures = cells.map(({ size, micros, failure }) => {
      const figure = failure === undefined ? micros.toFixed(2) : `FAILED, ${failure}`;
      return `${size.toLocaleString('en-US')}: ${figure}`;
    });
    lines.push(`  ${broker}: ${figures.join('  ')}`);
  }
  return `${lines.join('\n')}\n`;
}
