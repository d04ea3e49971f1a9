/** The queues, exchange and bindings of a flow, and which message of which producer comes to which queue. */
import type { Sequence } from './delivery-reader.js';
import { type EncodedPublish, encodePublish, method, shortstr, table, u8, u16 } from './frames.js';
import type { RawClient } from './raw-client.js';
import type { FlowScenario } from './scenario.js';

const PASSIVE = 1;
const DURABLE = 2;
const DECLARE_NO_WAIT = 16;
const BIND_NO_WAIT = 1;

export class Topology {
  readonly queues: readonly string[];
  readonly sequence: Sequence;
  private readonly flow: FlowScenario;
  private readonly exchange: string;

  constructor(flow: FlowScenario) {
    this.flow = flow;
    this.exchange = flow.exchange === undefined ? '' : `leveret.bench.${flow.exchange}`;
    // A queue keeps whether it is durable: the two kinds have names of their own.
    const kind = flow.isPersistent ? 'durable' : 'transient';
    this.queues = Array.from({ length: flow.queues }, (_, i) => `leveret.bench.${kind}.${i}`);
    this.sequence = sequenceOf(flow);
  }

  /** Messages that come to some queues, when each producer publishes `perProducer`. */
  expected(queueIndexes: readonly number[], perProducer: number): number {
    const { first, step } = this.sequence;
    return queueIndexes.reduce((sum, i) => sum + Math.max(0, Math.ceil((perProducer - first(i)) / step)), 0);
  }

  /** What a producer publishes, in turns. */
  variants(producer: number): readonly EncodedPublish[] {
    const { flow, exchange } = this;
    const make = (routingKey: string, headers?: Readonly<Record<string, string>>): EncodedPublish =>
      encodePublish({
        exchange,
        routingKey,
        headers,
        bodyBytes: flow.bodyBytes,
        isPersistent: flow.isPersistent,
      });
    if (flow.exchange === undefined) {
      const own: EncodedPublish[] = [];
      for (let i = producer; i < flow.queues; i += flow.producers) own.push(make(this.queues[i]!));
      return own;
    }
    if (flow.exchange === 'fanout') return [make('')];
    return Array.from({ length: flow.bindings }, (_, i) =>
      flow.exchange === 'headers' ? make('', headersOf(i)) : make(keyOf(i)),
    );
  }

  /** Makes everything anew. */
  async declare(client: RawClient): Promise<void> {
    await this.remove(client);
    const flags = (this.flow.isPersistent ? DURABLE : 0) | DECLARE_NO_WAIT;
    const requests = this.queues.map((queue) =>
      method(1, 50, 10, u16(0), shortstr(queue), u8(flags), table()),
    );
    const { exchange } = this.flow;
    if (exchange !== undefined) {
      const name = shortstr(this.exchange);
      requests.push(method(1, 40, 10, u16(0), name, shortstr(exchange), u8(DECLARE_NO_WAIT), table()));
      const count = exchange === 'fanout' ? this.queues.length : this.flow.bindings;
      for (let i = 0; i < count; i++) requests.push(this.bind(i));
    }
    client.socket.write(Buffer.concat(requests));
    // Answered when all of them are done, or with the error that one of them has caused.
    const look = method(1, 50, 10, u16(0), shortstr(this.queues[0]!), u8(PASSIVE), table());
    await client.call(look, 50, 11);
  }

  /** Deletes everything. @returns how many messages were still there */
  async remove(client: RawClient): Promise<number> {
    const deletes = this.queues.map((queue) => method(1, 50, 40, u16(0), shortstr(queue), u8(0)));
    const answers = await client.callAll(deletes, 50, 41);
    if (this.exchange !== '') {
      await client.call(method(1, 40, 20, u16(0), shortstr(this.exchange), u8(0)), 40, 21);
    }
    return answers.reduce((sum, answer) => sum + answer.readUInt32BE(0), 0);
  }

  private bind(i: number): Buffer {
    const { exchange } = this.flow;
    return method(
      1,
      50,
      20,
      u16(0),
      shortstr(this.queues[i % this.queues.length]!),
      shortstr(this.exchange),
      shortstr(exchange === 'direct' || exchange === 'topic' ? keyOf(i) : ''),
      u8(BIND_NO_WAIT),
      exchange === 'headers' ? table({ 'x-match': 'all', ...headersOf(i) }) : table(),
    );
  }
}

/** Without an exchange the queues of a producer take turns; with one, all queues do, unless each gets everything. */
function sequenceOf({ exchange, producers, queues }: FlowScenario): Sequence {
  if (exchange === 'fanout') return { first: () => 0, step: 1 };
  if (exchange === undefined) {
    return { first: (queueIndex) => Math.floor(queueIndex / producers), step: queues / producers };
  }
  return { first: (queueIndex) => queueIndex, step: queues };
}

const keyOf = (i: number): string => `bench.${String(i).padStart(5, '0')}.price`;

const headersOf = (i: number): Readonly<Record<string, string>> => ({
  kind: `kind-${String(i).padStart(5, '0')}`,
  region: 'north',
});
