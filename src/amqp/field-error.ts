/**
 * The bytes cannot be read as what they claim to be: they end before a value does, or hold an unknown type tag.
 * Not an AmqpError, because the reply differs by place: 501 FRAME_ERROR for method arguments, 541 INTERNAL_ERROR
 * for content properties (RabbitMQ decodes those later). The caller knows which.
 */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}
