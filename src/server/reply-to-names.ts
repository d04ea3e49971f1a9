/** The names of direct reply-to (rabbitmq.com/docs/direct-reply-to). */

/** What a client consumes from, and puts into the reply-to property of its requests. */
export const REPLY_TO_NAME = 'amq.rabbitmq.reply-to';
/** Before the opaque part of a reply address. */
export const REPLY_TO_PREFIX = `${REPLY_TO_NAME}.`;
