/**
 * Heartbeats. The broker's own, of which one or two come in a second at the shortest interval, are the clock of these
 * cases: nothing here sleeps.
 */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectConnectionClose, expectEqual } from '../../expect.js';
import { FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, type RawClient } from '../../wire/raw-client.js';
import { encodeContentHeader } from '../../wire/raw-codec.js';

const heartbeat = section({
  area: 'heartbeat',
  source: 'https://www.rabbitmq.com/docs/heartbeats',
  tags: ['core'],
  waits: true,
});

const NOTHING = Buffer.alloc(0);
const FRAME_OCTETS = Buffer.from([FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, 0xce]);
const SILENT_MS_MIN = 1_500;
/** A client that was silent for three intervals would have been dropped by then. */
const OUTLIVED_MS = 3_300;

async function expectHeartbeat(client: RawClient): Promise<void> {
  const { type, payload } = await client.nextFrame(0, 'a heartbeat');
  expectEqual('type and payload of a frame on channel 0', [type, payload.length], [FRAME_HEARTBEAT, 0]);
}

/** Does something each time the broker sends a heartbeat, for longer than silence is put up with. */
async function outlive(client: RawClient, act: (round: number) => Promise<void> | void): Promise<void> {
  const startMs = performance.now();
  for (let round = 1; performance.now() - startMs < OUTLIVED_MS; round++) {
    await expectHeartbeat(client);
    await act(round);
  }
}

/** The broker drops TCP after the client was silent for a while, and says nothing but heartbeats. */
async function expectDropped(client: RawClient, sinceMs: number): Promise<void> {
  await client.closed();
  const silentMs = performance.now() - sinceMs;
  if (silentMs < SILENT_MS_MIN)
    throw new Error(`the client was dropped after ${Math.round(silentMs)} ms of silence`);
  const types = client.pendingFrames(0).map(({ type }) => type);
  expectEqual('types of frames on channel 0', [...new Set(types)], [FRAME_HEARTBEAT]);
}

/** What keeps a connection alive besides heartbeats; each is done at each heartbeat of the broker. */
const TRAFFIC: readonly (readonly [
  name: string,
  title: string,
  act: (client: RawClient, queue: string, round: number) => Promise<void> | void,
])[] = [
  ['heartbeats', 'heartbeats', (client) => client.frame(FRAME_HEARTBEAT, 0, NOTHING)],
  ['methods', 'methods', (client) => client.sync()],
  ['messages', 'messages', (client, queue) => client.publish(1, { routingKey: queue, body: 'm' })],
  [
    'pieces',
    'pieces of a content',
    (client, queue, round) => {
      if (round === 1) client.send(1, 'basic.publish', { routingKey: queue });
      else if (round === 2) client.frame(FRAME_HEADER, 1, encodeContentHeader(100, {}));
      else client.frame(FRAME_BODY, 1, 'x');
    },
  ],
  [
    'octets',
    'single octets of a frame',
    (client, _queue, round) => client.write(FRAME_OCTETS.subarray((round - 1) % 8, ((round - 1) % 8) + 1)),
  ],
];

function openBeating(t: CaseContext): Promise<RawClient> {
  return t.openChannel({ heartbeat: 1 });
}

