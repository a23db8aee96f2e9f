/** `--coverage FILE`: which lines of a program a run executes, as a tracefile of lcov. */
import { closeSync, openSync } from 'node:fs';
import { isElf, parseElf } from '../emu/boot/elf.ts';
import { CodeCoverage } from '../emu/debug/code-coverage.ts';
import { lineRanges } from '../hv/awareness/line-table.ts';
import type { Booted } from './boot.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
import { type CoveredProgram, lcovOf } from './lcov.ts';
import type { MachineCli } from './options.ts';
import { COMPUTER } from './surroundings.ts';
import { unwritable } from './unwritable.ts';
import { writeWhole } from './write-whole.ts';

const HOST = -1;

/** Refuses what coverage cannot follow. @throws UsageError */
function checkCoverage({ engine }: MachineCli): void {
  if (engine === 'jit')
    throw new UsageError('--coverage notes code when it runs first, and jit translates more: use another engine');
}

/** Programs of the host world with lines: the image, and files of --symbols. @throws UsageError when there is none */
function programsOf(booted: Pick<Booted, 'imageBytes' | 'files'>, { symbols = [] }: MachineCli): CoveredProgram[] {
  const { imageBytes, files } = booted;
  const programs: CoveredProgram[] = [];
  if (imageBytes && isElf(imageBytes)) programs.push({ elf: imageBytes, segments: files.image.segments });
  for (const { file, world, offset } of symbols) {
    if (world !== HOST || offset === 'auto') continue;
    const elf = COMPUTER.read(file);
    if (!isElf(elf)) continue;
    const { segments } = parseElf(elf, file);
    programs.push({ elf, segments: segments.map((s) => ({ ...s, paddr: s.paddr + offset })) });
  }
  if (programs.every(({ elf }) => lineRanges(elf).length === 0))
    throw new UsageError(
      '--coverage: the image has no lines of sources: compile it with -g, or name a file that has them with --symbols',
    );
  return programs;
}

/** The file is opened at once, because nothing can be opened in the sandbox. */
export class CoverageFile {
  readonly coverage = new CodeCoverage();
  private readonly file: string;
  private readonly fd: number;
  private readonly programs: readonly CoveredProgram[];

  /** @throws UsageError when the image has no lines, or the file cannot be written */
  constructor(file: string, booted: Pick<Booted, 'imageBytes' | 'files'>, cli: MachineCli) {
    checkCoverage(cli);
    this.programs = programsOf(booted, cli);
    this.file = file;
    try {
      this.fd = openSync(file, 'w');
    } catch (error) {
      throw unwritable(`--coverage: cannot write ${file}`, error);
    }
  }

  /** Writes what is covered. */
  finish(): void {
    const text = lcovOf(this.programs, this.coverage);
    try {
      writeWhole(this.fd, new TextEncoder().encode(text));
      closeSync(this.fd);
    } catch (error) {
      say(`warning: ${this.file} is not complete (${(error as NodeJS.ErrnoException).code}): make room`);
    }
    const sum = (name: string): number =>
      [...text.matchAll(new RegExp(`^${name}:(\\d+)$`, 'gm'))].reduce((all, [, n]) => all + Number(n), 0);
    say(`coverage: ${sum('LH')} of ${sum('LF')} lines, ${sum('FNH')} of ${sum('FNF')} functions: ${this.file}`);
  }
}
