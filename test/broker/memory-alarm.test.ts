import { describe, expect, it } from 'vitest';
import { MemoryAlarm } from '../../src/broker/memory-alarm.js';

function bench(): { alarm: MemoryAlarm; changes: [boolean, number][] } {
  const changes: [boolean, number][] = [];
  const alarm = new MemoryAlarm(100, (isActive, heldBytes) => changes.push([isActive, heldBytes]));
  return { alarm, changes };
}

describe('MemoryAlarm', () => {
  it('is on while more than the limit is held, and tells of changes only', () => {
    const { alarm, changes } = bench();
    for (const heldBytes of [50, 100, 101, 500, 101, 100, 0]) alarm.update(heldBytes);
    expect(changes).toEqual([
      [true, 101],
      [false, 100],
    ]);
    alarm.update(101);
    expect(alarm.isActive).toBe(true);
  });

  it('tells each listener once, when the alarm is over', () => {
    const { alarm } = bench();
    let count = 0;
    const listener = { onAlarmCleared: () => count++ };
    alarm.update(200);
    alarm.onceCleared(listener);
    alarm.onceCleared(listener);
    alarm.update(300);
    expect(count).toBe(0);
    alarm.update(10);
    expect(count).toBe(1);
    alarm.update(200);
    alarm.update(10);
    expect(count).toBe(1);
  });

  it('does not tell a listener that was forgotten', () => {
    const { alarm } = bench();
    let isTold = false;
    const listener = {
      onAlarmCleared: () => {
        isTold = true;
      },
    };
    alarm.update(200);
    alarm.onceCleared(listener);
    alarm.forget(listener);
    alarm.update(10);
    expect(isTold).toBe(false);
  });

  it('keeps a listener that waits again while it is told', () => {
    const { alarm } = bench();
    let count = 0;
    const listener = {
      onAlarmCleared: () => {
        count++;
        alarm.onceCleared(listener);
      },
    };
    alarm.update(200);
    alarm.onceCleared(listener);
    alarm.update(10);
    expect(count).toBe(1);
    alarm.update(200);
    alarm.update(10);
    expect(count).toBe(2);
  });

  it('is off already when its listeners are told', () => {
    const { alarm } = bench();
    let wasActive = true;
    alarm.update(200);
    alarm.onceCleared({
      onAlarmCleared: () => {
        wasActive = alarm.isActive;
      },
    });
    alarm.update(0);
    expect(wasActive).toBe(false);
  });
});
