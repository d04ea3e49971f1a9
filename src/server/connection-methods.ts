/** Class connection, on channel 0: login, tuning, opening, closing. */
import { AmqpError, channelError, notAllowed, ReplyCode } from '../amqp/errors.js';
import { type FieldValue, textOf } from '../amqp/field-value.js';
import { describeOctets, type FrameSink } from '../amqp/frame-reader.js';
import { FRAME_BODY, FRAME_HEADER, FRAME_OVERHEAD_BYTES } from '../amqp/message-image.js';
import {
  type ClientMethod,
  type ConnectionOpen,
  type ConnectionStartOk,
  type ConnectionTuneOk,
  encodeConnectionOpenOk,
  encodeConnectionStart,
  encodeConnectionTune,
  encodeConnectionUpdateSecretOk,
  isKnownMethod,
  MethodId,
  methodName,
} from '../amqp/methods.generated.js';
import { isLoopbackAddress } from '../auth/loopback.js';
import { serverProperties } from '../broker/identity.js';
import { LEVERET_VERSION } from '../broker/version.js';
import type { ByteBlock } from '../lib/bytes.js';
import { FRAME_BYTES_UNLIMITED_MAX } from '../lib/limits.js';
import { checkConnectionLimits } from './client-limits.js';
import type { Connection } from './connection.js';
import { ConnectionPhase } from './connection-phase.js';
import { UnknownMethodError } from './handlers/dispatch.js';
import { Heartbeat } from './heartbeat.js';
import { logIn, offeredMechanisms } from './login.js';
import { decodeArguments } from './method-arguments.js';

export class ConnectionMethods implements FrameSink {
  currentMethod = 0;
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  sendStart(): void {
    const { connection } = this;
    const { broker, writer } = connection;
    writer.reset();
    const properties = serverProperties(
      broker.config.clusterName,
      broker.generation.version,
      LEVERET_VERSION,
    );
    encodeConnectionStart(writer, 0, 9, properties, offeredMechanisms(broker), 'en_US');
    connection.send();
  }

  onMethod(block: ByteBlock, start: number, end: number): void {
    const id = block.view.getUint32(start);
    this.currentMethod = id;
    const { phase } = this.connection;
    if (!isKnownMethod(id)) throw new UnknownMethodError(`unknown method ${methodName(id)}`);
    const isCloseMethod = id === MethodId.ConnectionClose || id === MethodId.ConnectionCloseOk;
    if (phase >= ConnectionPhase.Closing && !isCloseMethod) return;
    const method = decodeArguments(id, block.bytes, start + 4, end);
    if (method === undefined || !this.handle(method)) {
      throw channelError(`unexpected method in connection state ${PHASE_NAMES[phase]}`);
    }
  }

  onHeader(block: ByteBlock, start: number, end: number): void {
    this.refuseContent(FRAME_HEADER, block, start, end);
  }

  onBodyPart(): void {}

  onBody(block: ByteBlock, start: number, end: number): void {
    this.refuseContent(FRAME_BODY, block, start, end);
  }

  /** @returns false when the method does not belong into this phase */
  private handle(method: ClientMethod): boolean {
    const { connection } = this;
    const { phase } = connection;
    switch (method.id) {
      case MethodId.ConnectionStartOk:
        if (phase !== ConnectionPhase.Start) return false;
        this.onStartOk(method);
        return true;
      case MethodId.ConnectionTuneOk:
        if (phase !== ConnectionPhase.Tune) return false;
        this.onTuneOk(method);
        return true;
      case MethodId.ConnectionOpen:
        if (phase !== ConnectionPhase.Open) return false;
        this.onOpen(method);
        return true;
      case MethodId.ConnectionUpdateSecret:
        if (phase !== ConnectionPhase.Running) return false;
        // Nothing to refresh: the internal users have passwords that do not expire.
        connection.writer.reset();
        encodeConnectionUpdateSecretOk(connection.writer);
        connection.send();
        return true;
      case MethodId.ConnectionClose:
        if (phase < ConnectionPhase.Running) return false;
        connection.onClientClose();
        return true;
      case MethodId.ConnectionCloseOk:
        if (phase < ConnectionPhase.Closing) return false;
        connection.finish();
        return true;
      default:
        return false;
    }
  }

