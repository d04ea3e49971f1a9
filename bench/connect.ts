/** One run of opening connections: as many at a time as the scenario says, each closed before the next. */
import { parseUrl } from './broker-url.js';
import { Meter } from './meter.js';
import { residentBytesOf } from './process-figures.js';
import { RawClient } from './raw-client.js';
import type { ConnectScenario, LoadRequest, RunResult } from './scenario.js';
import { withStallCheck } from './stall.js';

export async function runConnect(scenario: ConnectScenario, request: LoadRequest): Promise<RunResult> {
  const endpoint = parseUrl(request.url);
  const { messages: count } = request;
  let begun = 0;
  let opened = 0;
  const openInTurn = async (): Promise<void> => {
    while (begun < count) {
      begun++;
      const client = await RawClient.connect(endpoint);
      opened++;
      await client.closeOrderly();
    }
  };
  const meter = new Meter(request.pid);
  const work = Promise.all(Array.from({ length: scenario.atOnce }, openInTurn));
  await withStallCheck(
    work,
    request.stallMs,
    () => opened,
    () => `${opened} of ${count} connections were opened`,
  );
  const residentBytes = request.pid === undefined ? Number.NaN : residentBytesOf(request.pid);
  return { figures: { '': meter.stop(count) }, residentBytes };
}
