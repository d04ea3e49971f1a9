/** What a scenario is, and what a run of it yields. */

export type Unit = 'messages/s' | 'deliveries/s' | 'connections/s' | 'us' | 'MB';

/** What is wanted of a figure on the machine it is measured on. */
export interface Targets {
  /** At least. */
  readonly perSecond?: number;
  /** At most, in the figure's unit. */
  readonly atMost?: number;
  /** So many times better than RabbitMQ, when that is the last broker of the run. */
  readonly timesRabbit?: number;
  /** So many of the syncs that the disk does by itself. */
  readonly timesSyncs?: number;
}

export interface Figure {
  /** The name of the scenario is before it: `ack-16` has one figure, of the empty key. */
  readonly key: string;
  readonly title: string;
  readonly unit: Unit;
  readonly targets: Targets;
}

interface Described {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** Published in a run, by all producers together; or what else is counted. */
  readonly messages: number;
}

export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers';

/** Messages from producers to consumers. */
export interface FlowScenario extends Described {
  readonly kind: 'flow';
  readonly bodyBytes: number;
  /** Persistent messages to durable queues. */
  readonly isPersistent: boolean;
  /** Publisher confirms, with so many outstanding per producer; 0: none. */
  readonly confirmWindow: number;
  /** 0: automatic acknowledgement; 1: each delivery; n: every n-th, for all before it. */
  readonly ackEvery: number;
  readonly prefetch: number;
  /** Connections that publish; without an exchange each has queues of its own. */
  readonly producers: number;
  readonly queues: number;
  /** Connections that consume; the queues are dealt out to them. */
  readonly consumers: number;
  /** Undefined: the default exchange. */
  readonly exchange: ExchangeType | undefined;
  /** Bindings of the exchange, dealt out to the queues; messages match one after the other. A fanout has one each. */
  readonly bindings: number;
  /** Publish everything before the first consumer comes. */
  readonly isBacklog: boolean;
  /** Connections and channels that do nothing meanwhile. */
  readonly idleConnections: number;
  /** How many appends of so many bytes does the disk sync in a second? 0: not asked. */
  readonly probeBytes: number;
}

/** Messages at a steady pace; how long each takes. */
export interface LatencyScenario extends Described {
  readonly kind: 'latency';
  readonly bodyBytes: number;
  readonly perSecond: number;
}

/** Connections opened and closed again, so many at a time. */
export interface ConnectScenario extends Described {
  readonly kind: 'connect';
  readonly atOnce: number;
}

/** Resident memory of a broker that has done nothing yet. */
export interface MemoryScenario extends Described {
  readonly kind: 'memory';
  readonly connections: number;
  readonly queues: number;
  /** A broker that was just busy may give memory back: what it has so much later counts. */
  readonly settleMs: number;
}

export type Scenario = FlowScenario | LatencyScenario | ConnectScenario | MemoryScenario;

/** One figure of one run. */
export interface Measured {
  readonly value: number;
  /** CPU time of the broker for one message (delivery, connection), in microseconds; NaN when unknown. */
  readonly brokerMicros: number;
  /** As much of the generator's. */
  readonly generatorMicros: number;
  /** Share of the time that the generator's own thread was busy: near 1, it is the generator that is measured. */
  readonly generatorBusy: number;
}

export interface RunResult {
  /** By the key of the figure. */
  readonly figures: Readonly<Record<string, Measured>>;
  /** Resident memory of the broker after the run; NaN when unknown. */
  readonly residentBytes: number;
  /** What the disk syncs by itself; undefined when it was not asked. */
  readonly syncsPerSecond?: number | undefined;
}

/** What the load generator is told, as JSON. */
export interface LoadRequest {
  readonly url: string;
  readonly scenario: Scenario;
  readonly messages: number;
  /** The broker's process, if it is known. */
  readonly pid: number | undefined;
  /** Where the disk is asked how fast it syncs. */
  readonly probeDirectory: string;
  /** A run in which nothing happens for so long has failed. */
  readonly stallMs: number;
}
