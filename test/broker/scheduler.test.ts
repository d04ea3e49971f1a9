import { describe, expect, it } from 'vitest';
import { type Runnable, Scheduler } from '../../src/broker/scheduler.js';

interface Bench {
  readonly scheduler: Scheduler;
  /** What happened, in order. */
  readonly events: string[];
  readonly errors: unknown[];
  /** How many turns have been armed and not run. */
  armed(): number;
  turn(): void;
}

function bench(): Bench {
  const due: (() => void)[] = [];
  const errors: unknown[] = [];
  const scheduler = new Scheduler(
    (turn) => due.push(turn),
    (error) => errors.push(error),
  );
  return { scheduler, events: [], errors, armed: () => due.length, turn: () => due.shift()!() };
}

const queue = (run: () => boolean): Runnable => ({ isScheduled: false, run });
const noting = (t: Bench, name: string): Runnable =>
  queue(() => {
    t.events.push(name);
    return false;
  });

describe('Scheduler', () => {
  it('runs queues, then writes confirms, then flushes, whatever the order of the marks', () => {
    const t = bench();
    t.scheduler.scheduleFlush({ flush: () => t.events.push('flush') });
    t.scheduler.scheduleConfirms({ writeConfirms: () => t.events.push('confirms') });
    t.scheduler.scheduleRun(noting(t, 'run'));
    expect([t.events, t.armed()]).toEqual([[], 1]);
    t.turn();
    expect(t.events).toEqual(['run', 'confirms', 'flush']);
    expect(t.armed()).toBe(0);
  });

  it('serves in the same turn what a step marks for a later one', () => {
    const t = bench();
    const flushable = { flush: () => t.events.push('flush') };
    const confirmer = {
      writeConfirms: () => {
        t.events.push('confirms');
        t.scheduler.scheduleFlush(flushable);
      },
    };
    t.scheduler.scheduleRun(
      queue(() => {
        t.events.push('run');
        t.scheduler.scheduleConfirms(confirmer);
        return false;
      }),
    );
    t.turn();
    expect(t.events).toEqual(['run', 'confirms', 'flush']);
    expect(t.armed()).toBe(0);
  });

  it('serves in the same turn a flush that a flush marks', () => {
    const t = bench();
    const second = { flush: () => t.events.push('second') };
    t.scheduler.scheduleFlush({ flush: () => t.scheduler.scheduleFlush(second) });
    t.turn();
    expect([t.events, t.armed()]).toEqual([['second'], 0]);
  });

  it('runs a queue once per turn however often it is marked', () => {
    const t = bench();
    const once = noting(t, 'run');
    t.scheduler.scheduleRun(once);
    t.scheduler.scheduleRun(once);
    t.turn();
    expect(t.events).toEqual(['run']);
    t.scheduler.scheduleRun(once);
    expect(t.armed()).toBe(1);
    t.turn();
    expect(t.events).toEqual(['run', 'run']);
  });

  it('arms another turn for a queue that ran out of budget, after the others had theirs and the flush', () => {
    const t = bench();
    let left = 2;
    t.scheduler.scheduleRun(
      queue(() => {
        t.events.push('greedy');
        return left-- > 0;
      }),
    );
    t.scheduler.scheduleRun(noting(t, 'modest'));
    t.scheduler.scheduleFlush({ flush: () => t.events.push('flush') });
    t.turn();
    expect(t.events).toEqual(['greedy', 'modest', 'flush']);
    expect(t.armed()).toBe(1);
    t.turn();
    expect(t.armed()).toBe(1);
    t.turn();
    expect(t.events).toEqual(['greedy', 'modest', 'flush', 'greedy', 'greedy']);
    expect(t.armed()).toBe(0);
  });

  it('gives a queue that marks itself while it runs another turn, not the same one', () => {
    const t = bench();
    let runs = 0;
    const marking = queue(() => {
      if (++runs === 1) t.scheduler.scheduleRun(marking);
      return false;
    });
    t.scheduler.scheduleRun(marking);
    t.turn();
    expect([runs, t.armed()]).toEqual([1, 1]);
    t.turn();
    expect([runs, t.armed()]).toEqual([2, 0]);
  });

  it('keeps what a flush marks for the next turn', () => {
    const t = bench();
    t.scheduler.scheduleFlush({
      flush: () => {
        t.scheduler.scheduleRun(noting(t, 'run'));
        t.scheduler.scheduleConfirms({ writeConfirms: () => t.events.push('confirms') });
      },
    });
    t.turn();
    expect([t.events, t.armed()]).toEqual([[], 1]);
    t.turn();
    expect(t.events).toEqual(['run', 'confirms']);
  });

  it('goes on with everything else when a step throws, and tells of each error', () => {
    const t = bench();
    const fail = (what: string) => (): never => {
      throw new Error(what);
    };
    t.scheduler.scheduleRun(queue(fail('run')));
    t.scheduler.scheduleRun(noting(t, 'run'));
    t.scheduler.scheduleConfirms({ writeConfirms: fail('confirms') });
    t.scheduler.scheduleConfirms({ writeConfirms: () => t.events.push('confirms') });
    t.scheduler.scheduleFlush({ flush: fail('flush') });
    t.scheduler.scheduleFlush({ flush: () => t.events.push('flush') });
    t.turn();
    expect(t.events).toEqual(['run', 'confirms', 'flush']);
    expect(t.errors.map((error) => (error as Error).message)).toEqual(['run', 'confirms', 'flush']);
    t.scheduler.scheduleFlush({ flush: () => t.events.push('again') });
    t.turn();
    expect(t.events.at(-1)).toBe('again');
  });
});
