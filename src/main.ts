#!/usr/bin/env node
import { runCommandLine } from './cli/command-line.js';

const exitCode = await runCommandLine(process.argv.slice(2), (text) => process.stderr.write(text));
process.exit(exitCode);
