import { runConnect } from './connect.js';
import { runFlow } from './flow.js';
import { runLatency } from './latency.js';
import { runMemory } from './memory.js';
import type { LoadRequest, RunResult } from './scenario.js';

/** One run. @throws when a message is lost, doubled or out of order, or the broker refuses something */
export function runScenario(request: LoadRequest): Promise<RunResult> {
  const { scenario } = request;
  switch (scenario.kind) {
    case 'flow':
      return runFlow(scenario, request);
    case 'latency':
      return runLatency(scenario, request);
    case 'connect':
      return runConnect(scenario, request);
    case 'memory':
      return runMemory(scenario, request);
  }
}
