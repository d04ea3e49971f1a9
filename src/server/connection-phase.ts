/** Where a connection is; the diagram is in connection.ts. */
export const ConnectionPhase = {
  AwaitHeader: 0,
  Start: 1,
  Tune: 2,
  Open: 3,
  Running: 4,
  /** We sent connection.close and wait for close-ok. */
  Closing: 5,
  /** A login failed: nothing more is said, and TCP goes after a while. */
  Penalised: 6,
  /** Agreed: what is left is for the peer to close TCP. */
  Closed: 7,
} as const;
export type ConnectionPhase = (typeof ConnectionPhase)[keyof typeof ConnectionPhase];
