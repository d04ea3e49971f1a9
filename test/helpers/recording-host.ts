import { ManualClock } from '../../src/lib/manual-clock.js';
import type { DeadLetterReason, Queue, QueueHost } from '../../src/queues/queue.js';
import type { MessageLog } from '../../src/store/message-log.js';
import { labelAt } from './messages.js';

/** A queue's host that runs it when told to and remembers the rest. */
export class RecordingHost implements QueueHost {
  readonly deadLetters: (readonly [label: string, reason: DeadLetterReason])[] = [];
  readonly clock = new ManualClock();
  lastConsumerGoneCount = 0;
  leaseExpiredCount = 0;
  private scheduled: Queue[] = [];
  private readonly log: MessageLog;

  constructor(log: MessageLog) {
    this.log = log;
  }

  get isRunDue(): boolean {
    return this.scheduled.length > 0;
  }

  scheduleRun(queue: Queue): void {
    if (queue.isScheduled) return;
    queue.isScheduled = true;
    this.scheduled.push(queue);
  }

  deadLetter(queue: Queue, position: number, reason: DeadLetterReason): void {
    this.deadLetters.push([labelAt(this.log, position), reason]);
    queue.forget(position);
  }

  markPurged(): boolean {
    return false;
  }

  lastConsumerGone(): void {
    this.lastConsumerGoneCount++;
  }

  leaseExpired(): void {
    this.leaseExpiredCount++;
  }

  /** Runs what is due, to the end. */
  runAll(): void {
    for (let queue = this.scheduled.shift(); queue !== undefined; queue = this.scheduled.shift()) {
      queue.isScheduled = false;
      if (queue.run()) this.scheduleRun(queue);
    }
  }
}
