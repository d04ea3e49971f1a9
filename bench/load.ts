/**
 * One run of one scenario against one broker, in a process of its own: `node load.js URL SCENARIO MESSAGES`.
 * Prints one line of JSON. Publishing and consuming use one connection each. A message that is missing, or one too
 * many, fails the run.
 */
import { emptyTable, method, parseUrl, publish, RawClient, shortstr, u8, u16, u32 } from './raw-client.js';
import { type Scenario, scenarios } from './scenarios.js';

const queueOf = (scenario: Scenario): string =>
  scenario.persistent ? 'leveret.bench.durable' : 'leveret.bench';
/** Bytes of publishes written at once: large enough that the generator is not what is measured. */
const BATCH_BYTES = 131_072;
const ACK_BYTES = 21;

export interface RunResult {
  readonly messages: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Backlog scenarios: until everything was published and taken in. */
  readonly publishSeconds: number;
}

class Counter {
  count = 0;
  private carry: Buffer = Buffer.alloc(0);
  private readonly onTag: ((tagBytes: Buffer, at: number) => void) | undefined;
  private readonly isHeaderLast: boolean;

  constructor(bodyBytes: number, onTag: ((tagBytes: Buffer, at: number) => void) | undefined) {
    this.onTag = onTag;
    this.isHeaderLast = bodyBytes === 0;
  }

  /** Counts whole messages by their last frame; of a body only the frame header is looked at. */
  push(chunk: Buffer): void {
    const bytes = this.carry.length === 0 ? chunk : Buffer.concat([this.carry, chunk]);
    let at = 0;
    while (at + 7 <= bytes.length) {
      const size =
        bytes[at + 3]! * 16_777_216 + (bytes[at + 4]! << 16) + (bytes[at + 5]! << 8) + bytes[at + 6]!;
      if (at + size + 8 > bytes.length) break;
      const type = bytes[at];
      if (type === 1) {
        // basic.deliver: class, method, consumer tag, then the delivery tag.
        if (bytes[at + 10] !== 60) throw new Error('the broker sent something other than a delivery');
        if (this.onTag !== undefined) this.onTag(bytes, at + 12 + bytes[at + 11]!);
      } else if (type === 3 || (type === 2 && this.isHeaderLast)) {
        this.count++;
      }
      at += size + 8;
    }
    this.carry = at === bytes.length ? Buffer.alloc(0) : bytes.subarray(at);
  }
}

async function run(url: string, scenario: Scenario, messages: number): Promise<RunResult> {
  const endpoint = parseUrl(url);
  const queue = queueOf(scenario);
  const publisher = await RawClient.connect(endpoint);
  const declare = method(1, 50, 10, u16(0), shortstr(queue), u8(scenario.persistent ? 2 : 0), emptyTable);
  await publisher.call(method(1, 50, 40, u16(0), shortstr(queue), u8(0)), 50, 41);
  await publisher.call(declare, 50, 11);

  const startedAt = performance.now();
  let publishSeconds = 0;
  let consuming: { readonly done: Promise<void> };
  if (scenario.isBacklog) {
    await publishAll(publisher, scenario, messages);
    // An answer on the same channel: everything before it was taken in. With confirms that is known already.
    if (scenario.confirmWindow === 0) await publisher.call(declare, 50, 11);
    publishSeconds = (performance.now() - startedAt) / 1000;
    consuming = await consumeAll(url, scenario, messages);
  } else {
    consuming = await consumeAll(url, scenario, messages);
    await publishAll(publisher, scenario, messages);
  }
  await consuming.done;
  const seconds = (performance.now() - startedAt) / 1000 - publishSeconds;
  publisher.close();
  await checkEmpty(url, queue);
  return { messages, seconds, perSecond: messages / seconds, publishSeconds };
}

async function publishAll(client: RawClient, scenario: Scenario, messages: number): Promise<void> {
  const body = Buffer.alloc(scenario.bodyBytes, 'leveret ');
  const one = publish(1, '', queueOf(scenario), body, scenario.persistent);
  const perBatch = Math.max(1, Math.floor(BATCH_BYTES / one.length));
  const batch = Buffer.concat(new Array<Buffer>(perBatch).fill(one));
  if (scenario.confirmWindow > 0) return publishConfirmed(client, scenario, messages, one, batch);
  for (let sent = 0; sent < messages; sent += perBatch) {
    const count = Math.min(perBatch, messages - sent);
    const isRoomLeft = client.socket.write(
      count === perBatch ? batch : batch.subarray(0, count * one.length),
    );
    if (!isRoomLeft) await new Promise<void>((resolve) => client.socket.once('drain', resolve));
  }
}

