import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { MethodWriter } from '../../src/amqp/method-writer.js';
import { Scheduler } from '../../src/broker/scheduler.js';
import {
  OUTPUT_BYTES_MAX,
  OUTPUT_BYTES_RESUME,
  OUTPUT_REFERRED_BYTES_MAX,
  OUTPUT_REFERRED_BYTES_RESUME,
} from '../../src/lib/limits.js';
import { SlabPool } from '../../src/lib/slab-pool.js';
import { Transport } from '../../src/server/transport.js';
import { patterned } from '../helpers/frames.js';
import { expectNothingHeld, writeLabelled } from '../helpers/messages.js';
import { TransportBench } from '../helpers/transport-bench.js';

const SLAB_BYTES = 1024;

/** Writes bytes as the hot path does: reserved, then filled in. */
function fill(transport: Transport, bytes: Buffer): void {
  const at = transport.reserve(bytes.length);
  transport.block.bytes.set(bytes, at);
}

function referred(t: TransportBench, bytes: Buffer): number {
  const position = writeLabelled(t.log, 'body');
  t.log.retain(position, 1);
  t.transport.refer(bytes, position);
  return position;
}

describe('Transport output', () => {
  it('sends nothing before the turn, then everything with one write', () => {
    const t = new TransportBench();
    fill(t.transport, patterned(10));
    t.transport.writeBytes(patterned(20, 1));
    expect([t.socket.sent.length, t.isTurnDue, t.transport.bytesWaiting]).toEqual([0, true, 30]);
    t.turn();
    expect(t.socket.sent).toHaveLength(1);
    expect(t.socket.output()).toEqual(Buffer.concat([patterned(10), patterned(20, 1)]));
    expect(t.transport.bytesSent).toBe(30);
  });

  it('marks itself once per turn, and again in the next', () => {
    const t = new TransportBench();
    fill(t.transport, patterned(1));
    t.turn();
    expect(t.isTurnDue).toBe(false);
    fill(t.transport, patterned(1));
    expect(t.isTurnDue).toBe(true);
    t.turn();
    expect(t.socket.output()).toHaveLength(2);
  });

  it('writes a method as a frame', () => {
    const t = new TransportBench();
    const writer = new MethodWriter();
    writer.u32(0x003c0050);
    t.transport.writeMethod(0x0102, writer);
    expect(t.sentFrames()).toEqual([{ type: 1, channel: 0x0102, payload: Buffer.from([0, 60, 0, 80]) }]);
  });

  it.each([1, 7, 100, SLAB_BYTES - 1, SLAB_BYTES])(
    'keeps pieces of %i bytes in order over many slabs',
    (size) => {
      const t = new TransportBench({ slabBytes: SLAB_BYTES });
      const expected: Buffer[] = [];
      for (let total = 0; total < 5 * SLAB_BYTES; total += size) {
        const piece = patterned(size, total);
        expected.push(piece);
        fill(t.transport, piece);
      }
      t.turn();
      expect(t.socket.output().equals(Buffer.concat(expected))).toBe(true);
      // Several slabs leave in one go.
      expect(t.socket.groupCount).toBe(1);
    },
  );

  it('gives a stretch larger than a slab memory of its own, which is not kept', () => {
    const t = new TransportBench({ slabBytes: SLAB_BYTES });
    fill(t.transport, patterned(10));
    fill(t.transport, patterned(3 * SLAB_BYTES, 1));
    fill(t.transport, patterned(10, 2));
    t.turn();
    t.socket.complete();
    const expected = Buffer.concat([patterned(10), patterned(3 * SLAB_BYTES, 1), patterned(10, 2)]);
    expect(t.socket.output().equals(expected)).toBe(true);
    expect(t.slabs.idleCount).toBe(2);
  });

  it('gives slabs back when the peer has taken what they held, not before', () => {
    const t = new TransportBench({ slabBytes: SLAB_BYTES });
    for (let i = 0; i < 3; i++) fill(t.transport, patterned(SLAB_BYTES));
    t.turn();
    expect(t.slabs.idleCount).toBe(0);
    fill(t.transport, patterned(1));
    t.turn();
    t.socket.complete(1);
    expect(t.slabs.idleCount).toBe(3);
    t.socket.complete();
    expect([t.slabs.idleCount, t.transport.bytesWaiting]).toEqual([4, 0]);
  });
});

