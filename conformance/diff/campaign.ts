/**
 * Many sequences side by side, each on a pair of subjects of its own. What differs is looked at again with more
 * patience, made short, and tried on two subjects of the same broker: a broker that differs from itself there does as
 * it likes, and the other one cannot be held to it.
 */
import { randomBytes } from 'node:crypto';
import type { BrokerUrl } from '../broker-url.js';
import { seedOf } from './dice.js';
import { generateSequence } from './generator.js';
import { type Difference, type Outcome, type Pair, runSequence } from './lockstep.js';
import type { Operation } from './operation.js';
import { shrink } from './shrink.js';
import { signatureOf } from './signature.js';
import { simplerForms } from './simplify.js';
import { type Patience, QUICK, STEADY, Subject, THOROUGH } from './subject.js';

export interface CampaignOptions {
  readonly left: BrokerUrl;
  readonly right: BrokerUrl;
  readonly seed: number;
  readonly stepCount: number;
  /** Which sequences of the seed. */
  readonly indexes: readonly number[];
  readonly concurrency: number;
  readonly hasQuorum: boolean;
  /** Of the only sequence, which operations; all without it. */
  readonly keep?: readonly number[] | undefined;
  /** No more sequences are begun when that many kinds of differences were found. */
  readonly findingsMax: number;
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress: (doneCount: number) => void;
}

export interface Finding {
  readonly index: number;
  /** Which of the sequence's operations are left, and how they read when they are as simple as they get. */
  readonly kept: readonly number[];
  readonly operations: readonly Operation[];
  readonly difference: Difference;
  /** One of the brokers differs from itself. */
  readonly isOfTheMoment: boolean;
}

export interface Tally {
  readonly findings: readonly Finding[];
  readonly explained: ReadonlyMap<string, number>;
  readonly observed: ReadonlyMap<string, number>;
  /** Differences of a kind that was reported before. */
  readonly repeatedCount: number;
  /** The sequences that differed at the first look and not at the second. */
  readonly fleeting: readonly number[];
  readonly sequenceCount: number;
  readonly cutShortCount: number;
  readonly stepCount: number;
}

/** An operation and its place in the sequence it came from. */
interface Placed {
  readonly place: number;
  readonly operation: Operation;
}

const SELF_LOOKS = 4;

export class Campaign {
  private readonly options: CampaignOptions;
  private readonly quick: Patience;
  private readonly runNonce = randomBytes(2).toString('hex');
  private nonceCount = 0;
  private readonly findings: Finding[] = [];
  private readonly signatures = new Set<string>();
  private readonly explained = new Map<string, number>();
  private readonly observed = new Map<string, number>();
  private repeatedCount = 0;
  private readonly fleeting: number[] = [];
  private sequenceCount = 0;
  private cutShortCount = 0;
  private stepCount = 0;

  constructor(options: CampaignOptions) {
    this.options = options;
    this.quick = options.hasQuorum ? STEADY : QUICK;
  }

  async run(): Promise<Tally> {
    const { left, right, indexes, concurrency, onProgress, findingsMax } = this.options;
    let next = 0;
    const work = async (): Promise<void> => {
      const pair = { left: new Subject(left), right: new Subject(right) };
      try {
        for (let i = next++; i < indexes.length; i = next++) {
          if (this.findings.length >= findingsMax) break;
          await this.runOne(pair, indexes[i]!);
          onProgress(++this.sequenceCount);
        }
      } finally {
        pair.left.destroy();
        pair.right.destroy();
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, indexes.length) }, work));
    const { findings, explained, observed, fleeting } = this;
    const { repeatedCount, sequenceCount, cutShortCount, stepCount } = this;
    return {
      findings,
      explained,
      observed,
      repeatedCount,
      fleeting,
      sequenceCount,
      cutShortCount,
      stepCount,
    };
  }

  private async runOne(pair: Pair, index: number): Promise<void> {
    const { seed, keep, stepCount, hasQuorum } = this.options;
    const sequence = generateSequence(seedOf(seed, index), stepCount, hasQuorum);
    const placed = sequence
      .map((operation, place): Placed => ({ place, operation }))
      .filter(({ place }) => keep === undefined || keep.includes(place));
    const outcome = await this.attempt(pair, placed, this.quick);
    this.stepCount += outcome.stepCount;
    if (outcome.isCutShort) this.cutShortCount++;
    addCounts(this.explained, outcome.explained);
    addCounts(this.observed, outcome.observed);
    if (outcome.difference !== undefined) await this.lookAgain(pair, index, placed);
  }

  private attempt(pair: Pair, placed: readonly Placed[], patience: Patience): Promise<Outcome> {
    const nonce = `${this.runNonce}${(++this.nonceCount).toString(36).padStart(5, '0')}`;
    return runSequence(
      pair,
      placed.map(({ operation }) => operation),
      nonce,
      patience,
    );
  }

  private async lookAgain(pair: Pair, index: number, placed: readonly Placed[]): Promise<void> {
    const { difference } = await this.attempt(pair, placed, THOROUGH);
    if (difference === undefined) {
      this.fleeting.push(index);
      return;
    }
    const signature = signatureOf(difference);
    if (this.signatures.has(signature)) {
      this.repeatedCount++;
      return;
    }
    this.signatures.add(signature);
    const shortest = await this.shortest(pair, placed, difference);
    const finding = {
      index,
      kept: shortest.placed.map(({ place }) => place),
      operations: shortest.placed.map(({ operation }) => operation),
      difference: shortest.difference,
      isOfTheMoment: await this.differsFromItself(shortest.placed),
    };
    this.findings.push(finding);
    this.options.onFinding(finding);
  }

  private async shortest(
    pair: Pair,
    placed: readonly Placed[],
    difference: Difference,
  ): Promise<{ readonly placed: readonly Placed[]; readonly difference: Difference }> {
    const signature = signatureOf(difference);
    const simpler = ({ place, operation }: Placed): Placed[] =>
      simplerForms(operation).map((simplerOne) => ({ place, operation: simplerOne }));
    let last = { placed, difference };
    for (const patience of [this.quick, THOROUGH]) {
      let found = last;
      const short = await shrink(
        last.placed,
        async (candidate) => {
          const again = (await this.attempt(pair, candidate, patience)).difference;
          if (again === undefined || signatureOf(again) !== signature) return false;
          found = { placed: candidate, difference: again };
          return true;
        },
        simpler,
      );
      const sure = (await this.attempt(pair, short, THOROUGH)).difference;
      if (sure !== undefined && signatureOf(sure) === signature) return { placed: short, difference: sure };
      if (patience === THOROUGH) last = found;
    }
    return last;
  }

  private async differsFromItself(placed: readonly Placed[]): Promise<boolean> {
    for (const broker of [this.options.left, this.options.right]) {
      const pair = { left: new Subject(broker), right: new Subject(broker) };
      try {
        for (let look = 0; look < SELF_LOOKS; look++) {
          const patience = look % 2 === 0 ? this.quick : THOROUGH;
          if ((await this.attempt(pair, placed, patience)).difference !== undefined) return true;
        }
      } finally {
        pair.left.destroy();
        pair.right.destroy();
      }
    }
    return false;
  }
}

function addCounts(to: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [name, count] of from) to.set(name, (to.get(name) ?? 0) + count);
}
