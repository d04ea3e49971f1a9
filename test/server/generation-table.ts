/** Questions to the broker, and what each generation of RabbitMQ answers. */
import { describe, expect, it } from 'vitest';
import type { RawClient } from '../../conformance/wire/raw-client.js';
import { decodeMethod } from '../../conformance/wire/raw-codec.js';
import type { Fields } from '../../conformance/wire/raw-methods.js';
import { RABBITMQ_3_13 } from '../../src/broker/generations/3-13.js';
import { RABBITMQ_4_2 } from '../../src/broker/generations/4-2.js';
import { RABBITMQ_4_3 } from '../../src/broker/generations/4-3.js';
import { DEFAULT_GENERATION } from '../../src/broker/generations/default.js';
import type { Generation } from '../../src/broker/generations/generation.js';
import { IS_ORACLE, Target } from './target.js';

export const GENERATIONS = {
  default: DEFAULT_GENERATION,
  '3.13': RABBITMQ_3_13,
  '4.2': RABBITMQ_4_2,
  '4.3': RABBITMQ_4_3,
} satisfies Record<string, Generation>;
export type GenerationName = keyof typeof GENERATIONS;

export const in4x = <T>(value: T, in313: T) => ({
  default: value,
  '3.13': in313,
  '4.2': value,
  '4.3': value,
});
export const until42 = <T>(value: T, in43: T) => ({
  default: value,
  '3.13': value,
  '4.2': value,
  '4.3': in43,
});
export const everywhere = <T>(value: T) => in4x(value, value);

export interface Row {
  readonly what: string;
  readonly ask: (target: Target) => Promise<unknown>;
  readonly answers: Readonly<Record<GenerationName, unknown>>;
}

export const QUEUE = 'q';
export const REPLY_TO = 'amq.rabbitmq.reply-to';
export const EXCLUSIVE = { queue: QUEUE, exclusive: true };

/** The answer to a method: its name, or the text of the close. */
export async function answerTo(client: RawClient, name: string, fields: Fields): Promise<string> {
  client.send(1, name, fields);
  const isClosed = client.method(0, 'connection.close').then(
    (close) => close.replyText!,
    () => 'nothing',
  );
  const isAnswered = client.nextFrame(1).then(
    ({ payload }) => {
      const method = decodeMethod(payload);
      return method.name === 'channel.close' ? method.fields.replyText! : method.name;
    },
    () => isClosed,
  );
  const answer = await Promise.race([isAnswered, isClosed]);
  client.destroy();
  return answer;
}

/** A test for each row and generation. */
export function suite(name: string, rows: readonly Row[]): void {
  const cases = rows.flatMap((row) =>
    (Object.keys(GENERATIONS) as GenerationName[]).map((generation) => [row.what, generation, row] as const),
  );
  describe.skipIf(IS_ORACLE)(name, () => {
    it.each(cases)('%s (%s)', async (_what, generation, { ask, answers }) => {
      const target = await Target.start({
        generation: GENERATIONS[generation],
        users: [
          { name: 'guest', password: 'guest', tags: [] },
          { name: 'nobody', password: 'nobody', tags: [] },
        ],
        permissions: [
          { user: 'guest', virtualHost: '/', configure: '.*', write: '.*', read: '.*' },
          { user: 'nobody', virtualHost: '/', configure: '', write: '^amq.fanout$', read: '' },
        ],
      });
      try {
        expect(await ask(target)).toEqual(answers[generation]);
      } finally {
        await target.close();
      }
    });
  });
}
