/**
 * Protocol errors. Whoever detects a breach throws an `AmqpError`; exactly one place (the connection) catches
 * it and closes the channel or the connection. The class and method ids of the close frame are those of the
 * method being handled, so the catcher fills them in: code that throws need not know what it was called for.
 *
 * The reply text is always `NAME - explanation`, as RabbitMQ writes it: clients match on these texts.
 */

/** Reply codes (AMQP 0-9-1 section 1.2 "constants", with the codes RabbitMQ uses). */
export const ReplyCode = {
  Success: 200,
  ContentTooLarge: 311,
  NoRoute: 312,
  NoConsumers: 313,
  ConnectionForced: 320,
  InvalidPath: 402,
  AccessRefused: 403,
  NotFound: 404,
  ResourceLocked: 405,
  PreconditionFailed: 406,
  FrameError: 501,
  SyntaxError: 502,
  CommandInvalid: 503,
  ChannelError: 504,
  UnexpectedFrame: 505,
  ResourceError: 506,
  NotAllowed: 530,
  NotImplemented: 540,
  InternalError: 541,
} as const;

export type ReplyCode = (typeof ReplyCode)[keyof typeof ReplyCode];

const NAMES = new Map<ReplyCode, string>([
  [ReplyCode.ContentTooLarge, 'CONTENT_TOO_LARGE'],
  [ReplyCode.NoRoute, 'NO_ROUTE'],
  [ReplyCode.NoConsumers, 'NO_CONSUMERS'],
  [ReplyCode.ConnectionForced, 'CONNECTION_FORCED'],
  [ReplyCode.InvalidPath, 'INVALID_PATH'],
  [ReplyCode.AccessRefused, 'ACCESS_REFUSED'],
  [ReplyCode.NotFound, 'NOT_FOUND'],
  [ReplyCode.ResourceLocked, 'RESOURCE_LOCKED'],
  [ReplyCode.PreconditionFailed, 'PRECONDITION_FAILED'],
  [ReplyCode.FrameError, 'FRAME_ERROR'],
  [ReplyCode.SyntaxError, 'SYNTAX_ERROR'],
  [ReplyCode.CommandInvalid, 'COMMAND_INVALID'],
  [ReplyCode.ChannelError, 'CHANNEL_ERROR'],
  [ReplyCode.UnexpectedFrame, 'UNEXPECTED_FRAME'],
  [ReplyCode.ResourceError, 'RESOURCE_ERROR'],
  [ReplyCode.NotAllowed, 'NOT_ALLOWED'],
  [ReplyCode.NotImplemented, 'NOT_IMPLEMENTED'],
  [ReplyCode.InternalError, 'INTERNAL_ERROR'],
]);

/** Reply texts are short strings: at most 255 bytes on the wire. */
const REPLY_TEXT_BYTES_MAX = 255;

/** Whether a code closes the channel only; the rest close the connection. The scope belongs to the code. */
export function isChannelScoped(code: ReplyCode): boolean {
  return (code >= 311 && code <= 313) || (code >= 403 && code <= 406);
}

export class AmqpError extends Error {
  readonly code: ReplyCode;
  /** `NAME - explanation`, at most 255 bytes of UTF-8. */
  readonly replyText: string;

  constructor(code: ReplyCode, explanation: string) {
    const name = NAMES.get(code) ?? 'INTERNAL_ERROR';
    const replyText = truncateReplyText(explanation === '' ? name : `${name} - ${explanation}`);
    super(replyText);
    this.name = 'AmqpError';
    this.code = code;
    this.replyText = replyText;
  }

  get isChannelScoped(): boolean {
    return isChannelScoped(this.code);
  }
}

/** RabbitMQ keeps the first 252 bytes and appends `...`; a character is never split. */
function truncateReplyText(text: string): string {
  if (Buffer.byteLength(text) <= REPLY_TEXT_BYTES_MAX) return text;
  const bytes = Buffer.from(text);
  let end = REPLY_TEXT_BYTES_MAX - 3;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}...`;
}

export const accessRefused = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.AccessRefused, explanation);
export const notFound = (explanation: string): AmqpError => new AmqpError(ReplyCode.NotFound, explanation);
export const resourceLocked = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.ResourceLocked, explanation);
export const preconditionFailed = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.PreconditionFailed, explanation);
export const frameError = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.FrameError, explanation);
export const syntaxError = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.SyntaxError, explanation);
export const commandInvalid = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.CommandInvalid, explanation);
export const channelError = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.ChannelError, explanation);
export const unexpectedFrame = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.UnexpectedFrame, explanation);
export const notAllowed = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.NotAllowed, explanation);
export const notImplemented = (explanation: string): AmqpError =>
  new AmqpError(ReplyCode.NotImplemented, explanation);
/** What RabbitMQ gave up, but an operator may still permit there (rabbitmq.com/docs/deprecated-features). */
export const featureDenied = (feature: string): AmqpError =>
  new AmqpError(
    ReplyCode.InternalError,
    `Feature \`${feature}\` is deprecated.\nBy default, this feature is not permitted anymore.\n` +
      'The feature will be removed from a future major RabbitMQ version, regardless of the configuration; ' +
      'actual version to be determined.\nTo continue using this feature when it is not permitted by default, ' +
      `set the following parameter in your configuration:\n    "deprecated_features.permit.${feature} = true"`,
  );
export const internalError = (): AmqpError => new AmqpError(ReplyCode.InternalError, '');
