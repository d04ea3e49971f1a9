/**
 * One run at a steady pace: each message carries the time it was written, and the consumer, in the same process,
 * looks at the same clock.
 *
 * The pace is kept by looking at the clock in every turn of the event loop (setImmediate), for a timer is too coarse:
 * of a millisecond, so that messages would leave in bursts. The sockets are looked at in the same turns, so waiting
 * delays no reading. A message leaves when it is due, by itself, and its time is that of its write: the broker cannot
 * hold the writer up at this pace, so a late write is the machine's doing, and not to be counted as the broker's.
 */
import { parseUrl } from './broker-url.js';
import { Consumer } from './consumer.js';
import { BODY_HEAD_BYTES } from './frame-cutter.js';
import { Meter } from './meter.js';
import { residentBytesOf } from './process-figures.js';
import { RawClient } from './raw-client.js';
import type { LatencyScenario, LoadRequest, RunResult } from './scenario.js';
import { flow } from './scenarios.js';
import { withStallCheck } from './stall.js';
import { Topology } from './topology.js';

const TIME_AT = 8;
/** In the first part of a run code is still being compiled. */
const IGNORED_SHARE = 0.1;
/** Never more than so many late messages in one turn: what came is read in between. */
const CATCH_UP_MAX = 16;
/** Buffers that a message is written from; the socket has taken one long before its turn comes again. */
const BUFFERS = 1024;

export async function runLatency(scenario: LatencyScenario, request: LoadRequest): Promise<RunResult> {
  const endpoint = parseUrl(request.url);
  const { messages } = request;
  const settings = flow({ ...scenario, messages }, { bodyBytes: scenario.bodyBytes });
  const topology = new Topology(settings);
  const publisher = await RawClient.connect(endpoint);
  await topology.declare(publisher);
  const micros = new Float64Array(messages);
  let received = 0;
  const time = new DataView(new ArrayBuffer(8));
  const options = {
    queues: topology.queues,
    queueIndexes: [0],
    sequence: topology.sequence,
    expected: messages,
    ackEvery: 0,
    prefetch: 0,
    onBody: (bytes: Uint8Array, at: number): void => {
      const nowMs = performance.now();
      for (let i = 0; i < 8; i++) time.setUint8(i, bytes[at + TIME_AT + i]!);
      micros[received++] = (nowMs - time.getFloat64(0)) * 1000;
    },
  };
  const consumer = await Consumer.connect(endpoint, options);
  const meter = new Meter(request.pid);
  consumer.start();
  const variant = topology.variants(0)[0]!;
  const work = Promise.all([
    publishAtPace(publisher, variant.bytes, variant.bodyAt, messages, scenario.perSecond),
    consumer.done,
  ]);
  await withStallCheck(
    work,
    request.stallMs,
    () => received,
    () => `${received} of ${messages} messages came`,
  );
  const costs = meter.costs(messages);
  await topology.remove(publisher);
  await publisher.closeOrderly();
  const counted = micros.subarray(Math.floor(messages * IGNORED_SHARE)).sort();
  const percentile = (share: number): number =>
    counted[Math.min(counted.length - 1, Math.floor(counted.length * share))]!;
  const residentBytes = request.pid === undefined ? Number.NaN : residentBytesOf(request.pid);
  return {
    figures: {
      p50: { value: percentile(0.5), ...costs },
      p99: { value: percentile(0.99), ...costs },
    },
    residentBytes,
  };
}

function publishAtPace(
  client: RawClient,
  one: Buffer,
  bodyAt: number,
  messages: number,
  perSecond: number,
): Promise<void> {
  if (one.length - bodyAt < BODY_HEAD_BYTES) throw new Error('a body has no room for its time');
  const buffers = Array.from({ length: BUFFERS }, () => Buffer.from(one));
  const startedMs = performance.now();
  const stepMs = 1000 / perSecond;
  return new Promise((resolve, reject) => {
    let sent = 0;
    client.onLost = reject;
    const turn = (): void => {
      const nowMs = performance.now();
      for (let burst = 0; burst < CATCH_UP_MAX && sent < messages; burst++) {
        if (startedMs + sent * stepMs > nowMs) break;
        const bytes = buffers[sent % BUFFERS]!;
        bytes.writeUInt32BE(sent, bodyAt);
        bytes.writeDoubleBE(performance.now(), bodyAt + TIME_AT);
        client.socket.write(bytes);
        sent++;
      }
      if (sent < messages) setImmediate(turn);
      else resolve();
    };
    turn();
  });
}
