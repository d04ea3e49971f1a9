import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { Heartbeat } from '../../src/server/heartbeat.js';
import { TransportBench } from '../helpers/transport-bench.js';

const INTERVAL_MS = 10_000;
const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

let clock: ManualClock;
let t: TransportBench;
let heartbeat: Heartbeat;
let timeouts: number;

beforeEach(() => {
  clock = new ManualClock(0);
  t = new TransportBench();
  timeouts = 0;
  heartbeat = new Heartbeat(clock, t.transport, INTERVAL_MS / 1000, () => {
    timeouts++;
  });
});
afterEach(() => heartbeat.stop());

/** Lets time pass in steps of half an interval, as the turns of a broker would. */
function pass(halfIntervals: number, peerSays = ''): Buffer {
  for (let i = 0; i < halfIntervals; i++) {
    if (peerSays !== '') t.socket.receive(Buffer.from(peerSays));
    clock.advance(INTERVAL_MS / 2);
    t.turn();
  }
  return t.socket.take();
}

describe('Heartbeat', () => {
  it('sends one at the first check, whatever was sent before', () => {
    t.transport.writeBytes(Buffer.from('tune'));
    t.turn();
    t.socket.take();
    expect(pass(1)).toEqual(HEARTBEAT);
  });

  it('sends while nothing else is sent, so that no interval passes in silence', () => {
    let silentHalves = 0;
    for (let i = 0; i < 20; i++) {
      silentHalves = pass(1, 'x').length > 0 ? 0 : silentHalves + 1;
      expect(silentHalves).toBeLessThan(2);
    }
  });

  it('sends none while other bytes leave', () => {
    pass(1);
    for (let i = 0; i < 6; i++) {
      t.transport.writeBytes(Buffer.from('data'));
      t.turn();
      expect(pass(1, 'x').toString()).toBe('data');
    }
  });

  it('ends the connection after two checks without a byte, and once', () => {
    pass(3);
    expect(timeouts).toBe(0);
    pass(1);
    expect(timeouts).toBe(1);
    pass(20);
    expect([timeouts, clock.pendingCount]).toEqual([1, 0]);
  });

  it('counts any byte as life, and counts anew after it', () => {
    pass(2);
    t.socket.receive(Buffer.from('x'));
    pass(5);
    expect(timeouts).toBe(0);
    pass(1);
    expect(timeouts).toBe(1);
  });

  it('does not mind silence while nothing is read, and minds it again afterwards', () => {
    pass(3);
    heartbeat.isMonitoring = false;
    pass(40);
    expect(timeouts).toBe(0);
    heartbeat.isMonitoring = true;
    pass(2);
    expect(timeouts).toBe(0);
    pass(1);
    expect(timeouts).toBe(1);
  });

  it('keeps no timer once it is stopped', () => {
    expect(clock.pendingCount).toBe(2);
    heartbeat.stop();
    expect(clock.pendingCount).toBe(0);
    expect(pass(10)).toHaveLength(0);
    expect(timeouts).toBe(0);
  });
});
