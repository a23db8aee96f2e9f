/** What the debugger knows of hypervisors: descriptors, saved contexts, save areas learned from code. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { guestContext, HOST_WORLD } from '../../src/emu/debug/context.ts';
import type { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Symbolizer } from '../../src/emu/debug/symbolizer.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { threadText } from '../../src/gdbstub/threads.ts';
import { Awareness } from '../../src/hv/awareness/awareness.ts';
import { descriptors, detect, type ImageSymbols, parseDescriptor } from '../../src/hv/awareness/descriptor.ts';
import { resolved, withoutFiles } from '../../src/hv/awareness/resolve.ts';
import { Driven } from '../support/driven.ts';

const symbolsOf = (...names: string[]): ImageSymbols => ({
  address: (n) => (names.includes(n) ? 1n : undefined),
  names: () => names,
});

/** A descriptor with these fields in its contexts. */
const contexts = (fields: string): string => `{"name":"x","transition":[],"contexts":{${fields}}}`;

/** A machine that has run to a function of the hypervisor, `times` over. */
async function stopped(
  at: string,
  guests: readonly string[],
  times = 1,
): Promise<{ control: RunControl; symbols: ImageSymbols; symbolize: Symbolizer }> {
  const driven = await Driven.boot(guests);
  await driven.to(at, times);
  return { control: driven.control, ...driven.booted };
}

