/** Classes confirm and tx: the two modes of a channel, of which it can have one. */
import { preconditionFailed } from '../../amqp/errors.js';
import {
  type ConfirmSelect,
  encodeConfirmSelectOk,
  encodeTxCommitOk,
  encodeTxRollbackOk,
  encodeTxSelectOk,
} from '../../amqp/methods.generated.js';
import type { Channel } from '../channel.js';
import { PublisherConfirms } from '../publisher-confirms.js';
import { Transaction } from '../transaction.js';

export function confirmSelect(channel: Channel, method: ConfirmSelect): void {
  if (channel.transaction !== undefined) throw preconditionFailed('cannot switch from tx to confirm mode');
  const { transport, broker } = channel.context;
  channel.confirms ??= new PublisherConfirms(
    channel.number,
    transport,
    broker.scheduler,
    broker.log.journal?.durable,
  );
  if (method.noWait) return;
  channel.writer.reset();
  encodeConfirmSelectOk(channel.writer);
  channel.send();
}

export function txSelect(channel: Channel): void {
  if (channel.confirms !== undefined) throw preconditionFailed('cannot switch from confirm to tx mode');
  channel.transaction ??= new Transaction(channel.context.broker.generation.repliesBeforeCommit);
  channel.writer.reset();
  encodeTxSelectOk(channel.writer);
  channel.send();
}

export function txCommit(channel: Channel): void {
  transactionOf(channel).commit(channel);
  channel.writer.reset();
  encodeTxCommitOk(channel.writer);
  channel.send();
}

export function txRollback(channel: Channel): void {
  transactionOf(channel).rollback(channel);
  channel.writer.reset();
  encodeTxRollbackOk(channel.writer);
  channel.send();
}

function transactionOf(channel: Channel): Transaction {
  if (channel.transaction === undefined) throw preconditionFailed('channel is not transactional');
  return channel.transaction;
}
