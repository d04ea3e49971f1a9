/** Takes the time of a stretch of work, and what it costs the broker. */
import { cpuSecondsOf } from './process-figures.js';
import type { Measured } from './scenario.js';

export class Meter {
  private readonly pid: number | undefined;
  private readonly startedMs = performance.now();
  private readonly brokerSeconds: number;
  private readonly own = process.cpuUsage();
  private readonly loop = performance.eventLoopUtilization();

  /** @param pid the broker's process, if it is known */
  constructor(pid: number | undefined) {
    this.pid = pid;
    this.brokerSeconds = pid === undefined ? Number.NaN : cpuSecondsOf(pid);
  }

  /** @param count of what was done, of which the figure is a rate */
  stop(count: number): Measured {
    const seconds = (performance.now() - this.startedMs) / 1000;
    return { value: count / seconds, ...this.costs(count) };
  }

  /** For a figure that is no rate. */
  costs(count: number): Omit<Measured, 'value'> {
    const broker = this.pid === undefined ? Number.NaN : cpuSecondsOf(this.pid) - this.brokerSeconds;
    const { user, system } = process.cpuUsage(this.own);
    return {
      generatorMicros: (user + system) / count,
      brokerMicros: (broker * 1_000_000) / count,
      generatorBusy: performance.eventLoopUtilization(this.loop).utilization,
    };
  }
}
