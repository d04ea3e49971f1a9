import { RABBITMQ_4_2 } from './4-2.js';
import type { Generation } from './generation.js';

/** Without `--compat`: the answers of 4.2, and whatever 3.x to 4.2 accept (spec/decisions/0005). */
export const DEFAULT_GENERATION: Generation = {
  ...RABBITMQ_4_2,
  // Older clients negotiate the smallest frame of the protocol, 4096 bytes.
  frameBytesMin: 4096,
  // Some answer a basic.cancel, and mean no harm.
  takesCancelOk: true,
};