  private onStartOk(method: ConnectionStartOk): void {
    const { connection } = this;
    const { broker } = connection;
    const properties = method.clientProperties;
    connection.clientName = textOf(properties.get('connection_name')) ?? '';
    const capabilities = properties.get('capabilities');
    if (capabilities?.type === 'table') {
      const { value } = capabilities;
      connection.takesCancel = isTrue(value.get('consumer_cancel_notify'));
      connection.takesBlocked = isTrue(value.get('connection.blocked'));
      connection.takesAuthenticationFailure = isTrue(value.get('authentication_failure_close'));
    }
    const isLoopbackPeer = isLoopbackAddress(connection.socket.remoteAddress);
    const login = logIn(broker, method.mechanism, method.response, isLoopbackPeer);
    if (!login.ok) {
      broker.logger.warn({ ...connection.describe(), reason: login.reason }, 'login refused');
      if (login.kind === 'refused' && connection.takesAuthenticationFailure) {
        const error = new AmqpError(
          ReplyCode.AccessRefused,
          `Login was refused using authentication mechanism ${method.mechanism}. For details see the broker logfile.`,
        );
        return connection.refuseLogin(error);
      }
      return connection.penalise();
    }
    connection.logIn(login.user);
    connection.phase = ConnectionPhase.Tune;
    const { channelMax, frameMax, heartbeatSeconds } = broker.config;
    connection.writer.reset();
    encodeConnectionTune(connection.writer, channelMax, frameMax, heartbeatSeconds);
    connection.send();
  }

  private onTuneOk(method: ConnectionTuneOk): void {
    const { connection } = this;
    const { broker } = connection;
    const { config } = broker;
    // RabbitMQ reports a failed negotiation as one of its own connection.tune.
    this.currentMethod = MethodId.ConnectionTune;
    checkNegotiated('frame_max', method.frameMax, config.frameMax, broker.generation.frameBytesMin);
    checkNegotiated('channel_max', method.channelMax, config.channelMax, 1);
    const frameMax = method.frameMax === 0 ? FRAME_BYTES_UNLIMITED_MAX : method.frameMax;
    connection.reader.payloadBytesMax = frameMax;
    connection.transport.bodyFrameBytesMax = frameMax - FRAME_OVERHEAD_BYTES;
    connection.channelMax = method.channelMax;
    // The client's word counts, whatever was offered (rabbitmq.com/docs/heartbeats); 0 is none at all.
    connection.heartbeatSeconds = method.heartbeat;
    if (method.heartbeat > 0) {
      connection.heartbeat = new Heartbeat(broker.clock, connection.transport, method.heartbeat, () => {
        broker.logger.warn(
          connection.describe(),
          'missed heartbeats from the client; closing the connection',
        );
        connection.destroy();
      });
    }
    connection.phase = ConnectionPhase.Open;
  }

  private onOpen(method: ConnectionOpen): void {
    const { connection } = this;
    const { broker, user } = connection;
    const virtualHost = broker.virtualHost(method.virtualHost);
    if (virtualHost === undefined) throw notAllowed(`vhost ${method.virtualHost} not found`);
    checkConnectionLimits(broker, virtualHost, user);
    if (!broker.users.hasAccess(user.name, virtualHost.name)) {
      throw notAllowed(`access to vhost '${virtualHost.name}' refused for user '${user.name}'`);
    }
    connection.run(virtualHost);
    broker.logger.debug(connection.describe(), 'connection opened');
    connection.writer.reset();
    encodeConnectionOpenOk(connection.writer);
    connection.send();
  }

  private refuseContent(type: number, block: ByteBlock, start: number, end: number): void {
    if (this.connection.phase >= ConnectionPhase.Closing) return;
    this.currentMethod = 0;
    throw new AmqpError(
      ReplyCode.UnexpectedFrame,
      `type ${type}, ${describeOctets(block.bytes, start, end)}`,
    );
  }
}

/** As RabbitMQ names them in its error texts. */
const PHASE_NAMES = ['handshake', 'starting', 'tuning', 'opening', 'running', 'closing', 'closing', 'closed'];

/** 0 is no limit, and allowed only where the server sets none itself. @throws AmqpError 530 */
function checkNegotiated(
  name: 'frame_max' | 'channel_max',
  value: number,
  serverMax: number,
  min: number,
): void {
  if (value !== 0 && value < min) {
    throw notAllowed(`negotiated ${name} = ${value} is lower than the minimum allowed value (${min})`);
  }
  if (serverMax !== 0 && (value === 0 || value > serverMax)) {
    const detail = name === 'channel_max' && value === 0 ? ' (no limit)' : '';
    throw notAllowed(
      `negotiated ${name} = ${value}${detail} is higher than the maximum allowed value (${serverMax})`,
    );
  }
}

function isTrue(value: FieldValue | undefined): boolean {
  return value?.type === 'bool' && value.value;
}
