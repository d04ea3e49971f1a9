import type { Build, Part } from './part.js';

/** Pushes `depth` positions and shifts them again, over and over. */
async function prepareIndex(build: Build, depth: number, cycles: number) {
  const { QueueIndex } =
    await build.load<typeof import('../../src/queues/queue-index.js')>('queues/queue-index');
  const index = new QueueIndex();
  let position = 0;
  return {
    operations: depth * cycles,
    run: () => {
      for (let cycle = 0; cycle < cycles; cycle++) {
        const first = position;
        for (let i = 0; i < depth; i++) index.push(position++);
        for (let i = 0; i < depth; i++) {
          if (index.shift() !== first + i) throw new Error('positions came in another order');
        }
      }
    },
  };
}

export const queueIndexParts: readonly Part[] = [
  {
    name: 'queue-index-short',
    title: 'the order of a short queue (100): one position in and out',
    prepare: (build) => prepareIndex(build, 100, 1000),
  },
  {
    name: 'queue-index-deep',
    title: 'the order of a deep queue (500,000): one position in and out',
    prepare: (build) => prepareIndex(build, 500_000, 1),
  },
];
