/** Reads a QEMU command line. Options may come in any order: what they refer to is looked up when all have been read. */
import { UsageError } from '../errors.ts';
import { type Draft, newDraft } from './draft.ts';
import { helpText, listOf, versionText } from './help.ts';
import { ANSWERS, optionNamed } from './options.ts';
import { type QemuMachine, translate } from './translate.ts';

/** A machine, or a text that is the answer. */
export type QemuRequest =
  | { readonly kind: 'machine'; readonly machine: QemuMachine }
  | { readonly kind: 'answer'; readonly text: string };

/** What the options say, or the text that one of them asks for. @throws UsageError for an option that is not known */
export function readOptions(args: readonly string[]): Draft | string {
  const draft = newDraft();
  for (let n = 0; n < args.length; n++) {
    const arg = args[n]!;
    const name = arg.replace(/^--?/, '');
    if (arg.startsWith('-') && ANSWERS.some((a) => a.names.includes(name)))
      return name === 'version' ? versionText() : helpText();
    const row = arg.startsWith('-') ? optionNamed(name) : undefined;
    if (!row)
      throw new UsageError(
        arg.startsWith('-')
          ? `qemu: '${arg}' is not known: see loongscope qemu -help`
          : `qemu: '${arg}' is no option: a kernel needs -kernel before it, a disk -drive file=`,
      );
    if (row.form === undefined) {
      row.apply(draft, '');
      continue;
    }
    const value = args[++n];
    if (value === undefined) throw new UsageError(`qemu: ${arg} wants a value: add ${row.form}`);
    const list = value === 'help' || value === '?' ? listOf(row.names[0]) : undefined;
    if (list !== undefined) return list;
    row.apply(draft, value);
  }
  return draft;
}

/**
 * The machine of a command line, in the form of qemu-system-loongarch64.
 * @throws UsageError that names what is not possible, and says what to do
 */
export function parseQemu(args: readonly string[]): QemuRequest {
  const read = readOptions(args);
  return typeof read === 'string' ? { kind: 'answer', text: read } : { kind: 'machine', machine: translate(read) };
}
