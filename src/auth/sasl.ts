/** SASL responses that are plain bytes. (AMQPLAIN is a field table, so the server reads it.) */

const NUL = 0;

export interface PlainCredentials {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads a PLAIN response: `NUL user NUL password` and nothing else. RabbitMQ does not accept an authorization
 * identity before the first NUL, nor a NUL in the password (`rabbit_auth_mechanism_plain`).
 *
 * @returns undefined when the response is malformed; blank names and passwords are well-formed and refused later
 */
export function parsePlainResponse(response: Buffer): PlainCredentials | undefined {
  if (response[0] !== NUL) return undefined;
  const userEnd = response.indexOf(NUL, 1);
  if (userEnd === -1 || response.indexOf(NUL, userEnd + 1) !== -1) return undefined;
  return {
    user: response.toString('utf8', 1, userEnd),
    password: response.toString('utf8', userEnd + 1),
  };
}
