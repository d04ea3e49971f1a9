/** Every scenario at a tiny scale, in this process; and that a run fails when the broker does something wrong. */
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { cpuSecondsOf, pidListeningOn, residentBytesOf } from '../../bench/process-figures.js';
import { runScenario } from '../../bench/run-scenario.js';
import { scalingRows } from '../../bench/scaling.js';
import type { LoadRequest, RunResult, Scenario } from '../../bench/scenario.js';
import { flow, scenarios } from '../../bench/scenarios.js';
import { type BrokerOptions, createBroker, type EmbeddedBroker } from '../../src/index.js';

let broker: EmbeddedBroker | undefined;
afterEach(() => broker?.close());

const MESSAGES: Readonly<Record<Scenario['kind'], number>> = {
  flow: 2_000,
  latency: 500,
  connect: 40,
  memory: 0,
};

async function run(
  scenario: Scenario,
  request: Partial<LoadRequest> = {},
  options: BrokerOptions = {},
): Promise<RunResult> {
  broker = await createBroker(options);
  return runScenario({
    url: broker.url,
    scenario,
    messages: MESSAGES[scenario.kind],
    pid: process.pid,
    probeDirectory: tmpdir(),
    stallMs: 10_000,
    ...request,
  });
}

function shortened(scenario: Scenario): Scenario {
  if (scenario.kind === 'memory') return { ...scenario, connections: 20, queues: 100, settleMs: 1 };
  if (scenario.kind === 'flow' && scenario.queues > 100) return { ...scenario, queues: 100 };
  return scenario;
}

describe('every scenario', () => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s runs', async (_, scenario) => {
    const messages = scenario.name.startsWith('fan-out') ? 20 : MESSAGES[scenario.kind];
    const { figures, residentBytes, syncsPerSecond } = await run(shortened(scenario), { messages });
    expect(Object.keys(figures)).toEqual(scenario.figures.map(({ key }) => key));
    if (scenario.kind !== 'memory') {
      for (const { value } of Object.values(figures)) expect(value).toBeGreaterThan(0);
    }
    expect(residentBytes).toBeGreaterThan(1_000_000);
    expect(syncsPerSecond !== undefined).toBe(scenario.kind === 'flow' && scenario.probeBytes > 0);
  });

  it('has a name of its own, and figures', () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
    for (const { figures } of scenarios) expect(figures.length).toBeGreaterThan(0);
  });
});

describe('every row of the scaling table', () => {
  const cells = scalingRows.flatMap((row) =>
    [row.sizes[0]!, 10, 50].map((size) => [row.name, size, row] as const),
  );
  it.each(cells)('%s %i runs', async (name, size, row) => {
    const { messages: _, ...settings } = row.make(size);
    const scenario = flow({ name, title: row.title, messages: 0 }, settings);
    const { figures } = await run(scenario, { messages: 200 });
    for (const { value } of Object.values(figures)) expect(value).toBeGreaterThan(0);
  });
});

describe('a run', () => {
  const dropping = (overflow: string): BrokerOptions => ({
    policies: [{ name: 'short', pattern: '^leveret\\.bench', definition: { 'max-length': 50, overflow } }],
  });
  const backlog = (settings: Parameters<typeof flow>[1] = {}) =>
    flow({ name: 'n', title: 't', messages: 100 }, { isBacklog: true, ...settings });

  it('fails when the broker drops the first messages', async () => {
    await expect(run(backlog(), { messages: 100 }, dropping('drop-head'))).rejects.toThrow(
      'queue 0: message 50 came where 0 was due: 0 was lost, or overtaken',
    );
  });

  it('fails when the broker drops the last ones', async () => {
    await expect(run(backlog(), { messages: 100, stallMs: 300 }, dropping('reject-publish'))).rejects.toThrow(
      'nothing happened for 0.3 s: 50 of 100 deliveries came, for 100 messages',
    );
  });

  it('fails when the broker refuses a message', async () => {
    const scenario = backlog({ confirmWindow: 100 });
    await expect(run(scenario, { messages: 100 }, dropping('reject-publish'))).rejects.toThrow(
      'a publish was not confirmed: the broker sent method 60.120',
    );
  });
});

describe('the figures of a process', () => {
  it('are those of the one that listens on the port', async () => {
    broker = await createBroker();
    expect(pidListeningOn(broker.port)).toBe(process.pid);
    expect(cpuSecondsOf(process.pid)).toBeGreaterThan(0);
    expect(residentBytesOf(process.pid)).toBeGreaterThan(1_000_000);
  });

  it('are unknown of one that does not exist', () => {
    expect(pidListeningOn(0)).toBeUndefined();
    expect(cpuSecondsOf(0)).toBeNaN();
    expect(residentBytesOf(0)).toBeNaN();
  });
});
