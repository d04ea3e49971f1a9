/** One run of a flow: messages from producers through queues to consumers, each counted and in order. */
import { type Endpoint, parseUrl } from './broker-url.js';
import { Consumer } from './consumer.js';
import { syncsPerSecond } from './disk-probe.js';
import { method, shortstr, table, u8, u16 } from './frames.js';
import { inTurns } from './in-turns.js';
import { Meter } from './meter.js';
import { residentBytesOf } from './process-figures.js';
import { Publisher } from './publisher.js';
import { RawClient } from './raw-client.js';
import type { FlowScenario, LoadRequest, RunResult } from './scenario.js';
import { withStallCheck } from './stall.js';
import { Topology } from './topology.js';

const PASSIVE = 1;
const CONNECTING_AT_ONCE = 16;

type Figures = RunResult['figures'];

interface Parties {
  readonly publishers: readonly Publisher[];
  readonly consumers: readonly Consumer[];
  readonly deliveries: number;
}

export async function runFlow(flow: FlowScenario, request: LoadRequest): Promise<RunResult> {
  const endpoint = parseUrl(request.url);
  const topology = new Topology(flow);
  const open: { close(): void }[] = [];
  try {
    const admin = await RawClient.connect(endpoint);
    open.push(admin);
    await topology.declare(admin);
    await inTurns(flow.idleConnections, CONNECTING_AT_ONCE, async () => {
      open.push(await RawClient.connect(endpoint));
    });
    const parties = await connectParties(endpoint, flow, topology, request.messages, open);
    const syncs = flow.probeBytes > 0 ? syncsPerSecond(request.probeDirectory, flow.probeBytes) : undefined;
    const work = (flow.isBacklog ? runBacklog : runAtOnce)(parties, topology, request);
    const figures = await withStallCheck(
      work,
      request.stallMs,
      () => parties.publishers.reduce((sum, { progress }) => sum + progress, deliveredIn(parties)),
      () =>
        `${deliveredIn(parties)} of ${parties.deliveries} deliveries came, for ${request.messages} messages`,
    );
    const residentBytes = request.pid === undefined ? Number.NaN : residentBytesOf(request.pid);
    const left = await topology.remove(admin);
    if (left > 0) throw new Error(`${left} messages were left in the queues, after all had been delivered`);
    return { figures, residentBytes, syncsPerSecond: syncs };
  } finally {
    for (const client of open) client.close();
  }
}

async function connectParties(
  endpoint: Endpoint,
  flow: FlowScenario,
  topology: Topology,
  messages: number,
  open: { close(): void }[],
): Promise<Parties> {
  const perProducer = Math.ceil(messages / flow.producers);
  const { confirmWindow } = flow;
  const publishers = await inTurns(flow.producers, CONNECTING_AT_ONCE, async (i) => {
    const variants = topology.variants(i);
    const options = { variants, messages: perProducer, confirmWindow, publishers: flow.producers };
    const publisher = await Publisher.connect(endpoint, options);
    open.push(publisher);
    return publisher;
  });
  const consumers: Consumer[] = [];
  let deliveries = 0;
  const { queues, sequence } = topology;
  for (let i = 0; i < flow.consumers; i++) {
    const queueIndexes = [...queues.keys()].filter((index) => index % flow.consumers === i);
    const expected = topology.expected(queueIndexes, perProducer);
    const { ackEvery, prefetch } = flow;
    const options = { queues, queueIndexes, sequence, expected, ackEvery, prefetch };
    if (expected === 0) continue;
    deliveries += expected;
    const consumer = await Consumer.connect(endpoint, options);
    open.push(consumer);
    consumers.push(consumer);
  }
  return { publishers, consumers, deliveries };
}

const deliveredIn = ({ consumers }: Parties): number => consumers.reduce((sum, { count }) => sum + count, 0);

async function runAtOnce(parties: Parties, _topology: Topology, request: LoadRequest): Promise<Figures> {
  const { publishers, consumers } = parties;
  const meter = new Meter(request.pid);
  for (const consumer of consumers) consumer.start();
  await Promise.all([
    ...publishers.map((publisher) => publisher.run()),
    ...consumers.map(({ done }) => done),
  ]);
  return { '': meter.stop(parties.deliveries) };
}

async function runBacklog(parties: Parties, topology: Topology, request: LoadRequest): Promise<Figures> {
  const { publishers, consumers } = parties;
  const publishing = new Meter(request.pid);
  // Answered on the same channel: everything before it was taken in. With confirms that is known already.
  const look = method(1, 50, 10, u16(0), shortstr(topology.queues[0]!), u8(PASSIVE), table());
  await Promise.all(
    publishers.map(async (publisher) => {
      await publisher.run();
      if (!publisher.hasConfirms) await publisher.flush(look, 50, 11);
    }),
  );
  const published = publishing.stop(request.messages);
  const draining = new Meter(request.pid);
  for (const consumer of consumers) consumer.start();
  await Promise.all(consumers.map(({ done }) => done));
  return { published, drained: draining.stop(parties.deliveries) };
}
