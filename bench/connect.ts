/** One run of opening connections: as many at a time as the scenario says, each closed before the next. */
import { parseUrl } from './broker-url.js';
import { inTurns } from './in-turns.js';
import { Meter } from './meter.js';
import { residentBytesOf } from './process-figures.js';
import { RawClient } from './raw-client.js';
import type { ConnectScenario, LoadRequest, RunResult } from './scenario.js';
import { withStallCheck } from './stall.js';

export async function runConnect(scenario: ConnectScenario, request: LoadRequest): Promise<RunResult> {
  const endpoint = parseUrl(request.url);
  const { messages: count } = request;
  let opened = 0;
  const meter = new Meter(request.pid);
  const work = inTurns(count, scenario.atOnce, async () => {
    const client = await RawClient.connect(endpoint);
    opened++;
    await client.closeOrderly();
  });
  await withStallCheck(
    work,
    request.stallMs,
    () => opened,
    () => `${opened} of ${count} connections were opened`,
  );
  const residentBytes = request.pid === undefined ? Number.NaN : residentBytesOf(request.pid);
  return { figures: { '': meter.stop(count) }, residentBytes };
}
