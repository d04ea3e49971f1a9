/** What is measured, and what is wanted. The first figures hold on two cores that the load generator shares. */
import type { Figure, FlowScenario, Scenario, Targets, Unit } from './scenario.js';

type FlowText = Pick<FlowScenario, 'name' | 'title' | 'messages'>;

const FLOW_DEFAULTS = {
  kind: 'flow',
  bodyBytes: 16,
  isPersistent: false,
  confirmWindow: 0,
  ackEvery: 0,
  prefetch: 1000,
  producers: 1,
  queues: 1,
  consumers: 1,
  exchange: undefined,
  bindings: 0,
  isBacklog: false,
  idleConnections: 0,
  probeBytes: 0,
} as const;

const figure = (targets: Targets, unit: Unit = 'messages/s', key = '', title = ''): Figure => ({
  key,
  title,
  unit,
  targets,
});

/** Figures of a backlog: until all is taken in, and from then until all is consumed. */
export const backlogFigures = (published: Targets = {}, drained: Targets = {}): readonly Figure[] => [
  figure(published, 'messages/s', 'published', 'published'),
  figure(drained, 'messages/s', 'drained', 'drained'),
];

export function flow(text: FlowText, settings: Partial<FlowScenario>): FlowScenario {
  return { ...FLOW_DEFAULTS, figures: [figure({})], ...text, ...settings };
}

const oneToOne: readonly FlowScenario[] = [
  flow(
    { name: 'auto-ack-16', title: '16 B transient, 1 to 1, automatic acks', messages: 2_000_000 },
    { figures: [figure({ perSecond: 1_000_000, timesRabbit: 9 })] },
  ),
  flow(
    { name: 'ack-16', title: '16 B transient, 1 to 1, each acked, prefetch 1000', messages: 1_500_000 },
    { ackEvery: 1, figures: [figure({ perSecond: 650_000, timesRabbit: 8 })] },
  ),
  flow(
    { name: 'ack-1k', title: '1 KB transient, 1 to 1, each acked, prefetch 1000', messages: 500_000 },
    { bodyBytes: 1024, ackEvery: 1, figures: [figure({ perSecond: 300_000, timesRabbit: 5 })] },
  ),
  flow(
    { name: 'ack-64k', title: '64 KB transient, 1 to 1, each acked, prefetch 100', messages: 20_000 },
    {
      bodyBytes: 65_536,
      ackEvery: 1,
      prefetch: 100,
      figures: [figure({ perSecond: 15_000, timesRabbit: 1.2 })],
    },
  ),
];

const durable: readonly FlowScenario[] = [
  flow(
    {
      name: 'durable-1k',
      title: '1 KB persistent, durable queue, confirms with 500 outstanding, each acked, prefetch 1000',
      messages: 200_000,
    },
    {
      bodyBytes: 1024,
      isPersistent: true,
      confirmWindow: 500,
      ackEvery: 1,
      figures: [figure({ perSecond: 150_000, timesRabbit: 5 })],
    },
  ),
  flow(
    {
      name: 'durable-1k-lone',
      title: '1 KB persistent, durable queue, confirms with 1 outstanding, each acked',
      messages: 4_000,
    },
    {
      bodyBytes: 1024,
      isPersistent: true,
      confirmWindow: 1,
      ackEvery: 1,
      probeBytes: 1024,
      // A confirm needs a sync; between two of them a message comes in and its confirm goes out.
      figures: [figure({ timesSyncs: 0.9, timesRabbit: 1 })],
    },
  ),
];

