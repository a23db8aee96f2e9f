/** Boots Debian's kernel as KVM host and as its guest, runs the checks of test/linux/checks.ts in the guest, and powers both off. Arguments: see scripts/kvm. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { MachineCli } from '../src/cli/options.ts';
import { statistics } from '../src/cli/statistics.ts';
import { featuresOf } from '../src/emu/cpu/features.ts';
import { CHECKS, type CheckResult, runChecks } from '../test/linux/checks.ts';
import { haveFirmware, kvmInitramfs, LINUX } from '../test/linux/images.ts';
import { bootHost, type GuestSetup, startGuest, stopGuest } from '../test/linux/kvm-session.ts';

const GIB = 2 ** 30;
/** CPUs of the host and of its guest. */
const PAIRS = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 2],
] as const;
/** What differs between the boots of --runs, each with a cycle of its own length, so that no two of 60 are alike. */
const MEMORY = [2, 1.5, 3] as const;
const GUEST_MEMORY = [512, 384, 640, 768, 1024] as const;
const ENGINES = ['auto', 'jit', 'auto'] as const;

/** Of many boots, only the checks that look at the boot. */
const FIRST_CHECKS = 4;

interface Boot {
  readonly name: string;
  readonly host: Partial<MachineCli>;
  readonly guest: GuestSetup;
}

/** Boot number `n` of --runs. */
function varied(n: number): Boot {
  const [smp, vcpus] = PAIRS[n % PAIRS.length]!;
  const memory = MEMORY[n % MEMORY.length]!;
  const guestMemory = GUEST_MEMORY[n % GUEST_MEMORY.length]!;
  const engine = ENGINES[n % ENGINES.length]!;
  const clock = n % 5 === 3 ? 'host' : 'virtual';
  const model = n % 7 < 3 ? 'la464' : 'max';
  const firmware = haveFirmware() && n % 5 === 4;
  return {
    name: `boot ${n + 1}: ${smp}/${vcpus}, ${memory}G and ${guestMemory}M, --engine ${engine} --clock ${clock} --cpu ${model} --seed ${n + 1}${firmware ? ', firmware in the guest' : ''}`,
    host: { smp, memory: memory * GIB, engine, clock, cpu: featuresOf(model), seed: n + 1 },
    guest: { vcpus, memory: guestMemory, firmware },
  };
}

const args = process.argv.slice(2);
if (args.includes('--prepare')) {
  const file = join(LINUX, 'kvm-initramfs');
  writeFileSync(file, kvmInitramfs());
  console.log(`${relative('.', file)} is there`);
  process.exit(0);
}
const usage = (): never => {
  process.stderr.write('kvm: CPUS/VCPUS with numbers from 1 to 8, or --runs N [FIRST]: correct the arguments\n');
  process.exit(2);
};

function boots(): Boot[] {
  if (args[0] === '--runs') {
    const [count, first] = [Number(args[1] ?? 20), Number(args[2] ?? 1)];
    if (!(Number.isInteger(count) && count > 0 && Number.isInteger(first) && first > 0 && args.length <= 3)) usage();
    return Array.from({ length: count }, (_, n) => varied(first - 1 + n));
  }
  const pairs = args.map((arg) => /^([1-8])\/([1-8])$/.exec(arg)?.slice(1).map(Number) ?? usage());
  return (pairs.length ? pairs : PAIRS).map(([smp, vcpus]) => ({
    name: `${smp}/${vcpus}`,
    host: { smp: smp! },
    guest: { vcpus: vcpus! },
  }));
}

const folder = mkdtempSync(join(tmpdir(), 'loongscope-kvm-'));
const initrd = join(folder, 'initramfs');
writeFileSync(initrd, kvmInitramfs());
let good = 0;
const all = boots();
for (const { name, host: cli, guest } of all) {
  console.log(name);
  const began = performance.now();
  let failed = 0;
  try {
    const host = await bootHost({ initrd, ...cli });
    const seconds = await startGuest(host, guest);
    console.log(
      `  the host's shell after ${host.secondsToShell.toFixed(1)} s, the guest's after another ${seconds.toFixed(1)} s`,
    );
    const setup = {
      cpus: guest.vcpus,
      disk: !!guest.firmware,
      network: false,
      share: false,
      lvz: false,
      pci: !!guest.firmware,
    };
    const done = ({ name: check, ok, output }: CheckResult): void => {
      if (!ok) failed++;
      if (!ok || all.length === 1) console.log(`  ${ok ? 'ok  ' : 'FAIL'} ${check}${ok ? '' : `: ${output}`}`);
    };
    await runChecks(host, setup, done, args[0] === '--runs' ? CHECKS.slice(0, FIRST_CHECKS) : CHECKS);
    const ended = await stopGuest(host);
    const warnings = (await host.run('dmesg | grep -iE "warning|bug:|oops|call trace|rcu.*stall"')).output;
    const code = await host.powerOff();
    if (ended !== 0 || warnings !== '' || code !== 0) failed++;
    console.log(
      `  ${failed ? 'FAIL' : 'ok  '} QEMU ended with ${ended}, the host with ${code}${warnings && `, and warned: ${warnings}`}`,
    );
    const numbers = JSON.parse(statistics(host.machine!, (performance.now() - began) / 1000)) as Readonly<
      Record<string, unknown>
    >;
    const { instructions, guestInstructions, vmExits, wallSeconds } = numbers;
    console.log(
      `  ${wallSeconds} s, ${instructions} instructions, ${guestInstructions} of them in the guest; exits ${JSON.stringify(vmExits)}`,
    );
  } catch (error) {
    failed++;
    console.log(`  FAIL ${(error as Error).message}`);
  }
  if (!failed) good++;
}
rmSync(folder, { recursive: true });
console.log(`${good} of ${all.length} good`);
process.exit(good === all.length ? 0 : 1);
