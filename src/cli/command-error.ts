/** Why a command ends without having done its work, and the exit code that says so. */

/** The command was right and could not be carried out: a port in use, a locked data directory. */
export const EXIT_FAILURE = 1;
/** The command line itself is wrong (sysexits.h, EX_USAGE). */
export const EXIT_USAGE = 64;
/** A variable or the configuration file is wrong (sysexits.h, EX_CONFIG). */
export const EXIT_CONFIGURATION = 78;
/** Ended by SIGINT: 128 and the number of the signal, as shells report it. */
export const EXIT_INTERRUPTED = 130;
/** A second SIGTERM while connections were being closed: 128 and the number of the signal. */
export const EXIT_TERMINATED = 143;

/** An error for the operator: `message` is one sentence that says what is wrong and what to do. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
