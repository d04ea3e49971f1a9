import { describe, expect, it } from 'vitest';
import { ResourceAlarms } from '../../src/broker/resource-alarms.js';

function bench(): { alarms: ResourceAlarms; changes: [string, boolean][] } {
  const changes: [string, boolean][] = [];
  const alarms = new ResourceAlarms((resource, isActive) => changes.push([resource, isActive]));
  return { alarms, changes };
}

describe('ResourceAlarms', () => {
  it('tells of changes only, and names every reason', () => {
    const { alarms, changes } = bench();
    alarms.set('memory', false);
    alarms.set('memory', true);
    alarms.set('memory', true);
    alarms.set('disk', true);
    expect(alarms.reason).toBe('low on memory & low on disk');
    alarms.set('memory', false);
    expect([alarms.isActive, alarms.reason]).toEqual([true, 'low on disk']);
    alarms.set('disk', false);
    expect(alarms.isActive).toBe(false);
    expect(changes).toEqual([
      ['memory', true],
      ['disk', true],
      ['memory', false],
      ['disk', false],
    ]);
  });

  it('tells each listener once, when the last alarm is over', () => {
    const { alarms } = bench();
    let count = 0;
    const listener = { onAlarmsCleared: () => count++ };
    alarms.set('memory', true);
    alarms.set('disk', true);
    alarms.onceCleared(listener);
    alarms.onceCleared(listener);
    alarms.set('memory', false);
    expect(count).toBe(0);
    alarms.set('disk', false);
    expect(count).toBe(1);
    alarms.set('disk', true);
    alarms.set('disk', false);
    expect(count).toBe(1);
  });

  it('keeps a listener that waits again while it is told, and drops one that was forgotten', () => {
    const { alarms } = bench();
    let count = 0;
    const waiting = {
      onAlarmsCleared: () => {
        count++;
        alarms.onceCleared(waiting);
      },
    };
    const forgotten = { onAlarmsCleared: () => expect.unreachable() };
    alarms.set('memory', true);
    alarms.onceCleared(waiting);
    alarms.onceCleared(forgotten);
    alarms.forget(forgotten);
    alarms.set('memory', false);
    alarms.set('memory', true);
    alarms.set('memory', false);
    expect(count).toBe(2);
  });
});
