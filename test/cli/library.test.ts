/** The program as a library. */
import { describe, expect, test } from 'vitest';
import { Machine, UsageError } from '../../src/cli/library.ts';
import { HYPERVISOR } from '../../src/cli/paths.ts';

describe('Machine', () => {
  test('runs a guest, stops at its exits, and shows both worlds', async () => {
    let output = '';
    const machine = await Machine.boot({
      guests: ['hello'],
      console: (text) => {
        output += text;
      },
    });
    expect(machine.instructions).toBe(0);
    machine.catchExit(['HVC']);
    const exit = await machine.run();
    expect(exit).toMatchObject({ reason: 'exit', cpu: 0, world: 0, pc: machine.symbol('_guest_exit') });
    expect(exit.text).toMatch(/VM exit cpu0 in VM 1: HVC/);
    expect(machine.vms()).toEqual([1]);
    expect(machine.registers({ vm: 1 })).toMatchObject({ pc: 0x200008n, general: { a0: 1n, a1: 0x48n } });
    expect(machine.csr('CRMD', { vm: 1 })).toBe(8n);
    expect(machine.csr('ESTAT')).toBe(0x170000n);
    expect(machine.read(0x200008n, 4, { vm: 1 })).toEqual(Uint8Array.of(0, 0x81, 0x2b, 0));
    expect(machine.explain()[0]).toBe('VM exit from VM 1 on cpu0: HVC: hypercall (Ecode 0x17)');
    machine.breakpoint('_run_guest', 0);
    expect(await machine.run()).toMatchObject({ reason: 'breakpoint', pc: machine.symbol('_run_guest') });
    // The same breakpoint, when it is reached again.
    const before = machine.instructions;
    expect(await machine.run()).toMatchObject({ reason: 'breakpoint', pc: machine.symbol('_run_guest') });
    expect(machine.instructions).toBeGreaterThan(before);
    await machine.close();
    expect(output).toMatch(/hv: LVZ version 1/);
  });

  test('runs to the end, and then no more', async () => {
    let output = '';
    const machine = await Machine.boot({
      guests: ['hello'],
      console: (text) => {
        output += text;
      },
    });
    expect(await machine.run()).toMatchObject({ reason: 'poweroff' });
    expect(output).toMatch(/Hello from a LoongArch guest/);
    await expect(machine.run()).rejects.toThrow('the machine has ended (poweroff): boot another one');
    await machine.close();
  });

  test('can be paused', async () => {
    const machine = await Machine.boot({ image: HYPERVISOR });
    machine.breakpoint('_run_guest');
    const stopped = machine.run();
    machine.pause();
    expect(['paused', 'died', 'poweroff']).toContain((await stopped).reason);
    await machine.close();
  });

  test('mistakes are errors that say what to do', async () => {
    await expect(Machine.boot({ image: '/nowhere' })).rejects.toThrow(UsageError);
    await expect(Machine.boot({ memory: 1234 })).rejects.toThrow(/memory|RAM/);
    await expect(Machine.boot({ cpus: 99 })).rejects.toThrow(/cpus: 99 is not a whole number from 1 to 16/);
    const machine = await Machine.boot({ guests: ['hello'] });
    expect(() => machine.breakpoint('nonsense')).toThrow("the image has no symbol 'nonsense': give an address");
    expect(() => machine.catchExit(['XYZ'])).toThrow(/unknown cause 'XYZ': use one of/);
    expect(() => machine.registers({ vm: 3 })).toThrow("VM 3 has not run yet: 'vms()' lists those that have");
    expect(() => machine.registers({ cpu: 3 })).toThrow('there is no CPU 3: the machine has 1');
    expect(() => machine.csr('NONE')).toThrow("there is no CSR 'NONE'");
    await machine.close();
  });
});
