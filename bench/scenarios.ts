/** What is measured: each scenario with its figures. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly bodyBytes: number;
  /** Persistent messages to a durable queue. */
  readonly persistent: boolean;
  /** Publisher confirms, with so many outstanding; 0: none. */
  readonly confirmWindow: number;
  /** 0: automatic acknowledgement; else one basic.ack for each message, with this prefetch. */
  readonly prefetch: number;
  /** Messages of one run. */
  readonly messages: number;
  /** Publish everything before the first consumer comes. */
  readonly isBacklog: boolean;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'auto-ack-16',
    title: '16 B transient, 1 to 1, automatic acks',
    bodyBytes: 16,
    persistent: false,
    confirmWindow: 0,
    prefetch: 0,
    messages: 2_000_000,
    isBacklog: false,
  },
  {
    name: 'ack-16',
    title: '16 B transient, 1 to 1, each acked, prefetch 1000',
    bodyBytes: 16,
    persistent: false,
    confirmWindow: 0,
    prefetch: 1000,
    messages: 1_500_000,
    isBacklog: false,
  },
  {
    name: 'ack-1k',
    title: '1 KB transient, 1 to 1, each acked, prefetch 1000',
    bodyBytes: 1024,
    persistent: false,
    confirmWindow: 0,
    prefetch: 1000,
    messages: 500_000,
    isBacklog: false,
  },
  {
    name: 'ack-64k',
    title: '64 KB transient, 1 to 1, each acked, prefetch 100',
    bodyBytes: 65_536,
    persistent: false,
    confirmWindow: 0,
    prefetch: 100,
    messages: 20_000,
    isBacklog: false,
  },
  {
    name: 'backlog-100',
    title: '1,000,000 x 100 B transient waiting in a queue, then drained',
    bodyBytes: 100,
    persistent: false,
    confirmWindow: 0,
    prefetch: 0,
    messages: 1_000_000,
    isBacklog: true,
  },
  {
    name: 'durable-1k',
    title: '1 KB persistent, durable queue, confirms with 500 outstanding, each acked, prefetch 1000',
    bodyBytes: 1024,
    persistent: true,
    confirmWindow: 500,
    prefetch: 1000,
    messages: 200_000,
    isBacklog: false,
  },
  {
    name: 'durable-1k-lone',
    title: '1 KB persistent, durable queue, confirms with 1 outstanding, each acked',
    bodyBytes: 1024,
    persistent: true,
    confirmWindow: 1,
    prefetch: 1000,
    messages: 4_000,
    isBacklog: false,
  },
  {
    name: 'durable-backlog-100',
    title: '1,000,000 x 100 B persistent with confirms waiting in a queue, then drained, acked one by one',
    bodyBytes: 100,
    persistent: true,
    confirmWindow: 10_000,
    prefetch: 1000,
    messages: 1_000_000,
    isBacklog: true,
  },
];