describe('descriptors', () => {
  test('the files are valid and tell hypervisors apart by their symbols', () => {
    expect(descriptors().map((d) => d.name)).toEqual(['AxVisor', 'hvisor', 'Linux KVM', 'reference hypervisor']);
    expect(detect(symbolsOf('hv_vcpus', '_run_guest'))?.name).toBe('reference hypervisor');
    expect(detect(symbolsOf('kvm_enter_guest', 'kvm_exc_entry', 'start_kernel'))?.name).toBe('Linux KVM');
    expect(detect(symbolsOf('_hyp_trap_vector'))).toBeUndefined();
  });

  // The assembly symbols of src/arch/loongarch64/trap.rs in hvisor 6a3fb78 and of virtualization/loongarch_vcpu in tgoskits
  // 759e69c1f. Those of Rust functions have a hash in their names, which is another one in each build.
  test.each([
    [
      'hvisor',
      ['_hyp_trap_vector', '_hyp_trap_return', '_vcpu_return', 'trap_handler', 'tlb_refill_handler', 'arch_entry'],
      '_hyp_trap_return',
      ['_hyp_trap_vector', '_hyp_trap_return'],
    ],
    [
      'AxVisor',
      [
        '_run_guest',
        '_guest_exit',
        '_guest_tlb_refill_vector',
        '_exception_vectors',
        '_irq_handler_vector',
        '_sync_handler_vector',
        '_hvc_handler_vector',
        'vmexit_trampoline',
        '_ZN14loongarch_vcpu4vcpu17h0123456789abcdefE',
      ],
      '_run_guest',
      ['_run_guest', '_exception_vectors', '_sync_handler_vector', '_guest_tlb_refill_vector', 'vmexit_trampoline'],
    ],
  ])('%s: known by the symbols of its image, all of which are there', (name, symbols, entry, exchange) => {
    const known = detect(symbolsOf(...symbols))!;
    expect([known.name, known.entry]).toEqual([name, entry]);
    expect(known.transition).toEqual(expect.arrayContaining(exchange));
    for (const f of known.transition) expect(symbols).toContain(f);
  });

  test.each([
    [
      '{',
      "x.json: is no JSON (Expected property name or '}' in JSON at position 1 (line 1 column 2)): correct it there",
    ],
    ['[]', 'x.json: is [], no JSON object: write {"…": …}'],
    ['{"name":""}', 'x.json: \'name\' is "", no text: write a name in quotes'],
    ['{"name":"x"}', "x.json: 'transition' is missing: add it"],
    [
      '{"name":"x","transitions":[]}',
      "x.json: 'transitions' is no field: here are name, detect, entry, transition, contexts, source",
    ],
    [
      '{"name":"x","transition":"f"}',
      'x.json: \'transition\' is "f", no list: write the functions that exchange registers',
    ],
    ['{"name":"x","transition":["f",3]}', "x.json: 'transition[1]' is 3, no text: write a name in quotes"],
    [
      contexts('"gpr":0'),
      "x.json: 'contexts' has none of 'pointer', 'pointers' and 'objects': say in one way where the contexts are",
    ],
    [contexts('"pointer":"SAVE1"'), "x.json: 'contexts.gpr' is missing: add it"],
    [
      contexts('"pointer":"KS1","gpr":0'),
      'x.json: \'contexts.pointer\' is "KS1": write the register that holds the address at an exit, "SAVE0" to "SAVE7"',
    ],
    [
      contexts('"pointers":"list","gpr":0'),
      "x.json: 'contexts.most' is missing for 'pointers': write how many there are in the array",
    ],
    [
      contexts('"objects":"list","most":2,"gpr":0'),
      "x.json: 'contexts.stride' is missing for 'objects': write how many bytes each of them has",
    ],
    [
      contexts('"objects":"list","most":2.5,"stride":64,"gpr":0'),
      "x.json: 'contexts.most' is 2.5: write a whole number from 1 to 1024",
    ],
    [
      contexts('"pointer":"SAVE1","gpr":"regs[0]"'),
      'x.json: \'contexts.gpr\' is "regs[0]", no place: write an offset as 256 or "0x100", a member as "arch.pc", with \'->\' behind a pointer',
    ],
    [
      contexts('"pointer":"SAVE1","gpr":0,"csr":{"at":8,"registers":["CRMD","CRMDX"]}'),
      'x.json: \'contexts.csr.registers[1]\' is "CRMDX", no CSR register: write a name as "CRMD", or null for a gap',
    ],
    [
      contexts('"pointer":"SAVE1","gpr":0,"csr":8'),
      'x.json: \'contexts.csr\' does not say which registers are there: write {"at": …, "registers": ["CRMD", …]}',
    ],
    [
      contexts('"pointer":"SAVE1","gpr":0,"host":{"at":8}'),
      "x.json: 'contexts.host' needs one of 'registers' and 'numbered': name the registers that are there",
    ],
    [
      contexts('"pointer":"SAVE1","gpr":0,"header":"a.h","type":"vcpu"'),
      "x.json: 'contexts' has 'header' and 'type': name the places in one of the two ways",
    ],
    [contexts('"pointer":"SAVE1","gpr":0,"otherwise":{"gpr":0}'), "x.json: 'contexts.otherwise.of' is missing: add it"],
  ])('a bad one says what is wrong: %s', (text, why) => {
    const parse = (): unknown => parseDescriptor(text, 'x.json');
    expect(parse).toThrow(new Error(why));
  });

  test('a structure without debug information is told, with the version whose table is used', () => {
    const kvm = descriptors().find((d) => d.name === 'Linux KVM')!;
    expect(withoutFiles(kvm).source).toBe(
      'offsets of Linux 7.2, because there is no debug information with the structure kvm_vcpu: give the file with --symbols',
    );
  });

  test('names without a header or a type are no places', () => {
    const named = parseDescriptor(contexts('"pointer":"SAVE1","gpr":"regs"'), 'x.json');
    expect(() => resolved(named)).toThrow(
      'x: regs is missing in the descriptor: it is no number, and there is no header and no type',
    );
  });

  test('those that come with the program are known by symbols, and have numbers or a table', () => {
    for (const d of descriptors()) {
      expect(d.detect?.length, d.name).toBeGreaterThan(0);
      expect(withoutFiles(d).contexts?.gpr, d.name).toMatch(/^-?\d+$/);
    }
  });
});

