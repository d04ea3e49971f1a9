/** Class channel, and the remains of class access. */
import { channelError, notImplemented } from '../../amqp/errors.js';
import {
  type ChannelFlow,
  encodeAccessRequestOk,
  encodeChannelFlowOk,
  encodeChannelOpenOk,
} from '../../amqp/methods.generated.js';
import type { Channel } from '../channel.js';
import { ChannelPhase } from '../channel-phase.js';

export function open(channel: Channel): void {
  if (channel.phase !== ChannelPhase.Unopened) throw channelError("second 'channel.open' seen");
  channel.phase = ChannelPhase.Idle;
  channel.writer.reset();
  encodeChannelOpenOk(channel.writer);
  channel.send();
}

export function flow(channel: Channel, method: ChannelFlow): void {
  // rabbitmq.com/docs/specification: a client cannot stop deliveries; it has prefetch for that.
  if (!method.active) throw notImplemented('active=false');
  channel.writer.reset();
  encodeChannelFlowOk(channel.writer, true);
  channel.send();
}

export function accessRequest(channel: Channel): void {
  channel.writer.reset();
  encodeAccessRequestOk(channel.writer, 1);
  channel.send();
}
