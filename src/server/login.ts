/** SASL: from the mechanism and response of connection.start-ok to a user (rabbitmq.com/docs/access-control). */

import { decodeTable } from '../amqp/field-table.js';
import type { FieldValue } from '../amqp/field-value.js';
import { DecodeError } from '../amqp/method-reader.js';
import type { User } from '../auth/auth-backend.js';
import { parsePlainResponse } from '../auth/sasl.js';
import type { Broker } from '../broker/broker.js';

/** The mechanisms offered, as connection.start lists them. */
export function offeredMechanisms(broker: Broker): string {
  return anonymousUserOf(broker) === undefined ? 'PLAIN AMQPLAIN' : 'PLAIN AMQPLAIN ANONYMOUS';
}

export type Login =
  | { readonly ok: true; readonly user: User }
  /** `refused`: the credentials were understood. `malformed`: they were not, or the mechanism is none of ours. */
  | { readonly ok: false; readonly kind: 'refused' | 'malformed'; readonly reason: string };

export function logIn(broker: Broker, mechanism: string, response: Buffer, isLoopbackPeer: boolean): Login {
  if (mechanism === 'ANONYMOUS') return logInAnonymously(broker, isLoopbackPeer);
  const credentials =
    mechanism === 'PLAIN'
      ? parsePlainResponse(response)
      : mechanism === 'AMQPLAIN'
        ? parseAmqplainResponse(response)
        : undefined;
  if (credentials === undefined) {
    return {
      ok: false,
      kind: 'malformed',
      reason: `mechanism '${mechanism}' with a response we do not take`,
    };
  }
  const result = broker.users.authenticate(credentials.user, credentials.password, isLoopbackPeer);
  if (result.ok) return result;
  const why =
    result.reason === 'wrong'
      ? 'invalid credentials'
      : 'this user may connect from this machine only; --loopback-users changes that';
  return { ok: false, kind: 'refused', reason: `user '${credentials.user}': ${why}` };
}

function logInAnonymously(broker: Broker, isLoopbackPeer: boolean): Login {
  const user = anonymousUserOf(broker);
  if (user === undefined) return { ok: false, kind: 'malformed', reason: 'ANONYMOUS has no user' };
  if (!isLoopbackPeer && broker.users.loopbackUsers.has(user.name)) {
    return { ok: false, kind: 'refused', reason: `user '${user.name}' may connect from this machine only` };
  }
  return { ok: true, user };
}

/** Undefined also when guest, the default, has been deleted, and where the mechanism is not known. */
function anonymousUserOf({ config, generation, users }: Broker): User | undefined {
  return config.anonymousUser === undefined || !generation.hasAnonymousLogin
    ? undefined
    : users.user(config.anonymousUser);
}

/** AMQPLAIN: a field table without its length, with LOGIN and PASSWORD as strings or byte arrays. */
function parseAmqplainResponse(response: Buffer): { user: string; password: string } | undefined {
  try {
    const table = decodeTable(response, 0, response.length);
    const user = bytesOf(table.get('LOGIN'));
    const password = bytesOf(table.get('PASSWORD'));
    if (user === undefined || password === undefined) return undefined;
    return { user: user.toString(), password: password.toString() };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function bytesOf(value: FieldValue | undefined): Buffer | undefined {
  return value?.type === 'longstr' || value?.type === 'binary' ? value.value : undefined;
}
