/** `g`, `G`, `p`, `P`. */
import { hexToValue, valueToHex } from '../framing.ts';
import { G_REGISTERS, PC_REGNUM, type Register, registerByNumber } from '../registers.ts';
import type { Target } from '../target.ts';
import type { PacketRow } from './table.ts';

const PARKED = "E.vCPU is parked; its registers are in the hypervisor's memory";

function write(s: Target, r: Register, hex: string): string {
  const value = hexToValue(hex, r.bits / 8);
  if (value === undefined) return `E.${r.name} takes ${r.bits / 4} hex digits`;
  const ctx = s.context;
  if (!ctx.live) return PARKED;
  if (value === r.read(ctx)) return 'OK';
  // After a call of a function gdb writes back every register that it had read before.
  if (!r.write) return s.known.wasRead(s.current, r.num, value) ? 'OK' : `E.${r.name} is read-only`;
  s.control.history.disturb();
  r.write(ctx, value);
  if (r.num === PC_REGNUM) s.known.shown(s.current, value);
  return 'OK';
}

export const REGISTER_PACKETS: readonly PacketRow[] = [
  {
    name: 'g',
    handle: (s) => {
      const ctx = s.context;
      s.known.shown(s.current, ctx.pc());
      let out = '';
      for (let n = 0; n < G_REGISTERS; n++) out += valueToHex(registerByNumber(n)!.read(ctx), 8);
      return out;
    },
  },
  {
    name: 'G',
    handle: (s, rest) => {
      if (rest.length !== G_REGISTERS * 16) return `E.G takes ${G_REGISTERS * 16} hex digits`;
      for (let n = 0; n < G_REGISTERS; n++) {
        const answer = write(s, registerByNumber(n)!, rest.slice(n * 16, n * 16 + 16));
        if (answer !== 'OK') return answer;
      }
      return 'OK';
    },
  },
  {
    name: 'p',
    handle: (s, rest) => {
      const r = /^[0-9a-f]+$/i.test(rest) ? registerByNumber(Number.parseInt(rest, 16)) : undefined;
      if (!r) return 'E.no such register';
      const value = r.read(s.context);
      if (r.num === PC_REGNUM) s.known.shown(s.current, value);
      else if (!r.write) s.known.read(s.current, r.num, value);
      return valueToHex(value, r.bits / 8);
    },
  },
  {
    name: 'P',
    handle: (s, rest) => {
      const m = /^([0-9a-f]+)=([0-9a-f]*)$/i.exec(rest);
      if (!m) return 'E.P takes NUMBER=VALUE';
      const r = registerByNumber(Number.parseInt(m[1]!, 16));
      return r ? write(s, r, m[2]!) : 'E.no such register';
    },
  },
];
