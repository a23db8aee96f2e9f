/** One run with a hostile guest, with everything that a usual run has: an auditor, and a recording. */
import { writeFileSync } from 'node:fs';
import { pokeCsr } from '../../../emu/cpu/csr-access.ts';
import { CodeCoverage } from '../../../emu/debug/code-coverage.ts';
import { runningContext, type VcpuStates } from '../../../emu/debug/context.ts';
import { writeVirtual } from '../../../emu/debug/debug-memory.ts';
import type { RunControl } from '../../../emu/debug/run-control.ts';
import type { End } from '../../../emu/debug/stop.ts';
import { writeWindow } from '../../../emu/debug/windows.ts';
import type { Machine } from '../../../emu/machine/machine.ts';
import type { MachineCli } from '../../options.ts';
import { start } from '../../run.ts';
import { packSnapshot } from '../../snapshots.ts';
import { COMPUTER } from '../../surroundings.ts';
import { unwritable } from '../../unwritable.ts';
import type { Outcome } from '../one-run.ts';
import { HostExceptions } from './host-exceptions.ts';
import type { GuestInput, InputJob } from './input.ts';
import { inHost, Verdict } from './verdict.ts';

const WORD = 4;

/** The guest does all of it now. What it cannot reach is left out. */
export function apply(machine: Machine, vcpuStates: VcpuStates, cpuNumber: number, input: GuestInput): void {
  const cpu = machine.cpus[cpuNumber]!;
  const ctx = runningContext(cpu, vcpuStates);
  let at = cpu.pc;
  for (const deed of input)
    switch (deed.kind) {
      case 'gpr':
        cpu.setGpr(deed.num, BigInt(`0x${deed.value}`));
        break;
      case 'memory': {
        const data = new Uint8Array(BigUint64Array.of(BigInt(`0x${deed.value}`)).buffer);
        writeWindow(machine, ctx, ctx, { space: 'gpa', address: BigInt(`0x${deed.gpa}`) & ~7n }, data);
        break;
      }
      case 'code':
        writeVirtual(machine, ctx, at, new Uint8Array(Uint32Array.of(deed.word).buffer));
        at += BigInt(WORD);
        break;
      default:
    }
  // These may change what the addresses above mean.
  for (const deed of input) if (deed.kind === 'csr') pokeCsr(cpu, true, deed.num, BigInt(`0x${deed.value}`));
}

const HIDDEN = { quiet: true, observed: true, codeCache: false } as const;

/** The machine after the deeds, as a snapshot. */
async function snapshotAfter(cli: MachineCli, { from, cpu, input }: InputJob): Promise<Uint8Array> {
  const running = await start(
    undefined,
    {
      ...cli,
      ...HIDDEN,
      snapshot: from,
      onEnd: () => {},
      prepare: (control) => {
        apply(control.machine, control.vcpuStates, cpu, input);
        control.quit(true);
      },
    },
    () => {},
  );
  await running.done;
  const { machine, observers } = running.control;
  await running.booted.named;
  return packSnapshot(machine, observers, { symbols: running.booted.packedSymbols() });
}

/**
 * @param cli the machine, without its files
 * @param record where the run is recorded; the snapshot that the recording begins with is beside it
 */
export async function runInput(cli: MachineCli, job: InputJob, record: string | undefined): Promise<Outcome> {
  const coverage = new CodeCoverage();
  let control: RunControl | undefined;
  let verdict: Verdict | undefined;
  let symbolize: (pc: bigint) => string | undefined = () => undefined;
  let surroundings = cli.surroundings ?? COMPUTER;
  let { from } = job;
  if (record !== undefined) {
    const content = await snapshotAfter(cli, job);
    from = record.replace(/(\.recording)?$/, '.snapshot');
    try {
      writeFileSync(from, content);
    } catch (error) {
      throw unwritable(`--output: cannot write ${from}`, error);
    }
    const below = surroundings;
    surroundings = { ...below, read: (path) => (path === from ? content : below.read(path)) };
  }
  let over: End | undefined;
  const running = await start(
    undefined,
    {
      ...cli,
      ...HIDDEN,
      surroundings,
      snapshot: from,
      maxInstructions: job.limit,
      ...(record !== undefined && { record, recordImages: true }),
      onEnd: (e) => {
        over = e;
      },
      onFinding: ({ check, text }) => verdict?.found({ kind: 'audit', text: `${check}: ${text}` }),
      prepare: (c) => {
        control = c;
        coverage.watch(c.machine);
        if (record === undefined) apply(c.machine, c.vcpuStates, job.cpu, job.input);
        const v = new Verdict(
          job,
          c.machine,
          (pc) => symbolize(pc),
          () => {
            control?.quit(true);
            for (const cpu of c.machine.cpus) cpu.requestStop();
          },
        );
        verdict = v;
        c.onConsole = (byte) => v.console(byte);
        new HostExceptions((_, r) => v.exception(r)).watch(c.machine);
        for (const cpu of c.machine.cpus) cpu.observe({ entered: () => v.entered(), exited: () => v.exited() });
      },
    },
    () => {},
  );
  symbolize = (pc) => running.symbolize(-1, pc);
  const { machine } = running.control;
  await running.booted.named;
  await running.done;
  verdict!.ended(over?.kind === 'limit');
  if (over?.kind === 'died' && inHost(machine.cpus[job.cpu]!)) verdict!.found({ kind: 'died', text: over.reason });
  return outcomeOf(machine, verdict!, coverage);
}

export const outcomeOf = (machine: Machine, { finding }: Verdict, coverage: CodeCoverage): Outcome => ({
  finding,
  decisions: [],
  instructions: machine.instructions,
  ticks: machine.time,
  pairs: [],
  values: {},
  covered: coverage.runs(),
});
