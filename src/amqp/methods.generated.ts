/**
 * Generated from spec/amqp-0-9-1.json by spec/generate.mjs. Do not edit: change the definition and run
 * `npm run generate`.
 *
 * Methods of AMQP 0-9-1 with RabbitMQ's extensions (https://www.rabbitmq.com/docs/extensions): decoders for what
 * a client sends, encoders for what a server sends.
 * A method id here is the class id and the method id as they stand on the wire, read as one 32-bit number.
 */

import type { FieldTable } from './field-table.js';
import { MethodReader } from './method-reader.js';
import type { MethodWriter } from './method-writer.js';

/** Class ids, as in content headers and close methods. */
export const CLASS_ID = {
  Connection: 10,
  Channel: 20,
  Access: 30,
  Exchange: 40,
  Queue: 50,
  Basic: 60,
  Confirm: 85,
  Tx: 90,
} as const;

/** Class id times 65,536 plus method id, of every method of either direction. */
export const MethodId = {
  ConnectionStart: 0x000a000a,
  ConnectionStartOk: 0x000a000b,
  ConnectionSecure: 0x000a0014,
  ConnectionSecureOk: 0x000a0015,
  ConnectionTune: 0x000a001e,
  ConnectionTuneOk: 0x000a001f,
  ConnectionOpen: 0x000a0028,
  ConnectionOpenOk: 0x000a0029,
  ConnectionClose: 0x000a0032,
  ConnectionCloseOk: 0x000a0033,
  ConnectionBlocked: 0x000a003c,
  ConnectionUnblocked: 0x000a003d,
  ConnectionUpdateSecret: 0x000a0046,
  ConnectionUpdateSecretOk: 0x000a0047,
  ChannelOpen: 0x0014000a,
  ChannelOpenOk: 0x0014000b,
  ChannelFlow: 0x00140014,
  ChannelFlowOk: 0x00140015,
  ChannelClose: 0x00140028,
  ChannelCloseOk: 0x00140029,
  AccessRequest: 0x001e000a,
  AccessRequestOk: 0x001e000b,
  ExchangeDeclare: 0x0028000a,
  ExchangeDeclareOk: 0x0028000b,
  ExchangeDelete: 0x00280014,
  ExchangeDeleteOk: 0x00280015,
  ExchangeBind: 0x0028001e,
  ExchangeBindOk: 0x0028001f,
  ExchangeUnbind: 0x00280028,
  ExchangeUnbindOk: 0x00280033,
  QueueDeclare: 0x0032000a,
  QueueDeclareOk: 0x0032000b,
  QueueBind: 0x00320014,
  QueueBindOk: 0x00320015,
  QueuePurge: 0x0032001e,
  QueuePurgeOk: 0x0032001f,
  QueueDelete: 0x00320028,
  QueueDeleteOk: 0x00320029,
  QueueUnbind: 0x00320032,
  QueueUnbindOk: 0x00320033,
  BasicQos: 0x003c000a,
  BasicQosOk: 0x003c000b,
  BasicConsume: 0x003c0014,
  BasicConsumeOk: 0x003c0015,
  BasicCancel: 0x003c001e,
  BasicCancelOk: 0x003c001f,
  BasicPublish: 0x003c0028,
  BasicReturn: 0x003c0032,
  BasicDeliver: 0x003c003c,
  BasicGet: 0x003c0046,
  BasicGetOk: 0x003c0047,
  BasicGetEmpty: 0x003c0048,
  BasicAck: 0x003c0050,
  BasicReject: 0x003c005a,
  BasicRecoverAsync: 0x003c0064,
  BasicRecover: 0x003c006e,
  BasicRecoverOk: 0x003c006f,
  BasicNack: 0x003c0078,
  ConfirmSelect: 0x0055000a,
  ConfirmSelectOk: 0x0055000b,
  TxSelect: 0x005a000a,
  TxSelectOk: 0x005a000b,
  TxCommit: 0x005a0014,
  TxCommitOk: 0x005a0015,
  TxRollback: 0x005a001e,
  TxRollbackOk: 0x005a001f,
} as const;

