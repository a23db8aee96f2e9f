/** States that come from files: what has the machine's own form is taken, anything else is refused before it is used. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { VcpuStates } from '../../src/emu/debug/context.ts';
import { Flash } from '../../src/emu/devices/flash.ts';
import { type Fields, type Stateful, saveFields } from '../../src/emu/state/fields.ts';
import { fits } from '../../src/emu/state/state-check.ts';
import { P9Driver } from '../fuzz/p9-driver.ts';
import { TestMachine } from '../support/test-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-state-'));
writeFileSync(join(folder, 'plainname'), 'x');
afterAll(() => rmSync(folder, { recursive: true }));

describe('a state from a file', () => {
  const { machine } = new TestMachine();
  const parts = machine.parts();
  const of = (wanted: (state: Fields) => boolean): [Stateful, Fields] => {
    const part = parts.find((p) => wanted(saveFields(p)))!;
    return [part, saveFields(part)];
  };

  test('that each part has saved itself fits', () => {
    for (const part of parts) expect(fits(part, saveFields(part)), part.constructor.name).toBe(true);
  });

  test.each([
    ['is missing', undefined],
    ['is null', null],
    ['is of another kind', 'text'],
    ['is a list of another kind', ['text']],
    ['is a typed array of another length', new Uint8Array(3)],
    ['is no number', Number.NaN],
  ])('does not fit when a field of it %s', (_, value) => {
    for (const part of parts)
      for (const name of part.stateFields) {
        // Whether the machine was switched off may well be undefined.
        if (name === 'power' && value === undefined) continue;
        expect(fits(part, { ...saveFields(part), [name]: value }), `${part.constructor.name}.${name}`).toBe(false);
      }
  });

  test('does not fit when what a list or a map holds is something else', () => {
    const flash = new Flash();
    expect(fits(flash, { ...saveFields(flash), sectors: new Map([[1, new Uint8Array(0x40000)]]) })).toBe(true);
    expect(fits(flash, { ...saveFields(flash), sectors: new Map([[1, 5]]) })).toBe(false);
    const [uart, state] = of((s) => 'rx' in s);
    expect(fits(uart, { ...state, rx: [1, 2] })).toBe(true);
    expect(fits(uart, { ...state, rx: [1, {}] })).toBe(false);
    const [writers, records] = of((s) => 'bankPc' in s);
    expect(fits(writers, { ...records, guests: [undefined, { pc: 1 }] })).toBe(false);
  });

  test('fits when only the second CPU has run a guest', () => {
    const states = new VcpuStates(machine.ram);
    // As a file has it: the first CPU has no vCPU.
    expect(fits(states, { ...saveFields(states), current: [undefined, '1.0'] })).toBe(true);
    expect(fits(states, { ...saveFields(states), current: [{}, '1.0'] })).toBe(false);
  });

  test.each(['..', '../outside', '', '.'])('does not fit when a handle of a shared folder leads to %j', (name) => {
    const driver = new P9Driver(folder);
    const send = (type: number, body: readonly number[]): Uint8Array =>
      driver.exchange(Uint8Array.from([7 + body.length, 0, 0, 0, type, 0, 0, ...body]), 4096).slice();
    const text = (t: string): number[] => [t.length, 0, ...Buffer.from(t)];
    send(100, [0, 32, 0, 0, ...text('9P2000.L')]);
    send(104, [0, 0, 0, 0, 255, 255, 255, 255, ...text(''), ...text(''), 0, 0, 0, 0]);
    expect(send(110, [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, ...text('plainname')])[4]).toBe(111);
    const { kind } = driver.device.transport;
    const state = saveFields(kind);
    expect(fits(kind, state)).toBe(true);
    const renamed = (v: unknown): unknown => {
      if (v === 'plainname') return name;
      if (Array.isArray(v)) return v.map(renamed);
      if (v instanceof Map) return new Map([...v].map(([k, x]) => [k, renamed(x)]));
      if (v === null || typeof v !== 'object') return v;
      return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, renamed(x)]));
    };
    expect(fits(kind, renamed(state))).toBe(false);
  });
});
