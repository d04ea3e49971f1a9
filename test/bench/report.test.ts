import { describe, expect, it } from 'vitest';
import type { Broker } from '../../bench/brokers.js';
import { type Comparison, compare } from '../../bench/parts/comparison.js';
import { reportOf, scenarioText } from '../../bench/report.js';
import type { Measured, RunResult, Targets, Unit } from '../../bench/scenario.js';
import { flow } from '../../bench/scenarios.js';
import { median, quartilesOf } from '../../bench/statistics.js';

const broker = (label: string, isRabbit: boolean): Broker => ({
  label,
  isRabbit,
  url: 'amqp://b',
  pid: undefined,
  directory: '/',
  startFresh: undefined,
  stop: async () => {},
});
const BROKERS = [broker('ours', false), broker('RabbitMQ', true)];

const result = (value: number, syncsPerSecond?: number): RunResult => {
  const measured: Measured = { value, brokerMicros: Number.NaN, generatorMicros: 1, generatorBusy: 0.5 };
  return { figures: { '': measured }, residentBytes: Number.NaN, syncsPerSecond };
};

function report(ours: readonly RunResult[], rabbits: readonly RunResult[], targets: Targets, unit: Unit) {
  const text = { name: 'n', title: 't', messages: 1 };
  const scenario = flow(text, { figures: [{ key: '', title: '', unit, targets }] });
  const runs = [ours, rabbits].map((results) => ({ results, failure: undefined }));
  return reportOf({ scenario, runs }, BROKERS);
}

describe('a report', () => {
  it('compares medians, with the last broker and with the targets', () => {
    const targets = { perSecond: 300, timesRabbit: 4 };
    const found = report([result(300), result(100), result(900)], [result(100)], targets, 'messages/s');
    const [ours, rabbit] = found.figures[0]!.brokers;
    expect(ours!.spread).toEqual({ median: 300, min: 100, max: 900 });
    expect(ours!.timesLast).toBe(3);
    expect(ours!.targets).toEqual([
      { text: '300', isMet: true },
      { text: '4x RabbitMQ', isMet: false },
    ]);
    expect([rabbit!.timesLast, rabbit!.targets]).toEqual([undefined, []]);
    expect(scenarioText(found)).toBe(
      'n: t\n' +
        '  ours: 300 messages/s (100 to 900); 3.00 times better than the last; 300: met; 4x RabbitMQ: MISSED\n' +
        '  RabbitMQ: 100 messages/s (100 to 100)\n',
    );
  });

  it('knows where less is better', () => {
    const found = report([result(50)], [result(200)], { atMost: 49, timesRabbit: 4 }, 'us');
    expect(found.figures[0]!.brokers[0]!).toMatchObject({
      timesLast: 4,
      targets: [{ isMet: false }, { isMet: true }],
    });
  });

  it('compares with what the disk syncs, run by run', () => {
    const found = report([result(90, 100), result(50, 50)], [result(1)], { timesSyncs: 0.96 }, 'messages/s');
    expect(found.figures[0]!.brokers[0]!).toMatchObject({ timesSyncs: 0.95, targets: [{ isMet: false }] });
  });

  it('tells what failed, and compares with nothing that did', () => {
    const scenario = flow({ name: 'n', title: 't', messages: 1 }, {});
    const runs = [
      { results: [result(5)], failure: undefined },
      { results: [], failure: 'a message was lost' },
    ];
    const found = reportOf({ scenario, runs }, BROKERS);
    expect(found.failures).toEqual([{ broker: 'RabbitMQ', failure: 'a message was lost' }]);
    expect(scenarioText(found)).toBe(
      'n: t\n  RabbitMQ: FAILED, a message was lost\n  ours: 5 messages/s (5 to 5)\n',
    );
  });
});

describe('a comparison of builds', () => {
  const isSlower = (before: readonly number[], now: readonly number[]): boolean =>
    (compare('n', before, now, 1.1) satisfies Comparison).isSlower;

  it('finds what is slower beyond noise, and nothing else', () => {
    expect(isSlower([10, 10, 11, 10, 10], [13, 13, 12, 13, 13])).toBe(true);
    expect(isSlower([10, 10, 11, 10, 10], [10.5, 10.5, 10.5, 10.5, 10.5])).toBe(false);
    expect(isSlower([10, 30, 10, 10, 30], [13, 13, 13, 13, 13])).toBe(false);
    expect(isSlower([13, 13, 13, 13, 13], [10, 10, 10, 10, 10])).toBe(false);
    // One disturbed run on either side hides nothing.
    expect(isSlower([10, 10, 99, 10, 10], [13, 13, 9, 13, 13])).toBe(true);
  });

  it('rests on medians and quartiles', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
    expect(quartilesOf([5, 1, 4, 2, 3])).toEqual({ lower: 2, upper: 4 });
  });
});
