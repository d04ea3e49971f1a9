/** What a channel has been used for in a sequence, as far as it was tried. */
import { type ChannelName, CONNECTIONS } from './operation.js';
import type { Route } from './topology.js';

const CHANNELS = [1, 2] as const;

export interface ChannelPlan extends ChannelName {
  /** Queues that it may hold deliveries of. */
  readonly taken: Set<string>;
  readonly tags: string[];
  /**
   * It has a prefetch for all its consumers. What basic.get got before counts for it for ever (differences.md), so it
   * gets nothing that it would have to acknowledge.
   */
  isGlobal: boolean;
  hasGot: boolean;
  isTx: boolean;
  isConfirm: boolean;
  /** What the transaction holds. */
  txRoutes: Route[];
  txSettles: boolean;
}

export function newPlans(): readonly ChannelPlan[] {
  return CONNECTIONS.flatMap((connection) =>
    CHANNELS.map((channel) => ({
      connection,
      channel,
      taken: new Set<string>(),
      tags: [],
      isGlobal: false,
      hasGot: false,
      isTx: false,
      isConfirm: false,
      txRoutes: [],
      txSettles: false,
    })),
  );
}
