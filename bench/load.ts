/**
 * The load generator: one run of one scenario against one broker, in a process of its own: `node load.js REQUEST`,
 * with a `LoadRequest` as JSON. Prints a `RunResult` as JSON; what is wrong goes to standard error, as one sentence.
 */
import { runConnect } from './connect.js';
import { runFlow } from './flow.js';
import { runLatency } from './latency.js';
import { runMemory } from './memory.js';
import type { LoadRequest, RunResult } from './scenario.js';

function run(request: LoadRequest): Promise<RunResult> {
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

try {
  const result = await run(JSON.parse(process.argv[2] ?? '') as LoadRequest);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
