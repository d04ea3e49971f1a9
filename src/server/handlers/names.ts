/** RabbitMQ drops carriage returns and line feeds from the names of queues and exchanges it is asked to define. */
export function stripLineBreaks(name: string): string {
  return /[\r\n]/.test(name) ? name.replace(/[\r\n]/g, '') : name;
}
