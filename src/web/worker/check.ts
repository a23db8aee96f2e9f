/** Checks a program against a lab, on a machine of its own. */
import { WorldSwitchAudit } from '../../hv/audit/worldswitch.ts';
import { labNamed } from '../../labs/catalog.ts';
import { judge } from '../../labs/judge.ts';
import { resultLines } from '../../labs/report.ts';
import { type Chosen, nameOf, type Report } from '../protocol.ts';
import { load } from './load.ts';
import type { Shelf } from './program.ts';

/** @throws ImageError when the program cannot be used */
export async function check(name: string, chosen: Chosen, shelf: Shelf): Promise<Extract<Report, { kind: 'verdict' }>> {
  const lab = labNamed(name);
  const verdict = await judge(lab, async (console) => {
    const { machine, names } = await load(chosen, shelf, console);
    const { symbolize: byWorld, symbols } = names;
    const symbolize = (_world: number, address: bigint): string | undefined => byWorld(-1, address);
    return {
      machine,
      symbolize,
      audit: (control) => {
        const audit = new WorldSwitchAudit(control, symbols, symbolize, () => {});
        return { findings: () => audit.findings.list().map((f) => `${f.check}: ${f.text}`) };
      },
    };
  });
  const folder = nameOf(chosen);
  const lines = resultLines({ lab: lab.name, folder, passed: verdict.passed, verdict, holes: [] });
  return { kind: 'verdict', verdict, lines };
}