describe('Transport.refer', () => {
  it('sends bytes from where they lie, between what was written before and after', () => {
    const t = new TransportBench();
    const body = patterned(5_000, 3);
    fill(t.transport, patterned(10));
    referred(t, body);
    fill(t.transport, patterned(20, 1));
    expect(t.transport.bytesWaiting).toBe(5_030);
    t.turn();
    expect(t.socket.output().equals(Buffer.concat([patterned(10), body, patterned(20, 1)]))).toBe(true);
    expect(t.socket.groupCount).toBe(1);
  });

  it('may come first and last, and several at once', () => {
    const t = new TransportBench();
    for (const seed of [1, 2, 3]) referred(t, patterned(300, seed));
    t.turn();
    const expected = Buffer.concat([1, 2, 3].map((seed) => patterned(300, seed)));
    expect(t.socket.output().equals(expected)).toBe(true);
  });

  it('releases each record once, when the peer has taken its bytes', () => {
    const t = new TransportBench();
    const first = referred(t, patterned(100));
    t.turn();
    const second = referred(t, patterned(100));
    t.turn();
    expect(t.released).toEqual([]);
    t.socket.complete(1);
    expect(t.released).toEqual([first]);
    t.socket.complete();
    expect(t.released).toEqual([first, second]);
    expectNothingHeld(t.log);
  });

  it('releases records when the socket goes, whether sent, marked or still being written', () => {
    const t = new TransportBench();
    referred(t, patterned(100));
    t.turn();
    fill(t.transport, patterned(10));
    referred(t, patterned(100));
    t.transport.close();
    t.transport.close();
    expect(t.released).toHaveLength(2);
    t.socket.complete();
    t.turn();
    expect(t.released).toHaveLength(2);
    expectNothingHeld(t.log);
  });

  it('releases what is written to a transport that is closed, or whose socket was ended', () => {
    for (const finish of ['close', 'end'] as const) {
      const t = new TransportBench();
      t.transport[finish]();
      referred(t, patterned(100));
      fill(t.transport, patterned(10));
      t.turn();
      expect(t.socket.output()).toHaveLength(0);
      expect(t.released).toHaveLength(1);
      expectNothingHeld(t.log);
    }
  });
});

describe('a slow reader', () => {
  const write = (t: TransportBench, byteCount: number): void => {
    for (let left = byteCount; left > 0; left -= SLAB_BYTES)
      fill(t.transport, Buffer.alloc(Math.min(left, SLAB_BYTES)));
    t.turn();
  };

  it('may let more wait of what is referred to than of what is copied', () => {
    const t = new TransportBench();
    const [rest, most] = [
      OUTPUT_REFERRED_BYTES_RESUME,
      OUTPUT_REFERRED_BYTES_MAX - OUTPUT_REFERRED_BYTES_RESUME,
    ];
    referred(t, Buffer.alloc(most));
    t.turn();
    referred(t, Buffer.alloc(rest - 1));
    t.turn();
    expect(t.transport.isCongested).toBe(false);
    referred(t, Buffer.alloc(1));
    expect(t.transport.isCongested).toBe(true);
    t.turn();
    t.socket.complete(1);
    expect([t.drainedCount, t.transport.isCongested, t.transport.bytesWaiting]).toEqual([1, false, rest]);
    write(t, OUTPUT_BYTES_MAX);
    expect(t.transport.isCongested).toBe(true);
    t.socket.complete();
    expect([t.drainedCount, t.transport.bytesWaiting]).toEqual([2, 0]);
  });

  it('congests the transport at its limit, bytes not yet handed to the socket included', () => {
    const t = new TransportBench();
    write(t, OUTPUT_BYTES_MAX - 10);
    expect(t.transport.isCongested).toBe(false);
    fill(t.transport, patterned(9));
    expect(t.transport.isCongested).toBe(false);
    fill(t.transport, patterned(1));
    expect([t.transport.isCongested, t.transport.bytesWaiting]).toEqual([true, OUTPUT_BYTES_MAX]);
  });

  it('is told to go on once, when enough has been taken', () => {
    const t = new TransportBench();
    write(t, OUTPUT_BYTES_MAX - OUTPUT_BYTES_RESUME - 1);
    write(t, 1);
    write(t, OUTPUT_BYTES_RESUME);
    expect(t.transport.isCongested).toBe(true);
    expect(t.drainedCount).toBe(0);
    t.socket.complete(1);
    expect([t.transport.isCongested, t.drainedCount]).toEqual([false, 0]);
    t.socket.complete(1);
    expect(t.drainedCount).toBe(1);
    t.socket.complete();
    expect(t.drainedCount).toBe(1);
  });

  it('is not told when nobody was passed over', () => {
    const t = new TransportBench();
    write(t, OUTPUT_BYTES_MAX);
    t.socket.complete();
    expect(t.drainedCount).toBe(0);
  });

  it('is not told after the end', () => {
    const t = new TransportBench();
    write(t, OUTPUT_BYTES_MAX);
    expect(t.transport.isCongested).toBe(true);
    t.transport.close();
    t.socket.complete();
    expect(t.drainedCount).toBe(0);
  });
});

