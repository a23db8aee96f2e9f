/** Repetition with events: rounds that are long, and rounds that are honest. */
import { describe, expect, test } from 'vitest';
import { handled, IE, timer, told } from '../support/loops.ts';

const MOST = 400_000_000;
/** Where most instructions raise exceptions, which takes longer. */
const SHORT = 20_000_000;
/** A delay of so many rounds of two instructions, in units of 4096. */
const delay = (units: number): string[] => [`lu12i.w $t5, ${units}`, 'addi.d $t5, $t5, -1', 'bnez $t5, -4'];

describe('a handler that changes nothing is told, however long it takes', () => {
  test.each([
    ['10 instructions', 0],
    ['40 thousand instructions', 5],
    ['2 million instructions', 250],
  ])('%s', async (_, units) => {
    const { texts, end } = await told(handled(['.word 0x00000001'], [...(units ? delay(units) : []), 'ertn']), MOST);
    expect(texts).toEqual([expect.stringMatching(/takes INE at .* again and again, and the handler changes nothing/)]);
    expect(end).toBe('died');
  });
});

describe('it is no loop', () => {
  /** t2 is the number of a system call; the handler advances ERA. */
  const ADVANCE = ['csrrd $t6, ERA', 'addi.d $t6, $t6, 4', 'csrwr $t6, ERA'];

  test('a handler that counts in memory', async () => {
    const count = ['lu12i.w $t6, 0x1000', 'ld.d $t7, $t6, 0', 'addi.d $t7, $t7, 1', 'st.d $t7, $t6, 0', 'ertn'];
    expect(await told(handled(['.word 0x00000001'], [...delay(5), ...count]), MOST)).toEqual({
      texts: [],
      end: 'limit',
    });
  });

  test('a handler that counts in a vector register', async () => {
    const start = ['addi.d $t0, $zero, 3', 'csrwr $t0, EUEN', '.word 0x00000001'];
    expect(await told(handled(start, ['vaddi.du $vr1, $vr1, 1', 'ertn']), SHORT)).toEqual({ texts: [], end: 'limit' });
  });

  test('a program that yields by system calls until its timer has expired', async () => {
    // Interrupts end it: the handler cannot tell them apart here, so both advance behind the call or the branch.
    const start = [...timer(4_000, 1), ...IE, 'syscall 0', 'b -4'];
    const { texts } = await told(handled(start, [...ADVANCE, 'ertn']), SHORT);
    expect(texts).toEqual([]);
  });

  test('a program that shows something by system calls', async () => {
    const put = ['lu12i.w $t6, 0x1fe00', 'ori $t6, $t6, 0x1e0', 'addi.d $t7, $zero, 65', 'st.b $t7, $t6, 0'];
    const { texts } = await told(handled(['syscall 0', 'b -4'], [...put, ...ADVANCE, 'ertn']), SHORT);
    expect(texts).toEqual([]);
  });

  test('a program that asks for the time by system calls', async () => {
    const time = ['rdtime.d $t6, $zero', ...ADVANCE, 'ertn'];
    const { texts } = await told(handled(['syscall 0', 'b -4'], time), SHORT);
    expect(texts).toEqual([]);
  });
});

test('a program that calls its handler for ever, which nothing can interrupt, is told', async () => {
  const advance = ['csrrd $t6, ERA', 'addi.d $t6, $t6, 4', 'csrwr $t6, ERA', 'ertn'];
  const { texts } = await told(handled(['syscall 0', 'b -4'], advance), SHORT);
  expect(texts).toEqual([expect.stringMatching(/takes SYS at .* again and again/)]);
});
