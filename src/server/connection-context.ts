/** What a channel needs of its connection. */
import type { AmqpError } from '../amqp/errors.js';
import type { User } from '../auth/auth-backend.js';
import type { Broker } from '../broker/broker.js';
import type { VirtualHost } from '../broker/virtual-host.js';
import type { Channel } from './channel.js';
import type { Transport } from './transport.js';

export interface ConnectionContext {
  readonly broker: Broker;
  readonly virtualHost: VirtualHost;
  readonly user: User;
  readonly transport: Transport;
  /** Stands for the connection as the owner of its exclusive queues. */
  readonly owner: object;
  /** The client takes basic.cancel from the server (capability `consumer_cancel_notify`). */
  readonly takesCancel: boolean;
  /** A content header came in: the connection publishes, and is held back while an alarm is on. */
  onPublish(): void;
  /** Handles nothing more of the connection until `begin` has called back; then calls `resume`, and goes on. */
  waitFor(channel: Channel, begin: (done: () => void) => void, resume: () => void): void;
  /** Closes the channel with an error that no frame of its own brought about. */
  failChannel(channel: Channel, error: AmqpError): void;
  /** The client closed the channel (`isRequest`), or agreed that it is closed. */
  closeChannel(channel: Channel, isRequest: boolean): void;
}
