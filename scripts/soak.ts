/**
 * Two guests with two vCPUs each on two CPUs: checked world switches (guests/smp), twice; both runs must end in the same
 * state. Run through scripts/soak.
 */
import { createHash } from 'node:crypto';
import { boot } from '../src/cli/boot.ts';
import { DEFAULT_MACHINE, parseGuest } from '../src/cli/options.ts';

/** Outcome of one run. */
export interface Soak {
  /** Entries into guests and exits from them. */
  readonly worldSwitches: number;
  readonly exits: number;
  readonly instructions: number;
  /** Output lines of guests that report an error. */
  readonly failures: readonly string[];
  readonly complete: boolean;
  /** Digest of memory and registers at the end. */
  readonly hash: string;
  readonly seconds: number;
}

/** Runs two guests of two vCPUs on `cpus` CPUs, each vCPU with `rounds` checked world switches. */
export function soak(cpus: number, rounds: number): Soak {
  const output: number[] = [];
  const guests = ['a', 'b'].map((name) => parseGuest(`smp,name=${name},vcpus=2,append=soak:${rounds}`));
  const { machine } = boot(undefined, { ...DEFAULT_MACHINE, smp: cpus, guest: guests }, (b) => output.push(b));
  const began = performance.now();
  while (machine.run(2_000_000) === 'slice');
  const seconds = (performance.now() - began) / 1000;
  const lines = Buffer.from(output).toString('latin1').split('\n');
  const exits = machine.cpus.reduce((sum, c) => sum + c.events.exits.reduce((a, b) => a + b, 0), 0);
  const { mem } = machine;
  return {
    worldSwitches: 2 * exits,
    exits,
    instructions: machine.instructions,
    failures: lines.filter((l) => /FAIL|died|panic|status [^0]/.test(l)),
    complete: machine.poweredOff && lines.filter((l) => /stopped with status 0/.test(l)).length === guests.length,
    hash: createHash('sha256')
      .update(mem.u8.subarray(mem.ramStart, mem.ramStart + machine.ram.touched))
      .update(mem.u8.subarray(0x10000, 0x18000))
      .digest('hex')
      .slice(0, 16),
    seconds,
  };
}

if (import.meta.main) {
  const rounds = Number(process.argv[2] ?? 1_250_000);
  if (!Number.isSafeInteger(rounds) || rounds <= 0) {
    process.stderr.write('usage: soak [ROUNDS]   checked world switches of each of the four vCPUs\n');
    process.exit(2);
  }
  const runs = [soak(2, rounds), soak(2, rounds)];
  for (const r of runs)
    process.stdout.write(
      `two guests × two vCPUs on two CPUs: ${r.worldSwitches} world switches, ${r.instructions} instructions, ` +
        `${r.failures.length} mismatches, hash ${r.hash}, ${r.seconds.toFixed(0)} s\n`,
    );
  const good = runs.every((r) => r.complete && r.failures.length === 0) && runs[0]!.hash === runs[1]!.hash;
  process.stdout.write(good ? 'no mismatch, and the same state twice\n' : 'FAILED\n');
  process.exitCode = good ? 0 : 1;
}
