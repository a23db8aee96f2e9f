/** Writes more RAM than linear memory holds, and reads it back, in a guest without an operating system. */
import { CODE, TestMachine } from '../test/support/test-machine.ts';

const GIB = 2 ** 30;
const HIGH = 0x80000000;
const PAGE = 4096;
const gib = Number(process.argv[2] ?? 6);
if (!Number.isInteger(gib) || gib < 1 || gib > 7) {
  process.stderr.write(`large-ram: '${process.argv[2]}' is not a whole number of GiB from 1 to 7: correct it\n`);
  process.exit(2);
}

/** Two words of each page are its address times an odd number (s1): t0 is the page, t1 the end, a0 counts wrong ones. */
const WRITE = ['mul.d $t2, $t0, $s1', 'st.d $t2, $t0, 0', 'stptr.d $t2, $t0, 4088', 'add.d $t0, $t0, $s2'];
const READ = [
  ...['mul.d $t2, $t0, $s1', 'ld.d $t3, $t0, 0', 'ldptr.d $t4, $t0, 4088'],
  ...['xor $t3, $t3, $t2', 'xor $t4, $t4, $t2', 'or $t3, $t3, $t4', 'sltu $t3, $zero, $t3', 'add.d $a0, $a0, $t3'],
  'add.d $t0, $t0, $s2',
];
const loop = (body: readonly string[]): string[] => [...body, `bne $t0, $t1, ${-4 * body.length}`];
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const t = new TestMachine({ ramSize: 8 * GIB });
const end = HIGH + gib * GIB;
const pages = (gib * GIB) / PAGE;
let wrong = 0n;
const pass = (name: string, body: readonly string[]): void => {
  const began = performance.now();
  t.code(CODE, loop(body));
  t.set({ $t0: HIGH, $t1: end, $s1: 0x9e3779b97f4a7c15n, $s2: PAGE, $a0: 0 });
  t.pc = CODE;
  t.run(pages * (body.length + 1));
  wrong += t.get('$a0');
  process.stdout.write(`${name} ${gib} GiB: ${seconds(began)}\n`);
};
pass('wrote', WRITE);
pass('read', READ);
pass('read again', READ);
const away = [...t.machine.ram.outsideContents].length;
process.stdout.write(`${pages} pages, ${wrong} wrong; ${away} MiB outside linear memory at the end\n`);
process.exitCode = wrong === 0n && t.get('$t0') === BigInt(end) ? 0 : 1;