const routed: readonly FlowScenario[] = [
  flow(
    { name: 'fan-out-20', title: '16 B transient, fan-out 1 to 20 queues, automatic acks', messages: 75_000 },
    {
      exchange: 'fanout',
      queues: 20,
      consumers: 4,
      figures: [figure({ perSecond: 1_200_000, timesRabbit: 12 }, 'deliveries/s')],
    },
  ),
  flow(
    {
      name: 'fan-out-1000',
      title:
        '1 KB persistent, fan-out 1 to 1,000 durable queues, confirms with 10 outstanding, automatic acks',
      messages: 500,
    },
    {
      bodyBytes: 1024,
      isPersistent: true,
      confirmWindow: 10,
      exchange: 'fanout',
      queues: 1000,
      consumers: 4,
      figures: [figure({ perSecond: 500_000, timesRabbit: 10 }, 'deliveries/s')],
    },
  ),
  flow(
    {
      name: 'topic-1000',
      title: '16 B transient, topic exchange with 1,000 bindings, each key its own, automatic acks',
      messages: 800_000,
    },
    {
      exchange: 'topic',
      bindings: 1000,
      figures: [figure({ perSecond: 400_000, timesRabbit: 12 })],
    },
  ),
  flow(
    {
      name: 'headers-100',
      title: '16 B transient, headers exchange with 100 bindings, two headers, automatic acks',
      messages: 300_000,
    },
    {
      exchange: 'headers',
      bindings: 100,
      figures: [figure({ perSecond: 150_000, timesRabbit: 4 })],
    },
  ),
  flow(
    {
      name: 'four-100',
      title: '100 B transient, 4 producers, 4 queues, 4 consumers, each acked, prefetch 1000',
      messages: 1_200_000,
    },
    {
      bodyBytes: 100,
      ackEvery: 1,
      producers: 4,
      queues: 4,
      consumers: 4,
      figures: [figure({ perSecond: 600_000, timesRabbit: 8 })],
    },
  ),
];

const backlogs: readonly FlowScenario[] = [
  flow(
    {
      name: 'backlog-100',
      title: '1,000,000 x 100 B transient waiting in a queue, then drained, automatic acks',
      messages: 1_000_000,
    },
    { bodyBytes: 100, isBacklog: true, figures: backlogFigures() },
  ),
  flow(
    {
      name: 'durable-backlog-100',
      title: '1,000,000 x 100 B persistent with confirms waiting in a queue, then drained, acked in hundreds',
      messages: 1_000_000,
    },
    {
      bodyBytes: 100,
      isPersistent: true,
      confirmWindow: 10_000,
      ackEvery: 100,
      isBacklog: true,
      figures: backlogFigures(
        { perSecond: 400_000, timesRabbit: 15 },
        { perSecond: 600_000, timesRabbit: 12 },
      ),
    },
  ),
];

const others: readonly Scenario[] = [
  {
    kind: 'latency',
    name: 'latency-5000',
    title: '64 B transient, 5,000 messages/s, automatic acks: publish to delivery',
    bodyBytes: 64,
    perSecond: 5_000,
    messages: 25_000,
    figures: [
      figure({ atMost: 100, timesRabbit: 1 }, 'us', 'p50', 'half within'),
      figure({ atMost: 700, timesRabbit: 1 }, 'us', 'p99', '99% within'),
    ],
  },
  {
    kind: 'connect',
    name: 'connect',
    title: 'connections opened, from handshake to open channel, and closed, 16 at a time',
    atOnce: 16,
    messages: 4_000,
    figures: [figure({ perSecond: 2_000, timesRabbit: 3 }, 'connections/s')],
  },
  {
    kind: 'memory',
    name: 'memory',
    title: 'resident memory of a broker that was just started',
    connections: 1_000,
    queues: 10_000,
    settleMs: 1_500,
    messages: 0,
    figures: [
      figure({ atMost: 60, timesRabbit: 1 }, 'MB', 'idle', 'idle'),
      figure(
        { atMost: 25, timesRabbit: 1 },
        'MB',
        'connections',
        'more with 1,000 connections, a channel each',
      ),
      figure({ atMost: 30, timesRabbit: 1 }, 'MB', 'queues', 'more with 10,000 empty durable queues'),
    ],
  },
];

export const scenarios: readonly Scenario[] = [...oneToOne, ...durable, ...routed, ...backlogs, ...others];
