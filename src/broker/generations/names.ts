import { RABBITMQ_3_13 } from './3-13.js';
import { RABBITMQ_4_2 } from './4-2.js';
import { RABBITMQ_4_3 } from './4-3.js';
import type { Generation } from './generation.js';

/** What `--compat` may say. */
export const GENERATION_NAMES = ['3.13', '4.2', '4.3'] as const;
export type GenerationName = (typeof GENERATION_NAMES)[number];

const GENERATIONS: Readonly<Record<GenerationName, Generation>> = {
  '3.13': RABBITMQ_3_13,
  '4.2': RABBITMQ_4_2,
  '4.3': RABBITMQ_4_3,
};

export function generationNamed(name: GenerationName): Generation {
  return GENERATIONS[name];
}
