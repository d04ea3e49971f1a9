import { Scheduler } from '../../src/broker/scheduler.js';
import { SlabPool } from '../../src/lib/slab-pool.js';
import { Transport } from '../../src/server/transport.js';
import type { MessageLog } from '../../src/store/message-log.js';
import { FakeSocket } from './fake-socket.js';
import { type Frame, framesOf } from './frames.js';
import { smallLog } from './messages.js';

/** A transport on a fake socket, whose turns are the test's to run. */
export class TransportBench {
  readonly socket = new FakeSocket();
  readonly log: MessageLog;
  readonly slabs: SlabPool;
  readonly scheduler: Scheduler;
  readonly transport: Transport;
  /** Records that were given back, in order. */
  readonly released: number[] = [];
  drainedCount = 0;
  private readonly due: (() => void)[] = [];

  constructor(options: { readonly slabBytes?: number; readonly log?: MessageLog } = {}) {
    this.log = options.log ?? smallLog();
    this.slabs = new SlabPool(options.slabBytes ?? 1024, 4);
    this.scheduler = new Scheduler(
      (turn) => this.due.push(turn),
      (error) => {
        throw error;
      },
    );
    this.transport = new Transport(this.socket.asSocket(), this.slabs, this.scheduler, {
      onDrained: () => this.drainedCount++,
      release: (position) => {
        this.released.push(position);
        this.log.release(position);
      },
    });
  }

  get isTurnDue(): boolean {
    return this.due.length > 0;
  }

  turn(): void {
    for (let next = this.due.shift(); next !== undefined; next = this.due.shift()) next();
  }

  /** Ends the turn and returns the frames it sent. */
  sentFrames(): Frame[] {
    this.turn();
    return framesOf(this.socket.take());
  }
}
