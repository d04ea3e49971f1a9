import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/lib/manual-clock.js';

describe('ManualClock', () => {
  it('moves only when told to, wall and monotonic time together', () => {
    const clock = new ManualClock(5_000);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([5_000, 0]);
    clock.advance(250);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([5_250, 250]);
  });

  it('fires timers in the order they are due, equal ones in the order they were set, each at its time', () => {
    const clock = new ManualClock(0);
    const fired: string[] = [];
    const note = (name: string) => (): number => fired.push(`${name}@${clock.nowMs()}`);
    clock.after(30, note('c'));
    clock.after(10, note('a'));
    clock.after(30, note('d'));
    clock.after(20, note('b'));
    clock.after(31, note('late'));
    clock.advance(30);
    expect(fired).toEqual(['a@10', 'b@20', 'c@30', 'd@30']);
    expect(clock.pendingCount).toBe(1);
  });

  it('fires what a callback schedules, when that is due in the same stretch', () => {
    const clock = new ManualClock(0);
    const ticks: number[] = [];
    const tick = (): void => {
      ticks.push(clock.nowMs());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    clock.advance(35);
    expect(ticks).toEqual([10, 20, 30]);
    expect(clock.nowMs()).toBe(35);
  });

  it('does not fire a cancelled timer, nor mind a second cancel or one that comes too late', () => {
    const clock = new ManualClock(0);
    let count = 0;
    const cancelled = clock.after(5, () => count++);
    const fired = clock.after(6, () => count++);
    cancelled.cancel();
    cancelled.cancel();
    clock.advance(10);
    fired.cancel();
    expect(count).toBe(1);
    expect(clock.pendingCount).toBe(0);
  });

  it('lets a callback cancel a timer that is due at the same time', () => {
    const clock = new ManualClock(0);
    let fired = false;
    clock.after(5, () => second.cancel());
    const second = clock.after(5, () => {
      fired = true;
    });
    clock.advance(5);
    expect(fired).toBe(false);
  });

  it('takes a negative delay for none', () => {
    const clock = new ManualClock(100);
    let firedAtMs = -1;
    clock.after(-50, () => {
      firedAtMs = clock.nowMs();
    });
    clock.advance(0);
    expect(firedAtMs).toBe(100);
  });
});