export type MethodId = (typeof MethodId)[keyof typeof MethodId];

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x000a000a, 'connection.start'],
  [0x000a000b, 'connection.start-ok'],
  [0x000a0014, 'connection.secure'],
  [0x000a0015, 'connection.secure-ok'],
  [0x000a001e, 'connection.tune'],
  [0x000a001f, 'connection.tune-ok'],
  [0x000a0028, 'connection.open'],
  [0x000a0029, 'connection.open-ok'],
  [0x000a0032, 'connection.close'],
  [0x000a0033, 'connection.close-ok'],
  [0x000a003c, 'connection.blocked'],
  [0x000a003d, 'connection.unblocked'],
  [0x000a0046, 'connection.update-secret'],
  [0x000a0047, 'connection.update-secret-ok'],
  [0x0014000a, 'channel.open'],
  [0x0014000b, 'channel.open-ok'],
  [0x00140014, 'channel.flow'],
  [0x00140015, 'channel.flow-ok'],
  [0x00140028, 'channel.close'],
  [0x00140029, 'channel.close-ok'],
  [0x001e000a, 'access.request'],
  [0x001e000b, 'access.request-ok'],
  [0x0028000a, 'exchange.declare'],
  [0x0028000b, 'exchange.declare-ok'],
  [0x00280014, 'exchange.delete'],
  [0x00280015, 'exchange.delete-ok'],
  [0x0028001e, 'exchange.bind'],
  [0x0028001f, 'exchange.bind-ok'],
  [0x00280028, 'exchange.unbind'],
  [0x00280033, 'exchange.unbind-ok'],
  [0x0032000a, 'queue.declare'],
  [0x0032000b, 'queue.declare-ok'],
  [0x00320014, 'queue.bind'],
  [0x00320015, 'queue.bind-ok'],
  [0x0032001e, 'queue.purge'],
  [0x0032001f, 'queue.purge-ok'],
  [0x00320028, 'queue.delete'],
  [0x00320029, 'queue.delete-ok'],
  [0x00320032, 'queue.unbind'],
  [0x00320033, 'queue.unbind-ok'],
  [0x003c000a, 'basic.qos'],
  [0x003c000b, 'basic.qos-ok'],
  [0x003c0014, 'basic.consume'],
  [0x003c0015, 'basic.consume-ok'],
  [0x003c001e, 'basic.cancel'],
  [0x003c001f, 'basic.cancel-ok'],
  [0x003c0028, 'basic.publish'],
  [0x003c0032, 'basic.return'],
  [0x003c003c, 'basic.deliver'],
  [0x003c0046, 'basic.get'],
  [0x003c0047, 'basic.get-ok'],
  [0x003c0048, 'basic.get-empty'],
  [0x003c0050, 'basic.ack'],
  [0x003c005a, 'basic.reject'],
  [0x003c0064, 'basic.recover-async'],
  [0x003c006e, 'basic.recover'],
  [0x003c006f, 'basic.recover-ok'],
  [0x003c0078, 'basic.nack'],
  [0x0055000a, 'confirm.select'],
  [0x0055000b, 'confirm.select-ok'],
  [0x005a000a, 'tx.select'],
  [0x005a000b, 'tx.select-ok'],
  [0x005a0014, 'tx.commit'],
  [0x005a0015, 'tx.commit-ok'],
  [0x005a001e, 'tx.rollback'],
  [0x005a001f, 'tx.rollback-ok'],
]);

/** The name of a method as messages write it, `queue.declare`; class and method numbers for an unknown one. */
export function methodName(id: number): string {
  return NAMES.get(id) ?? `${id >>> 16}.${id & 0xffff}`;
}

/** Whether the protocol has such a method at all, whichever side sends it. */
export function isKnownMethod(id: number): boolean {
  return NAMES.has(id);
}

export interface ConnectionStartOk {
  readonly id: typeof MethodId.ConnectionStartOk;
  readonly clientProperties: FieldTable;
  readonly mechanism: string;
  readonly response: Buffer;
  readonly locale: string;
}

export interface ConnectionSecureOk {
  readonly id: typeof MethodId.ConnectionSecureOk;
  readonly response: Buffer;
}

export interface ConnectionTuneOk {
  readonly id: typeof MethodId.ConnectionTuneOk;
  readonly channelMax: number;
  readonly frameMax: number;
  readonly heartbeat: number;
}

export interface ConnectionOpen {
  readonly id: typeof MethodId.ConnectionOpen;
  readonly virtualHost: string;
}

export interface ConnectionClose {
  readonly id: typeof MethodId.ConnectionClose;
  readonly replyCode: number;
  readonly replyText: string;
  readonly classId: number;
  readonly methodId: number;
}

export interface ConnectionCloseOk {
  readonly id: typeof MethodId.ConnectionCloseOk;
}

export interface ConnectionUpdateSecret {
  readonly id: typeof MethodId.ConnectionUpdateSecret;
  readonly newSecret: Buffer;
  readonly reason: string;
}

export interface ChannelOpen {
  readonly id: typeof MethodId.ChannelOpen;
}

export interface ChannelFlow {
  readonly id: typeof MethodId.ChannelFlow;
  readonly active: boolean;
}

export interface ChannelFlowOk {
  readonly id: typeof MethodId.ChannelFlowOk;
  readonly active: boolean;
}

export interface ChannelClose {
  readonly id: typeof MethodId.ChannelClose;
  readonly replyCode: number;
  readonly replyText: string;
  readonly classId: number;
  readonly methodId: number;
}

