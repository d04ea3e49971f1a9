/** Where a channel is (the diagram is in channel.ts), and the errors for what must not come there. */
import { unexpectedFrame } from '../amqp/errors.js';
import { MethodId } from '../amqp/methods.generated.js';

export const ChannelPhase = { Unopened: 0, Idle: 1, ExpectHeader: 2, ExpectBody: 3, Closing: 4 } as const;
export type ChannelPhase = (typeof ChannelPhase)[keyof typeof ChannelPhase];

/** A frame of another kind where the content header was due. */
export function notContentHeader(): Error {
  return unexpectedFrame('expected content header for class 60, got non content header frame instead');
}

/** A frame of another kind where the body was due. */
export function notContentBody(): Error {
  return unexpectedFrame('expected content body, got non content body frame instead');
}

/** The closes; and channel.open, the error it always is on a channel that is there (rabbit_channel.erl, handle_method). */
export function isLookedAtInClosing(method: number): boolean {
  return (
    method === MethodId.ChannelClose || method === MethodId.ChannelCloseOk || method === MethodId.ChannelOpen
  );
}
