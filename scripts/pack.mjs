/**
 * Packs the command line, and all it loads, into a few files in place of dist/cli/command-line.js: a module of its own
 * for each source file costs memory and time at every start (spec/decisions/0010). The library, dist/index.js, stays as
 * it was compiled.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const entry = fileURLToPath(new URL('../dist/cli/command-line.js', import.meta.url));
const bundle = await rolldown({
  input: entry,
  platform: 'node',
  // What is loaded when it is needed stays where it is.
  external: ['amqplib', 'fs-native-extensions', 're2js'],
});
await bundle.write({
  dir: fileURLToPath(new URL('../dist/cli/', import.meta.url)),
  entryFileNames: 'command-line.js',
  chunkFileNames: '[name].packed.js',
  // Names stay, for stack traces and profiles; comments and white space go.
  minify: { compress: false, mangle: false, codegen: true },
  comments: false,
});
await bundle.close();
// It described the file that was packed.
rmSync(`${entry}.map`, { force: true });
