/** Descriptors of one's own: a hypervisor that the program does not know, with a file that says where its contexts are. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { readDescriptor } from '../../src/cli/own-descriptor.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { parseSymbols } from '../../src/cli/symbol-files.ts';
import { gdbSession, type Session } from '../support/gdb-session.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-descriptor-'));
afterAll(() => rmSync(folder, { recursive: true }));
const TINY = join(PROJECT_ROOT, 'build', 'examples', 'tiny-hv.elf');
const OWN = join(PROJECT_ROOT, 'examples', 'tiny-hv', 'tiny-hv.json');
const own = JSON.parse(readFileSync(OWN, 'utf8')) as { contexts: Record<string, unknown> };

/** Writes a descriptor with other contexts. */
function withContexts(name: string, contexts: Record<string, unknown>, more: Record<string, unknown> = {}): string {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...own, ...more, contexts }));
  return file;
}

/** A session with the example hypervisor, and what the program has said on stderr. */
async function session(
  file: string,
  commands: readonly string[],
  image = readFileSync(TINY),
  symbols: readonly string[] = [],
): Promise<Session & { readonly told: string }> {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const more = { descriptor: readDescriptor(file), files: folder, symbols: symbols.map(parseSymbols) };
    const done = await gdbSession({ image: new Uint8Array(image), more, commands: [`file ${TINY}`, ...commands] });
    return { ...done, told: told.mock.calls.map(([text]) => String(text)).join('') };
  } finally {
    told.mockRestore();
  }
}

/** To the second exit: VM 1 has been handled, and stands behind its hypercall. */
const SECOND_EXIT = ['break handle_exit', 'continue', 'continue', 'monitor context', 'monitor info vcpus'];
const PARKED = /VM 1 vcpu 0: parked, last on cpu0 at 0x1004008 \(tiny's context\)/;

describe('a descriptor of one’s own', () => {
  test('parked registers and the host’s are what the hypervisor keeps; the world switch is known', async () => {
    const { output, told } = await session(OWN, [
      ...SECOND_EXIT,
      'add-inferior',
      'inferior 2',
      'attach 17',
      'info registers pc a0',
      'detach',
      'inferior 1',
      'delete',
      'break leave_guest',
      'continue',
      'info threads',
      'delete',
      'break *0x1004004 if $world == 1',
      'continue',
      'add-inferior',
      'inferior 3',
      'attach 2',
      `file ${TINY}`,
      'backtrace',
    ]);
    expect(told).toBe('');
    expect(output).toMatch(/^hypervisor: tiny \(offsets from the debug information of image\.elf\)$/m);
    expect(output).toMatch(
      /VM 1 vcpu 0: parked, 31 general registers and 0 CSRs from tiny's context, context at physical 0x/,
    );
    expect(output).toMatch(PARKED);
    expect(output).toMatch(/^pc +0x1004008 .*\na0 +0x61 /m);
    expect(output).toMatch(/Thread 1\.1 "cpu0" \(host PLV0 in transition\)/);
    // The host goes on where enter_guest returns; its stack is the one that the frame was on.
    expect(output).toMatch(/#0 +hypervisor \(\) at .*tiny\.c:\d+\n#1 .* in _start \(\)/);
  });

  test.each([
    ['by an array of contexts', { objects: 'vcpus', most: 2, stride: 296, gpr: 0, pc: '0x100' }],
    ['by an array of contexts with GIDs', { objects: 'vcpus', most: 2, stride: 296, gpr: 0, pc: 256, gid: 280 }],
    ['by numbers', { pointer: 'SAVE1', gpr: '0x0', pc: '0x100' }],
    [
      'by members and arrows',
      { pointer: 'SAVE1', type: 'vcpu', gpr: 'regs', pc: 'pc', csr: { at: 'host_sp->-8', registers: ['CRMD'] } },
    ],
    ['by an array of pointers', { pointers: 'vcpu_list', most: 8, gpr: 0, pc: 256 }],
    ['by a header', { pointer: 'SAVE1', header: 'layout.h', gpr: 'REGS', pc: 'VCPU_PC' }],
  ])('contexts are found %s', async (how, contexts) => {
    const header = readFileSync(join(PROJECT_ROOT, 'examples', 'tiny-hv', 'vcpu.h'), 'utf8');
    writeFileSync(join(folder, 'layout.h'), `#define REGS 0\n${header}`);
    const { output, told } = await session(withContexts(how.replaceAll(' ', '-'), contexts), SECOND_EXIT);
    expect(told).toBe('');
    expect(output).toMatch(PARKED);
  });

  test('it goes into a snapshot', async () => {
    const saved = await session(OWN, [...SECOND_EXIT, 'monitor snapshot save tiny']);
    expect(saved.output).toMatch(/ MiB, at instruction/);
    const { output } = await gdbSession({
      more: { snapshot: join(folder, 'tiny') },
      commands: ['monitor context', 'monitor info vcpus'],
    });
    expect(output).toMatch(/^hypervisor: tiny \(offsets from the debug information of image\.elf\)$/m);
    expect(output).toMatch(PARKED);
  });

  test('what it names and the image does not have is told, with the field; the rest is used', async () => {
    const file = withContexts('misspelt', own.contexts, {
      transition: ['enter_gest', 'leave_guest'],
      detect: ['tiny_vm'],
    });
    const { told } = await session(file, ['monitor context']);
    expect(told).toContain(
      `warning: --descriptor ${file}: 'transition' names enter_gest, which is no symbol of the image: correct the name, or give a file that has it with --symbols\n`,
    );
    expect(told).toContain(`'detect' names tiny_vm, which is no symbol`);
  });

  test('members that the debug information does not have are told; registers are found by their values', async () => {
    const wrong = withContexts('members', { ...own.contexts, pc: 'program_counter' });
    const first = await session(wrong, ['monitor context']);
    expect(first.told).toBe(
      `loongscope: warning: --descriptor ${wrong}: tiny: 'program_counter': there is no member program_counter in the structure: registers are found by their values instead\n`,
    );
    expect(first.output).toMatch(/^hypervisor: tiny$/m);
    const stripped = join(folder, 'stripped.elf');
    await execa('llvm-objcopy-19', ['--strip-debug', TINY, stripped]);
    const bare = await session(OWN, ['monitor context'], readFileSync(stripped));
    expect(bare.told).toMatch(/tiny: there is no debug information with the structure vcpu: registers are found/);
    // The file that still has it helps.
    const helped = await session(OWN, SECOND_EXIT, readFileSync(stripped), [TINY]);
    expect(helped.told).toBe('');
    expect(helped.output).toMatch(PARKED);
  });

  test('a file that cannot be used is refused with what is wrong', () => {
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, '{"name":"x"}');
    expect(() => readDescriptor(bad)).toThrow(`--descriptor: ${bad}: 'transition' is missing: add it`);
    expect(() => readDescriptor(join(folder, 'none'))).toThrow(
      /--descriptor: cannot read .*none \(ENOENT\): check the path/,
    );
    const header = withContexts('header', { pointer: 'SAVE1', header: 'none.h', gpr: 'REGS' });
    expect(() => readDescriptor(header)).toThrow(/cannot read 'contexts\.header' none\.h \(ENOENT\)/);
    writeFileSync(join(folder, 'empty.h'), '');
    const missing = withContexts('missing', { pointer: 'SAVE1', header: 'empty.h', gpr: 'REGS' });
    expect(() => readDescriptor(missing)).toThrow('--descriptor: tiny: REGS is missing in empty.h');
  });
});
