import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PublisherConfirms } from '../../src/server/publisher-confirms.js';
import { TransportBench } from '../helpers/transport-bench.js';

const ACK = 0x003c0050;
const NACK = 0x003c0078;

class Bench extends TransportBench {
  readonly confirms = new PublisherConfirms(7, this.transport, this.scheduler);

  accept(count: number): void {
    for (let i = 0; i < count; i++) this.confirms.accept();
  }

  /** The confirms of one turn: `ack 3`, `ack ..3` for multiple, `nack 4`. */
  told(): string[] {
    return this.sentFrames().map(({ type, channel, payload }) => {
      expect([type, channel]).toEqual([1, 7]);
      const method = payload.readUInt32BE(0);
      expect([ACK, NACK]).toContain(method);
      const multiple = payload[12] === 1 ? '..' : '';
      if (method === NACK) expect(payload[12]).toBe(0);
      return `${method === ACK ? 'ack' : 'nack'} ${multiple}${payload.readBigUInt64BE(4)}`;
    });
  }
}

describe('PublisherConfirms', () => {
  it('tells a single publish by itself, and a run of them with multiple', () => {
    const t = new Bench();
    t.accept(1);
    expect(t.told()).toEqual(['ack 1']);
    t.accept(3);
    expect(t.told()).toEqual(['ack ..4']);
    t.accept(1);
    expect(t.told()).toEqual(['ack 5']);
    expect(t.told()).toEqual([]);
  });

  it('tells nothing before the turn', () => {
    const t = new Bench();
    t.accept(2);
    expect([t.transport.bytesWaiting, t.isTurnDue]).toEqual([0, true]);
  });

  it('tells a rejected one by itself, in its place among the others', () => {
    const t = new Bench();
    t.accept(3);
    t.confirms.reject();
    t.confirms.reject();
    t.accept(1);
    t.confirms.reject();
    t.accept(2);
    expect(t.told()).toEqual(['ack ..3', 'nack 4', 'nack 5', 'ack 6', 'nack 7', 'ack ..9']);
    t.confirms.reject();
    expect(t.told()).toEqual(['nack 10']);
  });

  it('tells every publish once and truly, in order, whatever the turns', () => {
    const step = fc.constantFrom('accept', 'accept', 'reject', 'turn');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const t = new Bench();
        const outcomes: string[] = [];
        const told: string[] = [];
        const turn = (): void => {
          for (const line of t.told()) {
            const [kind, number] = [line.split(' ')[0]!, Number(line.replace(/\D/g, ''))];
            if (kind === 'nack') expect(number).toBe(told.length + 1);
            expect(number).toBeGreaterThan(told.length);
            while (told.length < number) told.push(kind);
          }
          expect(told).toEqual(outcomes);
        };
        for (const action of steps) {
          if (action === 'turn') turn();
          else {
            t.confirms[action as 'accept' | 'reject']();
            outcomes.push(action === 'accept' ? 'ack' : 'nack');
          }
        }
        turn();
      }),
    );
  });

  it('tells nothing once its channel closes', () => {
    const t = new Bench();
    t.accept(2);
    t.confirms.reject();
    t.confirms.close();
    expect(t.told()).toEqual([]);
  });
});
