/** What a hunt has found, as text and as JSON. */
import { csrByNumber } from '../../../emu/cpu/csr-table.ts';
import { disassemble } from '../../../emu/isa/disassembler.ts';
import { VERSION } from '../../version.ts';
import type { ReducedInput } from './hunt.ts';
import type { Deed } from './input.ts';

/** A deed in words. */
export function inWords(deed: Deed): string {
  switch (deed.kind) {
    case 'gpr':
      return `$r${deed.num} = 0x${deed.value}`;
    case 'csr':
      return `CSR ${csrByNumber(deed.num)?.name ?? deed.num} of the guest = 0x${deed.value}`;
    case 'memory':
      return `memory of the guest at 0x${deed.gpa} = 0x${deed.value}`;
    case 'code':
      return `executes ${disassemble(deed.word)} (0x${deed.word.toString(16).padStart(8, '0')})`;
  }
}

/** The command that opens the recording at the guest's first hostile instruction. */
export const openCommand = ({ recording }: ReducedInput): string | undefined =>
  recording && `loongscope replay ${recording} --gdb 1234`;

export function textLines(reduced: ReducedInput): string[] {
  const { failure, input, of, tries } = reduced;
  const { finding, point, count, after } = failure;
  return [
    `${finding.kind}: ${finding.text}`,
    `  ${count} runs, the first after ${after} runs, from exit ${point.number} (${point.name})`,
    `  ${input.length} of ${of} deeds of the guest are enough (${tries} runs to find that out):`,
    ...(input.length > 0
      ? input.map((deed) => `    ${inWords(deed)}`)
      : ['    none: the guest does what it does always']),
    `  ${openCommand(reduced) ?? 'its recording does not fail in this way'}`,
  ];
}

export interface FuzzReport {
  readonly command: string;
  readonly runs: number;
  readonly seconds: number;
  /** Instructions of the hypervisor that were executed. */
  readonly covered: number;
  readonly known: number;
  readonly classes: readonly ReducedInput[];
}

export const jsonOf = ({ classes, ...rest }: FuzzReport): string =>
  `${JSON.stringify(
    {
      program: VERSION,
      ...rest,
      classes: classes.map((c) => ({
        finding: c.failure.finding,
        class: c.failure.name,
        count: c.failure.count,
        after: c.failure.after,
        exit: { number: c.failure.point.number, cause: c.failure.point.name },
        deeds: c.input,
        of: c.of,
        tries: c.tries,
        recording: c.recording,
        open: openCommand(c),
      })),
    },
    undefined,
    2,
  )}\n`;
