/**
 * Writes docs/csr.md, docs/isa.md, docs/options.md, docs/monitor.md and docs/qemu-options.md from the tables, the registers in docs/board.md from those of the
 * devices, docs/packages.md from package-lock.json, docs/manual-coverage.md from the tests. `--check` only compares.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEVICE_ROWS } from '../src/cli/qemu/devices.ts';
import { LOG_ITEMS } from '../src/cli/qemu/log.ts';
import { OPTIONS, type OptionRow } from '../src/cli/qemu/options.ts';
import { CARD_TABLES } from '../src/emu/board/cards.ts';
import { REGISTER_TABLES } from '../src/emu/board/register-tables.ts';
import { CSRS } from '../src/emu/cpu/csr-table.ts';
import { EXCEPTIONS } from '../src/emu/cpu/exception-table.ts';
import { FEATURES, type FeatureName } from '../src/emu/cpu/features.ts';
import { bytesOf, type RegisterDeclaration, resetOf } from '../src/emu/devices/register-table.ts';
import { hex } from '../src/emu/formats/hex.ts';
import { ABSENT } from '../src/emu/isa/absent.ts';
import { ROWS } from '../src/emu/isa/table/index.ts';
import { traitsOf } from '../src/emu/isa/traits.ts';
import { coveragePage } from './manual-coverage/page.ts';
import { monitorPage, optionsPage } from './option-pages.ts';

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url));

function csrPage(): string {
  const rows = CSRS.map((r) => {
    const fields = r.fields.map(
      (f) =>
        `${f.name} ${f.width === 1 ? f.lo : `${f.lo + f.width - 1}:${f.lo}`}${f.access === 'rw' ? '' : ` (${f.access})`}${f.feature ? ` [${f.feature}]` : ''}`,
    );
    return `| ${hex(r.num)} | ${r.name} | ${r.text} | ${fields.join(', ')} | ${hex(r.reset)} | ${r.guest === 'own' ? 'own copy' : 'GSPR exit'} |`;
  });
  const exceptions = EXCEPTIONS.map((e) => `| ${hex(e.ecode)} | ${e.esub} | ${e.name} | ${e.text} |`);
  return [
    '# CSRs and exceptions',
    '',
    'Generated from `src/emu/cpu/csr-table.ts` and `src/emu/cpu/exception-table.ts` by `scripts/generate-docs.ts`.',
    'Field access: none given is read/write; `hw` is set by hardware (a host may restore it with `gcsrwr`), `ro` a constant,',
    '`w1` acts when 1 is written, `w1c` is cleared when 1 is written, `[name]` exists only with that feature of `--cpu`. A number that is not listed reads 0 and ignores writes; in a guest the ranges 0xc0–0x109,',
    '0x200–0x23f, 0x300–0x3ff and 0x500–0x502 exit with GSPR.',
    '',
    '| number | name | meaning | fields | reset | in a guest |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '## Exceptions',
    '',
    '| Ecode | EsubCode | name | meaning |',
    '| --- | --- | --- | --- |',
    ...exceptions,
    '',
  ].join('\n');
}

/** Mnemonics of LLVM, in the form that test/isa/mnemonics.test.ts compares. */
const { oracle, mnemonics } = JSON.parse(
  readFileSync(new URL('../test/isa/vectors/llvm-mnemonics.json', import.meta.url), 'utf8'),
) as { oracle: string; mnemonics: Record<string, string> };

