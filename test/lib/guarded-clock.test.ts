import { describe, expect, it } from 'vitest';
import { GuardedClock } from '../../src/lib/guarded-clock.js';
import { ManualClock } from '../../src/lib/manual-clock.js';

describe('GuardedClock', () => {
  it('tells of what a callback throws, and lets the other timers fire', () => {
    const manual = new ManualClock();
    const errors: unknown[] = [];
    const clock = new GuardedClock(manual, (error) => errors.push(error));
    const bug = new Error('a bug');
    let fired = 0;
    clock.after(10, () => {
      throw bug;
    });
    clock.after(10, () => fired++);
    manual.advance(10);
    expect([errors, fired]).toEqual([[bug], 1]);
  });

  it('passes time and cancelling through', () => {
    const manual = new ManualClock(5);
    const clock = new GuardedClock(manual, () => {});
    clock.after(1, () => {}).cancel();
    manual.advance(3);
    expect([clock.nowMs(), clock.monotonicMs(), manual.pendingCount]).toEqual([8, 3, 0]);
  });
});
