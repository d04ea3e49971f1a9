/** A broker with a data directory on a simulated disk, whose time, turns and disk are the test's to decide. */
import { FieldTable } from '../../src/amqp/field-table.js';
import { IMAGE_HAS_PRIORITY, IMAGE_PERSISTENT, readImage } from '../../src/amqp/message-image.js';
import { Broker } from '../../src/broker/broker.js';
import { BROKER_CONFIG_DEFAULTS, type BrokerConfig } from '../../src/broker/broker-config.js';
import type { ExchangeHistory } from '../../src/broker/exchange-history.js';
import { writeMessage } from '../../src/broker/message-writer.js';
import { openPersistence, type Persistence } from '../../src/broker/persistence.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import type { FileSystem } from '../../src/lib/file-system.js';
import type { Logger } from '../../src/lib/logger.js';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { SeededRandom } from '../../src/lib/random.js';
import type { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import type { SyncMode } from '../../src/store/sync-mode.js';
import { contentHeader } from './frames.js';
import { NO_NOTES } from './messages.js';

export const DATA_DIRECTORY = '/data';
/** Small, so that a script of a few dozen operations rolls, retires, evicts and reads back. */
export const SMALL_SEGMENT_BYTES = 8_192;
export const SMALL_RESIDENT_BYTES_MAX = 16_384;
const SMALL_READ_BLOCK_BYTES = 1_024;

/** Microtasks after which an operation of the simulated disk, and what waits for it, has surely happened. */
const MICROTASKS_PER_OPERATION = 40;

export interface DurableBroker {
  readonly broker: Broker;
  readonly virtualHost: VirtualHost;
  readonly persistence: Persistence;
  readonly clock: ManualClock;
  readonly disk: SimulatedFileSystem;
  /** What onFatal was called with. */
  readonly fatal: unknown[];
  /** Texts of the warnings and errors that were logged. */
  readonly complaints: string[];
  /** Runs the turns that are due. */
  turn(): void;
  /** Runs turns and disk until nothing happens any more. */
  settle(): Promise<void>;
}

export interface DurableBrokerOptions {
  readonly segmentBytes?: number;
  readonly residentBytesMax?: number;
  readonly memoryLimitBytes?: number;
  readonly readBlockBytes?: number;
  readonly syncMode?: SyncMode;
  readonly onFatal?: (error: unknown) => void;
  /** Without it there are no users, which most tests have no need of. */
  readonly config?: Partial<BrokerConfig>;
  /** Of the salts of passwords, among others. */
  readonly seed?: number;
}

export async function microtasks(count = MICROTASKS_PER_OPERATION): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/** Opens the data directory on `disk`. @throws what openPersistence throws */
export async function openDurable(
  disk: SimulatedFileSystem,
  options: DurableBrokerOptions = {},
): Promise<DurableBroker> {
  const clock = new ManualClock();
  const due: (() => void)[] = [];
  const fatal: unknown[] = [];
  const complaints: string[] = [];
  const complain = (fields: object, message: string): void => {
    const { err } = fields as { err?: unknown };
    complaints.push(err === undefined ? message : `${message}: ${String(err)}`);
  };
  const logger: Logger = { debug: () => {}, info: () => {}, warn: complain, error: complain };
  const broker = new Broker({
    config: {
      ...BROKER_CONFIG_DEFAULTS,
      memoryLimitBytes: options.memoryLimitBytes ?? 1e9,
      ...(options.config ?? { users: [] }),
    },
    clock,
    random: new SeededRandom(options.seed ?? 1),
    logger,
    defer: (turn) => due.push(turn),
  });
  const persistence = await openPersistence(broker, {
    fileSystem: disk as FileSystem,
    directory: DATA_DIRECTORY,
    syncMode: options.syncMode ?? 'always',
    diskFreeLimitBytes: 0,
    onFatal: (error) => {
      fatal.push(error);
      options.onFatal?.(error);
    },
    segmentBytes: options.segmentBytes ?? SMALL_SEGMENT_BYTES,
    residentBytesMax: options.residentBytesMax ?? SMALL_RESIDENT_BYTES_MAX,
    readBlockBytes: options.readBlockBytes ?? SMALL_READ_BLOCK_BYTES,
  });
  const turn = (): void => {
    for (let next = due.shift(); next !== undefined; next = due.shift()) next();
  };
  const settle = async (): Promise<void> => {
    for (let before = -1; before !== disk.operations || due.length > 0; ) {
      before = disk.operations;
      turn();
      await microtasks();
    }
  };
  const virtualHost = broker.virtualHost('/')!;
  return { broker, virtualHost, persistence, clock, disk, fatal, complaints, turn, settle };
}

export function declareQueue(
  virtualHost: VirtualHost,
  name: string,
  entries: Parameters<typeof FieldTable.of>[0] = [],
  isDurable = true,
): Queue {
  return virtualHost.addQueue({
    name,
    durable: isDurable,
    autoDelete: false,
    exclusiveOwner: undefined,
    arguments: FieldTable.of(entries),
  });
}

export interface PublishOptions {
  readonly exchange?: string;
  readonly isPersistent?: boolean;
  readonly priority?: number;
  readonly publishedMs?: number;
}

/** Publishes as a channel does. @returns the commit that makes it safe, 0 for none */
export function publish(
  { broker, virtualHost }: Pick<DurableBroker, 'broker' | 'virtualHost'>,
  routingKey: string,
  body: Buffer,
  options: PublishOptions = {},
): number {
  const exchangeName = options.exchange ?? '';
  const isPersistent = options.isPersistent ?? true;
  const exchange = virtualHost.exchangeNamed(exchangeName);
  const histories: ExchangeHistory[] = [];
  const route = virtualHost.router.route(exchange, {
    routingKeys: [routingKey],
    headers: () => FieldTable.EMPTY,
    properties: () => ({}),
    keptBy: (history) => histories.push(history),
  });
  if (route.length === 0 && histories.length === 0) return 0;
  const position = writeMessage(
    broker.log,
    {
      ...NO_NOTES,
      exchange: exchangeName,
      routingKey,
      contentHeader: contentHeader(body.length),
      body,
      flags:
        (isPersistent ? IMAGE_PERSISTENT : 0) | (options.priority === undefined ? 0 : IMAGE_HAS_PRIORITY),
      priority: options.priority ?? 0,
      publishedMs: options.publishedMs ?? NO_NOTES.publishedMs,
    },
    route,
  );
  for (const history of histories) history.add(position);
  broker.log.retain(position, route.length);
  for (const queue of route) queue.publish(position);
  return isPersistent && route.some(({ durable }) => durable) ? broker.log.journal!.nextCommit : 0;
}

/** The body of a message that is in memory. */
export function bodyAt({ broker }: Pick<DurableBroker, 'broker'>, position: number): Buffer {
  return readImage(broker.log.segmentOf(position).block, broker.log.payloadOffset(position)).body;
}

export interface GotMessage {
  readonly position: number;
  readonly sequence: number;
  readonly body: Buffer;
  readonly isRedelivered: boolean;
}

/** basic.get, reading the message in where that is needed; undefined when the queue is empty. */
export async function getMessage(durable: DurableBroker, queue: Queue): Promise<GotMessage | undefined> {
  // A disk that fails would let the fetch hang: the microtasks run out first.
  for (let patience = 20; !queue.isHeadReadable(); patience--) {
    if (patience === 0) throw new Error(`the head of ${queue.name} cannot be read: ${durable.fatal.join()}`);
    await durable.settle();
  }
  const position = queue.get();
  if (position < 0) return undefined;
  const { lastSequence: sequence, lastRedelivered: isRedelivered } = queue;
  return { position, sequence, body: Buffer.from(bodyAt(durable, position)), isRedelivered };
}

/** Every ready message of a queue; they stay unacked. */
export async function drain(durable: DurableBroker, queue: Queue): Promise<GotMessage[]> {
  const messages: GotMessage[] = [];
  for (
    let got = await getMessage(durable, queue);
    got !== undefined;
    got = await getMessage(durable, queue)
  ) {
    messages.push(got);
  }
  return messages;
}

/** The bodies of the ready messages as texts; they stay unacked. */
export async function drainTexts(durable: DurableBroker, queueName: string): Promise<string[]> {
  const queue = durable.virtualHost.queues.get(queueName);
  if (queue === undefined) return [`no queue ${queueName}`];
  return (await drain(durable, queue)).map(({ body }) => body.toString());
}
