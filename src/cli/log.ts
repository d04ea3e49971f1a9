/**
 * The log of the broker process, on standard output. JSON has RabbitMQ's field names (rabbitmq.com/docs/logging,
 * "JSON"): one object a line with `time`, `level`, `msg` and the fields of the event.
 */
import { isatty } from 'node:tty';
import { type DestinationStream, destination, type LoggerOptions, pino, stdTimeFunctions } from 'pino';
import type { Logger } from '../lib/logger.js';
import type { LogFormat, LogLevel } from './log-options.js';
import { formatLogLine } from './log-text.js';

const STDOUT_DESCRIPTOR = 1;

const PINO_LEVELS: Readonly<Record<LogLevel, string>> = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  none: 'silent',
};

/**
 * @param output where lines go; standard output when absent. Written synchronously, in this thread: the last
 *   line before an exit is never lost, and there is no worker to start.
 */
export function createLogger(level: LogLevel, format: LogFormat, output?: DestinationStream): Logger {
  const target = output ?? destination({ fd: STDOUT_DESCRIPTOR, sync: true });
  const isText = format === 'text' || (format === 'auto' && isatty(STDOUT_DESCRIPTOR));
  return pino(pinoOptions(level), isText ? textInto(target) : target);
}

function pinoOptions(level: LogLevel): LoggerOptions {
  return {
    level: PINO_LEVELS[level],
    // No process id and host name in every line: whoever collects lines knows where they come from.
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label === 'warn' ? 'warning' : label }) },
  };
}

/** For a terminal, where a person reads: speed does not count, so pino's own line is read back. */
function textInto(target: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      target.write(formatLogLine(line));
    },
  };
}
