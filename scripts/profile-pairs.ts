/**
 * Counts pairs of successive instructions that the interpreter executes while a program runs, by samples: at intervals, some
 * instructions are executed one at a time. Those that a region has are left out. The arguments are those of `loongscope run` for a machine. The list in src/emu/engine/superinstructions.ts
 * comes from a boot of Debian's kernel to its shell.
 */
import { Command } from 'commander';
import { boot } from '../src/cli/boot.ts';
import { declareMachineOptions, type MachineCli } from '../src/cli/options.ts';
import type { UopPage } from '../src/emu/engine/uop-page.ts';
import { decode } from '../src/emu/isa/decoder.ts';

const INTERVAL = 300_000;
const STRETCH = 1000;
const SHOWN = 80;

/** Does a region have the instruction at a position of a page? */
const isTranslated = (page: UopPage, at: number): boolean =>
  page.regions.some((r) => r.parts.some((part) => part.page === page && part.covered.includes(at)));

const counts = new Map<string, number>();
let total = 0;

const command = declareMachineOptions(new Command('profile-pairs')).action(
  (image: string | undefined, cli: MachineCli) => {
    const { machine } = boot(image, { ...cli, engine: 'auto' }, (b) => process.stderr.write(String.fromCharCode(b)));
    const [cpu] = machine.cpus;
    const limit = cli.maxInstructions ?? Number.POSITIVE_INFINITY;
    for (;;) {
      const result = machine.run(INTERVAL, machine.instructions + INTERVAL);
      if (result !== 'slice' || machine.instructions >= limit) break;
      let before: string | undefined;
      for (let n = 0; n < STRETCH; n++) {
        const { pc } = cpu!;
        const page = cpu!.fast.fetchEntry(cpu!.pcLo, cpu!.pcHi);
        const linear = page < 0 ? -1 : machine.uops.pageOf(page).linear + (cpu!.pcLo & 0xffc);
        const inRegion = page >= 0 && isTranslated(machine.uops.pageOf(page), (cpu!.pcLo & 0xffc) / 4);
        const name = linear < 0 || inRegion ? undefined : decode(machine.mem.u32[linear >>> 2]!)?.name;
        if (before && name) {
          counts.set(`${before} ${name}`, (counts.get(`${before} ${name}`) ?? 0) + 1);
          total++;
        }
        machine.step(cpu!, true);
        before = cpu!.pc === pc + 4n ? name : undefined;
      }
    }
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    for (const [pair, n] of sorted.slice(0, SHOWN))
      console.log(`${((100 * n) / total).toFixed(2).padStart(6)} %  ${pair}`);
  },
);
await command.parseAsync();