describe('Transport and its socket', () => {
  it('hands on what comes in, and counts it', () => {
    const t = new TransportBench();
    const received: Buffer[] = [];
    t.transport.receiver = ({ bytes }) => received.push(bytes);
    t.socket.receive(Buffer.from('abc'));
    t.socket.receive(Buffer.from('de'));
    expect(Buffer.concat(received).toString()).toBe('abcde');
    expect(t.transport.bytesReceived).toBe(5);
  });

  it('holds a publisher back and lets it go on', () => {
    const t = new TransportBench();
    t.transport.pause();
    expect(t.socket.isPaused).toBe(true);
    t.transport.resume();
    expect(t.socket.isPaused).toBe(false);
  });

  it('sends what is waiting before it ends', () => {
    const t = new TransportBench();
    fill(t.transport, patterned(10));
    t.transport.end();
    expect([t.socket.output().length, t.socket.isEnded]).toEqual([10, true]);
  });

  it('drops what is waiting when it is destroyed, and gives back its slabs', () => {
    const t = new TransportBench();
    fill(t.transport, patterned(10));
    t.transport.destroy();
    expect([t.socket.output().length, t.socket.destroyed, t.slabs.idleCount]).toEqual([0, true, 1]);
  });

  it('works on a real one: every byte arrives in order, and everything is given back', async () => {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const peer = connect(address.port, '127.0.0.1');
    const [socket] = (await once(listener, 'connection')) as [Socket];
    const slabs = new SlabPool(65_536, 4);
    const scheduler = new Scheduler(
      (turn) => setImmediate(turn),
      (error) => {
        throw error;
      },
    );
    const released: number[] = [];
    const transport = new Transport(socket, slabs, scheduler, {
      onDrained: () => {},
      release: (position) => released.push(position),
    });
    const expected: Buffer[] = [];
    for (let i = 0; i < 40; i++) {
      const piece = patterned(30_000, i);
      expected.push(piece);
      if (i % 4 === 3) transport.refer(piece, i);
      else fill(transport, piece);
    }
    const wanted = Buffer.concat(expected);
    const arrived: Buffer[] = [];
    let arrivedBytes = 0;
    for await (const chunk of peer as AsyncIterable<Buffer>) {
      arrived.push(chunk);
      arrivedBytes += chunk.length;
      if (arrivedBytes === wanted.length) transport.end();
    }
    expect(Buffer.concat(arrived).equals(wanted)).toBe(true);
    transport.close();
    expect(released).toEqual([3, 7, 11, 15, 19, 23, 27, 31, 35, 39]);
    expect(slabs.idleCount).toBe(4);
    socket.destroy();
    listener.close();
  });
});
