/** The methods of a channel, but for the two hot ones that the channel reads itself: decodes and hands on. */
import { AmqpError, channelError, commandInvalid, frameError, ReplyCode } from '../../amqp/errors.js';
import { type ClientMethod, isKnownMethod, MethodId, methodName } from '../../amqp/methods.generated.js';
import type { Channel } from '../channel.js';
import { ChannelPhase } from '../channel-phase.js';
import { decodeArguments } from '../method-arguments.js';
import * as basic from './basic.js';
import * as channelClass from './channel.js';
import * as exchange from './exchange.js';
import * as modes from './modes.js';
import * as queue from './queue.js';

/** A method that RabbitMQ knows nothing of ends its connection without a word. */
export class UnknownMethodError extends Error {}

const BASIC_CREDIT = 0x003c00c8;

/**
 * Handles a method whose arguments are `bytes[start..end)`.
 * @throws AmqpError with the scope its code has
 */
export function onChannelMethod(
  channel: Channel,
  id: number,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  // RabbitMQ 4.0 gave basic.credit up, but it still knows what it is.
  if (id === BASIC_CREDIT) {
    throw channel.context.broker.generation.hasBasicCredit
      ? basic.creditMissing()
      : commandInvalid('unimplemented method');
  }
  if (!isKnownMethod(id)) throw new UnknownMethodError(`unknown method ${methodName(id)}`);
  const method = decodeArguments(id, bytes, start, end, () => {
    channel.currentMethod = 0;
  });
  if (channel.phase === ChannelPhase.Unopened && id !== MethodId.ChannelOpen) {
    throw channelError("expected 'channel.open'");
  }
  if (method === undefined) throw commandInvalid('unimplemented method');
  dispatch(channel, method);
}

function dispatch(channel: Channel, method: ClientMethod): void {
  switch (method.id) {
    case MethodId.ChannelOpen:
      return channelClass.open(channel);
    case MethodId.ChannelFlow:
      return channelClass.flow(channel, method);
    case MethodId.ChannelFlowOk:
      // No channel.flow is ever sent that it could answer.
      throw commandInvalid('unimplemented method');
    case MethodId.ChannelClose:
      return channel.context.closeChannel(channel, true);
    case MethodId.ChannelCloseOk:
      // Nobody asked: RabbitMQ does not know the method on a channel that is open.
      if (channel.phase !== ChannelPhase.Closing) throw commandInvalid('unimplemented method');
      return channel.context.closeChannel(channel, false);
    case MethodId.AccessRequest:
      return channelClass.accessRequest(channel);
    case MethodId.ExchangeDeclare:
      return exchange.declare(channel, method);
    case MethodId.ExchangeDelete:
      return exchange.remove(channel, method);
    case MethodId.ExchangeBind:
      return exchange.bind(channel, method);
    case MethodId.ExchangeUnbind:
      return exchange.unbind(channel, method);
    case MethodId.QueueDeclare:
      return queue.declare(channel, method);
    case MethodId.QueueBind:
      return queue.bind(channel, method);
    case MethodId.QueueUnbind:
      return queue.unbind(channel, method);
    case MethodId.QueuePurge:
      return queue.purge(channel, method);
    case MethodId.QueueDelete:
      return queue.remove(channel, method);
    case MethodId.BasicQos:
      return basic.qos(channel, method);
    case MethodId.BasicConsume:
      return basic.consume(channel, method);
    case MethodId.BasicCancel:
      return basic.cancel(channel, method.consumerTag, !method.noWait);
    case MethodId.BasicCancelOk:
      if (!channel.context.broker.generation.takesCancelOk) throw commandInvalid('unimplemented method');
      // RabbitMQ 4.3 takes it for a cancel that wants no answer.
      return basic.cancel(channel, method.consumerTag, false);
    case MethodId.BasicGet:
      return basic.get(channel, method);
    case MethodId.BasicAck:
    case MethodId.BasicReject:
    case MethodId.BasicNack:
      return basic.settleDeliveries(channel, method);
    case MethodId.BasicRecover:
      return basic.recover(channel, method.requeue, true);
    case MethodId.BasicRecoverAsync:
      return basic.recover(channel, method.requeue, false);
    case MethodId.ConfirmSelect:
      return modes.confirmSelect(channel, method);
    case MethodId.TxSelect:
      return modes.txSelect(channel);
    case MethodId.TxCommit:
      return modes.txCommit(channel);
    case MethodId.TxRollback:
      return modes.txRollback(channel);
    case MethodId.BasicPublish:
      // The channel hands on only what it cannot read, and `decode` could.
      throw frameError('cannot decode basic.publish');
    default:
      // connection.* belongs on channel 0.
      throw new AmqpError(ReplyCode.CommandInvalid, 'unimplemented method');
  }
}
