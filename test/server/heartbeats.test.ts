/** rabbitmq.com/docs/heartbeats */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FRAME_HEARTBEAT, type RawClient } from '../../conformance/wire/raw-client.js';
import { IS_ORACLE, Target } from './target.js';

describe.skipIf(IS_ORACLE)('heartbeats', () => {
  let target: Target;
  beforeEach(async () => {
    target = await Target.start();
  });
  afterEach(() => target.close());

  const heartbeat = Buffer.alloc(0);

  /** Both ends share this event loop: in two turns of it, what was written has been read. */
  async function taken(): Promise<void> {
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  async function expectHeartbeat(client: RawClient): Promise<void> {
    expect(await client.nextFrame(0)).toMatchObject({
      type: FRAME_HEARTBEAT,
      channel: 0,
      payload: heartbeat,
    });
  }

  it('are sent when nothing else was for half an interval; one that was sent counts', async () => {
    const client = await target.open({ heartbeat: 10 });
    for (let i = 0; i < 4; i++) {
      target.clock.advance(5_000);
      await expectHeartbeat(client);
      client.frame(FRAME_HEARTBEAT, 0, heartbeat);
      await taken();
      target.clock.advance(5_000);
    }
    await client.openChannel(1);
    expect(client.pendingFrames(0)).toEqual([]);
  });

  it('are not sent when something else was', async () => {
    const client = await target.open({ heartbeat: 10 });
    target.clock.advance(5_000);
    await expectHeartbeat(client);
    for (let number = 1; number <= 5; number++) {
      await client.openChannel(number);
      target.clock.advance(5_000);
    }
    await client.sync();
    expect(client.pendingFrames(0)).toEqual([]);
  });

  it('that are missing for two checks end the connection, without a word', async () => {
    const client = await target.openChannel({ heartbeat: 10 });
    await client.sync();
    target.clock.advance(10_000);
    target.clock.advance(10_000);
    expect(client.isClosed).toBe(false);
    target.clock.advance(10_000);
    await client.closed();
    expect(client.pendingFrames(0).every(({ type }) => type === FRAME_HEARTBEAT)).toBe(true);
    expect(target.server.connectionCount).toBe(0);
  });

  it('are not needed where anything else comes', async () => {
    const client = await target.openChannel({ heartbeat: 10 });
    for (let i = 0; i < 6; i++) {
      target.clock.advance(9_000);
      await client.sync();
    }
    client.frame(FRAME_HEARTBEAT, 0, heartbeat);
    await client.sync();
  });

  it('are neither sent nor expected when the client wants none', async () => {
    const client = await target.openChannel({ heartbeat: 0 });
    target.clock.advance(86_400_000);
    await client.sync();
    expect(client.pendingFrames(0)).toEqual([]);
    expect(target.clock.pendingCount).toBe(0);
  });

  it('end with the connection', async () => {
    const client = await target.open({ heartbeat: 10 });
    expect(target.clock.pendingCount).toBe(2);
    await client.call(0, 'connection.close');
    client.destroy();
    await client.closed();
    await target.logged('connection opened');
    while (target.server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(target.clock.pendingCount).toBe(0);
  });
});
