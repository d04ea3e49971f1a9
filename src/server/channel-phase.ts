/** Where a channel is; the diagram is in channel.ts. */
export const ChannelPhase = { Unopened: 0, Idle: 1, ExpectHeader: 2, ExpectBody: 3, Closing: 4 } as const;
export type ChannelPhase = (typeof ChannelPhase)[keyof typeof ChannelPhase];
