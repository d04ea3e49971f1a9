/**
 * The load generator: one run of one scenario against one broker, in a process of its own: `node load.js REQUEST`,
 * with a `LoadRequest` as JSON. Prints a `RunResult` as JSON; what is wrong goes to standard error, as one sentence.
 */
import { runScenario } from './run-scenario.js';
import type { LoadRequest } from './scenario.js';

try {
  const result = await runScenario(JSON.parse(process.argv[2] ?? '') as LoadRequest);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