describe('saved contexts', () => {
  test('the descriptor’s layout and the learned save area agree with each other and with the hardware’s snapshot', async () => {
    const { control, symbols, symbolize } = await stopped('handle_exit', ['hello']);
    const snapshot = control.vcpuStates.get(1, 0)!;
    const known = new Awareness(control, symbols, symbolize).vcpu(1, 0)!;
    // The same program without the symbols of its data: everything is learned from what its exit path stores.
    const learner = new Awareness(control, symbolsOf('nothing'), symbolize);
    // Packets ask for registers: they never wait for a replay.
    const { cpus } = control.machine;
    const before = cpus.map((c) => c.icount);
    control.machine.restore = () => {
      throw new Error('a question about registers has replayed the past');
    };
    expect(learner.vcpu(1, 0)).toBeUndefined();
    expect(learner.describe()).toMatch(/shown as the hardware saw it leave; 'monitor context learn' finds/);
    Reflect.deleteProperty(control.machine, 'restore');
    expect(finish(learner.learning())).toBe(1);
    expect(cpus.map((c) => c.icount)).toEqual(before);
    const learned = learner.vcpu(1, 0)!;
    // What is known already is not learned again.
    expect(finish(learner.learning())).toBe(0);
    expect(known.source).toBe("the reference hypervisor's context");
    expect(learned.source).toBe("the hypervisor's save area");
    expect(learned.gpr.size).toBe(31);
    expect([...learned.gpr].sort((a, b) => a[0] - b[0])).toEqual([...known.gpr]);
    expect(learned.pc).toBe(known.pc);
    expect(known.pc).toBe(snapshot.state[0x100 / 8]);
    // Learning went over the past: the machine is where it was.
    expect(control.machine.cpus[0]!.pc).toBe(symbols.address('handle_exit'));
  });

  test('what the hypervisor changes in its copy is what is shown', async () => {
    const { control, symbols, symbolize } = await stopped('schedule', ['hello']);
    const before = control.vcpuStates.get(1, 0);
    expect(before).toBeUndefined();
    const later = await stopped('_run_guest', ['hello'], 3);
    later.control.contexts = new Awareness(later.control, later.symbols, later.symbolize);
    // In _run_guest the registers are on their way: the hardware's view counts, and says so.
    expect(later.control.contexts!.inTransition(later.control.machine.cpus[0]!)).toBe(true);
    expect(later.control.contexts!.vcpu(1, 0)).toBeUndefined();
    expect(later.control.contexts!.describe()).toMatch(/in transition on cpu0/);
    expect([symbols.names().length > 0, symbolize(HOST_WORLD, 0n)]).toEqual([true, undefined]);
  });

  test('after the hypercall was handled, PC is behind it although the hardware saw it on it', async () => {
    const { control, symbols, symbolize } = await stopped('vcpu_inject_pending', ['hello'], 2);
    control.contexts = new Awareness(control, symbols, symbolize);
    const snapshot = control.vcpuStates.get(1, 0)!;
    const ctx = guestContext(control.machine.cpus, 1, 0, control.vcpuStates, control.contexts)!;
    expect(ctx.pc()).toBe(snapshot.state[0x100 / 8]! + 4n);
    expect(ctx.live).toBe(false);
    expect(ctx.csr(CSR.CRMD)).toBe(8n);
  });

  test('several vCPUs on one CPU are told apart, each with its own registers', async () => {
    const { control, symbols, symbolize } = await stopped('handle_exit', ['smp,vcpus=2'], 400);
    control.contexts = new Awareness(control, symbols, symbolize);
    const vcpus = control.vcpuStates.vcpus();
    expect(vcpus.map((v) => [v.gid, v.vcpu])).toEqual([
      [1, 0],
      [1, 1],
    ]);
    const text = control.contexts!.describe();
    expect(text).toMatch(/VM 1 vcpu 0: .*context at physical/);
    expect(text).toMatch(/VM 1 vcpu 1: .*context at physical/);
  });

  test('while one vCPU’s registers are exchanged, those of another one on that CPU stay known', async () => {
    const { control, symbols, symbolize } = await stopped('_guest_exit', ['smp,vcpus=2'], 400);
    control.contexts = new Awareness(control, symbols, symbolize);
    const last = control.vcpuStates.leftLast(control.machine.cpus[0]!)!;
    const [mine, other] = [last.vcpu, 1 - last.vcpu];
    const text = control.contexts.describe();
    expect(text).toContain(`VM 1 vcpu ${mine}: parked, in transition on cpu0: shown as the hardware saw it leave`);
    expect(text).toMatch(
      new RegExp(`VM 1 vcpu ${other}: parked, 31 general registers .* the reference hypervisor's context`),
    );
    expect(
      threadText({ pid: 17, tid: 1, cpu: control.machine.cpus[0]!, vm: 1, vcpu: other, host: false }, control),
    ).not.toMatch(/saving or loading/);
  });
});