export const cases: readonly Case[] = [
  heartbeat(
    'sent',
    'the broker sends heartbeats of the interval the client chose',
    'With nothing else to send the broker sends an empty frame of type 8 on channel 0, at least once in the interval.',
    async (t) => {
      const client = await openBeating(t);
      const startMs = performance.now();
      for (let i = 0; i < 2; i++) await expectHeartbeat(client);
      // A slow machine may be late, but not twice as late.
      expectEqual('two heartbeats came in time', performance.now() - startMs < 4000, true);
    },
  ),
  heartbeat(
    'before-open',
    'heartbeats begin with tune-ok',
    'The broker sends heartbeats once the interval is agreed, even before the client opens a virtual host.',
    async (t) => {
      const client = await t.connect();
      await client.tune(t.credentials({ heartbeat: 1 }));
      await expectHeartbeat(client);
      client.send(0, 'connection.open', { virtualHost: t.broker.virtualHost });
      await client.nextFrame(0);
    },
  ),
  heartbeat(
    'silent-dropped',
    'a silent client is dropped',
    'A client from which nothing came for two intervals is dropped, without connection.close.',
    async (t) => {
      const client = await openBeating(t);
      const sinceMs = performance.now();
      await expectDropped(client, sinceMs);
    },
  ),
  heartbeat(
    'silent-consumer',
    'a consumer that only receives is dropped',
    'What the broker sends is no sign of life of the client; its messages go back to the queue.',
    async (t) => {
      const owner = await t.openChannel();
      const queue = t.name('shared');
      await owner.call(1, 'queue.declare', { queue });
      const client = await openBeating(t);
      await client.call(1, 'basic.consume', { queue });
      const sinceMs = performance.now();
      await t.publish(owner, queue, 2);
      await expectDropped(client, sinceMs);
      await t.expectCounts(owner, queue, { messageCount: 2, consumerCount: 0 });
      await t.expectReady(owner, queue, ['1*', '2*']);
    },
  ),
  heartbeat(
    'silent-exclusive',
    'a dropped client takes its exclusive queues with it',
    'To be dropped for silence is the end of a connection as any other.',
    async (t) => {
      const other = await t.openChannel();
      const client = await openBeating(t);
      const queue = await t.declareQueue(client);
      await client.closed();
      await t.expectNoQueue(other, queue);
    },
  ),
  ...TRAFFIC.map(([name, title, act]) =>
    heartbeat(
      `kept-by-${name}`,
      `${title} keep a connection`,
      'Any traffic counts as a heartbeat, and what is not yet a whole frame as well.',
      async (t) => {
        const client = await openBeating(t);
        const queue = await t.declareQueue(client);
        await outlive(client, (round) => act(client, queue, round));
        expectEqual('the connection is closed', client.isClosed, false);
      },
    ),
  ),
  heartbeat(
    'none',
    'zero is no heartbeat at all',
    'With an interval of 0 the broker neither sends heartbeats nor waits for them.',
    async (t) => {
      const silent = await t.openChannel({ heartbeat: 0 });
      const clock = await openBeating(t);
      await outlive(clock, () => clock.frame(FRAME_HEARTBEAT, 0, NOTHING));
      await silent.sync();
      expectEqual('frames on channel 0', silent.pendingFrames(0).length, 0);
    },
  ),
  heartbeat(
    'none-but-sent',
    'a client may send heartbeats though none were agreed',
    'A heartbeat is a valid frame on channel 0 at any time, and is not answered.',
    async (t) => {
      const client = await t.openChannel({ heartbeat: 0 });
      for (let i = 0; i < 3; i++) client.frame(FRAME_HEARTBEAT, 0, NOTHING);
      await client.sync();
      expectEqual('frames on channel 0', client.pendingFrames(0).length, 0);
    },
  ),
  heartbeat(
    'amid-content',
    'a heartbeat may come between the frames of a content',
    'Heartbeats are on channel 0, so they interrupt nothing.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      client.send(1, 'basic.publish', { routingKey: queue });
      client.frame(FRAME_HEARTBEAT, 0, NOTHING);
      client.frame(FRAME_HEADER, 1, encodeContentHeader(2, {}));
      client.frame(FRAME_HEARTBEAT, 0, NOTHING);
      client.frame(FRAME_BODY, 1, 'a');
      client.frame(FRAME_HEARTBEAT, 0, NOTHING);
      client.frame(FRAME_BODY, 1, 'b');
      await t.expectReady(client, queue, ['ab']);
    },
  ),
  ...[7, 65_535].map((channel) =>
    heartbeat(
      `on-channel-${channel}`,
      `a heartbeat on channel ${channel} ends the connection`,
      'Heartbeats belong on channel 0: on another, though nobody opened it, one is the connection error 505.',
      async (t) => {
        const client = await t.openChannel();
        client.frame(FRAME_HEARTBEAT, channel, NOTHING);
        await expectConnectionClose(client, undefined, 505, 'UNEXPECTED_FRAME - type 8, all octets = <<>>');
      },
    ),
  ),
];
