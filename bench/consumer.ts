/** A connection that consumes from some queues until all that they are to get has come. */
import { AckWriter } from './ack-writer.js';
import type { Endpoint } from './broker-url.js';
import { consumerTag, DeliveryReader, type Sequence } from './delivery-reader.js';
import { method, shortstr, table, u8, u16, u32 } from './frames.js';
import { RawClient } from './raw-client.js';

/** Read at once: a few thousand small messages. */
const READ_BYTES = 262_144;
const NO_ACK = 2;
const NO_WAIT = 8;

export interface ConsumerOptions {
  /** Names by index; all queues of the run, of which `queueIndexes` are consumed here. */
  readonly queues: readonly string[];
  readonly queueIndexes: readonly number[];
  readonly sequence: Sequence;
  /** Messages to come, of all these queues together. */
  readonly expected: number;
  /** 0: automatic acknowledgement; 1: each; n: every n-th, for all before it. */
  readonly ackEvery: number;
  readonly prefetch: number;
  readonly onBody?: ((bytes: Uint8Array, at: number) => void) | undefined;
}

export class Consumer {
  /** Resolves when all has come and the broker has taken in the acks; rejects when something is wrong. */
  readonly done: Promise<void>;
  private readonly client: RawClient;
  private readonly options: ConsumerOptions;
  private readonly acks: AckWriter | undefined;
  private readonly reader: DeliveryReader;
  private isComplete = false;

  private constructor(client: RawClient, options: ConsumerOptions) {
    this.client = client;
    this.options = options;
    const acks = options.ackEvery === 0 ? undefined : new AckWriter(client, options.ackEvery);
    this.acks = acks;
    let onChannelClosed = (): void => {};
    this.done = new Promise<void>((resolve, reject) => {
      client.onLost = reject;
      onChannelClosed = () => {
        client.close();
        resolve();
      };
    });
    // Whoever waits for it learns of the failure; before that nobody does.
    this.done.catch(() => {});
    this.reader = new DeliveryReader(options.queues.length, options.sequence, {
      onTag: acks === undefined ? undefined : (bytes, at) => acks.add(bytes, at),
      onBody: options.onBody,
      onChannelClosed,
    });
  }

  /** Connects; nothing is consumed yet. */
  static async connect(endpoint: Endpoint, options: ConsumerOptions): Promise<Consumer> {
    const client = await RawClient.connect(endpoint, READ_BYTES);
    if (options.ackEvery > 0) {
      await client.call(method(1, 60, 10, u32(0), u16(options.prefetch), u8(0)), 60, 11);
    }
    return new Consumer(client, options);
  }

  /** Whole messages that came. */
  get count(): number {
    return this.reader.count;
  }

  start(): void {
    const { queues, queueIndexes, ackEvery } = this.options;
    const flags = NO_WAIT | (ackEvery === 0 ? NO_ACK : 0);
    this.client.stream((bytes, length) => this.take(bytes, length));
    const requests = queueIndexes.map((index) =>
      method(1, 60, 20, u16(0), shortstr(queues[index]!), shortstr(consumerTag(index)), u8(flags), table()),
    );
    this.client.socket.write(Buffer.concat(requests));
  }

  close(): void {
    this.client.close();
  }

  private take(bytes: Uint8Array, length: number): void {
    const { reader } = this;
    const { expected } = this.options;
    reader.push(bytes, length);
    if (reader.count > expected) throw new Error(`${reader.count} deliveries of ${expected} messages`);
    const isAll = reader.count === expected;
    this.acks?.flush(isAll);
    if (!isAll || this.isComplete) return;
    this.isComplete = true;
    // Its answer says that the acks were taken in; what is delivered before it would be one too many.
    this.client.socket.write(method(1, 20, 40, u16(200), shortstr(''), u16(0), u16(0)));
  }
}