/** Publishes with a window of unconfirmed messages; resolves when all are confirmed. */
async function publishConfirmed(
  client: RawClient,
  scenario: Scenario,
  messages: number,
  one: Buffer,
  batch: Buffer,
): Promise<void> {
  await client.call(method(1, 85, 10, u8(0)), 85, 11);
  const perBatch = batch.length / one.length;
  let sent = 0;
  let confirmed = 0;
  let carry: Buffer = Buffer.alloc(0);
  await new Promise<void>((resolve, reject) => {
    const send = (): void => {
      while (sent < messages) {
        const count = Math.min(perBatch, messages - sent, scenario.confirmWindow - (sent - confirmed));
        if (count <= 0) return;
        client.socket.write(batch.subarray(0, count * one.length));
        sent += count;
      }
    };
    client.stream((chunk) => {
      const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
      let at = 0;
      for (; at + ACK_BYTES <= bytes.length; at += ACK_BYTES) {
        // basic.ack: the tag, and whether it stands for all before it. Anything else ends the run.
        if (bytes.readUInt32BE(at + 7) !== 0x003c_0050)
          return reject(new Error('a publish was not confirmed'));
        const tag = Number(bytes.readBigUInt64BE(at + 11));
        confirmed = (bytes[at + 19]! & 1) !== 0 ? Math.max(confirmed, tag) : confirmed + 1;
      }
      carry = bytes.subarray(at);
      if (confirmed >= messages) resolve();
      else send();
    });
    send();
  });
}

/** Starts consuming; `done` resolves when every message has come. */
async function consumeAll(
  url: string,
  scenario: Scenario,
  messages: number,
): Promise<{ readonly done: Promise<void> }> {
  const client = await RawClient.connect(parseUrl(url));
  const noAck = scenario.prefetch === 0;
  if (!noAck) await client.call(method(1, 60, 10, u32(0), u16(scenario.prefetch), u8(0)), 60, 11);
  const acks = Buffer.alloc(ACK_BYTES * 8192);
  let ackLength = 0;
  const ackFrame = method(1, 60, 80, Buffer.alloc(9));
  const flushAcks = (): void => {
    if (ackLength > 0) client.socket.write(Buffer.from(acks.subarray(0, ackLength)));
    ackLength = 0;
  };
  const onTag = (bytes: Buffer, at: number): void => {
    if (ackLength + ACK_BYTES > acks.length) flushAcks();
    for (let i = 0; i < 11; i++) acks[ackLength + i] = ackFrame[i]!;
    for (let i = 0; i < 8; i++) acks[ackLength + 11 + i] = bytes[at + i]!;
    acks[ackLength + 19] = 0;
    acks[ackLength + 20] = 0xce;
    ackLength += ACK_BYTES;
  };
  const counter = new Counter(scenario.bodyBytes, noAck ? undefined : onTag);
  const consume = method(
    1,
    60,
    20,
    u16(0),
    shortstr(queueOf(scenario)),
    shortstr('c'),
    u8(noAck ? 2 : 0),
    emptyTable,
  );
  await client.call(consume, 60, 21);
  const done = new Promise<void>((resolve, reject) => {
    client.socket.on('close', () => reject(new Error('the consumer lost its connection')));
    client.stream((chunk) => {
      // Everything came before: this answers channel.close, so the acks were taken in.
      if (counter.count >= messages) {
        client.socket.removeAllListeners('close');
        client.close();
        return resolve();
      }
      counter.push(chunk);
      if (!noAck) flushAcks();
      if (counter.count > messages) reject(new Error(`${counter.count} deliveries of ${messages} messages`));
      if (counter.count === messages) {
        client.socket.write(method(1, 20, 40, u16(200), shortstr(''), u16(0), u16(0)));
      }
    });
  });
  return { done };
}

async function checkEmpty(url: string, queue: string): Promise<void> {
  const client = await RawClient.connect(parseUrl(url));
  const left = await client.call(method(1, 50, 40, u16(0), shortstr(queue), u8(0)), 50, 41);
  client.close();
  if (left.readUInt32BE(0) !== 0) throw new Error(`${left.readUInt32BE(0)} messages were left in the queue`);
}

const [url, name, messages] = process.argv.slice(2);
const scenario = scenarios.find((candidate) => candidate.name === name);
if (url === undefined || scenario === undefined || messages === undefined) {
  process.stderr.write('usage: node load.js URL SCENARIO MESSAGES\n');
  process.exit(64);
}
process.stdout.write(`${JSON.stringify(await run(url, scenario, Number(messages)))}\n`);
process.exit(0);
