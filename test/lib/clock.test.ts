import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../src/lib/clock.js';

/** Longer than a Node timer holds: set at once, it would fire after a millisecond. */
const THIRTY_DAYS_MS = 30 * 86_400_000;

describe('SystemClock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fires once, when it is due and not before', () => {
    const callback = vi.fn();
    new SystemClock().after(1_000, callback);
    vi.advanceTimersByTime(999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(5_000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('holds delays longer than a Node timer does', () => {
    const callback = vi.fn();
    new SystemClock().after(THIRTY_DAYS_MS, callback);
    vi.advanceTimersByTime(THIRTY_DAYS_MS - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('cancels a long delay also after its first step', () => {
    const callback = vi.fn();
    const timer = new SystemClock().after(THIRTY_DAYS_MS, callback);
    vi.advanceTimersByTime(THIRTY_DAYS_MS - 1);
    timer.cancel();
    vi.advanceTimersByTime(THIRTY_DAYS_MS);
    expect(callback).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells the wall time, and a monotonic one', () => {
    const clock = new SystemClock();
    vi.setSystemTime(1_700_000_000_123);
    expect(clock.nowMs()).toBe(1_700_000_000_123);
    const before = clock.monotonicMs();
    vi.advanceTimersByTime(10);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before);
  });
});