function isaPage(): string {
  const rows = ROWS.map((r) => {
    const operands = r.operands.join(', ');
    const t = traitsOf(r);
    const flags = [t.endsBlock && 'ends block', t.mayTrap && 'may trap', t.touchesTlb && 'TLB']
      .filter(Boolean)
      .join(', ');
    return `| ${r.name} | ${operands} | \`${r.pattern}\` | ${r.ext} | ${r.priv ? 'PLV0' : 'any'} | ${r.guest} | ${flags} |`;
  });
  const groups = [...new Set(ROWS.map((r) => r.ext))].map((ext) => {
    const text = ext in FEATURES ? FEATURES[ext as FeatureName].text : ext === 'base' ? 'always there' : 'privileged';
    return `| ${ext} | ${ROWS.filter((r) => r.ext === ext).length} | ${text} |`;
  });
  const absent = ABSENT.map(({ names, reason }) => {
    const list = Object.keys(mnemonics).filter((m) => names.test(m));
    return `| ${list.map((m) => `\`${m}\``).join(' ')} | ${reason} |`;
  });
  return [
    '# Instructions',
    '',
    `Generated from \`src/emu/isa/table/\` by \`scripts/generate-docs.ts\`: ${ROWS.length} instructions, all of them complete. Every`,
    'row is checked against llvm-mc and llvm-objdump 19 in both directions (`test/isa/llvm.test.ts`), its behaviour against',
    'QEMU with random programs (`./scripts/difftest`, [oracle.md](oracle.md)). Points that the manual does not define are in',
    '[isa-notes.md](isa-notes.md). Groups other than base and privileged are features of `--cpu`.',
    '',
    '| group | instructions | what it is |',
    '| --- | --- | --- |',
    ...groups,
    '',
    '## Absent',
    '',
    `${oracle} knows ${Object.keys(mnemonics).length} mnemonics; the words of these are no instruction here and raise INE:`,
    '',
    '| mnemonics | why |',
    '| --- | --- |',
    ...absent,
    '',
    '## The table',
    '',
    '| instruction | operands | encoding, bit 31 first | group | privilege | in a guest | flags |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The entry of a package in package-lock.json. */
interface LockedPackage {
  readonly version: string;
  readonly license: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const MODULES = 'node_modules/';

function packagesPage(): string {
  const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
    packages: Readonly<Record<string, LockedPackage>>;
  };
  const { '': own, ...others } = packages as { '': LockedPackage };
  const direct = { ...own.dependencies, ...own.devDependencies };
  const list = Object.entries<LockedPackage>(others).map(([place, p]) => {
    const nested = place.lastIndexOf(MODULES);
    return {
      ...p,
      place,
      name: place.slice(nested + MODULES.length),
      direct: nested === 0 && place.slice(MODULES.length) in direct,
    };
  });
  const rows = list.map(
    (p) =>
      `| ${p.name} | ${p.version} | ${p.license} | ${p.direct ? 'direct' : 'indirect'} | ${p.dev ? 'development' : 'program'} | ${p.hasInstallScript ? 'yes' : 'no'} |`,
  );
  const licences = new Map<string, number>();
  for (const p of list) licences.set(p.license, (licences.get(p.license) ?? 0) + 1);
  const program = list.filter((p) => !p.dev);
  return [
    '# Packages',
    '',
    'Generated from `package-lock.json` by `scripts/generate-docs.ts`: the npm packages that the set-up installs, including those for other platforms.',
    `${list.length} packages, ${program.length} of them part of the program, the others for tests and building. Licences: ${[...licences].map(([name, count]) => `${name} (${count})`).join(', ')}.`,
    '',
    '## How they are checked',
    '',
    '- **npm**: `package-lock.json` has the checksum of each package, and npm refuses one that differs. No package runs a script when it is',
    '  installed: `.npmrc` and `scripts/lib/node.sh` set `ignore-scripts`, and a test refuses a lock file with a package that has an install script. `npm audit`',
    '  compares the list with known vulnerabilities, if the registry offers that.',
    '- **Node**, when the computer has no suitable one: the npm package with the program for the platform, with the checksum that the registry gives; no script runs.',
    "- **Debian**: apt downloads packages of the computer's own suite as its configuration says, and packages of later suites with a separate one",
    '  (`suite_lists` in `scripts/lib/debian.sh`): the list must be signed by a key of `debian-archive-keyring`, and each package must have the checksum',
    '  in the list, otherwise apt refuses it. All are unpacked into `.tools/`, and none of their scripts run. Unsigned packages are never used: no script',
    '  has an option that would allow them, and a test checks this.',
    '',
    '## The list',
    '',
    '| package | version | licence | wanted | for | install script |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The generated part of docs/board.md is between these lines. */
const REGISTERS_BEGIN = '<!-- registers: made by scripts/generate-docs.ts -->';
const REGISTERS_END = '<!-- end of registers -->';

function registerRow(r: RegisterDeclaration): string {
  const { count = 1 } = r;
  const last = r.offset + bytesOf(r) - r.width;
  const place = count > 1 ? `${hex(r.offset)} … ${hex(last)}` : hex(r.offset);
  const reset = typeof r.reset === 'string' ? r.reset : r.access === 'wo' ? '' : hex(resetOf(r));
  const name = `${r.name}${count > 1 ? `, ${count} of them` : ''}${r.when ? ` (${r.when})` : ''}`;
  return `| ${place} | ${r.width} | ${name} | ${r.access} | ${reset} | ${r.text ?? 'complete'} |`;
}

/** docs/board.md with the registers of the devices put in. */
function boardPage(): string {
  const page = readFileSync(join(DOCS, 'board.md'), 'utf8');
  const tables = [...REGISTER_TABLES, ...CARD_TABLES].flatMap((t) => [
    '',
    `**${t.device}** (${t.source})`,
    '',
    '| offset | bytes | name | access | reset | here |',
    '| --- | --- | --- | --- | --- | --- |',
    ...t.registers.map(registerRow),
  ]);
  const [before, rest] = page.split(REGISTERS_BEGIN);
  const [, after] = (rest ?? '').split(REGISTERS_END);
  return [before!, REGISTERS_BEGIN, '\n', ...tables.map((l) => `${l}\n`), '\n', REGISTERS_END, after ?? ''].join('');
}

/** The options of `loongscope qemu`, its devices and its logs. */
function qemuPage(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const named = (row: OptionRow): string => row.names.map((n) => `\`-${n}\``).join(' ');
  const groups = [...new Set(OPTIONS.map((o) => o.group))];
  const served = groups.flatMap((group) => [
    `### ${group}`,
    '',
    '| option | what it does |',
    '| --- | --- |',
    ...OPTIONS.filter((o) => o.group === group && o.kind === 'served').map(
      (o) => `| ${named(o)}${o.form === undefined ? '' : ` \`${cell(o.form)}\``} | ${o.text} |`,
    ),
    '',
  ]);
  const table = (kind: OptionRow['kind'], title: string): string[] => [
    `| option | ${title} |`,
    '| --- | --- |',
    ...OPTIONS.filter((o) => o.kind === kind).map(
      (o) => `| ${named(o)}${o.form === undefined ? '' : ` \`${cell(o.form)}\``} | ${o.text} |`,
    ),
    '',
  ];
  const devices = (taken: boolean): string[] =>
    DEVICE_ROWS.filter((d) => (d.connect !== undefined) === taken).map(
      (d) => `| ${d.names.map((n) => `\`${n}\``).join(' ')} | ${d.text} |`,
    );
  return [
    '# Options of `loongscope qemu`',
    '',
    'Generated from `src/cli/qemu/` by `scripts/generate-docs.ts`; `loongscope qemu -help` prints the same. [cli.md](cli.md) says what is',
    'special about them. Options come in any order. An option or a property that is not here is refused by name.',
    '',
    '## Served',
    '',
    ...served,
    '## Without effect',
    '',
    'They are accepted, because what they choose does not exist here or is always so.',
    '',
    ...table('without effect', 'why it changes nothing'),
    '## Refused',
    '',
    ...table('refused', 'why, and what to do'),
    '## Devices',
    '',
    '| -device | what it is |',
    '| --- | --- |',
    ...devices(true),
    '',
    '| refused | why, and what to do |',
    '| --- | --- |',
    ...devices(false),
    '',
    '## Logs',
    '',
    'The items of `-d`. Those without a log of `run` are named in a warning, and the machine runs.',
    '',
    '| item | what it is | `--log` |',
    '| --- | --- | --- |',
    ...Object.entries(LOG_ITEMS).map(([name, item]) => `| \`${name}\` | ${item.text} | ${item.kind ?? ''} |`),
    '',
  ].join('\n');
}

/** Pages by file name. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'board.md': boardPage,
  'csr.md': csrPage,
  'isa.md': isaPage,
  'monitor.md': monitorPage,
  'options.md': optionsPage,
  'packages.md': packagesPage,
  'manual-coverage.md': () => coveragePage(fileURLToPath(new URL('..', import.meta.url))),
  'qemu-options.md': qemuPage,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, page] of Object.entries(PAGES)) {
    const path = join(DOCS, name);
    if (process.argv[2] !== '--check') writeFileSync(path, page());
    else if (readFileSync(path, 'utf8') !== page()) {
      process.stderr.write(`docs/${name} is not current: run node scripts/generate-docs.ts\n`);
      process.exitCode = 1;
    }
  }
}
