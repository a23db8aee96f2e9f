/** What loongscope would say against a Linux that does nothing wrong: nothing. */

import { CSRS } from '../../src/emu/cpu/csr-table.ts';
import { HOST_WORLD } from '../../src/emu/debug/context.ts';
import { explaining } from '../../src/emu/debug/explain-stop.ts';
import { remarksOn } from '../../src/emu/debug/why/remarks.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import type { LinuxSession } from './session.ts';

/** Lines of an explanation that blame somebody. */
const BLAMES = /^ *(cause|root cause|suspicious) /;

/** Lets Linux do something, explains the newest event of each CPU with its past, and looks at each CSR of the host. @returns what is blamed */
export async function remarks(linux: LinuxSession, command = 'ls -lR /proc/sys/kernel >/dev/null'): Promise<string[]> {
  const { control, booted } = linux.running!;
  const { symbolize: name } = booted;
  const { machine } = control;
  await control.between(() => control.history.enable(true));
  await linux.run(command);
  const said: string[] = [];
  await control.between(() => {
    for (const cpu of machine.cpus) {
      said.push(...finish(explaining(control, cpu, name)));
      const csr = (num: number): bigint => cpu.host.get(num);
      const values = { cpu, machine, world: HOST_WORLD, csr, name };
      said.push(...CSRS.flatMap(({ num }) => remarksOn(num, values).map((r) => `cause ${r.text}`)));
    }
    control.history.enable(false);
  });
  return said.filter((line) => BLAMES.test(line));
}
