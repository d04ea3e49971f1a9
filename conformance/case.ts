/** A case: one rule of AMQP 0-9-1 or of RabbitMQ, and the program that shows whether a broker keeps it. */
import type { CaseContext } from './context.js';

export const DIALECTS = ['rabbitmq-3', 'rabbitmq-4'] as const;
/** Which generation of RabbitMQ a broker is held to, where the two differ. */
export type Dialect = (typeof DIALECTS)[number];

/**
 * `core` is in the AMQP 0-9-1 specification; `rabbitmq` is an extension of RabbitMQ or its answer where the
 * specification leaves it open. A case with the tag of a dialect applies to that one only.
 */
export const TAGS = ['core', 'rabbitmq', ...DIALECTS] as const;
export type Tag = (typeof TAGS)[number];

export interface Case {
  /** `area/name`; the area is the folder of its file. */
  readonly id: string;
  readonly title: string;
  /** What a broker has to do. */
  readonly rule: string;
  /** Where that is written: a clause of AMQP or a page of RabbitMQ. */
  readonly source: string;
  readonly tags: readonly Tag[];
  /** What it cannot do without; where that is not given, the case is skipped. */
  readonly needs?: Need | undefined;
  /** Whether it does little but wait for seconds, as its rule needs; it runs beside the others. */
  readonly waits?: boolean | undefined;
  readonly run: (context: CaseContext) => Promise<void>;
}

/** Something the URL of the broker does not say. */
export type Need = 'limited-user';

/** What the cases of a section have in common. */
export interface Section {
  readonly area: string;
  readonly source: string;
  readonly tags: readonly Tag[];
  readonly needs?: Need;
  readonly waits?: boolean;
}

export type DefineCase = (
  name: string,
  title: string,
  rule: string,
  run: (context: CaseContext) => Promise<void>,
  ownTags?: readonly Tag[],
) => Case;

/** @returns what makes the cases of a section; `ownTags` come instead of those of the section */
export function section({ area, source, tags, needs, waits }: Section): DefineCase {
  return (name, title, rule, run, ownTags = tags) => ({
    id: `${area}/${name}`,
    title,
    rule,
    source,
    tags: ownTags,
    needs,
    waits,
    run,
  });
}

export function areaOf({ id }: Pick<Case, 'id'>): string {
  return id.slice(0, id.indexOf('/'));
}

export function appliesTo({ tags }: Case, dialect: Dialect): boolean {
  return tags.includes(dialect) || !DIALECTS.some((other) => tags.includes(other));
}
