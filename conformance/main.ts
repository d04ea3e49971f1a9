/** Judges one broker: finds the cases, sees whether the broker can be spoken to, runs them, reports. */
import { type BrokerUrl, parseBrokerUrl } from './broker-url.js';
import type { Case, Dialect, Tag } from './case.js';
import { type LimitedUser, parseLimitedUser } from './limited-user.js';
import { productOf } from './product.js';
import { failedIn, failureText, type ReportFormat, reportOf, skippedIn, summaryText } from './report.js';
import { chooseCases, findCases, runCases } from './runner.js';

export interface JudgeOptions {
  /** Absent only with `list`. */
  readonly url?: string | undefined;
  readonly dialect: Dialect;
  readonly only?: string | undefined;
  readonly tag?: Tag | undefined;
  /** `NAME:PASSWORD` of the user that cases of permissions need. */
  readonly limitedUser?: string | undefined;
  /** In which format standard output gets the report; what people read goes to standard error then. */
  readonly report?: ReportFormat | undefined;
  /** Names the cases and runs none. */
  readonly list?: boolean | undefined;
}

export interface Output {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const PROGRESS_STEP = 25;

/** @returns the exit code: 0 only when cases were run and all of those passed */
export async function judge(options: JudgeOptions, output: Output): Promise<number> {
  const { url, dialect, report, list = false } = options;
  const refuse = (text: string, exitCode: number): number => {
    output.writeError(`leveret conformance: ${text}\n`);
    return exitCode;
  };
  const cases = chooseCases(await findCases(), options);
  if (cases.length === 0) {
    return refuse('no case fits --only, --tag and --dialect; --list alone names those there are', EXIT_USAGE);
  }
  if (list) {
    output.write(listOf(cases));
    return 0;
  }
  if (url === undefined) return refuse('name the broker: amqp://user:password@host:port', EXIT_USAGE);
  let broker: BrokerUrl;
  let limitedUser: LimitedUser | undefined;
  try {
    broker = parseBrokerUrl(url);
    if (options.limitedUser !== undefined) limitedUser = parseLimitedUser(options.limitedUser);
  } catch (error) {
    return refuse((error as Error).message, EXIT_USAGE);
  }
  const address = `${broker.host}:${broker.port}`;
  let product: string;
  try {
    product = await productOf(broker, dialect, limitedUser);
  } catch (error) {
    return refuse(
      `cannot open a connection to the broker at ${address}: ${(error as Error).message}`,
      EXIT_FAILED,
    );
  }
  const tell = report === undefined ? output.write : output.writeError;
  const startMs = performance.now();
  const results = await runCases(cases, {
    broker,
    dialect,
    limitedUser,
    onResult: (result, doneCount) => {
      if (result.failure !== undefined) tell(failureText(result));
      if (doneCount % PROGRESS_STEP === 0) tell(`${doneCount} of ${cases.length} cases done\n`);
    },
  });
  const verdict = { broker: address, product, dialect, results, elapsedMs: performance.now() - startMs };
  tell(summaryText(verdict));
  if (report !== undefined) output.write(reportOf(verdict, report));
  const isEverySkipped = skippedIn(results).length === results.length;
  return failedIn(results).length === 0 && !isEverySkipped ? 0 : EXIT_FAILED;
}

function listOf(cases: readonly Case[]): string {
  return cases.map(({ id, title, tags }) => `${id}  [${tags.join(', ')}]  ${title}\n`).join('');
}
