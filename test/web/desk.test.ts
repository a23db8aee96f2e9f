/** The worker of the page without a browser: the same requests and reports, in Node. */
import { describe, expect, test } from 'vitest';
import type { MachineView } from '../../src/web/protocol.ts';
import { Page } from '../support/desk-page.ts';
import { endlessElf } from '../support/endless-elf.ts';

const world = (view: MachineView, name: string): MachineView['worlds'][number] =>
  view.worlds.find((w) => w.name === name)!;

describe('the worker of the page', () => {
  test('hello runs to its end, and prints', async () => {
    const page = new Page();
    expect(await page.boot('hello')).toMatchObject({ phase: 'stopped', at: 0, world: 'host' });
    const end = await page.state({ kind: 'run' });
    expect(end).toMatchObject({ phase: 'off', why: 'the program has switched the machine off' });
    expect(page.console).toMatch(/Hello/);
    expect(end.events.map((e) => e.kind)).toEqual(expect.arrayContaining(['entry', 'exit']));
  });

  test('exits are caught and explained, a step crosses the world switch, and a step over stays', async () => {
    const page = new Page();
    await page.boot('hello');
    await page.state({ kind: 'catch-exits', on: true });
    // The first exits are refills of stage 2.
    let explained = page.next('explained');
    let exit = await page.state({ kind: 'run' });
    while (exit.why.includes('TLBR')) {
      await explained;
      explained = page.next('explained');
      exit = await page.state({ kind: 'run' });
    }
    expect(exit.world).toBe('host');
    expect(exit.why).toMatch(/HVC/);
    expect((await explained).lines[0]).toMatch(/^VM exit from VM 1 on cpu0: HVC/);
    await page.state({ kind: 'breakpoint', at: '_run_guest', on: true });
    await page.state({ kind: 'catch-exits', on: false });
    const entry = await page.state({ kind: 'run' });
    expect(entry.why).toBe('breakpoint at _run_guest');
    let view = entry;
    for (let n = 0; n < 200 && !view.code.find((l) => l.here)!.text.startsWith('ertn'); n++)
      view = await page.state({ kind: 'step' });
    const ertn = view;
    expect(ertn.world).toBe('host');
    const over = await page.state({ kind: 'step-over' });
    expect(over.world).toBe('host');
    expect(over.at).toBeGreaterThan(ertn.at + 1);
    expect((await page.state({ kind: 'go', to: ertn.at })).code.find((l) => l.here)!.text).toBe('ertn');
    const inside = await page.state({ kind: 'step' });
    expect(inside.world).toBe('VM 1');
    expect(world(inside, 'VM 1').live).toBe(true);
    expect(world(inside, 'host').live).toBe(false);
    expect((await page.state({ kind: 'back' })).world).toBe('host');
  });

  test('the console goes back in time with the machine, and forward again', async () => {
    const page = new Page();
    await page.boot('h1-solution');
    const end = await page.state({ kind: 'run' });
    const all = page.console;
    expect(all.replaceAll('\r', '')).toContain('h1: end\n');
    const second = end.events.filter((e) => e.text.includes('HVC'))[1]!;
    const back = await page.state({ kind: 'go', to: second.at });
    expect(back.at).toBe(second.at);
    expect(back.last).toBe(end.at);
    // The end of the line is in the transmitter still.
    expect(page.console.trimEnd()).toBe(all.slice(0, all.indexOf('hypercall 1') + 'hypercall 1'.length));
    const again = await page.state({ kind: 'run' });
    expect(again.at).toBe(end.at);
    expect(page.console).toBe(all);
  });

  test('solutions pass, and skeletons fail with a hint', async () => {
    const page = new Page();
    page.ask({ kind: 'check', lab: 'h1', program: { key: 'h1-solution' } });
    const passed = await page.next('verdict');
    expect(passed.verdict.passed).toBe(true);
    expect(passed.lines[0]).toMatch(/^h1: passed/);
    page.ask({ kind: 'check', lab: 'h1', program: { key: 'h1' } });
    const failed = await page.next('verdict');
    expect(failed.verdict.passed).toBe(false);
    expect(failed.verdict.hint).toBeDefined();
  });

  test('crash: explain names the cause', async () => {
    const page = new Page();
    await page.boot('crash');
    const explained = page.next('explained');
    page.ask({ kind: 'run' });
    expect((await explained).lines.join('\n')).toMatch(/cause/);
  });

  test.each([
    ['a text', new TextEncoder().encode('not a program'), /is no ELF file/],
    ['nothing', new Uint8Array(), /is no ELF file/],
    ['a cut file', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1), /wrong\.elf/],
  ])('%s is refused in one line, and the machine before it stays', async (_, bytes, message) => {
    const page = new Page();
    await page.boot('hello');
    page.ask({ kind: 'boot', program: { name: 'wrong.elf', bytes } });
    const { text } = await page.next('failed');
    expect(text).toMatch(message);
    expect(text).not.toMatch(/\n|should not happen/);
    expect((await page.state({ kind: 'step' })).at).toBe(1);
  });

  test('monitor commands work, and a command that goes back moves the page, too', async () => {
    const page = new Page();
    await page.boot('hello');
    await page.state({ kind: 'run' });
    page.ask({ kind: 'monitor', id: 7, text: 'translate 0x200000 in 1' });
    expect(await page.next('answer')).toMatchObject({ id: 7, text: expect.stringMatching(/stage 2.*physical/s) });
    const state = page.next('state');
    page.ask({ kind: 'monitor', id: 8, text: 'goto first exit' });
    expect((await state).state.why).not.toMatch(/switched/);
  });

  test('an endless program stops when it is paused', async () => {
    const page = new Page();
    await page.state({ kind: 'boot', program: { name: 'loop.elf', bytes: endlessElf() } });
    const running = page.next('running');
    const state = page.next('state');
    page.ask({ kind: 'run' });
    await running;
    page.ask({ kind: 'pause' });
    expect((await state).state).toMatchObject({ phase: 'stopped', why: 'paused' });
  });
});
