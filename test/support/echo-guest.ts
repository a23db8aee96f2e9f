/** A guest without an operating system that sends back every frame that it gets, and mixes frames and times into its registers. */
import { elfOf } from './images.ts';
import { assemble } from './test-machine.ts';

const CODE = 0x200000;
const SLOT = 0x16000000;
const QUEUES = [0x400000, 0x420000] as const;
const BUFFERS = 0x800000;
const BUFFER_BYTES = 0x1000;
const SIZE = 64;
const WRITE = 2;

/** Ticks between two looks of a guest that sleeps. */
const PERIOD = 0x20000;

/**
 * @param sleeps it waits in `idle` for its timer between two looks, otherwise it looks without a pause
 * @param stuck once the card is set up, it waits for a word that nobody changes
 */
export function echoGuest({
  sleeps,
  stuck = false,
}: {
  readonly sleeps: boolean;
  readonly stuck?: boolean;
}): Uint8Array {
  const lines: string[] = [];
  const add = (...more: readonly string[]): void => void lines.push(...more);
  const li = (register: string, value: number): void => {
    const low = ((value & 0xfffff000) >> 12) | 0;
    add(`lu12i.w ${register}, ${low}`, `ori ${register}, ${register}, ${value & 0xfff}`);
  };
  const store = (width: 'h' | 'w' | 'd', address: number, value: number): void => {
    li('$t0', address);
    li('$t1', value);
    add(`st.${width} $t1, $t0, 0`);
  };
  const set = (register: number, value: number): void => store('w', SLOT + register, value);
  // The handshake, then a queue for each direction: descriptors, what is offered, what is used.
  for (const status of [0, 3]) set(0x70, status);
  set(0x24, 1);
  set(0x20, 1);
  set(0x70, 0xb);
  QUEUES.forEach((base, queue) => {
    set(0x30, queue);
    set(0x38, SIZE);
    set(0x80, base);
    set(0x90, base + 0x1000);
    set(0xa0, base + 0x2000);
    set(0x44, 1);
    for (let n = 0; n < SIZE; n++) {
      store('d', base + 16 * n, BUFFERS + BUFFER_BYTES * n);
      store('w', base + 16 * n + 8, queue === 0 ? BUFFER_BYTES : 0);
      store('w', base + 16 * n + 12, queue === 0 ? WRITE : 0);
      store('h', base + 0x1000 + 4 + 2 * n, n);
    }
  });
  set(0x70, 0xf);
  // All buffers are offered.
  store('h', QUEUES[0] + 0x1002, SIZE);
  set(0x50, 0);
  if (sleeps) {
    li('$t0', 0x800);
    add('csrwr $t0, ECFG');
    li('$t0', PERIOD + 3);
    add('csrwr $t0, TCFG');
  }
  li('$s0', QUEUES[0] + 0x2000);
  li('$s3', QUEUES[1]);
  li('$s4', SLOT);
  li('$s5', BUFFERS);
  add('ori $s1, $zero, 0', 'ori $s2, $zero, 0');
  if (stuck) add('ld.d $t0, $s3, 0', 'bnez $t0, -4');
  const top = lines.length;
  if (sleeps) add('idle 0', 'ori $t0, $zero, 1', 'csrwr $t0, TICLR');
  // Another frame? $s1 counts frames.
  add('ld.hu $t0, $s0, 2', 'bstrpick.d $t1, $s1, 15, 0');
  add(`beq $t0, $t1, ${4 * (top - lines.length)}`);
  // Its entry in the ring: the buffer, and the length with the header.
  add(
    `andi $t2, $s1, ${SIZE - 1}`,
    'slli.d $t3, $t2, 3',
    'add.d $t3, $t3, $s0',
    'ld.wu $t4, $t3, 4',
    'ld.wu $t5, $t3, 8',
  );
  add('slli.d $t6, $t4, 12', 'add.d $t6, $t6, $s5', 'ld.d $t7, $t6, 12', 'rdtime.d $t8, $zero');
  add('add.d $s2, $s2, $t7', 'add.d $s2, $s2, $t8', 'rotri.d $s2, $s2, 13');
  // Sends it: the descriptor of the same number in the other queue has the length.
  add('slli.d $t6, $t4, 4', 'add.d $t6, $t6, $s3', 'st.w $t5, $t6, 8');
  li('$t7', 0x1000);
  add('add.d $t7, $t7, $s3', 'slli.d $t6, $t2, 1', 'add.d $t6, $t6, $t7', 'st.h $t4, $t6, 4');
  add('addi.d $s1, $s1, 1', 'st.h $s1, $t7, 2', 'ori $t0, $zero, 1', 'st.w $t0, $s4, 0x50');
  // The buffer is offered again: the ring has its number in the place after the last.
  li('$t7', QUEUES[0] + 0x1000);
  add('slli.d $t6, $t2, 1', 'add.d $t6, $t6, $t7', 'st.h $t4, $t6, 4');
  add(`addi.d $t6, $s1, ${SIZE}`, 'st.h $t6, $t7, 2', 'st.w $zero, $s4, 0x50');
  add(`b ${4 * (top - lines.length)}`);
  if (CODE + 4 * lines.length > QUEUES[0]) throw new Error('the guest is longer than its place');
  lines.map(assemble);
  return elfOf(lines);
}
