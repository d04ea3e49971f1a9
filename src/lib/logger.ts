/** Where the broker reports to: the shape of a pino logger, so that one can be passed in as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const ignore = (): void => {};

/** Says nothing: the default of an embedded broker. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
