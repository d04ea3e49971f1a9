#!/usr/bin/env node
import v8 from 'node:v8';
import { runCommandLine } from './cli/command-line.js';

// Messages are not objects, so the young generation stays small however many there are; what many declarations at
// once leave behind would make it grow, and it does not shrink again for long (spec/decisions/0010).
v8.setFlagsFromString('--semi-space-growth-factor=1');

const exitCode = await runCommandLine(process.argv.slice(2), (text) => process.stderr.write(text));
process.exit(exitCode);
