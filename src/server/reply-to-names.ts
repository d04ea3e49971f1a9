/** The names of direct reply-to (rabbitmq.com/docs/direct-reply-to). */

/** What a client consumes from, and puts into the reply-to property of its requests. */
export const REPLY_TO_NAME = 'amq.rabbitmq.reply-to';
/** Before the opaque part of a reply address. */
export const REPLY_TO_PREFIX = `${REPLY_TO_NAME}.`;

/** Behind the prefix stand 16 random bytes, in base64url. */
const ADDRESS_PATTERN = /^amq\.rabbitmq\.reply-to\.[A-Za-z0-9_-]{22}$/;

/** Whether a name has the form of the addresses that this broker gives out, be anybody there or not. */
export function isReplyAddress(name: string): boolean {
  return ADDRESS_PATTERN.test(name);
}