export interface ChannelCloseOk {
  readonly id: typeof MethodId.ChannelCloseOk;
}

export interface AccessRequest {
  readonly id: typeof MethodId.AccessRequest;
  readonly realm: string;
  readonly exclusive: boolean;
  readonly passive: boolean;
  readonly active: boolean;
  readonly write: boolean;
  readonly read: boolean;
}

export interface ExchangeDeclare {
  readonly id: typeof MethodId.ExchangeDeclare;
  readonly exchange: string;
  readonly type: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly noWait: boolean;
  readonly arguments: FieldTable;
}

export interface ExchangeDelete {
  readonly id: typeof MethodId.ExchangeDelete;
  readonly exchange: string;
  readonly ifUnused: boolean;
  readonly noWait: boolean;
}

export interface ExchangeBind {
  readonly id: typeof MethodId.ExchangeBind;
  readonly destination: string;
  readonly source: string;
  readonly routingKey: string;
  readonly noWait: boolean;
  readonly arguments: FieldTable;
}

export interface ExchangeUnbind {
  readonly id: typeof MethodId.ExchangeUnbind;
  readonly destination: string;
  readonly source: string;
  readonly routingKey: string;
  readonly noWait: boolean;
  readonly arguments: FieldTable;
}

export interface QueueDeclare {
  readonly id: typeof MethodId.QueueDeclare;
  readonly queue: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly noWait: boolean;
  readonly arguments: FieldTable;
}

export interface QueueBind {
  readonly id: typeof MethodId.QueueBind;
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly noWait: boolean;
  readonly arguments: FieldTable;
}

export interface QueuePurge {
  readonly id: typeof MethodId.QueuePurge;
  readonly queue: string;
  readonly noWait: boolean;
}

export interface QueueDelete {
  readonly id: typeof MethodId.QueueDelete;
  readonly queue: string;
  readonly ifUnused: boolean;
  readonly ifEmpty: boolean;
  readonly noWait: boolean;
}

