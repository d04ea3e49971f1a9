/** `leveret conformance diff`: the same random sequences on two brokers, and what differs. */
import { randomBytes } from 'node:crypto';
import { type BrokerUrl, parseBrokerUrl } from '../broker-url.js';
import { RawClient } from '../wire/raw-client.js';
import { Campaign } from './campaign.js';
import { findingText, tallyText } from './print.js';

export interface CompareOptions {
  readonly urls: readonly [left: string, right: string];
  /** Another each time when it is not named. */
  readonly seed?: number | undefined;
  readonly stepCount: number;
  readonly sequenceCount: number;
  /** Only this one. */
  readonly sequence?: number | undefined;
  /** Of the only sequence, these operations alone. */
  readonly keep?: readonly number[] | undefined;
  /** Some queues are quorum queues. */
  readonly quorum?: boolean | undefined;
  readonly concurrency?: number | undefined;
  readonly findingsMax?: number | undefined;
}

export interface CompareOutput {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

const EXIT_DIFFERENT = 1;
const EXIT_USAGE = 64;
const CONCURRENCY = 16;
const FINDINGS_MAX = 20;
const PROGRESS_STEP = 100;

/** @returns the exit code: 0 only when nothing differs that is not explained */
export async function compareBrokers(options: CompareOptions, output: CompareOutput): Promise<number> {
  const { urls, seed = randomBytes(4).readUInt32LE(0), stepCount, sequenceCount, sequence, keep } = options;
  const brokers: BrokerUrl[] = [];
  const products: string[] = [];
  for (const url of urls) {
    try {
      brokers.push(parseBrokerUrl(url));
    } catch (error) {
      output.writeError(`leveret conformance diff: ${(error as Error).message}\n`);
      return EXIT_USAGE;
    }
    try {
      products.push(await productOf(brokers.at(-1)!));
    } catch (error) {
      output.writeError(`leveret conformance diff: cannot open a connection: ${(error as Error).message}\n`);
      return EXIT_DIFFERENT;
    }
  }
  const [left, right] = products as [string, string];
  const naming = {
    left,
    right: left === right ? `${right} (the second)` : right,
    urls,
    seed,
    stepCount,
    hasQuorum: options.quorum === true,
  };
  output.write(
    `Comparing ${left} with ${naming.right}; --seed ${seed} --steps ${stepCount}${options.quorum === true ? ' --quorum' : ''}\n`,
  );
  const startMs = performance.now();
  const tally = await new Campaign({
    left: brokers[0]!,
    right: brokers[1]!,
    seed,
    stepCount,
    indexes: sequence === undefined ? Array.from({ length: sequenceCount }, (_, i) => i) : [sequence],
    keep,
    hasQuorum: options.quorum === true,
    concurrency: options.concurrency ?? CONCURRENCY,
    findingsMax: options.findingsMax ?? FINDINGS_MAX,
    onFinding: (finding) => output.write(findingText(finding, naming)),
    onProgress: (doneCount) => {
      if (doneCount % PROGRESS_STEP === 0) {
        output.write(`${doneCount} sequences done, ${((performance.now() - startMs) / 1000).toFixed(0)} s\n`);
      }
    },
  }).run();
  output.write(tallyText(tally, performance.now() - startMs));
  return tally.findings.some(({ isOfTheMoment }) => !isOfTheMoment) ? EXIT_DIFFERENT : 0;
}

/** What a broker calls itself. */
async function productOf({ host, port, user, password, virtualHost }: BrokerUrl): Promise<string> {
  const greeted = await RawClient.connect(host, port);
  const client = await RawClient.connect(host, port);
  try {
    const { serverProperties = [] } = await greeted.start();
    await client.open({ user, password, virtualHost });
    const properties = new Map(serverProperties.map(([key, , value]) => [key, String(value)]));
    return [properties.get('product') ?? 'a broker', properties.get('version')].join(' ').trim();
  } finally {
    greeted.destroy();
    client.destroy();
  }
}
