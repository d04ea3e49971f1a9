/**
 * Heartbeats of one connection (rabbitmq.com/docs/heartbeats): a frame is sent when nothing else was for half the
 * agreed time; a peer that was silent for two whole checks is gone.
 */
import { FRAME_END, FRAME_HEARTBEAT } from '../amqp/message-image.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { Transport } from './transport.js';

const HEARTBEAT_FRAME = Buffer.from([FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]);

/** Checks in a row without a byte from the peer that end the connection. */
const SILENT_CHECKS_MAX = 2;

export class Heartbeat {
  /** While the connection is blocked nothing is read, so silence means nothing. */
  isMonitoring = true;
  private readonly clock: Clock;
  private readonly transport: Transport;
  private readonly intervalMs: number;
  private readonly onTimeout: () => void;
  private sendTimer: Timer | undefined;
  private checkTimer: Timer | undefined;
  private bytesSentBefore = -1;
  private bytesReceivedBefore: number;
  private silentChecks = 0;

  constructor(clock: Clock, transport: Transport, intervalSeconds: number, onTimeout: () => void) {
    this.clock = clock;
    this.transport = transport;
    this.intervalMs = intervalSeconds * 1000;
    this.onTimeout = onTimeout;
    this.bytesReceivedBefore = transport.bytesReceived;
    this.sendTimer = clock.after(this.intervalMs / 2, this.send);
    this.checkTimer = clock.after(this.intervalMs, this.check);
  }

  stop(): void {
    this.sendTimer?.cancel();
    this.checkTimer?.cancel();
    this.sendTimer = undefined;
    this.checkTimer = undefined;
  }

  private readonly send = (): void => {
    if (this.transport.bytesSent === this.bytesSentBefore || this.bytesSentBefore < 0) {
      this.transport.writeBytes(HEARTBEAT_FRAME);
    }
    this.bytesSentBefore = this.transport.bytesSent;
    this.sendTimer = this.clock.after(this.intervalMs / 2, this.send);
  };

  private readonly check = (): void => {
    const isSilent = this.transport.bytesReceived === this.bytesReceivedBefore && this.isMonitoring;
    this.silentChecks = isSilent ? this.silentChecks + 1 : 0;
    this.bytesReceivedBefore = this.transport.bytesReceived;
    if (this.silentChecks >= SILENT_CHECKS_MAX) {
      this.stop();
      this.onTimeout();
      return;
    }
    this.checkTimer = this.clock.after(this.intervalMs, this.check);
  };
}