export interface QueueUnbind {
  readonly id: typeof MethodId.QueueUnbind;
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

export interface BasicQos {
  readonly id: typeof MethodId.BasicQos;
  readonly prefetchSize: number;
  readonly prefetchCount: number;
  readonly global: boolean;
}

export interface BasicConsume {
  readonly id: typeof MethodId.BasicConsume;
  readonly queue: string;
  readonly consumerTag: string;
  readonly noLocal: boolean;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly noWait: boolean;
  readonly arguments: FieldTable;
}

export interface BasicCancel {
  readonly id: typeof MethodId.BasicCancel;
  readonly consumerTag: string;
  readonly noWait: boolean;
}

export interface BasicCancelOk {
  readonly id: typeof MethodId.BasicCancelOk;
  readonly consumerTag: string;
}

export interface BasicPublish {
  readonly id: typeof MethodId.BasicPublish;
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  readonly immediate: boolean;
}

export interface BasicGet {
  readonly id: typeof MethodId.BasicGet;
  readonly queue: string;
  readonly noAck: boolean;
}

export interface BasicAck {
  readonly id: typeof MethodId.BasicAck;
  readonly deliveryTag: number;
  readonly multiple: boolean;
}

export interface BasicReject {
  readonly id: typeof MethodId.BasicReject;
  readonly deliveryTag: number;
  readonly requeue: boolean;
}

export interface BasicRecoverAsync {
  readonly id: typeof MethodId.BasicRecoverAsync;
  readonly requeue: boolean;
}

export interface BasicRecover {
  readonly id: typeof MethodId.BasicRecover;
  readonly requeue: boolean;
}

export interface BasicNack {
  readonly id: typeof MethodId.BasicNack;
  readonly deliveryTag: number;
  readonly multiple: boolean;
  readonly requeue: boolean;
}

export interface ConfirmSelect {
  readonly id: typeof MethodId.ConfirmSelect;
  readonly noWait: boolean;
}

export interface TxSelect {
  readonly id: typeof MethodId.TxSelect;
}

export interface TxCommit {
  readonly id: typeof MethodId.TxCommit;
}

export interface TxRollback {
  readonly id: typeof MethodId.TxRollback;
}

export type ClientMethod =
  | ConnectionStartOk
  | ConnectionSecureOk
  | ConnectionTuneOk
  | ConnectionOpen
  | ConnectionClose
  | ConnectionCloseOk
  | ConnectionUpdateSecret
  | ChannelOpen
  | ChannelFlow
  | ChannelFlowOk
  | ChannelClose
  | ChannelCloseOk
  | AccessRequest
  | ExchangeDeclare
  | ExchangeDelete
  | ExchangeBind
  | ExchangeUnbind
  | QueueDeclare
  | QueueBind
  | QueuePurge
  | QueueDelete
  | QueueUnbind
  | BasicQos
  | BasicConsume
  | BasicCancel
  | BasicCancelOk
  | BasicPublish
  | BasicGet
  | BasicAck
  | BasicReject
  | BasicRecoverAsync
  | BasicRecover
  | BasicNack
  | ConfirmSelect
  | TxSelect
  | TxCommit
  | TxRollback;

/**
 * Decodes the arguments of a method a client may send. They stand in bytes from `start`, just after the class
 * and method ids, to `end`; what follows the last argument is ignored. Undefined when a client may not send the
 * method. Throws DecodeError when the bytes end too soon or hold an unreadable table, and AmqpError for a short
 * string that is not UTF-8 or a table nested too deep.
 */
export function decodeMethod(id: number, bytes: Buffer, start: number, end: number): ClientMethod | undefined {
  switch (id) {
    case MethodId.ConnectionStartOk:
      return decodeConnectionStartOk(new MethodReader(bytes, start, end));
    case MethodId.ConnectionSecureOk:
      return decodeConnectionSecureOk(new MethodReader(bytes, start, end));
    case MethodId.ConnectionTuneOk:
      return decodeConnectionTuneOk(new MethodReader(bytes, start, end));
    case MethodId.ConnectionOpen:
      return decodeConnectionOpen(new MethodReader(bytes, start, end));
    case MethodId.ConnectionClose:
      return decodeConnectionClose(new MethodReader(bytes, start, end));
    case MethodId.ConnectionCloseOk:
      return decodeConnectionCloseOk();
    case MethodId.ConnectionUpdateSecret:
      return decodeConnectionUpdateSecret(new MethodReader(bytes, start, end));
    case MethodId.ChannelOpen:
      return decodeChannelOpen(new MethodReader(bytes, start, end));
    case MethodId.ChannelFlow:
      return decodeChannelFlow(new MethodReader(bytes, start, end));
    case MethodId.ChannelFlowOk:
      return decodeChannelFlowOk(new MethodReader(bytes, start, end));
    case MethodId.ChannelClose:
      return decodeChannelClose(new MethodReader(bytes, start, end));
    case MethodId.ChannelCloseOk:
      return decodeChannelCloseOk();
    case MethodId.AccessRequest:
      return decodeAccessRequest(new MethodReader(bytes, start, end));
    case MethodId.ExchangeDeclare:
      return decodeExchangeDeclare(new MethodReader(bytes, start, end));
    case MethodId.ExchangeDelete:
      return decodeExchangeDelete(new MethodReader(bytes, start, end));
    case MethodId.ExchangeBind:
      return decodeExchangeBind(new MethodReader(bytes, start, end));
    case MethodId.ExchangeUnbind:
      return decodeExchangeUnbind(new MethodReader(bytes, start, end));
    case MethodId.QueueDeclare:
      return decodeQueueDeclare(new MethodReader(bytes, start, end));
    case MethodId.QueueBind:
      return decodeQueueBind(new MethodReader(bytes, start, end));
    case MethodId.QueuePurge:
      return decodeQueuePurge(new MethodReader(bytes, start, end));
    case MethodId.QueueDelete:
      return decodeQueueDelete(new MethodReader(bytes, start, end));
    case MethodId.QueueUnbind:
      return decodeQueueUnbind(new MethodReader(bytes, start, end));
    case MethodId.BasicQos:
      return decodeBasicQos(new MethodReader(bytes, start, end));
    case MethodId.BasicConsume:
      return decodeBasicConsume(new MethodReader(bytes, start, end));
    case MethodId.BasicCancel:
      return decodeBasicCancel(new MethodReader(bytes, start, end));
    case MethodId.BasicCancelOk:
      return decodeBasicCancelOk(new MethodReader(bytes, start, end));
    case MethodId.BasicPublish:
      return decodeBasicPublish(new MethodReader(bytes, start, end));
    case MethodId.BasicGet:
      return decodeBasicGet(new MethodReader(bytes, start, end));
    case MethodId.BasicAck:
      return decodeBasicAck(new MethodReader(bytes, start, end));
    case MethodId.BasicReject:
      return decodeBasicReject(new MethodReader(bytes, start, end));
    case MethodId.BasicRecoverAsync:
      return decodeBasicRecoverAsync(new MethodReader(bytes, start, end));
    case MethodId.BasicRecover:
      return decodeBasicRecover(new MethodReader(bytes, start, end));
    case MethodId.BasicNack:
      return decodeBasicNack(new MethodReader(bytes, start, end));
    case MethodId.ConfirmSelect:
      return decodeConfirmSelect(new MethodReader(bytes, start, end));
    case MethodId.TxSelect:
      return decodeTxSelect();
    case MethodId.TxCommit:
      return decodeTxCommit();
    case MethodId.TxRollback:
      return decodeTxRollback();
    default:
      return undefined;
  }
}

function decodeConnectionStartOk(reader: MethodReader): ConnectionStartOk {
  const clientProperties = reader.table();
  const mechanism = reader.shortstr();
  const response = reader.longstr();
  const locale = reader.shortstr();
  return {
    id: MethodId.ConnectionStartOk,
    clientProperties,
    mechanism,
    response,
    locale,
  };
}

function decodeConnectionSecureOk(reader: MethodReader): ConnectionSecureOk {
  const response = reader.longstr();
  return {
    id: MethodId.ConnectionSecureOk,
    response,
  };
}

function decodeConnectionTuneOk(reader: MethodReader): ConnectionTuneOk {
  const channelMax = reader.u16();
  const frameMax = reader.u32();
  const heartbeat = reader.u16();
  return {
    id: MethodId.ConnectionTuneOk,
    channelMax,
    frameMax,
    heartbeat,
  };
}

function decodeConnectionOpen(reader: MethodReader): ConnectionOpen {
  const virtualHost = reader.shortstr();
  reader.shortstr(); // reserved-1
  reader.u8(); // reserved-2
  return {
    id: MethodId.ConnectionOpen,
    virtualHost,
  };
}

function decodeConnectionClose(reader: MethodReader): ConnectionClose {
  const replyCode = reader.u16();
  const replyText = reader.shortstr();
  const classId = reader.u16();
  const methodId = reader.u16();
  return {
    id: MethodId.ConnectionClose,
    replyCode,
    replyText,
    classId,
    methodId,
  };
}

function decodeConnectionCloseOk(): ConnectionCloseOk {
  return {
    id: MethodId.ConnectionCloseOk,
  };
}

function decodeConnectionUpdateSecret(reader: MethodReader): ConnectionUpdateSecret {
  const newSecret = reader.longstr();
  const reason = reader.shortstr();
  return {
    id: MethodId.ConnectionUpdateSecret,
    newSecret,
    reason,
  };
}

function decodeChannelOpen(reader: MethodReader): ChannelOpen {
  reader.shortstr(); // reserved-1
  return {
    id: MethodId.ChannelOpen,
  };
}

function decodeChannelFlow(reader: MethodReader): ChannelFlow {
  const bits0 = reader.u8();
  return {
    id: MethodId.ChannelFlow,
    active: (bits0 & 1) !== 0,
  };
}

function decodeChannelFlowOk(reader: MethodReader): ChannelFlowOk {
  const bits0 = reader.u8();
  return {
    id: MethodId.ChannelFlowOk,
    active: (bits0 & 1) !== 0,
  };
}

function decodeChannelClose(reader: MethodReader): ChannelClose {
  const replyCode = reader.u16();
  const replyText = reader.shortstr();
  const classId = reader.u16();
  const methodId = reader.u16();
  return {
    id: MethodId.ChannelClose,
    replyCode,
    replyText,
    classId,
    methodId,
  };
}

function decodeChannelCloseOk(): ChannelCloseOk {
  return {
    id: MethodId.ChannelCloseOk,
  };
}

function decodeAccessRequest(reader: MethodReader): AccessRequest {
  const realm = reader.shortstr();
  const bits1 = reader.u8();
  return {
    id: MethodId.AccessRequest,
    realm,
    exclusive: (bits1 & 1) !== 0,
    passive: (bits1 & 2) !== 0,
    active: (bits1 & 4) !== 0,
    write: (bits1 & 8) !== 0,
    read: (bits1 & 16) !== 0,
  };
}

function decodeExchangeDeclare(reader: MethodReader): ExchangeDeclare {
  reader.u16(); // reserved-1
  const exchange = reader.shortstr();
  const type = reader.shortstr();
  const bits3 = reader.u8();
  const argumentsTable = reader.table();
  return {
    id: MethodId.ExchangeDeclare,
    exchange,
    type,
    passive: (bits3 & 1) !== 0,
    durable: (bits3 & 2) !== 0,
    autoDelete: (bits3 & 4) !== 0,
    internal: (bits3 & 8) !== 0,
    noWait: (bits3 & 16) !== 0,
    arguments: argumentsTable,
  };
}

function decodeExchangeDelete(reader: MethodReader): ExchangeDelete {
  reader.u16(); // reserved-1
  const exchange = reader.shortstr();
  const bits2 = reader.u8();
  return {
    id: MethodId.ExchangeDelete,
    exchange,
    ifUnused: (bits2 & 1) !== 0,
    noWait: (bits2 & 2) !== 0,
  };
}

function decodeExchangeBind(reader: MethodReader): ExchangeBind {
  reader.u16(); // reserved-1
  const destination = reader.shortstr();
  const source = reader.shortstr();
  const routingKey = reader.shortstr();
  const bits4 = reader.u8();
  const argumentsTable = reader.table();
  return {
    id: MethodId.ExchangeBind,
    destination,
    source,
    routingKey,
    noWait: (bits4 & 1) !== 0,
    arguments: argumentsTable,
  };
}

function decodeExchangeUnbind(reader: MethodReader): ExchangeUnbind {
  reader.u16(); // reserved-1
  const destination = reader.shortstr();
  const source = reader.shortstr();
  const routingKey = reader.shortstr();
  const bits4 = reader.u8();
  const argumentsTable = reader.table();
  return {
    id: MethodId.ExchangeUnbind,
    destination,
    source,
    routingKey,
    noWait: (bits4 & 1) !== 0,
    arguments: argumentsTable,
  };
}

function decodeQueueDeclare(reader: MethodReader): QueueDeclare {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const bits2 = reader.u8();
  const argumentsTable = reader.table();
  return {
    id: MethodId.QueueDeclare,
    queue,
    passive: (bits2 & 1) !== 0,
    durable: (bits2 & 2) !== 0,
    exclusive: (bits2 & 4) !== 0,
    autoDelete: (bits2 & 8) !== 0,
    noWait: (bits2 & 16) !== 0,
    arguments: argumentsTable,
  };
}

function decodeQueueBind(reader: MethodReader): QueueBind {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const exchange = reader.shortstr();
  const routingKey = reader.shortstr();
  const bits4 = reader.u8();
  const argumentsTable = reader.table();
  return {
    id: MethodId.QueueBind,
    queue,
    exchange,
    routingKey,
    noWait: (bits4 & 1) !== 0,
    arguments: argumentsTable,
  };
}

function decodeQueuePurge(reader: MethodReader): QueuePurge {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const bits2 = reader.u8();
  return {
    id: MethodId.QueuePurge,
    queue,
    noWait: (bits2 & 1) !== 0,
  };
}

function decodeQueueDelete(reader: MethodReader): QueueDelete {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const bits2 = reader.u8();
  return {
    id: MethodId.QueueDelete,
    queue,
    ifUnused: (bits2 & 1) !== 0,
    ifEmpty: (bits2 & 2) !== 0,
    noWait: (bits2 & 4) !== 0,
  };
}

function decodeQueueUnbind(reader: MethodReader): QueueUnbind {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const exchange = reader.shortstr();
  const routingKey = reader.shortstr();
  const argumentsTable = reader.table();
  return {
    id: MethodId.QueueUnbind,
    queue,
    exchange,
    routingKey,
    arguments: argumentsTable,
  };
}

function decodeBasicQos(reader: MethodReader): BasicQos {
  const prefetchSize = reader.u32();
  const prefetchCount = reader.u16();
  const bits2 = reader.u8();
  return {
    id: MethodId.BasicQos,
    prefetchSize,
    prefetchCount,
    global: (bits2 & 1) !== 0,
  };
}

function decodeBasicConsume(reader: MethodReader): BasicConsume {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const consumerTag = reader.shortstr();
  const bits3 = reader.u8();
  const argumentsTable = reader.table();
  return {
    id: MethodId.BasicConsume,
    queue,
    consumerTag,
    noLocal: (bits3 & 1) !== 0,
    noAck: (bits3 & 2) !== 0,
    exclusive: (bits3 & 4) !== 0,
    noWait: (bits3 & 8) !== 0,
    arguments: argumentsTable,
  };
}

function decodeBasicCancel(reader: MethodReader): BasicCancel {
  const consumerTag = reader.shortstr();
  const bits1 = reader.u8();
  return {
    id: MethodId.BasicCancel,
    consumerTag,
    noWait: (bits1 & 1) !== 0,
  };
}

function decodeBasicCancelOk(reader: MethodReader): BasicCancelOk {
  const consumerTag = reader.shortstr();
  return {
    id: MethodId.BasicCancelOk,
    consumerTag,
  };
}

function decodeBasicPublish(reader: MethodReader): BasicPublish {
  reader.u16(); // reserved-1
  const exchange = reader.shortstr();
  const routingKey = reader.shortstr();
  const bits3 = reader.u8();
  return {
    id: MethodId.BasicPublish,
    exchange,
    routingKey,
    mandatory: (bits3 & 1) !== 0,
    immediate: (bits3 & 2) !== 0,
  };
}

function decodeBasicGet(reader: MethodReader): BasicGet {
  reader.u16(); // reserved-1
  const queue = reader.shortstr();
  const bits2 = reader.u8();
  return {
    id: MethodId.BasicGet,
    queue,
    noAck: (bits2 & 1) !== 0,
  };
}

function decodeBasicAck(reader: MethodReader): BasicAck {
  const deliveryTag = reader.u64();
  const bits1 = reader.u8();
  return {
    id: MethodId.BasicAck,
    deliveryTag,
    multiple: (bits1 & 1) !== 0,
  };
}

function decodeBasicReject(reader: MethodReader): BasicReject {
  const deliveryTag = reader.u64();
  const bits1 = reader.u8();
  return {
    id: MethodId.BasicReject,
    deliveryTag,
    requeue: (bits1 & 1) !== 0,
  };
}

function decodeBasicRecoverAsync(reader: MethodReader): BasicRecoverAsync {
  const bits0 = reader.u8();
  return {
    id: MethodId.BasicRecoverAsync,
    requeue: (bits0 & 1) !== 0,
  };
}

function decodeBasicRecover(reader: MethodReader): BasicRecover {
  const bits0 = reader.u8();
  return {
    id: MethodId.BasicRecover,
    requeue: (bits0 & 1) !== 0,
  };
}

function decodeBasicNack(reader: MethodReader): BasicNack {
  const deliveryTag = reader.u64();
  const bits1 = reader.u8();
  return {
    id: MethodId.BasicNack,
    deliveryTag,
    multiple: (bits1 & 1) !== 0,
    requeue: (bits1 & 2) !== 0,
  };
}

function decodeConfirmSelect(reader: MethodReader): ConfirmSelect {
  const bits0 = reader.u8();
  return {
    id: MethodId.ConfirmSelect,
    noWait: (bits0 & 1) !== 0,
  };
}

function decodeTxSelect(): TxSelect {
  return {
    id: MethodId.TxSelect,
  };
}

function decodeTxCommit(): TxCommit {
  return {
    id: MethodId.TxCommit,
  };
}

function decodeTxRollback(): TxRollback {
  return {
    id: MethodId.TxRollback,
  };
}

export function encodeConnectionStart(
  writer: MethodWriter,
  versionMajor: number,
  versionMinor: number,
  serverProperties: FieldTable,
  mechanisms: string | Uint8Array,
  locales: string | Uint8Array,
): void {
  writer.u32(0x000a000a);
  writer.u8(versionMajor);
  writer.u8(versionMinor);
  writer.table(serverProperties);
  writer.longstr(mechanisms);
  writer.longstr(locales);
}

export function encodeConnectionSecure(
  writer: MethodWriter,
  challenge: string | Uint8Array,
): void {
  writer.u32(0x000a0014);
  writer.longstr(challenge);
}

export function encodeConnectionTune(
  writer: MethodWriter,
  channelMax: number,
  frameMax: number,
  heartbeat: number,
): void {
  writer.u32(0x000a001e);
  writer.u16(channelMax);
  writer.u32(frameMax);
  writer.u16(heartbeat);
}

export function encodeConnectionOpenOk(
  writer: MethodWriter,
): void {
  writer.u32(0x000a0029);
  writer.shortstr(''); // reserved-1
}

export function encodeConnectionClose(
  writer: MethodWriter,
  replyCode: number,
  replyText: string,
  classId: number,
  methodId: number,
): void {
  writer.u32(0x000a0032);
  writer.u16(replyCode);
  writer.shortstr(replyText);
  writer.u16(classId);
  writer.u16(methodId);
}

export function encodeConnectionCloseOk(
  writer: MethodWriter,
): void {
  writer.u32(0x000a0033);
}

export function encodeConnectionBlocked(
  writer: MethodWriter,
  reason: string,
): void {
  writer.u32(0x000a003c);
  writer.shortstr(reason);
}

export function encodeConnectionUnblocked(
  writer: MethodWriter,
): void {
  writer.u32(0x000a003d);
}

export function encodeConnectionUpdateSecretOk(
  writer: MethodWriter,
): void {
  writer.u32(0x000a0047);
}

export function encodeChannelOpenOk(
  writer: MethodWriter,
): void {
  writer.u32(0x0014000b);
  writer.longstr(''); // reserved-1
}

export function encodeChannelFlow(
  writer: MethodWriter,
  active: boolean,
): void {
  writer.u32(0x00140014);
  writer.u8((active ? 1 : 0));
}

export function encodeChannelFlowOk(
  writer: MethodWriter,
  active: boolean,
): void {
  writer.u32(0x00140015);
  writer.u8((active ? 1 : 0));
}

export function encodeChannelClose(
  writer: MethodWriter,
  replyCode: number,
  replyText: string,
  classId: number,
  methodId: number,
): void {
  writer.u32(0x00140028);
  writer.u16(replyCode);
  writer.shortstr(replyText);
  writer.u16(classId);
  writer.u16(methodId);
}

export function encodeChannelCloseOk(
  writer: MethodWriter,
): void {
  writer.u32(0x00140029);
}

export function encodeAccessRequestOk(
  writer: MethodWriter,
  ticket: number,
): void {
  writer.u32(0x001e000b);
  writer.u16(ticket);
}

export function encodeExchangeDeclareOk(
  writer: MethodWriter,
): void {
  writer.u32(0x0028000b);
}

export function encodeExchangeDeleteOk(
  writer: MethodWriter,
): void {
  writer.u32(0x00280015);
}

export function encodeExchangeBindOk(
  writer: MethodWriter,
): void {
  writer.u32(0x0028001f);
}

export function encodeExchangeUnbindOk(
  writer: MethodWriter,
): void {
  writer.u32(0x00280033);
}

export function encodeQueueDeclareOk(
  writer: MethodWriter,
  queue: string,
  messageCount: number,
  consumerCount: number,
): void {
  writer.u32(0x0032000b);
  writer.shortstr(queue);
  writer.u32(messageCount);
  writer.u32(consumerCount);
}

export function encodeQueueBindOk(
  writer: MethodWriter,
): void {
  writer.u32(0x00320015);
}

export function encodeQueuePurgeOk(
  writer: MethodWriter,
  messageCount: number,
): void {
  writer.u32(0x0032001f);
  writer.u32(messageCount);
}

export function encodeQueueDeleteOk(
  writer: MethodWriter,
  messageCount: number,
): void {
  writer.u32(0x00320029);
  writer.u32(messageCount);
}

export function encodeQueueUnbindOk(
  writer: MethodWriter,
): void {
  writer.u32(0x00320033);
}

export function encodeBasicQosOk(
  writer: MethodWriter,
): void {
  writer.u32(0x003c000b);
}

export function encodeBasicConsumeOk(
  writer: MethodWriter,
  consumerTag: string,
): void {
  writer.u32(0x003c0015);
  writer.shortstr(consumerTag);
}

export function encodeBasicCancel(
  writer: MethodWriter,
  consumerTag: string,
  noWait: boolean,
): void {
  writer.u32(0x003c001e);
  writer.shortstr(consumerTag);
  writer.u8((noWait ? 1 : 0));
}

export function encodeBasicCancelOk(
  writer: MethodWriter,
  consumerTag: string,
): void {
  writer.u32(0x003c001f);
  writer.shortstr(consumerTag);
}

export function encodeBasicReturn(
  writer: MethodWriter,
  replyCode: number,
  replyText: string,
  exchange: string,
  routingKey: string,
): void {
  writer.u32(0x003c0032);
  writer.u16(replyCode);
  writer.shortstr(replyText);
  writer.shortstr(exchange);
  writer.shortstr(routingKey);
}

export function encodeBasicDeliver(
  writer: MethodWriter,
  consumerTag: string,
  deliveryTag: number,
  redelivered: boolean,
  exchange: string,
  routingKey: string,
): void {
  writer.u32(0x003c003c);
  writer.shortstr(consumerTag);
  writer.u64(deliveryTag);
  writer.u8((redelivered ? 1 : 0));
  writer.shortstr(exchange);
  writer.shortstr(routingKey);
}

export function encodeBasicGetOk(
  writer: MethodWriter,
  deliveryTag: number,
  redelivered: boolean,
  exchange: string,
  routingKey: string,
  messageCount: number,
): void {
  writer.u32(0x003c0047);
  writer.u64(deliveryTag);
  writer.u8((redelivered ? 1 : 0));
  writer.shortstr(exchange);
  writer.shortstr(routingKey);
  writer.u32(messageCount);
}

export function encodeBasicGetEmpty(
  writer: MethodWriter,
): void {
  writer.u32(0x003c0048);
  writer.shortstr(''); // reserved-1
}

export function encodeBasicAck(
  writer: MethodWriter,
  deliveryTag: number,
  multiple: boolean,
): void {
  writer.u32(0x003c0050);
  writer.u64(deliveryTag);
  writer.u8((multiple ? 1 : 0));
}

export function encodeBasicRecoverOk(
  writer: MethodWriter,
): void {
  writer.u32(0x003c006f);
}

export function encodeBasicNack(
  writer: MethodWriter,
  deliveryTag: number,
  multiple: boolean,
  requeue: boolean,
): void {
  writer.u32(0x003c0078);
  writer.u64(deliveryTag);
  writer.u8((multiple ? 1 : 0) | (requeue ? 2 : 0));
}

export function encodeConfirmSelectOk(
  writer: MethodWriter,
): void {
  writer.u32(0x0055000b);
}

export function encodeTxSelectOk(
  writer: MethodWriter,
): void {
  writer.u32(0x005a000b);
}

export function encodeTxCommitOk(
  writer: MethodWriter,
): void {
  writer.u32(0x005a0015);
}

export function encodeTxRollbackOk(
  writer: MethodWriter,
): void {
  writer.u32(0x005a001f);
}
