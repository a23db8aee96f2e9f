/** What `loongscope qemu` answers to -help, -version and `-OPTION help`. */
import { QEMU_VERSION } from '../qemu-version.ts';
import { VERSION } from '../version.ts';
import { DEVICE_ROWS } from './devices.ts';
import { LOG_ITEMS } from './log.ts';
import { ANSWERS, OPTIONS, type OptionRow } from './options.ts';
import { CPUS } from './processors.ts';

const { major, minor, micro } = QEMU_VERSION;

export const versionText = (): string =>
  `loongscope ${VERSION}, with the command line of QEMU emulator version ${major}.${minor}.${micro}\n`;

const line = (row: OptionRow): string => {
  const names = row.names.map((n) => `-${n}`).join(' or ');
  return `${names}${row.form === undefined ? '' : ` ${row.form}`}\n                ${row.text}`;
};

/** Every option, with the devices. */
export function helpText(): string {
  const groups = [...new Set(OPTIONS.map((o) => o.group))];
  const part = (title: string, rows: readonly OptionRow[]): string[] =>
    rows.length === 0 ? [] : ['', `${title}:`, ...rows.map(line)];
  return [
    versionText().trimEnd(),
    'usage: loongscope qemu [options]',
    '',
    ...ANSWERS.map((a) => `${a.names.map((n) => `-${n}`).join(' or ')}\n                ${a.text}`),
    ...groups.flatMap((g) =>
      part(
        g,
        OPTIONS.filter((o) => o.group === g && o.kind === 'served'),
      ),
    ),
    ...part(
      'Without effect',
      OPTIONS.filter((o) => o.kind === 'without effect'),
    ),
    '',
    'Refused:',
    ...OPTIONS.filter((o) => o.kind === 'refused').map((o) => `  ${o.names.map((n) => `-${n}`).join(' ')}: ${o.text}`),
    '',
    devicesText(),
  ].join('\n');
}

function devicesText(): string {
  const served = DEVICE_ROWS.filter((r) => r.connect).map((r) => `  ${r.names.join(', ')}: ${r.text}`);
  const refused = DEVICE_ROWS.filter((r) => !r.connect).map((r) => `  ${r.names.join(', ')}: ${r.text}`);
  return ['Devices:', ...served, '', 'Devices that are refused:', ...refused, ''].join('\n');
}

/** The answer to `-OPTION help` or `-OPTION ?`; undefined where there is no list. */
export function listOf(option: string): string | undefined {
  switch (option) {
    case 'machine':
      return `Supported machines are:\nvirt                 QEMU's board for LoongArch (default)\n`;
    case 'cpu':
      return `Available CPUs:\n${Object.keys(CPUS)
        .map((name) => `  ${name}\n`)
        .join('')}`;
    case 'accel':
      return 'Accelerators supported:\ntcg\n';
    case 'device':
      return devicesText();
    case 'd':
      return `Log items (comma separated):\n${Object.entries(LOG_ITEMS)
        .map(([name, { text }]) => `${name.padEnd(15)} ${text}\n`)
        .join('')}`;
    default:
      return undefined;
  }
}
