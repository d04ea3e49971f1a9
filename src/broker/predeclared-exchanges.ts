/** rabbitmq.com: predeclared in every virtual host. */
export const PREDECLARED_EXCHANGES: readonly (readonly [name: string, type: string, internal: boolean])[] = [
  ['', 'direct', false],
  ['amq.direct', 'direct', false],
  ['amq.fanout', 'fanout', false],
  ['amq.headers', 'headers', false],
  ['amq.match', 'headers', false],
  ['amq.rabbitmq.trace', 'topic', true],
  ['amq.topic', 'topic', false],
];
