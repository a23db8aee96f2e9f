/** docs/editors.md: what editors do, through gdb's machine interface and its debug adapter. */
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { start } from '../../src/cli/run.ts';
import { DapClient } from '../support/dap-client.ts';
import { GDBS, guestSpec, machineCli } from '../support/gdb-session.ts';

const machine = () => start(undefined, machineCli([guestSpec('hello')]), () => {});

describe.each(GDBS)('editors with %s', (_name, gdb) => {
  test('gdb -i mi3 (VS Code): connect, break, step into the guest, ask', async () => {
    const running = await machine();
    const { stdout } = await execa(gdb, ['-nx', '-q', '-i', 'mi3'], {
      cwd: PROJECT_ROOT,
      reject: false,
      input: [
        '-gdb-set confirm off',
        '-file-exec-and-symbols build/hv.elf',
        `-target-select remote 127.0.0.1:${running.ports[0]}`,
        '-break-insert *&_guest_entry',
        '-exec-continue',
        '-exec-step-instruction',
        '-data-evaluate-expression $world',
        '-interpreter-exec console "monitor info vms"',
        '-target-detach',
        '-gdb-exit',
        '',
      ].join('\n'),
    });
    running.control.quit();
    await running.done;
    expect(stdout).toMatch(/\*stopped,reason="breakpoint-hit".*func="_run_guest"/);
    expect(stdout).toMatch(/\*stopped,reason="end-stepping-range".*addr="0x0000000000200000"/);
    expect(stdout).toMatch(/^\^done,value="1"$/m);
    expect(stdout).toMatch(/VM 1: process 17/);
    expect(stdout).not.toMatch(/\^error/);
  });

  test('gdb -i dap (Zed, Neovim, Emacs): attach, break, stop at an exit, ask', async () => {
    const running = await machine();
    const editor = new DapClient(gdb, PROJECT_ROOT);
    const stopped = () => editor.next((m) => m.event === 'stopped');
    await editor.ask('initialize', { adapterID: 'gdb' });
    editor.send('attach', { program: 'build/hv.elf', target: `127.0.0.1:${running.ports[0]}` });
    await editor.next((m) => m.event === 'initialized');
    await editor.ask('setFunctionBreakpoints', { breakpoints: [{ name: '_run_guest' }] });
    await editor.ask('configurationDone');
    expect((await stopped()).body).toMatchObject({ reason: 'attach' });
    expect((await editor.ask('threads')).body).toEqual({ threads: [{ id: 1, name: 'cpu0' }] });
    editor.send('continue', { threadId: 1 });
    expect((await stopped()).body).toMatchObject({ reason: 'breakpoint' });
    expect((await editor.ask('stackTrace', { threadId: 1 })).body).toMatchObject({
      stackFrames: expect.arrayContaining([expect.objectContaining({ name: '_run_guest', line: 68 })]),
    });
    const typed = async (expression: string): Promise<unknown> =>
      (await editor.ask('evaluate', { expression, context: 'repl' })).body!.result;
    expect(await typed('monitor catch vmexit HVC')).toBe('catch 1: vmexit HVC\n');
    editor.send('continue', { threadId: 1 });
    await stopped();
    expect(await typed('monitor explain')).toMatch(/VM exit from VM 1 on cpu0: HVC: hypercall/);
    await editor.end();
    running.control.quit();
    await running.done;
  });
});
