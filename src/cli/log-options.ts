/** The choices of `--log-level` and `--log-format`; apart from log.ts, which loads pino. */

export const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'none'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto`: text on a terminal, JSON into a pipe or file. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
