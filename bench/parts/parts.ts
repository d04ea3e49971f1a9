import { frameReaderParts } from './frame-reader-part.js';
import { journalParts } from './journal-parts.js';
import type { Part } from './part.js';
import { queueIndexParts } from './queue-index-part.js';
import { routerParts } from './router-parts.js';
import { topicTrieParts } from './topic-trie-part.js';

export const parts: readonly Part[] = [
  ...frameReaderParts,
  ...routerParts,
  ...topicTrieParts,
  ...queueIndexParts,
  ...journalParts,
];
