/** How much resident memory a broker has when it is idle, and how much more with idle connections and empty queues. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseUrl } from './broker-url.js';
import { inTurns } from './in-turns.js';
import { residentBytesOf } from './process-figures.js';
import { RawClient } from './raw-client.js';
import type { LoadRequest, Measured, MemoryScenario, RunResult } from './scenario.js';
import { flow } from './scenarios.js';
import { Topology } from './topology.js';

const CONNECTING_AT_ONCE = 16;
const MEBIBYTE = 1_048_576;

export async function runMemory(scenario: MemoryScenario, request: LoadRequest): Promise<RunResult> {
  const { pid } = request;
  if (pid === undefined) throw new Error("the broker's process is not known: is it on this machine?");
  const endpoint = parseUrl(request.url);
  const residentMegabytes = async (): Promise<number> => {
    await sleep(scenario.settleMs);
    return residentBytesOf(pid) / MEBIBYTE;
  };
  const idle = await residentMegabytes();
  const clients = await inTurns(scenario.connections, CONNECTING_AT_ONCE, () => RawClient.connect(endpoint));
  const connected = await residentMegabytes();
  for (const client of clients) client.close();
  const disconnected = await residentMegabytes();

  const text = { name: scenario.name, title: scenario.title, messages: 0 };
  const topology = new Topology(flow(text, { isPersistent: true, queues: scenario.queues }));
  const admin = await RawClient.connect(endpoint);
  await topology.declare(admin);
  const declared = await residentMegabytes();
  await topology.remove(admin);
  await admin.closeOrderly();
  const figures = {
    idle: megabytes(idle),
    connections: megabytes(connected - idle),
    queues: megabytes(declared - disconnected),
  };
  return { figures, residentBytes: declared * MEBIBYTE };
}

const megabytes = (value: number): Measured => ({
  value,
  brokerMicros: Number.NaN,
  generatorMicros: Number.NaN,
  generatorBusy: Number.NaN,
});
